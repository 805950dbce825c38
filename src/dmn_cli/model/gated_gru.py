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

`step` is the equation; `reference` is the plain loop over it. `forward` computes the same thing faster: the inputs are
projected for all steps at once, rows are sorted by length so that a step touches only the rows that still have one,
and the backward pass is written out, so that the gradient of U is one product over all steps.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

Reset = Literal["before", "after"]
Update = Literal["gru", "gate"]


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
        return x @ self.W + self.b

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
        self,
        x: Tensor,
        length: Tensor,
        gates: Tensor | None = None,
        *,
        reverse: bool = False,
        start: Tensor | None = None,
    ) -> Tensor:
        """`forward` as a plain loop over `step`: what the fast path must equal."""
        rows, steps, _ = x.shape
        h = x.new_zeros(rows, self.hidden) if start is None else start
        states = [h] * steps
        for i in reversed(range(steps)) if reverse else range(steps):
            real = (length > i).unsqueeze(1)
            gate = None if gates is None else gates[:, i : i + 1]
            h = torch.where(real, self.step(x[:, i], h, gate), h)
            states[i] = torch.where(real, h, 0.0)
        return torch.stack(states, dim=1)

    def forward(
        self,
        x: Tensor,
        length: Tensor,
        gates: Tensor | None = None,
        *,
        reverse: bool = False,
        start: Tensor | None = None,
    ) -> Tensor:
        """All states of all rows.

        x: (rows, steps, blocks x hidden), from `project`; length: (rows,) real steps of each row;
        gates: (rows, steps), or None for a gate that is always open; reverse: read from each row's end to its start;
        start: (rows, hidden) h_0, or None for zeros (the only one that `reverse` takes).
        Returns (rows, steps, hidden), zero past each row's end.
        """
        order = torch.argsort(length, descending=True, stable=True)
        alive = length.unsqueeze(0) > torch.arange(x.shape[1], device=x.device).unsqueeze(1)
        counts = alive.sum(dim=1).tolist()  # rows that have an i-th step: always the first ones, after sorting
        g = x.new_ones(x.shape[1], x.shape[0]) if gates is None else gates.t()[:, order]
        assert start is None or not reverse
        h_0 = x.new_zeros(x.shape[0], self.hidden) if start is None else start.index_select(0, order)
        states = _Recurrence.apply(
            x.transpose(0, 1).index_select(1, order), self.U, g, h_0, counts, reverse, self.reset, self.update
        )
        return states.index_select(1, torch.argsort(order)).transpose(0, 1)

    def last(self, x: Tensor, length: Tensor, gates: Tensor | None = None) -> Tensor:
        """The state after each row's last step. Shapes as in `forward`; returns (rows, hidden)."""
        states = self(x, length, gates)
        return states[torch.arange(len(length), device=x.device), length - 1]


class _Recurrence(torch.autograd.Function):
    """The loop over time, on sorted rows, with its backward pass by hand. Time is the first axis in here."""

    @staticmethod
    def forward(ctx, x, U, g, h_0, counts, reverse, reset, update):
        steps, rows, _ = x.shape
        hidden = U.shape[0]
        before, learned = reset == "before", update == "gru"
        gated = U.shape[1] - hidden  # width of [Z, R] or [R]
        U_zr, U_h = U[:, :gated].contiguous(), U[:, gated:].contiguous()
        states = x.new_zeros(steps, rows, hidden)
        zr = x.new_empty(steps, rows, gated)  # never read past a row's end, nor is the next
        candidate = x.new_empty(steps, rows, hidden)  # H~
        inner = x.new_zeros(steps, rows, hidden) if before else x.new_empty(steps, rows, hidden)  # R ∘ H, or H U_h
        h = h_0.clone()
        for i in reversed(range(steps)) if reverse else range(steps):
            n = counts[i]
            if n == 0:
                continue
            h_i, zr_i, c_i, in_i = h[:n], zr[i, :n], candidate[i, :n], inner[i, :n]
            if before:
                torch.addmm(x[i, :n, :gated], h_i, U_zr, out=zr_i).sigmoid_()
                torch.mul(zr_i[:, -hidden:], h_i, out=in_i)
                torch.addmm(x[i, :n, gated:], in_i, U_h, out=c_i).tanh_()
            else:
                a = h_i @ U
                torch.add(x[i, :n, :gated], a[:, :gated], out=zr_i).sigmoid_()
                in_i.copy_(a[:, gated:])
                torch.addcmul(x[i, :n, gated:], zr_i[:, -hidden:], in_i, out=c_i).tanh_()
            u = g[i, :n, None]
            if learned:
                u = torch.addcmul(u, u, zr_i[:, :hidden], value=-1)  # g (1 - Z)
            h_i.addcmul_(u, c_i - h_i)  # H' = H + u ∘ (H~ - H)
            states[i, :n] = h_i
        ctx.save_for_backward(U, g, h_0, states, zr, candidate, inner)
        ctx.options = counts, reverse, before, learned
        return states

    @staticmethod
    def backward(ctx, *grads):
        (grad_states,) = grads
        U, g, h_0, states, zr, candidate, inner = ctx.saved_tensors
        counts, reverse, before, learned = ctx.options
        steps, rows, hidden = states.shape
        gated = U.shape[1] - hidden
        U_zr_t, U_h_t = U[:, :gated].t().contiguous(), U[:, gated:].t().contiguous()
        dx = states.new_zeros(steps, rows, U.shape[1])
        d_inner = dx if before else states.new_zeros(steps, rows, hidden)  # gradient of H U_h
        dg = states.new_zeros(steps, rows)
        dh = states.new_zeros(rows, hidden)
        for i in range(steps) if reverse else reversed(range(steps)):
            n = counts[i]
            if n == 0:
                continue
            j = i + 1 if reverse else i - 1
            h = (states[j] if 0 <= j < steps else h_0)[:n]
            d = dh[:n].add_(grad_states[i, :n])
            r, c, in_i, gate = zr[i, :n, -hidden:], candidate[i, :n], inner[i, :n], g[i, :n, None]
            d_move = d * (c - h)  # gradient of u
            if learned:
                z = zr[i, :n, :hidden]
                keep = 1 - z
                torch.sum(d_move * keep, dim=1, out=dg[i, :n])
                dx[i, :n, :hidden] = -gate * d_move * z * keep
                u = gate * keep
            else:
                torch.sum(d_move, dim=1, out=dg[i, :n])
                u = gate
            d_u = d * u
            d_c = torch.addcmul(d_u, d_u * c, c, value=-1)  # through tanh
            dx[i, :n, gated:] = d_c
            d.sub_(d_u)
            if before:
                d_rh = d_c @ U_h_t
                d.addcmul_(d_rh, r)
                d_r = d_rh * h
            else:
                d_r = d_c * in_i
                d.addmm_(torch.mul(d_c, r, out=d_inner[i, :n]), U_h_t)
            dx[i, :n, gated - hidden : gated] = d_r * (r - r * r)
            d.addmm_(dx[i, :n, :gated], U_zr_t)
        now, past = (slice(None, -1), slice(1, None)) if reverse else (slice(1, None), slice(None, -1))
        h = states[past].reshape(-1, hidden)
        dU_zr = h.t() @ dx[now, :, :gated].reshape(-1, gated)
        if before:
            dU_h = inner.view(-1, hidden).t() @ dx[:, :, gated:].reshape(-1, hidden)
        else:
            dU_h = h.t() @ d_inner[now].reshape(-1, hidden)
        if ctx.needs_input_grad[3]:  # the first step's share of what started from h_0; with `reverse` h_0 is zero
            dU_zr = dU_zr.addmm(h_0.t(), dx[0, :, :gated])
            if not before:
                dU_h = dU_h.addmm(h_0.t(), d_inner[0])
        return dx, torch.cat([dU_zr, dU_h], dim=1), dg, dh, None, None, None, None
