"""Facts compared with the question or the memory: the features of the attention gate and their product with W1."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from dmn_cli.kernels import c_library
from dmn_cli.kernels.elementwise import tanh
from dmn_cli.kernels.products import product, product_of_rows
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
        return cast("Tensor", Compare.apply(c, v, cW, W1, base, W2, b2, packing))
    a = cast("Tensor", _Compare.apply(c, v, cW, W1, base, packing))
    return a if layer is None else layer(tanh(a)).squeeze(1)


class _Compare(torch.autograd.Function):
    """With a gradient by hand, so that the features are written once, where the product reads them, and kept once."""

    @staticmethod
    def forward(ctx, c, v, cW, W1, base, packing):
        H = c.shape[1]
        v = v if packing is None else packing.spread(v)
        z = c.new_empty(len(c), W1.shape[1])
        torch.mul(c, v, out=z[:, :H])
        torch.sub(c, v, out=z[:, H : 2 * H]).abs_()
        if cW is not None:
            torch.sum(cW * v, dim=1, out=z[:, -1])
        ctx.save_for_backward(c, v, cW, W1, z)
        ctx.packing, ctx.biased = packing, base.dim() == 1
        return product(z, W1.t(), base)

    @staticmethod
    def backward(ctx, *gradients):
        (d,), (c, v, cW, W1, z) = gradients, ctx.saved_tensors
        H = c.shape[1]
        dz = product(d, W1)
        joint, distance = dz[:, :H], dz[:, H : 2 * H]  # the gradients of c∘v and |c-v|
        distance.mul_((c - v).sign_())
        dc = torch.addcmul(distance, joint, v)
        dv = torch.addcmul(distance.neg_(), joint, c)
        dcW = None
        if cW is not None:
            dcW = dz[:, -1:] * v
            dv.addcmul_(dz[:, -1:], cW)
        dv = dv if ctx.packing is None else ctx.packing.total(dv)
        return dc, dv, dcW, product_of_rows(d, z), d.sum(dim=0) if ctx.biased else d, None
