"""The two directions of the fusion layer, looked up and added."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from dmn_cli.kernels import c_library
from dmn_cli.records.packing import Packing, Pointers

_Arguments = c_library.structure(
    numbers=("facts", "hidden", "threads"), tensors=("right", "left", "seen", "mirror", "y")
)


def fuse(right: Tensor, seen: Pointers, left: Tensor, facts: Packing) -> Tensor:
    """seen.look_up(right) + facts.reverse(left); in C (`csrc/fusion.c`) without a copy of either.

    right: (packed stories, hidden), read from each story's start; left: (packed facts, hidden), read from the last fact
    that each question sees → (packed facts, hidden)
    """
    return cast("Tensor", _Fuse.apply(right, left, seen, facts))


class _Fuse(torch.autograd.Function):
    @staticmethod
    def forward(ctx, right, left, seen, facts):
        ctx.seen, ctx.facts = seen, facts
        if not c_library.serves(right):
            return right.index_select(0, seen.index).add_(left.index_select(0, facts.mirror))
        given = {"right": right.contiguous(), "left": left.contiguous(), "seen": seen.index, "mirror": facts.mirror}
        y, threads = torch.empty_like(given["left"]), torch.get_num_threads()
        c_library.call("fusion", _Arguments, y.dtype, facts=len(y), hidden=y.shape[1], threads=threads, **given, y=y)
        return y

    @staticmethod
    def backward(ctx, *gradients):
        [d] = gradients
        return ctx.seen.total(d), d.index_select(0, ctx.facts.mirror), None, None
