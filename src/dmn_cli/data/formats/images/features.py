"""Features of regions that another network has computed: .npy or .safetensors → vectors in reading order.

An array is (rows, columns, width), or (regions, width), which is one row. It holds float16, float32 or float64.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dmn_cli.errors import DataError
from dmn_cli.files import memory_mapped
from dmn_cli.records.regions import LARGEST, MOST, PictureForm

_SUFFIXES = (".npy", ".safetensors")


def are_in(name: str) -> bool:
    """Whether a file of this name holds features, and no picture."""
    return Path(name).suffix.lower() in _SUFFIXES


def read(path: Path, form: PictureForm) -> np.ndarray:
    """Those of one picture, (regions, width) float32. Raises: DataError; OSError where there is no such file"""
    return in_order(_load(path), form)


def form_of(path: Path) -> PictureForm:
    """The form of these and all others. Raises as `read` does."""
    shape = _load(path).shape
    rows, columns, width = (1, *shape) if len(shape) == 2 else shape
    if not rows * columns <= MOST or not width <= LARGEST:
        raise DataError(f"has {rows} × {columns} regions of {width} numbers: at most {MOST} of {LARGEST} can be read")
    return PictureForm(rows, columns, width=width)


def in_order(array: np.ndarray, form: PictureForm) -> np.ndarray:
    """(rows, columns, width), or (regions, width) → (regions, width) float32 in reading order. Raises: DataError"""
    shape = (form.rows, form.columns, form.width)
    if array.shape != shape and not (form.rows == 1 and array.shape == shape[1:]):
        raise DataError(f"its array is {_by(array.shape)}, and not {_by(shape)} as the others", hint=_HINT)
    with np.errstate(over="ignore"):
        vectors = np.asarray(array, np.float32).reshape(form.regions, form.width)
    if not np.isfinite(vectors).all():
        raise DataError("holds numbers that are infinite, too large for float32, or none (NaN)")
    return vectors[form.snake]


_HINT = "An array is rows × columns × width, or regions × width."
_KINDS = "Save it as float16, float32 or float64."


def _load(path: Path) -> np.ndarray:
    """Raises: DataError; OSError"""
    if path.exists() and not path.is_file():
        raise DataError("is no file")
    if path.suffix.lower() == ".npy":
        try:
            array = memory_mapped(path)
        except ValueError as error:
            raise DataError("is no array of numpy, or a damaged one", hint=_HINT) from error
    else:
        array = _only_tensor(path)
    if array.ndim not in (2, 3) or not array.size:
        raise DataError(f"its array is {_by(array.shape)}", hint=_HINT)
    if array.dtype.kind != "f":
        raise DataError(f"its array holds {array.dtype}", hint=_KINDS)
    return array


def _only_tensor(path: Path) -> np.ndarray:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        tensors = load_file(path)
    except TypeError as error:  # bfloat16 and others that numpy hasn't, or has once ml_dtypes is imported
        raise DataError(f"its array can't be read ({error})", hint=_KINDS) from error
    except (SafetensorError, KeyError) as error:
        raise DataError(f"is no safetensors, or damaged ({error})") from error
    if len(tensors) != 1:
        raise DataError(f"has {len(tensors)} arrays, and not one")
    return next(iter(tensors.values()))


def _by(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))
