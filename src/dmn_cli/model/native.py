"""What is in C for CPUs (`csrc/`), compiled where it is used.

A step of a recurrence is small: torch takes as long to start its dozen operations as to do them. In C a whole sequence
is one call, and what belongs together is computed while it lies in the caches.

`build` compiles it once for a machine, with the C compiler that is there (`CC`, or else `cc`), and keeps it in the
user's cache folder. What doesn't compile, or doesn't compute what torch does, is not kept. `library` is what is kept,
or None, and then torch computes; so it does wherever DMN_NATIVE=0.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import re
import shlex
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from dmn_cli.files import cache_folder

_FOLDER = Path(__file__).with_name("csrc")
_REALS = {torch.float32: "float", torch.float64: "double"}
_FLAGS = "-O3", "-fno-math-errno", "-fno-trapping-math", "-std=gnu11", "-fPIC", "-shared", "-pthread"
_TARGETS = "-march=native -mprefer-vector-width=512", "-march=native", "-mcpu=native", ""  # the first that compiles
_SECONDS = 60  # for a compiler to take

_libraries: dict[torch.dtype, ctypes.CDLL | None] = {}  # what `library` has found, or not found


def build(dtype: torch.dtype = torch.float32) -> None:
    """Compiles it, where it isn't yet and can be. Warns where a compiler is there and fails."""
    if not allowed() or library(dtype) or not (compiler := _compiler()):
        return
    kept = _kept(dtype)
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
            made = Path(folder) / kept.name
            _compile(made, compiler, dtype)
            _libraries[dtype] = ctypes.CDLL(str(made))
            if not _agrees(dtype):
                raise ArithmeticError("it doesn't compute what torch does")
            made.replace(kept)
    except (OSError, AttributeError, ArithmeticError, subprocess.SubprocessError) as error:
        _libraries[dtype] = None
        warnings.warn(f"what is in C can't be compiled, so dmn is slower: {_reason(error)}", stacklevel=2)


def library(dtype: torch.dtype) -> ctypes.CDLL | None:
    """What `build` has kept for this type, of these sources and for this CPU."""
    if dtype not in _libraries:
        _libraries[dtype] = None
        if dtype in _REALS and allowed():
            with suppress(OSError):
                _libraries[dtype] = ctypes.CDLL(str(_kept(dtype)))
    return _libraries[dtype]


def serves(tensor: Tensor) -> bool:
    """Whether it can compute with this tensor."""
    return tensor.is_cpu and library(tensor.dtype) is not None


def allowed() -> bool:
    return os.environ.get("DMN_NATIVE") != "0"


def forget() -> None:
    """The next one to ask for the library looks for it anew."""
    _libraries.clear()


@contextmanager
def without() -> Iterator[None]:
    """Here torch computes."""
    before = _libraries.copy()
    _libraries.update(dict.fromkeys(_REALS))
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


def _agrees(dtype: torch.dtype) -> bool:
    from dmn_cli.model import attention_gate_native, gated_gru_native

    with torch.random.fork_rng(devices=[]):
        return gated_gru_native.agrees(dtype) and attention_gate_native.agrees(dtype)


def _compiler() -> list[str] | None:
    named = shlex.split(os.environ.get("CC", "")) or ["cc"]
    return named if shutil.which(named[0]) else None


def _reason(error: Exception) -> str:
    """In one line."""
    if isinstance(error, subprocess.TimeoutExpired):
        return f"{error.cmd[0]} takes longer than {_SECONDS} s"
    if not isinstance(error, subprocess.CalledProcessError):
        return str(error)
    said = error.stderr.strip().splitlines()
    likely = [line for line in said if "error" in line] + said
    return likely[0] if likely else f"{error.cmd[0]} ended with exit code {error.returncode}"


def _compile(out: Path, compiler: list[str], dtype: torch.dtype) -> None:
    """Raises: OSError, subprocess.SubprocessError"""
    sources = sorted(_FOLDER.glob("*.c"))
    for target in _TARGETS:
        command = [*compiler, *_FLAGS, *target.split(), f"-DREAL={_REALS[dtype]}", *sources, "-o", out, "-lm"]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=_SECONDS)
            return
        except subprocess.CalledProcessError:
            if target == _TARGETS[-1]:
                raise


def _kept(dtype: torch.dtype) -> Path:
    """Where it lies, if it does: a home folder may be that of many machines."""
    made_of = [*(source.read_text() for source in sorted(_FOLDER.iterdir())), *_FLAGS, *_TARGETS, _cpu()]
    name = hashlib.sha256("\0".join(made_of).encode()).hexdigest()[:16]
    return cache_folder() / "native" / f"dmn-{_REALS[dtype]}-{name}.so"


def _cpu() -> str:
    """What decides which instructions a compiler may use here."""
    try:
        first = Path("/proc/cpuinfo").read_text().partition("\n\n")[0]
    except OSError:
        first = ""
    said = re.findall(r"^((?:model name|flags|CPU part|Features)\s*:.*)$", first, re.MULTILINE)
    return " ".join([platform.system(), platform.machine(), *said])
