"""The gated recurrence: one operation, computed by whichever kernel suits the machine.

`recurrence_triton` on a GPU, `recurrence_c` on a CPU where it has been compiled, `recurrence_loop` everywhere else.
"""

from __future__ import annotations

import os
import warnings
from functools import cache
from typing import cast

import torch
from torch import Tensor

from dmn_cli.kernels import c_library
from dmn_cli.kernels.recurrence_loop import Recurrence, agrees
from dmn_cli.records.packing import Packing, Pointers

WIDEST = 128  # the largest `hidden` that the kernels for GPUs have registers for


def recurrence(
    x: Tensor,
    U: Tensor,
    g: Tensor | None,
    h_0: Tensor | None,
    packing: Packing,
    last: Tensor | None,
    *,
    before: bool,
    taken: Pointers | None = None,
) -> Tensor:
    """The states of a GRU whose steps are let through by gates (`model/gated_gru.py`), with gradients.

    x: (packed, blocks x hidden), projected; U: (hidden, blocks x hidden), with the blocks [Z, R, H~] or, without Z,
    [R, H~]; g: (packed, 1), or None for open gates, only with Z; h_0: (rows, hidden) in the order of `packing`, or None
    for zeros; last: (rows,) where each row's last state lies, if these alone are wanted, or None for all; before:
    whether R comes before the product with U_h; taken: the row of x that each step takes, None: its own
    → (packed, hidden), or (rows, hidden)
    """
    kernel = kernel_for(x, U, gates=g is not None, before=before)
    return cast("Tensor", kernel.apply(*c_library.as_wanted(x, U, g, h_0), packing, last, before, taken))


def kernel_for(x: Tensor, U: Tensor, *, gates: bool, before: bool) -> type[torch.autograd.Function]:
    """The kernel for tensors of this device, type and width. Arguments as in `recurrence`; gates: whether there are any

    TRITON_INTERPRET=1 runs the kernels for GPUs on a CPU, slowly, for tests.
    """
    if x.is_cuda or os.environ.get("TRITON_INTERPRET") == "1":
        if x.dtype != torch.float32 or U.shape[0] > WIDEST:
            return Recurrence
        return triton_kernel(x.device, *U.shape, gates, before)
    if not c_library.serves(x):
        return Recurrence
    from dmn_cli.kernels import recurrence_c

    return recurrence_c.Recurrence


@cache
def triton_kernel(
    device: torch.device, hidden: int, width: int, gates: bool, before: bool
) -> type[torch.autograd.Function]:
    """The kernels for GPUs, if they compile and agree with the loop, gradients included; else the loop, and a warning.

    They are tried on a few random numbers, once for each form.
    """
    try:
        from dmn_cli.kernels import recurrence_triton

        if not agrees(recurrence_triton.Recurrence, hidden, width, gates=gates, before=before, device=device):
            raise ArithmeticError("its kernels don't compute what the loop does")
    except Exception as error:  # a compiler has many ways to fail
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        warnings.warn(f"Triton can't be used, so {device} computes step by step, slowly: {reason}", stacklevel=2)
        return Recurrence
    return recurrence_triton.Recurrence
