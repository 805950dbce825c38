"""trials.jsonl: what came of every trial, a line each time that one was trained on."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dmn_cli.errors import ModelError
from dmn_cli.notation import json_line
from dmn_cli.training.tuning.space import Values

RECORD = "trials.jsonl"
Score = tuple[float, float]  # accuracy of the validation, minus its loss: the greater, the better


@dataclass(frozen=True)
class Stage:
    """A trial, trained so far."""

    trial: int
    values: Values
    epochs: int
    questions: int  # trained on, in all of these epochs
    seconds: float  # of training, in all
    best: dict[str, Any] | None  # epoch, accuracy, loss and score of its best validation; None: it failed
    finished: str | None  # why the training ended, if it did
    failed: str | None = None  # what went wrong


@dataclass
class Trial:
    number: int
    stages: list[Stage]

    @property
    def values(self) -> Values:
        return self.stages[0].values

    @property
    def last(self) -> Stage:
        return self.stages[-1]

    @property
    def over(self) -> bool:
        """Whether it can't be trained any further."""
        return bool(self.last.finished or self.last.failed)

    def reached(self, epochs: int) -> bool:
        """Whether it was trained for so many, or to its own end before."""
        return not self.last.failed and (self.last.epochs >= epochs or self.last.finished is not None)

    def score(self, epochs: int) -> Score:
        """Of the first so many epochs, which it has reached."""
        stage = next((stage for stage in self.stages if stage.epochs >= epochs), self.last)
        assert stage.best is not None
        return tuple(stage.best["score"])


def trials_of(stages: Sequence[Stage]) -> list[Trial]:
    """In the order of their numbers, which is that in which they were begun."""
    found: list[Trial] = []
    for stage in stages:
        if stage.trial == len(found):
            found.append(Trial(stage.trial, []))
        found[stage.trial].stages.append(stage)
    return found


def read(folder: Path) -> list[Stage]:
    """Raises: ModelError where a line is damaged; the last one may be half-written, which then doesn't count."""
    path = folder / RECORD
    lines = path.read_bytes().split(b"\n") if path.exists() else [b""]
    stages: list[Stage] = []
    for number, line in enumerate(lines[:-1], start=1):
        try:
            stages.append(_stage(json.loads(line)))
            trials_of(stages)
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            raise ModelError("is damaged: not a trial that dmn writes", where=f"{path}:{number}") from error
    if lines[-1]:
        with path.open("rb+") as file:
            file.truncate(path.stat().st_size - len(lines[-1]))
    return stages


def _stage(values: dict[str, Any]) -> Stage:
    """Raises: TypeError, ValueError or LookupError where it isn't what `add` wrote."""
    stage = Stage(**values)
    if stage.best is None and not stage.failed:
        raise ValueError("neither validated nor failed")
    if stage.best is not None:
        _ = [float(stage.best[key]) for key in ("epoch", "accuracy", "loss")], [float(x) for x in stage.best["score"]]
    _ = [stage.values.items(), stage.epochs + 1, stage.questions + 1, stage.seconds + 1]
    return stage


def add(folder: Path, stage: Stage) -> None:
    with (folder / RECORD).open("ab") as file:
        file.write(json_line(asdict(stage)))
        file.flush()
        os.fsync(file.fileno())
