"""The scores of facts (`episodic_memory.py`) on a CPU, in C: `csrc/attention_gate.c`."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from dmn_cli.model import native
from dmn_cli.model.products import product_of_rows
from dmn_cli.packing import Packing

_Gate = native.structure(
    numbers=("rows", "hidden", "even", "threads"),
    tensors=(
        *("row", "c", "v", "cW", "W1", "base", "W2", "b2", "z", "y", "score"),
        *("d_score", "da", "dc", "dv", "dcW"),
    ),
)


class Compare(torch.autograd.Function):
    """a = base + W1 [c∘v, |c-v|, cᵀWv], or given W2 and b2 the score W2 tanh(a) + b2.

    The first arguments and the last are those of `episodic_memory.compare`; W2: (1, hidden); b2: (1,) → (packed,
    hidden), or scores (packed,)
    """

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
        native.call("attention_gate", _Gate, c.dtype, **given, z=z, y=y, score=score, even=base.dim() == 1, **ctx.facts)
        ctx.packing, ctx.even = packing, base.dim() == 1
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
        native.call("attention_gate", _Gate, c.dtype, **read, da=da, dc=dc, dv=dv, dcW=dcW, **ctx.facts)
        dv = dv if packing is None else packing.total(dv)
        dW2, db2 = (None, None) if W2 is None else (d.unsqueeze(0) @ y, d.sum().unsqueeze(0))
        return dc, dv, dcW, product_of_rows(da, z), da.sum(dim=0) if ctx.even else da, dW2, db2, None


def agrees(dtype: torch.dtype) -> bool:
    """Whether it computes what torch does, there and back, of some random numbers."""
    from dmn_cli.model.episodic_memory import AttentionGate

    generator = torch.Generator().manual_seed(0)
    packing = Packing.of(torch.arange(19) % 3 + 1)
    facts, results = len(packing.row), []
    with torch.inference_mode(False), torch.enable_grad():
        for full in (False, True):
            gate = AttentionGate(20, "dmn" if full else "dmn-plus").to(dtype)
            for weights in gate.parameters():
                weights.data = torch.randn(weights.shape, generator=generator, dtype=dtype) / 4
            c, m, q = (torch.randn(n, 20, generator=generator, dtype=dtype) for n in (facts, 19, 19))
            for way in (native.without, torch.enable_grad):
                given = [tensor.clone().requires_grad_() for tensor in (c, m, q)]
                gate.zero_grad()
                with way():
                    scores = cast("Tensor", gate(gate.read(given[0], given[2], packing), given[1], given[2]))
                    scores.square().sum().backward()
                grads = [cast("Tensor", tensor.grad).clone() for tensor in (*given, *gate.parameters())]
                results.append([scores.detach(), *grads])
    return all(
        torch.allclose(a, b, rtol=1e-3, atol=1e-3)
        for torchs, ours in (results[:2], results[2:])
        for a, b in zip(torchs, ours, strict=True)
    )
