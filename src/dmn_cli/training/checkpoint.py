"""All that a killed training needs to reach the same weights: checkpoints/last.pt of a run.

Written by torch.save and read with weights_only=True: tensors and plain values, nothing that could run code. It stays
in the run; what is shipped is the model directory.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch

from dmn_cli.errors import ModelError
from dmn_cli.training import saved

FORMAT_VERSION = 3
_OLDEST = 2  # that can be read


@dataclass
class Totals:
    """Sums over the finished steps of an epoch."""

    losses: list[float] = field(default_factory=lambda: [0.0, 0.0])  # of the answers, of the gates
    supervised: int = 0  # steps whose batch had questions with known supporting facts


@dataclass
class Checkpoint:
    """The state of a training between two steps. `step` steps of epoch `epoch` are done."""

    data: str  # fingerprint of the data sets
    answers_from: int | None  # the first epoch that trains answers, once that is known
    epoch: int = 1
    step: int = 0
    network: dict[str, torch.Tensor] = field(default_factory=dict)
    optimiser: dict[str, Any] = field(default_factory=dict)
    totals: Totals = field(default_factory=Totals)
    best: dict[str, Any] | None = None  # epoch, accuracy and loss of the best validation
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
    steps: int = 0  # done in all
    averaged: list[torch.Tensor] = field(default_factory=list)  # the running mean of the weights, where there is one
    decided: dict[str, Any] = field(default_factory=dict)  # what keys of "auto" came to


def save(path: Path, checkpoint: Checkpoint) -> None:
    values = {f.name: getattr(checkpoint, f.name) for f in fields(checkpoint)}
    values["totals"] = [*checkpoint.totals.losses, float(checkpoint.totals.supervised)]
    saved.save(path, FORMAT_VERSION, values)


def load(path: Path, device: torch.device) -> Checkpoint:
    """Raises: ModelError where it is missing, damaged, or of another format version."""
    try:
        checkpoint = saved.load(path, range(_OLDEST, FORMAT_VERSION + 1), _of)
    except FileNotFoundError as error:
        raise ModelError("there is no checkpoint to resume from", where=path) from error
    checkpoint.network = {name: tensor.to(device) for name, tensor in checkpoint.network.items()}
    return checkpoint


def _of(values: dict[str, Any]) -> Checkpoint:
    *losses, supervised = values.pop("totals")
    return Checkpoint(**values, totals=Totals(losses, int(supervised)))
