"""Facts compared with the question or the memory: the features of the attention gate and their product with W1."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from dmn_cli.kernels import c_library
from dmn_cli.kernels.elementwise import tanh
from dmn_cli.records.packing import Packing


def compare(
    c: Tensor,
    v: Tensor,
    cW: Tensor | None,
    W1: Tensor,
    base: Tensor,
    packing: Packing | None,
    layer: nn.Linear | None = None,
) -> Tensor:
    """a = base + W1 [c∘v, |c-v|] or, given cW, base + W1 [c∘v, |c-v|, cᵀWv]; given `layer`, the score layer(tanh a).

    Each fact c is compared with the v of its question. c, cW: (packed, hidden); v: (questions, hidden); W1: (hidden,
    features); base: (packed, hidden), or (hidden,) for all facts; packing: of (questions, facts), None where each
    question has one fact → (packed, hidden), or scores (packed,)
    """
    if c_library.serves(c):
        from dmn_cli.kernels.comparison_c import Compare

        W2, b2 = (None, None) if layer is None else (layer.weight, layer.bias)
        return cast("Tensor", Compare.apply(*c_library.as_wanted(c, v, cW, W1, base, W2, b2), packing))
    v = v if packing is None else packing.spread(v)
    z = [c * v, (c - v).abs()]
    if cW is not None:
        z.append((cW * v).sum(dim=1, keepdim=True))
    a = torch.addmm(base, torch.cat(z, dim=1), W1.t())
    return a if layer is None else layer(tanh(a)).squeeze(1)
