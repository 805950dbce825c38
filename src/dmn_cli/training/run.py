"""The run directory: settings, data, metrics, checkpoints, and the best model so far."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dmn_cli.artifact import trained_on
from dmn_cli.data.store.reader import DataSet
from dmn_cli.errors import ModelError, UsageError
from dmn_cli.files import append_line, clear, tidy, write_text
from dmn_cli.notation import json_line
from dmn_cli.settings.load import CONFIG, to_toml
from dmn_cli.settings.schema import Settings
from dmn_cli.training.checkpoint import FOLDER, Checkpoint
from dmn_cli.training.lock import half_begun

METRICS = "metrics.jsonl"
NON_FINITE = "non_finite.jsonl"  # questions of batches whose loss was not a number


class Run:
    """Reads and writes one."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def model(self) -> Path:
        return self.path / "model"

    def begin(
        self,
        settings: Settings,
        data: Sequence[DataSet],
        *,
        force: bool = False,
        also: Callable[[], None] = lambda: None,
    ) -> None:
        """Makes the directory, as `make` does."""

        def logs() -> None:
            (self.path / METRICS).write_bytes(b"")
            also()

        make(self.path, settings, data, force=force, also=logs)

    def take_up(self, settings: Settings, data: Sequence[DataSet], state: Checkpoint) -> None:
        """Makes the directory ready to go on from a state: what a killed process left is removed, and lines of what is
        trained again are dropped. settings, data: those of before, but for how many epochs and where it is"""
        self.renew(settings, data)
        keep_lines(self.path / METRICS, lambda line: line["epoch"] < state.epoch)
        keep_lines(self.path / NON_FINITE, lambda line: (line["epoch"], line["step"]) <= (state.epoch, state.step))

    def renew(self, settings: Settings, data: Sequence[DataSet]) -> None:
        """What a killed process left is removed, and what the run is resumed with is kept."""
        for folder in (self.path, self.path / FOLDER):
            tidy(folder)
        write_text(self.path / CONFIG, to_toml(settings))
        trained_on.write(self.path, data)

    def log(self, epoch: dict[str, Any]) -> None:
        """Adds a line to metrics.jsonl."""
        append_line(self.path / METRICS, json_line(epoch))


def keep_lines(path: Path, wanted: Callable[[dict[str, Any]], bool]) -> None:
    """Drops the other lines of a log: a killed run may have written some that it now writes again, and half a line.

    Raises: ModelError where a line isn't one of a log.
    """
    if not path.exists():
        return
    try:
        lines = path.read_text(encoding="utf-8").split("\n")[:-1]
        kept = "".join(f"{line}\n" for line in lines if wanted(json.loads(line)))
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ModelError("is damaged: not the log that dmn writes", where=path, hint="Delete it.") from error
    write_text(path, kept)


def make(
    path: Path,
    settings: Settings,
    data: Sequence[DataSet],
    *,
    force: bool,
    also: Callable[[], None] = lambda: None,
) -> None:
    """A directory that says its settings and its data, and has nothing else in it; with `force`, in place of the run
    that is there. also: writes what else belongs to a run of its kind; with the settings, last of all, it is one

    Raises: UsageError where another process has just made one.
    """
    there = (path / CONFIG).is_file()
    if there and not force:
        raise UsageError("the output exists already", where=path, hint="Choose another name.")
    if there or half_begun(path):
        clear(path, last=CONFIG)
    path.mkdir(parents=True, exist_ok=True)
    trained_on.write(path, data)
    also()
    write_text(path / CONFIG, to_toml(settings))
