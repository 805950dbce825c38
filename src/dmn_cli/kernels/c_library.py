"""Kernels in C for CPUs (`csrc/`): the compiled library, where there is one, and calls into it.

A step of a recurrence is small: torch takes as long to start its dozen operations as to carry them out. In C a whole
sequence is one call, and what belongs together is computed while it lies in the caches.

`c_build` compiles the library and keeps it in the user's cache folder. `library` is what was kept, or None: then torch
computes, as it does wherever DMN_NATIVE=0.
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

from dmn_cli.files import cache_folder, file_digest

REALS = {torch.float32: "float", torch.float64: "double"}

_libraries: dict[torch.dtype, ctypes.CDLL | None] = {}  # those looked for so far; None: not found


class Recipe(NamedTuple):
    """What the library is compiled from, and how."""

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
    targets: tuple[str, ...] = (  # the first that the compiler takes
        "-march=native -mprefer-vector-width=512 --param=avoid-fma-max-bits=0",
        *("-march=native -mprefer-vector-width=512", "-march=native"),
        *("-mcpu=native", ""),
    )
    seconds: float = 60  # that the compiler may take
    cpu: str | None = None  # that the library is for; None: this machine's

    def place(self, dtype: torch.dtype) -> Path:
        """Where the library lies once it is compiled; other CPUs, which may share the home folder, have others."""
        made_of = [source.read_bytes() for source in sorted(self.sources.iterdir())]
        made_of += [text.encode() for text in (*self.flags, *self.targets, self.cpu or this_cpu())]
        name = hashlib.sha256(b"\0".join(made_of)).hexdigest()[:16]
        return cache_folder() / "native" / f"dmn-{REALS[dtype]}-{name}.so"


RECIPE = Recipe()


def library(dtype: torch.dtype, recipe: Recipe = RECIPE) -> ctypes.CDLL | None:
    """The library for this type, where one was compiled by this recipe. It is looked for once."""
    if dtype not in _libraries:
        _libraries[dtype] = None
        if dtype in REALS and allowed():
            with suppress(OSError):
                _libraries[dtype] = ctypes.CDLL(str(recipe.place(dtype)))
    return _libraries[dtype]


def fingerprint(dtype: torch.dtype, recipe: Recipe = RECIPE) -> str | None:
    """Of the library that is in use, which another compiler makes another; None: torch computes."""
    place = recipe.place(dtype)
    return f"C {file_digest(place)[:8]}" if library(dtype, recipe) and place.is_file() else None


def use(dtype: torch.dtype, path: Path | None) -> None:
    """From now on the library for this type is the one in this file; None: torch computes. Raises: OSError"""
    _libraries[dtype] = None if path is None else ctypes.CDLL(str(path))


def serves(tensor: Tensor) -> bool:
    """Whether the kernels in C can compute with this tensor."""
    return tensor.is_cpu and library(tensor.dtype) is not None


def allowed() -> bool:
    """Whether the user lets kernels in C compute."""
    return os.environ.get("DMN_NATIVE") != "0"


def forget() -> None:
    """Has the next call of `library` look for it again."""
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
    """A C structure of integers, then pointers, by their names in C, and last what shares work among threads."""
    pointers = *tensors, "parallel"
    fields = [*((name, ctypes.c_int64) for name in numbers), *((name, ctypes.c_void_p) for name in pointers)]
    return type("Arguments", (ctypes.Structure,), {"_fields_": fields})


def call(function: str, arguments: type[ctypes.Structure], dtype: torch.dtype, **values: Tensor | int | None) -> None:
    """Tensors are contiguous: of this dtype where C has REAL, of int64 where it has Int. Raises: MemoryError"""
    given = arguments(parallel=_parallel())
    for name, value in values.items():
        if value is not None:
            setattr(given, name, value if isinstance(value, int) else value.data_ptr())
    if not getattr(library(dtype), function)(ctypes.byref(given)):
        raise MemoryError


def as_wanted(*tensors: Tensor | None) -> tuple[Tensor | None, ...]:
    """The arguments of a kernel's Function, detached where gradients are off: it isn't told that they are, and would
    keep what those of the weights need."""
    if torch.is_grad_enabled():
        return tensors
    return tuple(None if tensor is None else tensor.detach() for tensor in tensors)


@cache
def _parallel() -> int | None:
    """The address of GOMP_parallel, if the OpenMP library that torch has loaded is GCC's or one like it."""
    try:
        return ctypes.cast(ctypes.CDLL(None).GOMP_parallel, ctypes.c_void_p).value
    except (AttributeError, OSError, TypeError):
        return None


def this_cpu() -> str:
    """What decides which instructions a compiler may use here: model and features of the CPU."""
    try:
        first = Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("\n\n")[0]
    except OSError:
        first = ""
    said = re.findall(r"^((?:model name|flags|CPU part|Features)\s*:.*)$", first, re.MULTILINE)
    return " ".join([platform.system(), platform.machine(), *said])
