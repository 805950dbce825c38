"""Files of tensors and plain values that a run needs to go on: written whole or not at all, checked when they are read,
and read without running code.

A file is one of safetensors. Its metadata has one key, `dmn`: JSON of `format_version`, `values`, where
{"$tensor": NAME} stands for a tensor of the file, and `sha256`, of the values and the tensors.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import safetensors.numpy
import safetensors.torch
import torch

from dmn_cli.errors import ModelError
from dmn_cli.files import atomic_file, unreadable

T = TypeVar("T")
SUFFIX, OLD_SUFFIX = ".safetensors", ".pt"  # dmn wrote torch's own files before
AGAIN = "Train again with --force."
_TENSOR, _ITEMS, _FLOAT = "$tensor", "$items", "$float"


class Damaged(ModelError):
    pass


def save(path: Path, version: int, values: dict[str, Any]) -> None:
    """The folder is made if it is missing. Raises: ResourceError, OSError"""
    path.parent.mkdir(exist_ok=True)
    tensors: dict[str, torch.Tensor] = {}
    packed = _packed(values, "", tensors)
    said = {"format_version": version, "values": packed, "sha256": _digest(packed, tensors)}
    arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
    with atomic_file(path) as file:
        file.write(safetensors.numpy.save(arrays, {"dmn": json.dumps(said)}))


def find(path: Path) -> Path | None:
    """The file of this name, with the suffix that it has; None: there is none. path: without a suffix"""
    return next((file for s in (SUFFIX, OLD_SUFFIX) if (file := path.with_name(path.name + s)).is_file()), None)


def load(
    path: Path,
    versions: range,
    make: Callable[[dict[str, Any]], T],
    device: torch.device | str = "cpu",
    *,
    what: str = "the checkpoint ",
) -> T:
    """What `make` makes of the values. versions: of the format, that can be read; what: how the file is called

    Raises: FileNotFoundError; Damaged; ModelError where it is of another format version.
    """
    newest = versions[-1]
    try:
        content = path.read_bytes()
        version, values = _of_torch(content, device) if content.startswith(b"PK") else _unpacked_file(content, device)
        if version in versions:
            return make(values())
        newer = version > newest
    except FileNotFoundError:
        raise
    except OSError as error:
        raise Damaged(f"{what}{unreadable(error)}", where=path, hint=AGAIN) from error
    except Exception as error:  # torch names no common class for what a damaged file raises
        raise Damaged(f"{what}is damaged", where=path, hint=AGAIN) from error
    if newer:
        raise ModelError(f"{what}has format version {version}; this dmn reads up to {newest}", where=path)
    raise ModelError(f"{what}has format version {version}, of an older dmn", where=path, hint=AGAIN)


_Read = tuple[int, Callable[[], dict[str, Any]]]
"""The format version, and what reads the values."""


def _of_torch(content: bytes, device: torch.device | str) -> _Read:
    values = torch.load(io.BytesIO(content), map_location=device, weights_only=True)
    return values.pop("format_version"), lambda: values


def _unpacked_file(content: bytes, device: torch.device | str) -> _Read:
    length = int.from_bytes(content[:8], "little")
    said = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["dmn"])

    def values() -> dict[str, Any]:
        tensors = safetensors.torch.load(content)
        if _digest(said["values"], tensors) != said["sha256"]:
            raise ValueError("not what was written")
        return _unpacked(said["values"], {name: tensor.to(device) for name, tensor in tensors.items()})

    return said["format_version"], values


def _digest(packed: Any, tensors: dict[str, torch.Tensor]) -> str:
    found = hashlib.sha256(json.dumps(packed).encode())
    for name, tensor in sorted(tensors.items()):
        found.update(json.dumps([name, str(tensor.dtype), tensor.shape]).encode())
        found.update(tensor.numpy().data if tensor.numel() else b"")
    return found.hexdigest()


def _packed(value: Any, path: str, tensors: dict[str, torch.Tensor]) -> Any:
    """As JSON has it; puts tensors into `tensors`. path: where the value stands"""
    if isinstance(value, torch.Tensor):
        assert path not in tensors
        tensors[path] = value.detach().cpu().contiguous()
        return {_TENSOR: path}
    if isinstance(value, dict):
        inner = [(key, _packed(one, f"{path}/{key}".lstrip("/"), tensors)) for key, one in value.items()]
        plain = all(isinstance(key, str) and not key.startswith("$") for key in value)
        return dict(inner) if plain else {_ITEMS: [[key, one] for key, one in inner]}
    if isinstance(value, list | tuple):
        return [_packed(one, f"{path}/{n}", tensors) for n, one in enumerate(value)]
    if isinstance(value, float) and not math.isfinite(value):
        return {_FLOAT: str(value)}
    return value


def _unpacked(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(value, list):
        return [_unpacked(one, tensors) for one in value]
    if not isinstance(value, dict):
        return value
    if _TENSOR in value:
        return tensors[value[_TENSOR]]
    if _ITEMS in value:
        return {key: _unpacked(one, tensors) for key, one in value[_ITEMS]}
    return float(value[_FLOAT]) if _FLOAT in value else {key: _unpacked(one, tensors) for key, one in value.items()}
