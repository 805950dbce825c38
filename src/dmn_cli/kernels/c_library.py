"""Functions in C for CPUs (`csrc/`): the compiled library, where there is one, and calls into it.

A step of a recurrence is small: torch takes as long to start its dozen operations as to do them. In C a whole sequence
is one call, and what belongs together is computed while it lies in the caches.

`c_build` compiles the library and keeps it in the user's cache folder. `library` is what is kept, or None, and then
torch computes; so it does wherever DMN_NATIVE=0.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from dmn_cli.files import cache_folder

REALS = {torch.float32: "float", torch.float64: "double"}

_libraries: dict[torch.dtype, ctypes.CDLL | None] = {}  # what `library` has found, or not found


class Recipe(NamedTuple):
    """What a library is compiled from, and how."""

    sources: Path = Path(__file__).with_name("csrc")
    flags: tuple[str, ...] = (
        "-O3",
        "-fno-math-errno",
        "-fno-trapping-math",
        "-std=gnu11",
        "-fPIC",
        "-shared",
        "-pthread",
    )
    targets: tuple[str, ...] = (  # the first that compiles
        *("-march=native -mprefer-vector-width=512", "-march=native"),
        *("-mcpu=native", ""),
    )
    seconds: float = 60  # for the compiler to take

    def place(self, dtype: torch.dtype) -> Path:
        """Where the library lies, once it is compiled, for this CPU: a home folder may be that of many machines."""
        made_of = [source.read_bytes() for source in sorted(self.sources.iterdir())]
        made_of += [text.encode() for text in (*self.flags, *self.targets, cpu())]
        name = hashlib.sha256(b"\0".join(made_of)).hexdigest()[:16]
        return cache_folder() / "native" / f"dmn-{REALS[dtype]}-{name}.so"


RECIPE = Recipe()


def library(dtype: torch.dtype) -> ctypes.CDLL | None:
    """The compiled library for this type, of these sources and for this CPU."""
    if dtype not in _libraries:
        _libraries[dtype] = None
        if dtype in REALS and allowed():
            with suppress(OSError):
                _libraries[dtype] = ctypes.CDLL(str(RECIPE.place(dtype)))
    return _libraries[dtype]


def take(dtype: torch.dtype, path: Path | None) -> None:
    """Makes the library in a file the one for this type; None: torch computes. Raises: OSError"""
    _libraries[dtype] = None if path is None else ctypes.CDLL(str(path))


def serves(tensor: Tensor) -> bool:
    """Whether it can compute with this tensor."""
    return tensor.is_cpu and library(tensor.dtype) is not None


def allowed() -> bool:
    return os.environ.get("DMN_NATIVE") != "0"


def forget() -> None:
    """The next call of `library` looks for it anew."""
    _libraries.clear()


@contextmanager
def without() -> Iterator[None]:
    """Here torch computes."""
    before = _libraries.copy()
    _libraries.update(dict.fromkeys(REALS))
    try:
        yield
    finally:
        forget()
        _libraries.update(before)


def structure(numbers: Sequence[str], tensors: Sequence[str]) -> type[ctypes.Structure]:
    """A C structure of integers, then of pointers, by their names there, and last of what shares work among threads."""
    pointers = *tensors, "parallel"
    fields = [*((name, ctypes.c_int64) for name in numbers), *((name, ctypes.c_void_p) for name in pointers)]
    return type("Arguments", (ctypes.Structure,), {"_fields_": fields})


def call(function: str, arguments: type[ctypes.Structure], dtype: torch.dtype, **values: Tensor | int | None) -> None:
    """Tensors are contiguous, of this dtype where C has REAL, and of int64 where it has Int. Raises: MemoryError"""
    given = arguments(parallel=_parallel())
    for name, value in values.items():
        if value is not None:
            setattr(given, name, value if isinstance(value, int) else value.data_ptr())
    if not getattr(library(dtype), function)(ctypes.byref(given)):
        raise MemoryError


@cache
def _parallel() -> int | None:
    """Where GOMP_parallel is, of the OpenMP library that torch has loaded, if it is that of GCC or one like it."""
    try:
        return ctypes.cast(ctypes.CDLL(None).GOMP_parallel, ctypes.c_void_p).value
    except (AttributeError, OSError, TypeError):
        return None


def cpu() -> str:
    """What decides which instructions a compiler may use here."""
    try:
        first = Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("\n\n")[0]
    except OSError:
        first = ""
    said = re.findall(r"^((?:model name|flags|CPU part|Features)\s*:.*)$", first, re.MULTILINE)
    return " ".join([platform.system(), platform.machine(), *said])
