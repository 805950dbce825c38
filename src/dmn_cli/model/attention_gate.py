"""The attention gate: how much a fact matters, given the question and the memory.

    score = W2 tanh(W1 z + b1) + b2,   with

    z = [c, m, q, c∘q, c∘m, |c-q|, |c-m|, cᵀWq, cᵀWm]              Kumar et al. 2016, eq. 5
    z = [c∘q, c∘m, |c-q|, |c-m|]                                   Xiong et al. 2016, eq. 8

W1 is kept in parts, one for each group of features, so that what doesn't depend on m is computed once, not in every
pass.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from dmn_cli.kernels.comparison import compare
from dmn_cli.model.forms import GateFeatures
from dmn_cli.model.linear import linear
from dmn_cli.records.packing import Packing


class SharedFeatures(NamedTuple):
    """The part of W1 z + b1 that all passes share, and what the rest is computed from."""

    base: Tensor  # (packed, hidden)
    c: Tensor  # (packed, hidden)
    cW: Tensor | None  # (packed, hidden), for cᵀWm
    packing: Packing | None  # of (questions, facts); None: one fact for each question


class AttentionGate(nn.Module):
    """Scores each fact against the question and the memory."""

    def __init__(self, hidden: int, features: GateFeatures) -> None:
        super().__init__()
        self.full = features == "dmn"
        extra = hidden + 1 if self.full else 0
        self.W1_q = linear(2 * hidden + extra, hidden)  # [c∘q, |c-q|] and, in full, [c, cᵀWq]; holds b1
        self.W1_m = linear(2 * hidden + (1 if self.full else 0), hidden, bias=False)  # [c∘m, |c-m|], [cᵀWm]
        self.W2 = linear(hidden, 1)
        if self.full:
            self.W = linear(hidden, hidden, bias=False)  # the W of cᵀWq and cᵀWm
            self.W1_alone = linear(2 * hidden, hidden, bias=False)  # [m, q]: the same for all facts

    def read(self, c: Tensor, q: Tensor, packing: Packing | None) -> SharedFeatures:
        """What all passes share. c: (packed, hidden); q: (questions, hidden)"""
        W, b = self.W1_q.weight, self.W1_q.bias
        if not self.full:
            return SharedFeatures(compare(c, q, None, W, b, packing), c, None, packing)
        H, cW = c.shape[1], self.W(c)
        compared = torch.cat([W[:, : 2 * H], W[:, 3 * H :]], dim=1)
        base = compare(c, q, cW, compared, torch.addmm(b, c, W[:, 2 * H : 3 * H].t()), packing)
        return SharedFeatures(base, c, cW, packing)

    def forward(self, shared: SharedFeatures, m: Tensor, q: Tensor) -> Tensor:
        """Scores before softmax or sigmoid. m, q: (questions, hidden) → (packed,)"""
        base, c, cW, packing = shared
        if self.full:
            alone = self.W1_alone(torch.cat([m, q], dim=1))
            base = base + (alone if packing is None else packing.spread(alone))
        return compare(c, m, cW, self.W1_m.weight, base, packing, self.W2)
