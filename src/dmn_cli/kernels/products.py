"""Matrix products, by the library that is faster on the CPU at hand.

torch gives products in float32 to MKL, which multiplies 256 bits at a time on AMD CPUs. From Zen 5 on these can take
512, so it runs at half their speed. oneDNN, which torch has on board too, uses all 512, but torch gives it such
products only where bfloat16 would do (`torch.backends.mkldnn.matmul.fp32_precision`). Even then oneDNN multiplies in
float32, at full precision (docs/log.md).

oneDNN takes 10 µs to start, and compiles and keeps a program for each shape that it meets. So it is given blocks of a
few fixed heights; what is left over, and all that is small, stays with MKL. torch's setting is one for all threads:
only the main thread changes it, and others, which answer side by side, stay with MKL.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import current_thread, main_thread
from typing import Any, cast

import torch
from torch import Tensor

LARGE = 1 << 20  # multiplications from which on oneDNN is faster
_ZEN5 = 26  # its CPU family
STEP, MOST = 64, 512  # blocks have a multiple of STEP rows, MOST at most

_adaptive = False


def adapt() -> bool:
    """Sends large products to oneDNN on CPUs where that is faster and no less precise. Returns whether it does.

    The kind of CPU decides, and not a measurement, so that a training that is resumed goes on as it would have.
    """
    global _adaptive
    _adaptive = _is_zen5() and torch.backends.mkldnn.is_available() and _as_precise()
    return _adaptive


def library() -> str:
    """What multiplies matrices on a CPU."""
    usual = "MKL" if torch.backends.mkl.is_available() else "torch"
    return f"oneDNN, small ones by {usual}" if _adaptive else usual


def affine(x: Tensor, W: Tensor, b: Tensor) -> Tensor:
    """x W + b, with a gradient. (rows, inputs), (inputs, outputs), (outputs,) → (rows, outputs)"""
    return cast("Tensor", _Affine.apply(x, W, b))


class _Affine(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, W, b):
        ctx.save_for_backward(x, W)
        return product(x, W, b)

    @staticmethod
    def backward(ctx, *gradients):
        (d,), (x, W) = gradients, ctx.saved_tensors
        return product(d, W.t()), product_of_rows(x, d), d.sum(dim=0)


def product(a: Tensor, B: Tensor, base: Tensor | None = None, *, out: Tensor | None = None) -> Tensor:
    """base + a B, without a gradient. (rows, inputs), (inputs, outputs) → (rows, outputs)

    base: (rows, outputs) or (outputs,); out: (rows, outputs), to write to, which may be `base`
    """
    if not _adaptive or not (whole := _whole(len(a), B.numel())):
        return torch.mm(a, B, out=out) if base is None else torch.addmm(base, a, B, out=out)
    out = a.new_empty(len(a), B.shape[1]) if out is None else out

    def multiply(block: slice) -> None:
        if base is None:
            torch.mm(a[block], B, out=out[block])
        else:
            torch.addmm(base[block] if base.dim() > 1 else base, a[block], B, out=out[block])

    _in_blocks(multiply, len(a), whole)
    return out


def product_of_rows(a: Tensor, b: Tensor, onto: Tensor | None = None) -> Tensor:
    """aᵀ b, summed over rows, without a gradient. (rows, inputs), (rows, outputs) → (inputs, outputs)

    onto: (inputs, outputs), to which it is added, in place
    """
    whole = _whole(len(a), a.shape[1] * b.shape[1])
    if not whole:
        return a.t() @ b if onto is None else onto.addmm_(a.t(), b)
    out = a.new_zeros(a.shape[1], b.shape[1]) if onto is None else onto
    _in_blocks(lambda block: out.addmm_(a[block].t(), b[block]), len(a), whole)
    return out


def _whole(rows: int, multiplications: int) -> int:
    """How many of the rows oneDNN gets. multiplications: for one row"""
    if not _adaptive or rows * multiplications < LARGE or current_thread() is not main_thread():
        return 0
    whole = rows - rows % MOST
    rest = (rows - whole) // STEP * STEP
    return whole + (rest if rest * multiplications >= LARGE else 0)


def _in_blocks(multiply: Callable[[slice], object], rows: int, whole: int) -> None:
    """A product in blocks of rows: the first `whole` rows by oneDNN, the rest by MKL."""
    with _onednn():
        for start in range(0, whole, MOST):
            multiply(slice(start, min(start + MOST, whole)))
    if whole < rows:
        multiply(slice(whole, rows))


@contextmanager
def _onednn() -> Iterator[None]:
    """Meanwhile products go to oneDNN: the flag is torch's, and the whole process has one."""
    matmul: Any = torch.backends.mkldnn.matmul  # type: ignore[attr-defined]
    matmul.fp32_precision = "bf16"
    try:
        yield
    finally:
        matmul.fp32_precision = "ieee"


def _is_zen5() -> bool:
    """Or later."""
    try:
        cpu = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
    family = re.search(r"^cpu family\s*:\s*(\d+)$", cpu, re.MULTILINE)
    return "AuthenticAMD" in cpu and family is not None and int(family[1]) >= _ZEN5


def _as_precise() -> bool:
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.rand(256, 256, generator=generator) for _ in range(2))
    exact = a.double() @ b.double()
    with _onednn():
        error = (a @ b - exact).abs().max() / exact.max()
    return bool(error < 1e-6)  # bfloat16 has 4e-3
