"""Files of tensors and plain values that a run needs to go on: written whole or not at all, and read without running
code."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch

from dmn_cli.errors import ModelError
from dmn_cli.files import atomic_file

T = TypeVar("T")
AGAIN = "Train again with --force."


def save(path: Path, version: int, values: dict[str, Any]) -> None:
    """The folder is made if it is missing."""
    path.parent.mkdir(exist_ok=True)
    buffer = io.BytesIO()  # given a file, torch hides why writing failed
    torch.save({"format_version": version, **values}, buffer)
    with atomic_file(path) as file:
        file.write(buffer.getbuffer())


def load(
    path: Path,
    versions: range,
    make: Callable[[dict[str, Any]], T],
    device: torch.device | str = "cpu",
    *,
    what: str = "the checkpoint ",
) -> T:
    """What `make` makes of the values. versions: of the format, that can be read; what: how the file is called

    Raises: FileNotFoundError; ModelError where it is damaged, or of another format version.
    """
    newest = versions[-1]
    try:
        values = torch.load(path, map_location=device, weights_only=True)
        version = values.pop("format_version")
        if version in versions:
            return make(values)
        newer = version > newest
    except FileNotFoundError:
        raise
    except Exception as error:  # torch names no common class for what a damaged file raises
        raise ModelError(f"{what}is damaged", where=path, hint=AGAIN) from error
    if newer:
        raise ModelError(f"{what}has format version {version}; this dmn reads up to {newest}", where=path)
    raise ModelError(f"{what}has format version {version}, of an older dmn", where=path, hint=AGAIN)
