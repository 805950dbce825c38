"""All that a killed training needs to reach the same weights: checkpoints/last.pt of a run.

Written by torch.save and read with weights_only=True: tensors and plain values, nothing that could run code. It stays
in the run; what is shipped is the model directory.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch

from dmn_cli.errors import ModelError
from dmn_cli.files import atomic_file

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
    path.parent.mkdir(exist_ok=True)
    values = {f.name: getattr(checkpoint, f.name) for f in fields(checkpoint)}
    values["totals"] = [*checkpoint.totals.losses, float(checkpoint.totals.supervised)]
    buffer = io.BytesIO()  # given a file, torch hides why writing failed
    torch.save({"format_version": FORMAT_VERSION, **values}, buffer)
    with atomic_file(path) as file:
        file.write(buffer.getbuffer())


def load(path: Path, device: torch.device) -> Checkpoint:
    """Raises: ModelError where it is missing, damaged, or of another format version."""
    try:
        values = torch.load(path, map_location="cpu", weights_only=True)
        version = values.pop("format_version")
    except FileNotFoundError as error:
        raise ModelError("there is no checkpoint to resume from", where=path) from error
    except Exception as error:  # torch names no common class for what a damaged file raises
        raise ModelError("the checkpoint is damaged", where=path, hint="Train again with --force.") from error
    if version > FORMAT_VERSION:
        raise ModelError(
            f"the checkpoint has format version {version}; this dmn reads up to {FORMAT_VERSION}", where=path
        )
    if version < _OLDEST:
        raise ModelError(
            f"the checkpoint has format version {version}, of an older dmn",
            where=path,
            hint="Train again with --force.",
        )
    *losses, supervised = values.pop("totals")
    checkpoint = Checkpoint(**values, totals=Totals(losses, int(supervised)))
    checkpoint.network = {name: tensor.to(device) for name, tensor in checkpoint.network.items()}
    return checkpoint
