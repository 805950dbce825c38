"""The one hot loop: a recurrence whose every step can be held back by a gate.

    R   = σ(X W_r + H U_r + b_r)
    Z   = σ(X W_z + H U_z + b_z)
    H~  = tanh(X W_h + (R ∘ H) U_h + b_h)              reset="before"  (Kumar et al. 2016)
    H~  = tanh(X W_h + R ∘ (H U_h) + b_h)              reset="after"   (Xiong et al. 2016, eq. 4)
    H'  = Z ∘ H + (1 - Z) ∘ H~                         the plain GRU
    H'  = g (Z ∘ H + (1 - Z) ∘ H~) + (1 - g) H         update="gru"    (Kumar et al. 2016, sec. 2.3: the episode)
    H'  = g H~ + (1 - g) H                             update="gate"   (Xiong et al. 2016, eq. 11: attention GRU, no Z)

All three updates are H' = H + u ∘ (H~ - H), with u = 1 - Z, g (1 - Z) or g. So one loop serves the word GRU, the
question, the fusion layer in both directions and both kinds of episode.

`step` is the equation; `reference` is the plain loop over it, on padded rows. `forward` computes the same thing faster,
on packed rows (`packing.py`): inputs are projected for all steps at once, a step touches only the rows that have one,
and the backward pass is by hand. On a GPU it is two kernels (`gated_gru_triton.py`), on a CPU with a C compiler one
function in C (`gated_gru_native.py`).
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from functools import cache, partial
from typing import Literal, cast

import torch
from torch import Tensor, nn

from dmn_cli.model import native
from dmn_cli.model.elementwise import tanh_
from dmn_cli.model.products import linear, product, product_of_rows
from dmn_cli.packing import Packing

Reset = Literal["before", "after"]
Update = Literal["gru", "gate"]
_CACHED = 1024  # rows that are worked on at a time on the way back, so that they lie in the caches
_sigmoid_backward = torch.ops.aten.sigmoid_backward  # dy y (1 - y), of y = σ(x)


class GatedGRU(nn.Module):
    """A GRU whose step i is let through by a gate g_i in [0, 1].

    Parameters: W (inputs, blocks x hidden), U (hidden, blocks x hidden), b (blocks x hidden), where the blocks are
    [Z, R, H~], or [R, H~] where the gate itself is the update.
    """

    def __init__(self, inputs: int, hidden: int, *, reset: Reset = "after", update: Update = "gru") -> None:
        super().__init__()
        self.hidden, self.reset, self.update = hidden, reset, update
        blocks = 3 if update == "gru" else 2
        self.W = nn.Parameter(torch.empty(inputs, blocks * hidden))
        self.U = nn.Parameter(torch.empty(hidden, blocks * hidden))
        self.b = nn.Parameter(torch.zeros(blocks * hidden))
        for weights in (*self.W.data.split(hidden, dim=1), *self.U.data.split(hidden, dim=1)):
            nn.init.xavier_uniform_(weights)

    def project(self, x: Tensor) -> Tensor:
        """X W + b, for any number of steps at once. (..., inputs) → (..., blocks x hidden)"""
        return x @ self.W + self.b if x.dim() > 2 else linear(x, self.W, self.b)

    def step(self, x: Tensor, h: Tensor, gate: Tensor | None = None) -> Tensor:
        """One step. x (rows, blocks x hidden), projected; h (rows, hidden); gate (rows, 1) → (rows, hidden)"""
        U_h = self.U[:, -self.hidden :]
        if self.update == "gru":
            x_z, x_r, x_h = x.split(self.hidden, dim=-1)
            Z = torch.sigmoid(x_z + h @ self.U[:, : self.hidden])
        else:
            (x_r, x_h), Z = x.split(self.hidden, dim=-1), 0.0
        R = torch.sigmoid(x_r + h @ self.U[:, -2 * self.hidden : -self.hidden])
        candidate = torch.tanh(x_h + ((R * h) @ U_h if self.reset == "before" else R * (h @ U_h)))
        u = (1 - Z) if gate is None else gate * (1 - Z)
        return h + u * (candidate - h)

    def reference(
        self, x: Tensor, length: Tensor, gates: Tensor | None = None, *, start: Tensor | None = None
    ) -> Tensor:
        """`forward` as a plain loop over `step`: what the fast path must equal.

        x: (rows, steps, blocks x hidden); length: (rows,); gates: (rows, steps) → (rows, steps, hidden), zero past each
        row's end
        """
        rows, steps, _ = x.shape
        h = x.new_zeros(rows, self.hidden) if start is None else start
        states = []
        for i in range(steps):
            real = (length > i).unsqueeze(1)
            gate = None if gates is None else gates[:, i : i + 1]
            h = torch.where(real, self.step(x[:, i], h, gate), h)
            states.append(torch.where(real, h, 0.0))
        return torch.stack(states, dim=1)

    def forward(
        self, x: Tensor, packing: Packing, gates: Tensor | None = None, *, start: Tensor | None = None
    ) -> Tensor:
        """All states of all rows.

        x: (packed, blocks x hidden), from `project`; gates: (packed,), or None for a gate that is always open; start:
        (rows, hidden) h_0, or None for zeros → (packed, hidden)
        """
        return self._run(x, packing, gates, start, None)

    def last(self, x: Tensor, packing: Packing, gates: Tensor | None = None) -> Tensor:
        """The state after each row's last step. Shapes as in `forward` → (rows, hidden)"""
        return self._run(x, packing, gates, None, packing.last)

    def _run(
        self, x: Tensor, packing: Packing, gates: Tensor | None, start: Tensor | None, last: Tensor | None
    ) -> Tensor:
        h_0 = None if start is None else start.index_select(0, packing.order)
        if gates is None and self.update == "gate":
            gates = x.new_ones(len(x))
        g = None if gates is None else gates.unsqueeze(1)
        loop = recurrence(x, self.U, gates=g is not None, before=self.reset == "before")
        return cast("Tensor", loop.apply(x, self.U, g, h_0, packing, last, self.reset == "before"))


class Recurrence(torch.autograd.Function):
    """The loop over packed steps, and its backward pass.

    What a step hands back is linear in what it gets, dH':

        du = dH' (H~ - H);   d(H~'s argument) = dH' u (1 - H~²);   dH = dH' (1 - u) + what comes by R, Z and H~

    and all factors are known once the states are. So they are computed for many steps at once, as many as the caches
    hold; the loop back only multiplies and adds; and the gradient of U is one product over all of these steps.
    """

    @staticmethod
    def forward(ctx, x, U, g, h_0, packing, last, before):
        counts = packing.counts
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
        ctx.packing, ctx.before = packing, before
        return states if last is None else states.index_select(0, last)

    @staticmethod
    def backward(ctx, *gradients):
        U, g, h_0, zr, inner, candidate, states, last = ctx.saved_tensors
        counts, before = ctx.packing.counts, ctx.before
        hidden, z_there = U.shape[0], U.shape[1] == 3 * U.shape[0]
        first = states.new_zeros(counts[0], hidden) if h_0 is None else h_0
        dh = gradients[0].clone() if last is None else torch.zeros_like(states).index_copy_(0, last, gradients[0])
        dh_0 = torch.zeros_like(first) if ctx.needs_input_grad[3] else None
        dg = torch.empty_like(g) if ctx.needs_input_grad[2] else None
        d = states.new_empty(len(states), U.shape[1] // hidden + (not before), hidden)
        dU, one, dhs = torch.zeros_like(U), states.new_ones(()), _split(dh, counts)
        whole = zip(dhs, counts, counts[1:], strict=False)
        previous = [dh_0, *(block if n == rows else block[:n] for block, rows, n in whole)]  # where dH goes
        steps_back = dhs, _split(dh.unsqueeze(1), counts), previous
        back = (
            partial(_before, U[:, :-hidden].t().contiguous(), U[:, -hidden:].t().contiguous())
            if before
            else partial(_after, torch.roll(U, hidden, dims=1).t().contiguous())
        )
        for steps, at in _chunks(counts):
            h = _entering(states, first, ctx.packing, steps, at)
            z, r, c, d_at = zr[at, :hidden], zr[at, -hidden:], candidate[at], d[at]
            away, pass_z = h - c, 1 - z if z_there else None
            u = pass_z if g is None else g[at] if pass_z is None else g[at] * pass_z
            assert u is not None
            # d: first what dH' is multiplied by, then the gradients, of [H U_h unless before, Z if there, R, H~]
            torch.mul(torch.addcmul(one, c, c, value=-1), u, out=d_at[:, -1])
            if pass_z is not None:
                _sigmoid_backward(away if g is None else g[at] * away, z, grad_input=d_at[:, -3])
            if before:
                _sigmoid_backward(h, r, grad_input=d_at[:, -2])  # R's is not of dH', but of d(R ∘ H)
            else:
                torch.mul(d_at[:, -1], r, out=d_at[:, 0])
                _sigmoid_backward(d_at[:, -1] * inner[at], r, grad_input=d_at[:, -2])
            back(steps, counts[steps.start : steps.stop], d_at, *steps_back, (1 - u).expand_as(h), r)
            if dg is not None:
                away.mul_(dh[at])
                torch.sum(away if pass_z is None else away.mul_(pass_z), dim=1, keepdim=True, out=dg[at])
            add_weight_gradient(dU, h, inner[at], d_at, before=before)
        dx, dU = input_and_weight_gradients(d, dU, before=before)
        return dx, dU, None if dg is None else dg.neg_(), dh_0, None, None, None


def _chunks(counts: list[int]) -> Iterator[tuple[range, slice]]:
    """The steps from last to first, some at a time, and where they lie: about so many rows as the caches hold."""
    stop, end = len(counts), sum(counts)
    while stop:
        start, begin = stop, end
        while start and (start == stop or end - begin + counts[start - 1] <= _CACHED):
            start -= 1
            begin -= counts[start]
        yield range(start, stop), slice(begin, end)
        stop, end = start, begin


def _entering(states: Tensor, first: Tensor, packing: Packing, steps: range, at: slice) -> Tensor:
    """The state that each of some steps begins with. (rows of these steps, hidden)"""
    counts, rows = packing.counts, packing.counts[0]
    if steps.start and counts[steps.start - 1] == counts[steps[-1]]:  # as many rows all along: those one step before
        return states[at.start - counts[steps.start] : at.stop - counts[steps.start]]
    before = states.index_select(0, packing.going_on[max(0, at.start - rows) : at.stop - rows])
    return before if steps.start else torch.cat([first, before])


def _split(packed: Tensor, counts: list[int]) -> tuple[Tensor, ...]:
    """`Tensor.split`, without its Python."""
    return torch.split_with_sizes(packed, counts)


def _after(U, steps, counts, d, dh, dh_wide, previous, keep, r):
    """dH = dH' (1 - u) + [d(H U_h), dZ, dR] Uᵀ, from the last step to the first."""
    parts = (_split(part, counts) for part in (d, d.flatten(1)[:, : U.shape[0]], keep))
    for t, d_t, to_h, keep_t in zip(*map(reversed, (steps, *parts)), strict=True):
        d_t.mul_(dh_wide[t])
        if previous[t] is not None:
            product(to_h, U, previous[t].addcmul_(dh[t], keep_t), out=previous[t])


def _before(U_zr, U_h, steps, counts, d, dh, dh_wide, previous, keep, r):
    """dH = dH' (1 - u) + d(R ∘ H) R + [dZ, dR] U_zrᵀ with d(R ∘ H) = dH~ U_hᵀ, from the last step to the first."""
    parts = (d[:, :-2], d[:, -2], d[:, -1], d.flatten(1)[:, : U_zr.shape[0]], keep, r)
    parts = (_split(part, counts) for part in parts)
    for t, d_z, d_r, d_c, d_zr, keep_t, r_t in zip(*map(reversed, (steps, *parts)), strict=True):
        d_rh = product(d_c.mul_(dh[t]), U_h)
        d_z.mul_(dh_wide[t])
        d_r.mul_(d_rh)
        if previous[t] is not None:
            previous[t].addcmul_(dh[t], keep_t).addcmul_(d_rh, r_t)
            product(d_zr, U_zr, previous[t], out=previous[t])


def add_weight_gradient(dU: Tensor, h: Tensor, inner: Tensor, d: Tensor, *, before: bool) -> None:
    """Adds what some rows give to dU, whose blocks lie as in `d`: [H U_h, Z, R], or [Z, R, H~] if `before`.

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
    """dX and dU where `d` is there for all steps. Shapes as in `add_weight_gradient`."""
    hidden = h.shape[1]
    dU = h.new_zeros(hidden, (d.shape[1] - (not before)) * hidden)
    add_weight_gradient(dU, h, inner, d, before=before)
    return input_and_weight_gradients(d, dU, before=before)


def input_and_weight_gradients(d: Tensor, dU: Tensor, *, before: bool) -> tuple[Tensor, Tensor]:
    """dX and dU with the blocks of x and U, from those of `add_weight_gradient`."""
    hidden, flat = dU.shape[0], d.flatten(1)
    return (flat, dU) if before else (flat[:, hidden:], torch.roll(dU, -hidden, dims=1))


WIDEST = 128  # hidden, that the kernels have registers for


def recurrence(x: Tensor, U: Tensor, *, gates: bool, before: bool) -> type[torch.autograd.Function]:
    """Which one computes: the kernels of `gated_gru_triton.py` on a GPU, `gated_gru_native.py` on a CPU where it has
    been compiled, the loop everywhere else.

    TRITON_INTERPRET=1 has the kernels run on a CPU, slowly, for tests.
    """
    if x.is_cuda or os.environ.get("TRITON_INTERPRET") == "1":
        if x.dtype != torch.float32 or U.shape[0] > WIDEST:
            return Recurrence
        return kernels(x.device, *U.shape, gates, before)
    if not native.serves(x):
        return Recurrence
    from dmn_cli.model import gated_gru_native

    return gated_gru_native.Recurrence


@cache
def kernels(device: torch.device, hidden: int, width: int, gates: bool, before: bool) -> type[torch.autograd.Function]:
    """The kernels where they can be compiled and agree with the loop, gradients included; else the loop, and a warning.

    They are tried on a few numbers first, once for each form.
    """
    try:
        from dmn_cli.model import gated_gru_triton

        if not agree(gated_gru_triton.Recurrence, hidden, width, gates=gates, before=before, device=device):
            raise ArithmeticError("its kernels don't compute what the loop does")
    except Exception as error:  # a compiler has many ways to fail
        said = next(iter(str(error).splitlines()), type(error).__name__)
        warnings.warn(f"Triton can't be used, so {device} computes step by step, slowly: {said}", stacklevel=2)
        return Recurrence
    return gated_gru_triton.Recurrence


def agree(
    other: type[torch.autograd.Function],
    hidden: int,
    width: int,
    *,
    gates: bool,
    before: bool,
    device: torch.device | None = None,
    dtype: torch.dtype = torch.float32,
) -> bool:
    """Whether another recurrence computes what the loop does, there and back, of some random numbers."""
    generator = torch.Generator().manual_seed(0)

    def numbers(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=dtype).to(device)

    length = torch.arange(19) % 3 + 1
    steps, packing = int(length.sum()), Packing.of(length)
    packing = packing if device is None else packing.to(device)
    given = [
        numbers(steps, width),
        numbers(hidden, width) / hidden**0.5,
        numbers(steps, 1).sigmoid(),
        numbers(len(length), hidden),
    ]
    d, results = numbers(steps, hidden), []
    with torch.inference_mode(False), torch.enable_grad():
        for either in (Recurrence, other):
            x, U, g, h_0 = (tensor.clone().requires_grad_() for tensor in given)
            states = cast("Tensor", either.apply(x, U, g if gates else None, h_0, packing, None, before))
            states.backward(d)
            results.append([states, x.grad, U.grad, h_0.grad, *([g.grad] if gates else [])])
    return all(torch.allclose(a, b, rtol=1e-3, atol=1e-4) for a, b in zip(*results, strict=True))
