"""The gated recurrence as a loop of torch operations: it runs on any machine, and every other kernel must equal it.

A step is H' = H + u ∘ (H~ - H), with u = 1 - Z, g (1 - Z) or g (`model/gated_gru.py` has the equations). Rows lie
packed (`records/packing.py`), so that a step touches only the rows that have one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, cast

import torch
from torch import Tensor

from dmn_cli.kernels.elementwise import tanh_
from dmn_cli.kernels.products import product, product_of_rows
from dmn_cli.records.packing import Packing, Pointers

_CACHED = 1024  # rows that the backward pass works on at a time, so that they lie in the caches
_sigmoid_backward = torch.ops.aten.sigmoid_backward  # dy y (1 - y), of y = σ(x)


class Recurrence(torch.autograd.Function):
    """The loop over packed steps, and its backward pass. Arguments as in `recurrence.recurrence`.

    A step's gradients are linear in the one that it gets, dH':

        du = dH' (H~ - H);   d(H~'s argument) = dH' u (1 - H~²);   dH = dH' (1 - u) + what comes through R, Z and H~

    and their factors are known once the states are. So the factors are computed for many steps at once, as many as the
    caches hold; the loop backwards only multiplies and adds; and the gradient of U is one product over all these steps.
    """

    @staticmethod
    def forward(ctx, x, U, g, h_0, packing, last, before, taken):
        x, counts = x if taken is None else x.index_select(0, taken.index), packing.counts
        hidden, gated = U.shape[0], U.shape[1] - U.shape[0]  # gated: the width of [Z, R] or [R]
        U_zr, U_h = U[:, :gated].contiguous(), U[:, gated:].contiguous()
        zr = x.new_empty(len(x), gated)
        inner, candidate, states = (x.new_empty(len(x), hidden) for _ in range(3))  # inner: R ∘ H, or H U_h
        parts = (x[:, :gated], x[:, gated:], zr, zr[:, -hidden:], inner, candidate, states)
        blocks = zip(*(_split(part, counts) for part in parts), strict=True)
        z = _split(zr[:, :hidden], counts) if gated > hidden else None
        gates = None if g is None else _split(g, counts)
        h = x.new_zeros(counts[0], hidden) if h_0 is None else h_0
        for t, (x_zr, x_h, zr_t, r, inner_t, c, h_t) in enumerate(blocks):
            if t and counts[t] < counts[t - 1]:
                h = h[: counts[t]]
            if t == 0 and h_0 is None:  # H is zero: nothing to multiply
                torch.sigmoid(x_zr, out=zr_t)
                inner_t.zero_()
                c.copy_(x_h)
            elif before:
                product(h, U_zr, x_zr, out=zr_t).sigmoid_()
                product(torch.mul(r, h, out=inner_t), U_h, x_h, out=c)
            else:
                product(h, U_zr, x_zr, out=zr_t).sigmoid_()
                torch.addcmul(x_h, r, product(h, U_h, out=inner_t), out=c)
            tanh_(c)
            if gates is None:
                assert z is not None
                torch.lerp(c, h, z[t], out=h_t)
            else:
                g_t = gates[t]
                torch.lerp(h, c, g_t if z is None else torch.addcmul(g_t, g_t, z[t], value=-1), out=h_t)
            h = h_t
        ctx.save_for_backward(U, g, h_0, zr, inner, candidate, states, last)
        ctx.packing, ctx.before, ctx.taken = packing, before, taken
        return states if last is None else states.index_select(0, last)

    @staticmethod
    def backward(ctx, *gradients):
        U, g, h_0, zr, inner, candidate, states, last = ctx.saved_tensors
        counts, before = ctx.packing.counts, ctx.before
        hidden = U.shape[0]
        first = states.new_zeros(counts[0], hidden) if h_0 is None else h_0
        d_states = gradients[0].clone() if last is None else torch.zeros_like(states).index_copy_(0, last, gradients[0])
        dh_0 = torch.zeros_like(first) if ctx.needs_input_grad[3] else None
        dg = torch.empty_like(g) if ctx.needs_input_grad[2] else None
        d = states.new_empty(len(states), U.shape[1] // hidden + (not before), hidden)
        dU = torch.zeros_like(U)
        flow = _Flow.of(d_states, dh_0, counts)
        weights = (U[:, :-hidden], U[:, -hidden:]) if before else (torch.roll(U, hidden, dims=1),)
        weights = [block.t().contiguous() for block in weights]
        for steps, at in _chunks(counts):
            h = _entering(states, first, ctx.packing, steps, at)
            g_at = None if g is None else g[at]
            factors = _Factors.of(d[at], g_at, h, zr[at], inner[at], candidate[at], before=before)
            (_backward_before if before else _backward_after)(steps, counts, factors, flow, *weights)
            if dg is not None:
                away = factors.away.mul_(d_states[at])
                away = away if factors.pass_z is None else away.mul_(factors.pass_z)
                torch.sum(away, dim=1, keepdim=True, out=dg[at])
            add_weight_gradient(dU, h, inner[at], d[at], before=before)
        dx, dU = input_and_weight_gradients(d, dU, before=before)
        dx = dx if ctx.taken is None else ctx.taken.total(dx)
        return dx, dU, None if dg is None else dg.neg_(), dh_0, None, None, None, None


class _Factors(NamedTuple):
    """What dH' is multiplied by at some steps, for their gradients: known before dH' is."""

    d: Tensor  # (rows, blocks, hidden) of [H U_h unless before, Z if there is one, R, H~]; becomes their gradients
    keep: Tensor  # (rows, hidden) 1 - u
    r: Tensor  # (rows, hidden) R
    away: Tensor  # (rows, hidden) H - H~
    pass_z: Tensor | None  # (rows, hidden) 1 - Z, if there is one

    @classmethod
    def of(
        cls, d: Tensor, g: Tensor | None, h: Tensor, zr: Tensor, inner: Tensor, candidate: Tensor, *, before: bool
    ) -> _Factors:
        """Writes to `d`. g: (rows, 1); zr: (rows, hidden or 2 hidden); the others (rows, hidden)"""
        hidden, c = h.shape[1], candidate
        z, r = zr[:, :hidden] if zr.shape[1] > hidden else None, zr[:, -hidden:]
        d_r, d_c = d[:, -2], d[:, -1]
        away, pass_z = h - c, None if z is None else 1 - z
        u = pass_z if g is None else g if pass_z is None else g * pass_z
        assert u is not None  # without gates there is a Z
        torch.mul(torch.addcmul(c.new_ones(()), c, c, value=-1), u, out=d_c)
        if z is not None:
            _sigmoid_backward(away if g is None else g * away, z, grad_input=d[:, -3])
        if before:
            _sigmoid_backward(h, r, grad_input=d_r)  # the factor of d(R ∘ H), not of dH'
        else:
            torch.mul(d_c, r, out=d[:, 0])
            _sigmoid_backward(d_c * inner, r, grad_input=d_r)
        return cls(d, (1 - u).expand_as(h), r, away, pass_z)


class _Flow(NamedTuple):
    """dH' of each step, complete once the loop has come to it, and where its dH goes: to the step before."""

    to_step: tuple[Tensor, ...]  # (rows of the step, hidden) each
    wide: tuple[Tensor, ...]  # the same as (rows of the step, 1, hidden)
    from_step: list[Tensor | None]  # (rows of the step, hidden) each; None: dH_0 isn't asked for

    @classmethod
    def of(cls, d_states: Tensor, dh_0: Tensor | None, counts: list[int]) -> _Flow:
        """d_states: (packed, hidden); dh_0: (rows, hidden)"""
        to_step = _split(d_states, counts)
        pairs = zip(to_step, counts, counts[1:], strict=False)
        from_step = [dh_0, *(block if n == rows else block[:n] for block, rows, n in pairs)]
        return cls(to_step, _split(d_states.unsqueeze(1), counts), from_step)


def _chunks(counts: list[int]) -> Iterator[tuple[range, slice]]:
    """The steps from the last to the first, as many at a time as the caches hold, and where they lie."""
    stop, end = len(counts), sum(counts)
    while stop:
        start, begin = stop, end
        while start and (start == stop or end - begin + counts[start - 1] <= _CACHED):
            start -= 1
            begin -= counts[start]
        yield range(start, stop), slice(begin, end)
        stop, end = start, begin


def _entering(states: Tensor, first: Tensor, packing: Packing, steps: range, at: slice) -> Tensor:
    """The states that some steps begin with. (rows of these steps, hidden)"""
    counts, rows = packing.counts, packing.counts[0]
    if (
        steps.start and counts[steps.start - 1] == counts[steps[-1]]
    ):  # equally many rows: the states of one step earlier
        return states[at.start - counts[steps.start] : at.stop - counts[steps.start]]
    before = states.index_select(0, packing.going_on[max(0, at.start - rows) : at.stop - rows])
    return before if steps.start else torch.cat([first, before])


def _split(packed: Tensor, counts: list[int]) -> tuple[Tensor, ...]:
    """`Tensor.split`, without the time that its Python takes."""
    return torch.split_with_sizes(packed, counts)


def _backward_after(steps: range, counts: list[int], factors: _Factors, flow: _Flow, U: Tensor) -> None:
    """dH = dH' (1 - u) + [d(H U_h), dZ, dR] Uᵀ, from the last of some steps to the first.

    U: transposed, its blocks in that order
    """
    d, keep = factors.d, factors.keep
    parts = (_split(part, counts[steps.start : steps.stop]) for part in (d, d.flatten(1)[:, : U.shape[0]], keep))
    for t, d_t, to_h, keep_t in zip(*map(reversed, (steps, *parts)), strict=True):
        d_t.mul_(flow.wide[t])
        dh = flow.from_step[t]
        if dh is not None:
            product(to_h, U, dh.addcmul_(flow.to_step[t], keep_t), out=dh)


def _backward_before(
    steps: range, counts: list[int], factors: _Factors, flow: _Flow, U_zr: Tensor, U_h: Tensor
) -> None:
    """dH = dH' (1 - u) + d(R ∘ H) R + [dZ, dR] U_zrᵀ with d(R ∘ H) = dH~ U_hᵀ, from the last step to the first.

    U_zr, U_h: transposed
    """
    d, keep, r = factors.d, factors.keep, factors.r
    parts = (d[:, :-2], d[:, -2], d[:, -1], d.flatten(1)[:, : U_zr.shape[0]], keep, r)
    parts = (_split(part, counts[steps.start : steps.stop]) for part in parts)
    for t, d_z, d_r, d_c, d_zr, keep_t, r_t in zip(*map(reversed, (steps, *parts)), strict=True):
        d_rh = product(d_c.mul_(flow.to_step[t]), U_h)
        d_z.mul_(flow.wide[t])
        d_r.mul_(d_rh)
        dh = flow.from_step[t]
        if dh is not None:
            dh.addcmul_(flow.to_step[t], keep_t).addcmul_(d_rh, r_t)
            product(d_zr, U_zr, dh, out=dh)


def add_weight_gradient(dU: Tensor, h: Tensor, inner: Tensor, d: Tensor, *, before: bool) -> None:
    """Adds what some rows contribute to dU, whose blocks lie as in `d`: [H U_h, Z, R], or [Z, R, H~] if `before`.

    h: (rows, hidden), the state that each step begins with; inner: (rows, hidden), R ∘ H or H U_h; d: (rows, blocks,
    hidden), the gradients of [H U_h unless `before`, Z where there is one, R, H~]
    """
    hidden, flat = h.shape[1], d.flatten(1)
    if before:
        product_of_rows(h, flat[:, :-hidden], dU[:, :-hidden])
        product_of_rows(inner, flat[:, -hidden:], dU[:, -hidden:])
    else:
        product_of_rows(h, flat[:, :-hidden], dU)


def gradients_at_once(h: Tensor, inner: Tensor, d: Tensor, *, before: bool) -> tuple[Tensor, Tensor]:
    """dX and dU, from the gradients `d` of all steps. Shapes as in `add_weight_gradient`"""
    hidden = h.shape[1]
    dU = h.new_zeros(hidden, (d.shape[1] - (not before)) * hidden)
    add_weight_gradient(dU, h, inner, d, before=before)
    return input_and_weight_gradients(d, dU, before=before)


def input_and_weight_gradients(d: Tensor, dU: Tensor, *, before: bool) -> tuple[Tensor, Tensor]:
    """dX and dU with their blocks as in x and U, from `d` and dU with the blocks of `add_weight_gradient`."""
    hidden, flat = dU.shape[0], d.flatten(1)
    return (flat, dU) if before else (flat[:, hidden:], torch.roll(dU, -hidden, dims=1))


def agrees(
    other: type[torch.autograd.Function],
    hidden: int,
    width: int,
    *,
    gates: bool,
    before: bool,
    device: torch.device | None = None,
    dtype: torch.dtype = torch.float32,
) -> bool:
    """Whether another recurrence computes what the loop does, forward and backward, on some random numbers."""
    generator = torch.Generator().manual_seed(0)

    def numbers(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=dtype).to(device)

    length = torch.arange(19) % 3 + 1
    steps, packing = int(length.sum()), Packing.of(length)
    taken = Pointers.of(torch.arange(steps) % 7, rows=8)
    if device is not None:
        packing, taken = packing.to(device), taken.to(device)
    given = [
        numbers(8, width),
        numbers(hidden, width) / hidden**0.5,
        numbers(steps, 1).sigmoid(),
        numbers(len(length), hidden),
    ]
    d, d_last, results = numbers(steps, hidden), numbers(len(length), hidden), []
    with torch.inference_mode(False), torch.enable_grad():
        for either in (Recurrence, other):
            x, U, g, h_0 = (tensor.clone().requires_grad_() for tensor in given)
            given_to_both = x, U, g if gates else None, h_0, packing
            states = cast("Tensor", either.apply(*given_to_both, None, before, taken))
            states.backward(d)
            last = cast("Tensor", either.apply(*given_to_both, packing.last, before, taken))
            last.backward(d_last)
            results.append([states, last, x.grad, U.grad, h_0.grad, *([g.grad] if gates else [])])
    return all(torch.allclose(a, b, rtol=1e-3, atol=1e-4) for a, b in zip(*results, strict=True))
