"""Which library multiplies matrices on a CPU.

torch gives products of float32 to MKL, which runs at half the speed of an AMD CPU. It has oneDNN on board too, which
doesn't, but gives it such products only where bfloat16 would do (`torch.backends.mkldnn.matmul.fp32_precision`). Where
there are no instructions to that end, oneDNN then multiplies in float32, at full precision. It takes 10 µs to start, so
small products stay with MKL (docs/log.md). The choice is torch's, for all threads; so only the main one changes it on
its way, and others, which answer with one network side by side, leave it as it is.
"""

from __future__ import annotations

from bisect import bisect_right
from pathlib import Path
from threading import current_thread, main_thread

import torch

LARGE = 1 << 20  # multiplications from which on oneDNN is the faster one

_adaptive = False


def adapt() -> bool:
    """Lets oneDNN have the large products, on a CPU where that is faster and no less precise. Whether it is."""
    global _adaptive
    _adaptive = _is_amd() and torch.backends.mkldnn.is_available() and _as_precise()
    choose(LARGE)
    return _adaptive


def choose(multiplications: int) -> None:
    """Chooses for the products to come, by the size of one of them."""
    if _adaptive:
        torch.backends.mkldnn.matmul.fp32_precision = "bf16" if multiplications >= LARGE else "ieee"  # type: ignore


def small_from(counts: list[int], multiplications: int) -> int:
    """The step of a recurrence from which on its products are small. counts: rows of each step, the most first;
    multiplications: of one row."""
    if not _adaptive or current_thread() is not main_thread():
        return len(counts)
    return bisect_right(counts, -LARGE // multiplications, key=lambda n: -n)


def _is_amd() -> bool:
    try:
        return "AuthenticAMD" in Path("/proc/cpuinfo").read_text()
    except OSError:
        return False


def _as_precise() -> bool:
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.rand(256, 256, generator=generator) for _ in range(2))
    exact = a.double() @ b.double()
    torch.backends.mkldnn.matmul.fp32_precision = "bf16"  # type: ignore
    error = (a @ b - exact).abs().max() / exact.max()
    torch.backends.mkldnn.matmul.fp32_precision = "ieee"  # type: ignore
    return bool(error < 1e-6)  # bfloat16 has 4e-3
