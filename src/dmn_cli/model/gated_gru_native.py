"""The gated recurrence (`gated_gru.py`) in C, for CPUs: `gated_gru.c`, compiled where it is used.

A step is small: torch takes as long to start its dozen operations as to do them. In C a whole sequence is one call.

`build` compiles it once for a machine, with the C compiler that is there (`CC`, or else `cc`), and keeps it in the
user's cache folder. What doesn't compile, or doesn't compute what the loop does, is not kept. `library` is what is
kept, or None, and then the loop computes; so it does wherever DMN_NATIVE=0.
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
from collections.abc import Callable
from contextlib import suppress
from itertools import product
from pathlib import Path

import torch
from torch import Tensor

from dmn_cli.files import cache_folder
from dmn_cli.model.gated_gru import add_weight_gradient, agree, input_and_weight_gradients

_SOURCE = Path(__file__).with_name("gated_gru.c")
_REALS = {torch.float32: "float", torch.float64: "double"}
_MATH = "-O3", "-fno-math-errno", "-fno-trapping-math", "-fopenmp-simd"
_FLAGS = *_MATH, "-std=gnu11", "-fPIC", "-shared", "-pthread"
_TARGETS = "-march=native -mprefer-vector-width=512", "-march=native", "-mcpu=native", ""  # the first that compiles
_SECONDS = 60  # for a compiler to take

_NUMBERS = "rows", "hidden", "z", "before", "threads"
_READ = "begin", "length", "order", "x", "U", "g", "h_0"
_MADE = "kept", "states", "d_states", "d_last", "d", "dg", "dh_0"


class _Loop(ctypes.Structure):
    """`Loop` of the C source, which says what each is."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in _NUMBERS),
        *((name, ctypes.c_void_p) for name in (*_READ, *_MADE)),
    )


Library = Callable[..., int]
_libraries: dict[torch.dtype, Library | None] = {}  # what `library` has found, or not found


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
            _libraries[dtype] = ctypes.CDLL(str(made)).run
            for blocks, before in product((2, 3), (False, True)):
                if not agree(Recurrence, 20, 20 * blocks, gates=True, before=before, dtype=dtype):
                    raise ArithmeticError("it doesn't compute what the loop does")
            made.replace(kept)
    except (OSError, AttributeError, ArithmeticError, subprocess.SubprocessError) as error:
        _libraries[dtype] = None
        said = str(getattr(error, "stderr", None) or error).strip().splitlines()
        warnings.warn(f"the recurrence can't be compiled, so dmn is slower: {said[0]}", stacklevel=2)


def library(dtype: torch.dtype) -> Library | None:
    """What `build` has kept for this type, of this source and for this CPU."""
    if dtype not in _libraries:
        _libraries[dtype] = None
        if dtype in _REALS and allowed():
            with suppress(OSError):
                _libraries[dtype] = ctypes.CDLL(str(_kept(dtype))).run
    return _libraries[dtype]


def forget() -> None:
    """The next one to ask for the library looks for it anew."""
    _libraries.clear()


def allowed() -> bool:
    return os.environ.get("DMN_NATIVE") != "0"


def _compiler() -> list[str] | None:
    named = shlex.split(os.environ.get("CC", "")) or ["cc"]
    return named if shutil.which(named[0]) else None


def _compile(out: Path, compiler: list[str], dtype: torch.dtype) -> None:
    """Raises: OSError, subprocess.SubprocessError"""
    for target in _TARGETS:
        command = [*compiler, *_FLAGS, *target.split(), f"-DREAL={_REALS[dtype]}", _SOURCE, "-o", out, "-lm"]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=_SECONDS)
            return
        except subprocess.CalledProcessError:
            if target == _TARGETS[-1]:
                raise


def _kept(dtype: torch.dtype) -> Path:
    """Where it lies, if it does: a home folder may be that of many machines."""
    made_of = [_SOURCE.read_text(), *_FLAGS, *_TARGETS, _cpu()]
    name = hashlib.sha256("\0".join(made_of).encode()).hexdigest()[:16]
    return cache_folder() / "native" / f"gated_gru-{_REALS[dtype]}-{name}.so"


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text()
    except OSError:
        lines = ""
    said = dict(re.findall(r"^(model name|flags|CPU part|Features)\s*:(.*)$", lines, re.MULTILINE))
    return " ".join([platform.platform(), platform.machine(), platform.processor(), *map(str, sorted(said.items()))])


class Recurrence(torch.autograd.Function):
    """What `gated_gru.Recurrence` is, with the same arguments, where there is a `library`."""

    @staticmethod
    def forward(ctx, x, U, g, h_0, packing, last, before):
        hidden, width = U.shape
        x, U, g = x.contiguous(), U.contiguous(), None if g is None else g.contiguous()
        h_0 = x.new_zeros(packing.counts[0], hidden) if h_0 is None else h_0.contiguous()
        kept = x.new_empty(len(x), width // hidden + 1, hidden) if any(ctx.needs_input_grad) else None
        states = x.new_empty(len(x), hidden)
        ctx.numbers = packing.counts[0], hidden, width == 3 * hidden, before, torch.get_num_threads()
        ctx.packing = packing
        _run(ctx.numbers, packing, x=x, U=U, g=g, h_0=h_0, kept=kept, states=states)
        ctx.save_for_backward(U, g, h_0, kept, states, last)
        return states if last is None else states.index_select(0, last)

    @staticmethod
    def backward(ctx, *gradients):
        U, g, h_0, kept, states, last = ctx.saved_tensors
        hidden, width = U.shape
        _, _, _, before, _ = ctx.numbers
        d = states.new_empty(len(states), width // hidden + (not before), hidden)
        dg = torch.empty_like(g) if ctx.needs_input_grad[2] else None
        dh_0 = torch.empty_like(h_0) if ctx.needs_input_grad[3] else None
        given = {"d_states" if last is None else "d_last": gradients[0].contiguous()}
        as_in_d = U if before else torch.roll(U, hidden, dims=1)
        _run(
            ctx.numbers, ctx.packing, U=as_in_d, g=g, h_0=h_0, kept=kept, states=states, d=d, dg=dg, dh_0=dh_0, **given
        )
        h = torch.cat([h_0, states.index_select(0, ctx.packing.going_on)])
        dU = torch.zeros_like(U)
        add_weight_gradient(dU, h, kept[:, -2], d, before=before)
        dx, dU = input_and_weight_gradients(d, dU, before=before)
        return dx, dU, dg, dh_0, None, None, None


def _run(numbers, packing, *, states: Tensor, **tensors: Tensor | None) -> None:
    """Raises: MemoryError"""
    tensors |= {"begin": packing.begin, "length": packing.longest_first, "order": packing.order, "states": states}
    addresses = {name: tensor.data_ptr() for name, tensor in tensors.items() if tensor is not None}
    run = library(states.dtype)
    if run is None or not run(ctypes.byref(_Loop(*numbers, **addresses))):
        raise MemoryError
