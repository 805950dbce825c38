"""The gated recurrence (`gated_gru.py`) on a CPU, in C: `csrc/gated_gru.c`."""

from __future__ import annotations

import torch

from dmn_cli.model import native
from dmn_cli.model.gated_gru import agree, gradients_at_once

_Loop = native.structure(
    numbers=("rows", "hidden", "z", "before", "threads"),
    tensors=(
        *("begin", "length", "order", "x", "U", "g", "h_0", "kept", "states"),
        *("d_states", "d_last", "d", "dg", "dh_0"),
    ),
)


class Recurrence(torch.autograd.Function):
    """What `gated_gru.Recurrence` is, with the same arguments."""

    @staticmethod
    def forward(ctx, x, U, g, h_0, packing, last, before):
        rows, (hidden, width) = packing.counts[0], U.shape
        x, U, g = x.contiguous(), U.contiguous(), None if g is None else g.contiguous()
        h_0 = x.new_zeros(rows, hidden) if h_0 is None else h_0.contiguous()
        states = x.new_empty(len(x), hidden)
        kept = x.new_empty(len(x), width // hidden + 2, hidden) if any(ctx.needs_input_grad) else None
        ctx.steps = {
            "rows": rows,
            "hidden": hidden,
            "z": width == 3 * hidden,
            "before": before,
            "threads": torch.get_num_threads(),
            "begin": packing.begin,
            "length": packing.longest_first,
        }
        native.call("recurrence", _Loop, U.dtype, x=x, U=U, g=g, h_0=h_0, kept=kept, states=states, **ctx.steps)
        ctx.packing = packing
        ctx.save_for_backward(U, g, kept, last)
        return states if last is None else states.index_select(0, last)

    @staticmethod
    def backward(ctx, *gradients):
        (given,), (U, g, kept, last) = gradients, ctx.saved_tensors
        (hidden, width), before = U.shape, ctx.steps["before"]
        d = kept.new_empty(len(kept), width // hidden + (not before), hidden)
        dg = torch.empty_like(g) if ctx.needs_input_grad[2] else None
        dh_0 = kept.new_empty(ctx.steps["rows"], hidden) if ctx.needs_input_grad[3] else None
        read = {"U": U if before else torch.roll(U, hidden, dims=1), "g": g, "kept": kept, "order": ctx.packing.order}
        read["d_states" if last is None else "d_last"] = given.contiguous()
        native.call("recurrence", _Loop, U.dtype, **read, d=d, dg=dg, dh_0=dh_0, **ctx.steps)
        dx, dU = gradients_at_once(kept[:, -1], kept[:, -3], d, before=before)
        return dx, dU, dg, dh_0, None, None, None


def agrees(dtype: torch.dtype) -> bool:
    """Whether it computes what the loop does."""
    forms = [(blocks, before) for blocks in (2, 3) for before in (False, True)]
    return all(agree(Recurrence, 20, 20 * n, gates=True, before=before, dtype=dtype) for n, before in forms)
