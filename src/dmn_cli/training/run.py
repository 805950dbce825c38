"""The run directory: settings, data, metrics, checkpoints, and the best model so far."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from dmn_cli.artifact import trained_on
from dmn_cli.data.store.reader import DataSet
from dmn_cli.errors import UsageError
from dmn_cli.files import write_text
from dmn_cli.settings.load import to_toml
from dmn_cli.settings.schema import Settings
from dmn_cli.training import checkpoint as checkpoints
from dmn_cli.training.checkpoint import Checkpoint

CHECKPOINT = Path("checkpoints") / "last.pt"


class Run:
    """Reads and writes one."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def model(self) -> Path:
        return self.path / "model"

    def begin(self, settings: Settings, data: Sequence[DataSet], *, force: bool = False) -> None:
        """Makes the directory; with `force`, in place of the run that is there."""
        make(self.path, settings, data, force=force)
        (self.path / "metrics.jsonl").write_bytes(b"")

    def save(self, state: Checkpoint) -> None:
        checkpoints.save(self.path / CHECKPOINT, state)

    def load(self, data: str, epochs: int, device: torch.device) -> Checkpoint:
        """The last checkpoint. data: fingerprint of the data sets; epochs: how many are to be trained in all

        Raises: ModelError where there is none; UsageError where the data has changed or the training is over.
        """
        state = checkpoints.load(self.path / CHECKPOINT, device)
        if state.data != data:
            raise UsageError(
                "this run was trained on other data",
                where=self.path,
                hint="Give the data set that it began with.",
            )
        if state.finished and state.epoch >= epochs:
            raise UsageError(
                f"the training is over: {state.finished}",
                where=self.path,
                hint="Go on for longer with --resume --epochs N.",
            )
        return state

    def log(self, epoch: dict[str, Any]) -> None:
        """Adds a line to metrics.jsonl."""
        with (self.path / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(epoch) + "\n")

    def forget_metrics_from(self, epoch: int) -> None:
        """Drops the lines of later epochs: a killed run may have logged one that is now trained again."""
        keep_lines(self.path / "metrics.jsonl", lambda line: line["epoch"] < epoch)


def keep_lines(path: Path, wanted: Callable[[dict[str, Any]], bool]) -> None:
    """Drops the other lines of a log: a killed run may have written some that it now writes again."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
    write_text(path, "".join(line for line in lines if wanted(json.loads(line))))


def make(path: Path, settings: Settings, data: Sequence[DataSet], *, force: bool) -> None:
    """A directory that says its settings and its data, and has nothing else in it; with `force`, in place of the run
    that is there."""
    if force and (path / "config.toml").is_file():
        shutil.rmtree(path.resolve())
    path.mkdir(parents=True, exist_ok=True)
    write_text(path / "config.toml", to_toml(settings))
    trained_on.write(path, data)
