"""The gated recurrence in C, for CPUs: `csrc/recurrence.c`."""

from __future__ import annotations

import torch

from dmn_cli.kernels import c_library
from dmn_cli.kernels.recurrence_loop import gradients_at_once

_Arguments = c_library.structure(
    numbers=("rows", "hidden", "z", "before", "threads"),
    tensors=(
        *("begin", "length", "order", "taken", "x", "U", "g", "h_0", "kept", "states", "last"),
        *("d_states", "d_last", "d", "dg", "dh_0"),
    ),
)


class Recurrence(torch.autograd.Function):
    """`recurrence_loop.Recurrence`, with the same arguments."""

    @staticmethod
    def forward(ctx, x, U, g, h_0, packing, last, before, taken):
        rows, (hidden, width) = packing.counts[0], U.shape
        x, U, g = x.contiguous(), U.contiguous(), None if g is None else g.contiguous()
        h_0 = None if h_0 is None else h_0.contiguous()
        steps = len(packing.row)
        states = x.new_empty(steps if last is None else rows, hidden)
        kept = x.new_empty(steps, width // hidden + 2, hidden) if any(ctx.needs_input_grad) else None
        ctx.steps = {
            "rows": rows,
            "hidden": hidden,
            "z": width == 3 * hidden,
            "before": before,
            "threads": torch.get_num_threads(),
            "begin": packing.begin,
            "length": packing.longest_first,
            "order": packing.order,
        }
        given = {"x": x, "U": U, "g": g, "h_0": h_0, "kept": kept, "states" if last is None else "last": states}
        given["taken"] = None if taken is None else taken.index
        c_library.call("recurrence", _Arguments, U.dtype, **given, **ctx.steps)
        ctx.last, ctx.taken = last is not None, taken
        ctx.save_for_backward(U, g, kept)
        return states

    @staticmethod
    def backward(ctx, *gradients):
        (given,), (U, g, kept) = gradients, ctx.saved_tensors
        (hidden, width), before = U.shape, ctx.steps["before"]
        d = kept.new_empty(len(kept), width // hidden + (not before), hidden)
        dg = torch.empty_like(g) if ctx.needs_input_grad[2] else None
        dh_0 = kept.new_empty(ctx.steps["rows"], hidden) if ctx.needs_input_grad[3] else None
        read = {"U": U if before else torch.roll(U, hidden, dims=1), "g": g, "kept": kept}
        read["d_last" if ctx.last else "d_states"] = given.contiguous()
        c_library.call("recurrence", _Arguments, U.dtype, **read, d=d, dg=dg, dh_0=dh_0, **ctx.steps)
        dx, dU = gradients_at_once(kept[:, -1], kept[:, -3], d, before=before)
        return dx if ctx.taken is None else ctx.taken.total(dx), dU, dg, dh_0, None, None, None, None
