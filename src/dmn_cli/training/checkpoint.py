"""All that a killed training needs to reach the same weights: checkpoints/step-N.safetensors of a run.

The last few are kept, each named after the steps that are done. Where the newest is damaged, the one before is read: it
leads to the same weights, later. They stay in the run; what is shipped is the model directory.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, ClassVar

import torch
from pydantic import AfterValidator, ConfigDict, TypeAdapter

from dmn_cli.errors import ModelError
from dmn_cli.training import saved

FOLDER = "checkpoints"
FORMAT_VERSION = 4
_OLDEST = 2  # that can be read
_OLD_NAME = "last.pt"  # of the only one that there was before version 4


@dataclass
class Totals:
    """Sums over the finished steps of an epoch."""

    losses: list[float] = field(default_factory=lambda: [0.0, 0.0])  # of the answers, of the gates
    supervised: int = 0  # steps whose batch had questions with known supporting facts
    skipped: int = 0  # steps whose loss was not a number


def _best(value: dict[str, Any]) -> dict[str, Any]:
    """`Checkpoint.best` with all that is asked of it. Raises: ValueError, TypeError"""
    score = value.get("score", [0.0, 0.0])  # older ones have none
    figures = [value.get("epoch"), value.get("accuracy"), value.get("loss"), *score]
    if len(score) != 2 or not all(isinstance(figure, int | float) for figure in figures):
        raise ValueError("not the figures of a validation")
    return value


@dataclass
class Checkpoint:
    """The state of a training between two steps. `step` steps of epoch `epoch` are done."""

    __pydantic_config__: ClassVar = ConfigDict(arbitrary_types_allowed=True, extra="forbid")  # tensors are

    data: str  # fingerprint of the data sets
    answers_from: int | None  # the first epoch that trains answers, once that is known
    epoch: int = 1
    step: int = 0
    network: dict[str, torch.Tensor] = field(default_factory=dict)
    optimiser: dict[str, Any] = field(default_factory=dict)
    totals: Totals = field(default_factory=Totals)
    best: Annotated[dict[str, Any], AfterValidator(_best)] | None = None  # epoch, accuracy, loss and score of the best
    # validation
    flawless: int = 0  # validation questions in a row without a mistake
    seconds: float = 0.0
    finished: str | None = None  # why the training ended, once it has
    in_order: bool = True  # gates are taught the order of the supporting facts, where that is to change
    spares_from: int | None = None  # the epoch from which on spare names take part, and swaps in all draws
    thin_from: int | None = None  # the epoch from which on facts are left out that support nothing
    highest: tuple[int, float] = (0, 0.0)  # the most accurate validation since spares take part: its epoch and accuracy
    lowest: tuple[int, float] = (0, math.inf)  # the epoch with the lowest loss of this attempt, and that loss
    attempt: int = 0  # how often it was begun anew
    falls_from: int | None = None  # the epoch from which on the learning rate falls, where that isn't set
    learnt: int = 0  # tasks whose validation is nearly all right, where all come together: bit i of task i
    steps: int = 0  # done in all
    averaged: list[torch.Tensor] = field(default_factory=list)  # the running mean of the weights, where there is one
    decided: dict[str, Any] = field(default_factory=dict)  # what keys of "auto" came to
    settings: dict[str, Any] = field(default_factory=dict)  # all of them, decided; empty: not known, of before
    lowered: int = 0  # how often the learning rate was halved, since a loss was not a number
    skipped_in_a_row: int = 0  # the last steps, whose loss was not a number
    computed_by: dict[str, Any] = field(default_factory=dict)  # what the last bits depend on: `kernels/tune.py`


def save(run: Path, checkpoint: Checkpoint, keep: int) -> None:
    """Adds one to a run, of which the last `keep` stay. Raises: ResourceError, OSError"""
    path = run / FOLDER / f"step-{checkpoint.steps:09}{saved.SUFFIX}"
    values = {f.name: getattr(checkpoint, f.name) for f in fields(checkpoint)}
    values["totals"] = vars(checkpoint.totals)
    saved.save(path, FORMAT_VERSION, values)
    others = found(run)
    before = [other for other in others if _steps(other) < checkpoint.steps]
    for other in others:
        if other != path and other not in before[: keep - 1]:  # one of later steps was damaged
            other.unlink(missing_ok=True)


def found(run: Path) -> list[Path]:
    """Those that a run has, the newest first."""
    there = [path for path in (run / FOLDER).glob("*") if path.name == _OLD_NAME or _steps(path) >= 0]
    return sorted(there, key=_steps, reverse=True)


def _steps(path: Path) -> int:
    """Those that are done, by the name of a checkpoint; -1: it has no such name."""
    match = re.fullmatch(rf"step-(\d+){re.escape(saved.SUFFIX)}", path.name)
    return int(match[1]) if match else -1


def last(run: Path, device: torch.device) -> tuple[Checkpoint | None, list[str]]:
    """The newest that can be read, or None where there is none yet; and what is to be said of those that can't.

    Raises: ModelError where all of them are damaged, or the newest is of another format version.
    """
    there, remarks = found(run), []
    for i, path in enumerate(there):
        try:
            return load(path, device), remarks
        except saved.Damaged:
            if path == there[-1]:
                raise
            remarks.append(f"{path} is damaged: going on from the one before, {there[i + 1].name}")
    return None, []


def decided(run: Path) -> dict[str, Any]:
    """`Checkpoint.decided` of the last one that can be read; nothing where there is none yet. Raises as `last` does"""
    state, _ = last(run, torch.device("cpu"))
    return state.decided if state else {}


def load(path: Path, device: torch.device) -> Checkpoint:
    """Raises: ModelError where it is missing, damaged, or of another format version."""
    try:
        checkpoint = saved.load(path, range(_OLDEST, FORMAT_VERSION + 1), _of)
    except FileNotFoundError as error:
        raise ModelError("there is no checkpoint to resume from", where=path) from error
    checkpoint.network = {name: tensor.to(device) for name, tensor in checkpoint.network.items()}
    return checkpoint


def _of(values: dict[str, Any]) -> Checkpoint:
    """Raises: pydantic.ValidationError where a value isn't of its type."""
    totals = values.pop("totals")
    if isinstance(totals, list):  # of version 3
        *losses, supervised = totals
        totals = {"losses": losses, "supervised": int(supervised)}
    return TypeAdapter(Checkpoint).validate_python(values | {"totals": totals})
