"""The comparison of facts (`comparison.py`) in C, for CPUs: `csrc/comparison.c`."""

from __future__ import annotations

import torch

from dmn_cli.kernels import c_library
from dmn_cli.kernels.products import product_of_rows

_Arguments = c_library.structure(
    numbers=("rows", "hidden", "biased", "threads"),
    tensors=(
        *("row", "c", "v", "cW", "W1", "base", "W2", "b2", "z", "y", "score"),
        *("d_score", "da", "dc", "dv", "dcW"),
    ),
)


class Compare(torch.autograd.Function):
    """`comparison.compare`, with the layer's weights W2 (1, hidden) and b2 (1,), or None, in place of the layer."""

    @staticmethod
    def forward(ctx, c, v, cW, W1, base, W2, b2, packing):
        given = {"c": c, "v": v, "cW": cW, "W1": W1, "base": base, "W2": W2, "b2": b2}
        given = {name: None if tensor is None else tensor.contiguous() for name, tensor in given.items()}
        keeps = any(ctx.needs_input_grad)
        z = c.new_empty(len(c), W1.shape[1]) if keeps else None
        y = c.new_empty(c.shape) if keeps or W2 is None else None
        score = None if W2 is None else c.new_empty(len(c))
        ctx.facts = {"rows": len(c), "hidden": c.shape[1], "threads": torch.get_num_threads()}
        ctx.facts |= {"row": None if packing is None else packing.row}
        c_library.call(
            "comparison", _Arguments, c.dtype, **given, z=z, y=y, score=score, biased=base.dim() == 1, **ctx.facts
        )
        ctx.packing, ctx.biased = packing, base.dim() == 1
        ctx.save_for_backward(*(given[name] for name in ("c", "v", "cW", "W1", "W2")), z, y if W2 is not None else None)
        return y if W2 is None else score

    @staticmethod
    def backward(ctx, *gradients):
        (d,), (c, v, cW, W1, W2, z, y) = gradients, ctx.saved_tensors
        d, packing = d.contiguous(), ctx.packing
        da = d if W2 is None else torch.empty_like(c)
        dc, dv = torch.empty_like(c), torch.empty_like(c)
        dcW = None if cW is None else torch.empty_like(c)
        read = {"c": c, "v": v, "cW": cW, "W1": W1, "W2": W2, "y": y, "d_score": None if W2 is None else d}
        c_library.call("comparison", _Arguments, c.dtype, **read, da=da, dc=dc, dv=dv, dcW=dcW, **ctx.facts)
        dv = dv if packing is None else packing.total(dv)
        dW2, db2 = (None, None) if W2 is None else (d.unsqueeze(0) @ y, d.sum().unsqueeze(0))
        return dc, dv, dcW, product_of_rows(da, z), da.sum(dim=0) if ctx.biased else da, dW2, db2, None
