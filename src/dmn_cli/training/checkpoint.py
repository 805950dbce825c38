"""What a killed training needs to go on to the very same weights: checkpoints/last.pt of a run.

Written by torch.save and read with weights_only=True: tensors and plain values, nothing that could run code. It never
leaves the run; what is shipped is the model directory.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch

from dmn_cli.errors import ModelError
from dmn_cli.files import atomic_file

FORMAT_VERSION = 2


@dataclass
class Checkpoint:
    """The state of a training between two steps. `step` steps of epoch `epoch` are done."""

    epoch: int
    step: int
    network: dict[str, torch.Tensor]
    optimiser: dict[str, Any]
    answers_from: int | None  # the epoch from which on answers are trained, once that is known
    totals: list[float]  # of this epoch so far: the losses of answers and of gates, steps that had supporting facts
    best: dict[str, Any] | None  # epoch, accuracy and loss of the best validation
    flawless: int  # validation questions in a row without a mistake
    seconds: float
    finished: str | None  # why the training ended, once it has
    data: str  # fingerprint of the data sets


def save(path: Path, checkpoint: Checkpoint) -> None:
    path.parent.mkdir(exist_ok=True)
    values = {f.name: getattr(checkpoint, f.name) for f in fields(checkpoint)}
    buffer = io.BytesIO()  # straight to a file, torch hides why writing failed
    torch.save({"format_version": FORMAT_VERSION, **values}, buffer)
    with atomic_file(path) as file:
        file.write(buffer.getbuffer())


def load(path: Path, device: torch.device) -> Checkpoint:
    """Raises: ModelError where there is none, or it is damaged or too new."""
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
    if version < FORMAT_VERSION:
        raise ModelError(
            f"the checkpoint has format version {version}, of an older dmn",
            where=path,
            hint="Train again with --force.",
        )
    checkpoint = Checkpoint(**values)
    checkpoint.network = {name: tensor.to(device) for name, tensor in checkpoint.network.items()}
    return checkpoint
