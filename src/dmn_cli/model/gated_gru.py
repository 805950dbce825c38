"""The gated GRU: a recurrence whose every step can be held back by a gate.

    R   = σ(X W_r + H U_r + b_r)
    Z   = σ(X W_z + H U_z + b_z)
    H~  = tanh(X W_h + (R ∘ H) U_h + b_h)              reset="before"  (Kumar et al. 2016)
    H~  = tanh(X W_h + R ∘ (H U_h) + b_h)              reset="after"   (Xiong et al. 2016, eq. 3)
    H'  = Z ∘ H + (1 - Z) ∘ H~                         the plain GRU
    H'  = g (Z ∘ H + (1 - Z) ∘ H~) + (1 - g) H         update="gru"    (Kumar et al. 2016, sec. 2.3: the episode)
    H'  = g H~ + (1 - g) H                             update="gate"   (Xiong et al. 2016, eq. 11: attention GRU, no Z)

All three updates are H' = H + u ∘ (H~ - H), with u = 1 - Z, g (1 - Z) or g. So one loop serves the word GRU, the
question, the fusion layer in both directions and both kinds of episode.

`step` is the equation; `reference` is the plain loop over it, on padded rows. `forward` computes the same faster, on
packed rows (`records/packing.py`): inputs are projected for all steps at once, and the recurrence is one operation
(`kernels/recurrence.py`).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dmn_cli.kernels.elementwise import Dropout
from dmn_cli.kernels.products import affine
from dmn_cli.kernels.recurrence import recurrence
from dmn_cli.model.forms import Reset, Update
from dmn_cli.records.packing import Packing, Pointers


class GatedGRU(nn.Module):
    """A GRU whose step i is let through by a gate g_i in [0, 1].

    Parameters: W (inputs, blocks x hidden), U (hidden, blocks x hidden), b (blocks x hidden), where the blocks are
    [Z, R, H~], or [R, H~] where the gate itself is the update.
    """

    def __init__(
        self, inputs: int, hidden: int, *, reset: Reset = "after", update: Update = "gru", dropout: float = 0.0
    ) -> None:
        """dropout: of U, drawn once for all steps of a batch (Merity et al. 2018, sec. 2: weight-dropped)"""
        super().__init__()
        self.hidden, self.reset, self.update = hidden, reset, update
        self.dropout = Dropout(dropout)
        blocks = 3 if update == "gru" else 2
        self.W = nn.Parameter(torch.empty(inputs, blocks * hidden))
        self.U = nn.Parameter(torch.empty(hidden, blocks * hidden))
        self.b = nn.Parameter(torch.zeros(blocks * hidden))
        for weights in (*self.W.data.split(hidden, dim=1), *self.U.data.split(hidden, dim=1)):
            nn.init.xavier_uniform_(weights)

    def project(self, x: Tensor) -> Tensor:
        """X W + b, for any number of steps at once. (..., inputs) → (..., blocks x hidden)"""
        return x @ self.W + self.b if x.dim() > 2 else affine(x, self.W, self.b)

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
        self,
        x: Tensor,
        packing: Packing,
        gates: Tensor | None = None,
        *,
        start: Tensor | None = None,
        taken: Pointers | None = None,
        last: bool = False,
    ) -> Tensor:
        """All states of all rows, or the state after each row's last step.

        x: (packed, blocks x hidden), from `project`; gates: (packed,), or None for a gate that is always open; start:
        (rows, hidden) h_0, or None for zeros; taken: the row of x that each step takes, which may be the same for many,
        or None for its own; last: whether the last states alone are wanted → (packed, hidden), or (rows, hidden)
        """
        h_0 = None if start is None else start.index_select(0, packing.order)
        if gates is None and self.update == "gate":
            gates = x.new_ones(len(packing.row))
        g = None if gates is None else gates.unsqueeze(1)
        wanted, before = packing.last if last else None, self.reset == "before"
        return recurrence(x, self.dropout(self.U), g, h_0, packing, wanted, before=before, taken=taken)
