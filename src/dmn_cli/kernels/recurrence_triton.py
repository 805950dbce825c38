"""The gated recurrence as two Triton kernels, for GPUs: the forward pass and the backward pass.

A step is far too small for a GPU: a loop over steps spends its time launching kernels. Here a whole sequence is one
kernel. Each program has one row, and keeps its state and all of U in registers from the first step to the last; a step
reads x, and writes what the backward pass needs.

A step multiplies a vector by a matrix, in plain float32. Tensor cores would want sixteen rows in each program, hence a
sixteenth of the programs, and to be as precise they would need U twice: more than a multiprocessor can hold.

Registers limit the width. Of the 65536 that a multiprocessor has, U takes 3 x 128² = 49152 where hidden is above 64,
and a quarter of that up to 64.
"""

# pyright: reportMissingImports=false, reportAssignmentType=false, reportPossiblyUnboundVariable=false

from __future__ import annotations

import torch
import triton
import triton.language as tl

from dmn_cli.kernels.recurrence_loop import gradients_at_once


@triton.jit
def _product(a, B):
    """(inputs,), (inputs, outputs) → (outputs,)"""
    return tl.sum(a[:, None] * B, axis=0)


@triton.jit
def forward_kernel(
    x,  # (packed, blocks x hidden)
    U,  # (hidden, blocks x hidden)
    g,  # (packed,), where GATES
    h_0,  # (rows, hidden)
    begin,  # (steps,)
    length,  # (rows,)
    zr,  # (packed, hidden or 2 hidden), written, like all that follow
    inner,  # (packed, hidden) R ∘ H or H U_h
    candidate,  # (packed, hidden)
    entering,  # (packed, hidden) H
    states,  # (packed, hidden) H'
    hidden: tl.constexpr,
    PADDED: tl.constexpr,  # hidden, up to a power of two
    BEFORE: tl.constexpr,
    Z: tl.constexpr,  # update="gru"
    GATES: tl.constexpr,  # always where there is no Z
):
    gated: tl.constexpr = hidden * (2 if Z else 1)
    width: tl.constexpr = gated + hidden
    row = tl.program_id(0)
    k = tl.arange(0, PADDED)
    real = k < hidden
    square = real[:, None] & real[None, :]
    at = U + k[:, None] * width + k[None, :]
    if Z:
        U_z = tl.load(at, mask=square, other=0.0)
    U_r = tl.load(at + gated - hidden, mask=square, other=0.0)
    U_h = tl.load(at + gated, mask=square, other=0.0)
    h = tl.load(h_0 + row * hidden + k, mask=real, other=0.0)
    for t in range(tl.load(length + row)):
        here = tl.load(begin + t) + row
        out = here * hidden + k
        x_t = x + here * width + k
        x_r = tl.load(x_t + gated - hidden, mask=real, other=0.0)
        x_h = tl.load(x_t + gated, mask=real, other=0.0)
        u = tl.load(g + here) if GATES else 1.0
        if Z:
            z = tl.sigmoid(tl.load(x_t, mask=real, other=0.0) + _product(h, U_z))
            tl.store(zr + here * gated + k, z, mask=real)
            u = u * (1 - z)
        r = tl.sigmoid(x_r + _product(h, U_r))
        tl.store(zr + here * gated + gated - hidden + k, r, mask=real)
        if BEFORE:
            i = r * h
            a = x_h + _product(i, U_h)
        else:
            i = _product(h, U_h)
            a = x_h + r * i
        c = 2 * tl.sigmoid(2 * a) - 1  # tanh
        tl.store(inner + out, i, mask=real)
        tl.store(candidate + out, c, mask=real)
        tl.store(entering + out, h, mask=real)
        h += u * (c - h)
        tl.store(states + out, h, mask=real)


@triton.jit
def backward_kernel(
    d_states,  # (packed, hidden)
    U_t,  # (blocks x hidden, hidden) Uᵀ
    g,
    begin,
    length,
    zr,
    inner,
    candidate,
    entering,
    d,  # (packed, blocks, hidden) of [H U_h unless BEFORE, Z where there is one, R, H~], written, like all that follow
    dg,  # (packed,), where GATES
    dh_0,  # (rows, hidden)
    hidden: tl.constexpr,
    PADDED: tl.constexpr,
    BEFORE: tl.constexpr,
    Z: tl.constexpr,
    GATES: tl.constexpr,
):
    gated: tl.constexpr = hidden * (2 if Z else 1)
    blocks: tl.constexpr = (2 if Z else 1) + (1 if BEFORE else 2)
    row = tl.program_id(0)
    k = tl.arange(0, PADDED)
    real = k < hidden
    square = real[:, None] & real[None, :]
    at = U_t + k[:, None] * hidden + k[None, :]
    if Z:
        U_z = tl.load(at, mask=square, other=0.0)
    U_r = tl.load(at + (gated - hidden) * hidden, mask=square, other=0.0)
    U_h = tl.load(at + gated * hidden, mask=square, other=0.0)
    dh = tl.zeros((PADDED,), tl.float32)
    steps = tl.load(length + row)
    for done in range(steps):
        here = tl.load(begin + steps - 1 - done) + row
        out = here * hidden + k
        r = tl.load(zr + here * gated + gated - hidden + k, mask=real, other=0.0)
        i = tl.load(inner + out, mask=real, other=0.0)
        c = tl.load(candidate + out, mask=real, other=0.0)
        h = tl.load(entering + out, mask=real, other=0.0)
        dh += tl.load(d_states + out, mask=real, other=0.0)
        d_t = d + here * (blocks * hidden) + k
        u = tl.load(g + here) if GATES else 1.0
        du = dh * (c - h)
        through = tl.zeros((PADDED,), tl.float32)  # what reaches H through Z, R and H~
        if Z:
            z = tl.load(zr + here * gated + k, mask=real, other=0.0)
            dz = -u * du * z * (1 - z)
            tl.store(d_t + (blocks - 3) * hidden, dz, mask=real)
            through += _product(dz, U_z)
            u = u * (1 - z)
            du = du * (1 - z)
        if GATES:
            tl.store(dg + here, tl.sum(du, axis=0))
        dc = dh * u * (1 - c * c)
        tl.store(d_t + (blocks - 1) * hidden, dc, mask=real)
        if BEFORE:
            d_rh = _product(dc, U_h)
            dr = d_rh * h * r * (1 - r)
            through += d_rh * r
        else:
            di = dc * r
            tl.store(d_t, di, mask=real)
            dr = di * i * (1 - r)
            through += _product(di, U_h)
        tl.store(d_t + (blocks - 2) * hidden, dr, mask=real)
        dh = dh * (1 - u) + through + _product(dr, U_r)
    tl.store(dh_0 + row * hidden + k, dh, mask=real)


def options(hidden: int, *, gates: bool, before: bool, z: bool) -> dict[str, int]:
    """The constants that both kernels are compiled for."""
    padded = max(16, 1 << (hidden - 1).bit_length())
    form = {"hidden": hidden, "PADDED": padded, "BEFORE": before, "Z": z, "GATES": gates}
    return {**form, "num_warps": padded // 16}  # U then takes up to 192 of a thread's 255 registers


class Recurrence(torch.autograd.Function):
    """`recurrence_loop.Recurrence`, with the same arguments, in float32."""

    @staticmethod
    def forward(ctx, x, U, g, h_0, packing, last, before, taken):
        x = x if taken is None else x.index_select(0, taken.index)
        hidden, gated = U.shape[0], U.shape[1] - U.shape[0]
        ctx.options = options(hidden, gates=g is not None, before=before, z=gated > hidden)
        zr = x.new_empty(len(x), gated)
        inner, candidate, entering, states = (x.new_empty(len(x), hidden) for _ in range(4))
        steps = packing.begin, packing.longest_first
        kept = zr, inner, candidate, entering
        h_0 = x.new_zeros(packing.counts[0], hidden) if h_0 is None else h_0.contiguous()
        read = x.contiguous(), U.contiguous(), g, h_0
        _launch(forward_kernel, len(h_0), ctx.options, *read, *steps, *kept, states)
        ctx.taken = taken
        ctx.save_for_backward(U, g, *steps, *kept, last)
        return states if last is None else states.index_select(0, last)

    @staticmethod
    def backward(ctx, *gradients):
        U, g, begin, length, zr, inner, candidate, entering, last = ctx.saved_tensors
        hidden, before = U.shape[0], ctx.options["BEFORE"]
        d_states = gradients[0].contiguous()
        if last is not None:
            d_states = torch.zeros_like(entering).index_copy_(0, last, d_states)
        d = zr.new_empty(len(zr), U.shape[1] // hidden + (not before), hidden)
        dg = None if g is None else torch.empty_like(g)
        dh_0 = zr.new_empty(len(length), hidden)
        read = d_states, U.t().contiguous(), g, begin, length, zr, inner, candidate, entering
        _launch(backward_kernel, len(length), ctx.options, *read, d, dg, dh_0)
        dh_0 = dh_0 if ctx.needs_input_grad[3] else None
        dx, dU = gradients_at_once(entering, inner, d, before=before)
        return dx if ctx.taken is None else ctx.taken.total(dx), dU, dg, dh_0, None, None, None, None


def _launch(kernel, rows, options, *tensors):
    """Starts one program for each row, on the GPU where the tensors are."""
    with torch.cuda.device_of(tensors[0]):
        kernel[(rows,)](*tensors, **options)
