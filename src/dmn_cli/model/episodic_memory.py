"""The episodic memory module: facts, q → memory, gates.

It passes over the facts several times; the memory of one pass decides what the next one reads.

    m^0   = q
    g_i^t = G(c_i, m^{t-1}, q)                                     how much fact i matters in pass t
    h_i^t = g_i^t GRU(c_i, h_{i-1}^t) + (1 - g_i^t) h_{i-1}^t      the episode reads on, or skips (`gated_gru.py`)
    e^t   = the last h^t
    m^t   = GRU(e^t, m^{t-1})                                      Kumar et al. 2016, sec. 2.3
    m^t   = ReLU(W^t [m^{t-1}; e^t; q] + b^t)                      Xiong et al. 2016, eq. 13, W^t for each pass

Gates (`AttentionGate`): score = W2 tanh(W1 z + b1) + b2, with

    z = [c, m, q, c∘q, c∘m, |c-q|, |c-m|, cᵀWq, cᵀWm]              Kumar et al. 2016, eq. 5
    z = [c∘q, c∘m, |c-q|, |c-m|]                                   Xiong et al. 2016, eq. 8

and g = softmax of the scores over the facts, or the sigmoid of each. W1 is kept in parts, one for each group of
features, so that what doesn't depend on m is computed once and not once per pass.

End of passes: Kumar et al. append a fact that, once chosen, ends the passes. Here it takes part in the gates as one
more fact, a learned vector, and its gate s^t closes the memory instead of entering the episode:

    running^t = running^{t-1} (1 - s^t);    m^t = running^t m^t + (1 - running^t) m^{t-1}

which is the paper's hard stop where s is 0 or 1, and has a gradient in between (our departure). Below
`STOP_THRESHOLD`, running is exactly 0, so that a question's answer can't depend on how long its neighbours read.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, cast

import torch
from torch import Tensor, nn

from dmn_cli.model import native
from dmn_cli.model.elementwise import tanh
from dmn_cli.model.gated_gru import GatedGRU, Reset, Update
from dmn_cli.model.linear import linear
from dmn_cli.model.products import product, product_of_rows
from dmn_cli.packing import Packing
from dmn_cli.records import Episode, Facts

STOP_THRESHOLD = 0.05


class GateFeatures(NamedTuple):
    """The part of W1 z + b1 that every pass shares, and what the rest is made from."""

    shared: Tensor  # (packed, hidden)
    c: Tensor  # (packed, hidden)
    cW: Tensor | None  # (packed, hidden), for cᵀWm
    packing: Packing | None  # of (questions, facts); None: one fact for each question


class AttentionGate(nn.Module):
    """Scores each fact against the question and the memory."""

    def __init__(self, hidden: int, features: Literal["dmn", "dmn-plus"]) -> None:
        super().__init__()
        self.full = features == "dmn"
        extra = hidden + 1 if self.full else 0
        self.W1_q = linear(2 * hidden + extra, hidden)  # [c∘q, |c-q|] and, in full, [c, cᵀWq]; holds b1
        self.W1_m = linear(2 * hidden + (1 if self.full else 0), hidden, bias=False)  # [c∘m, |c-m|], [cᵀWm]
        self.W2 = linear(hidden, 1)
        if self.full:
            self.W = linear(hidden, hidden, bias=False)  # the W of cᵀWq and cᵀWm
            self.W1_alone = linear(2 * hidden, hidden, bias=False)  # [m, q]: the same for all facts

    def read(self, c: Tensor, q: Tensor, packing: Packing | None) -> GateFeatures:
        """Everything that all passes share. c: (packed, hidden); q: (questions, hidden)"""
        W, b = self.W1_q.weight, self.W1_q.bias
        if not self.full:
            return GateFeatures(compare(c, q, None, W, b, packing), c, None, packing)
        H, cW = c.shape[1], self.W(c)
        compared = torch.cat([W[:, : 2 * H], W[:, 3 * H :]], dim=1)
        shared = compare(c, q, cW, compared, torch.addmm(b, c, W[:, 2 * H : 3 * H].t()), packing)
        return GateFeatures(shared, c, cW, packing)

    def forward(self, features: GateFeatures, m: Tensor, q: Tensor) -> Tensor:
        """Scores before softmax or sigmoid: (packed,)."""
        shared, c, cW, packing = features
        if self.full:
            alone = self.W1_alone(torch.cat([m, q], dim=1))
            shared = shared + (alone if packing is None else packing.spread(alone))
        return compare(c, m, cW, self.W1_m.weight, shared, packing, self.W2)


def compare(
    c: Tensor,
    v: Tensor,
    cW: Tensor | None,
    W1: Tensor,
    base: Tensor,
    packing: Packing | None,
    layer: nn.Linear | None = None,
) -> Tensor:
    """base + W1 [c∘v, |c-v|] or, given cW, base + W1 [c∘v, |c-v|, cᵀWv], each fact compared with the v of its question;
    given `layer`, the score that it makes of this one's tanh.

    c, cW: (packed, hidden); v: (questions, hidden); W1: (hidden, features); base: (packed, hidden) or (hidden,) →
    (packed, hidden), or scores (packed,)
    """
    if native.serves(c):
        from dmn_cli.model.attention_gate_native import Compare

        W2, b2 = (None, None) if layer is None else (layer.weight, layer.bias)
        return cast("Tensor", Compare.apply(c, v, cW, W1, base, W2, b2, packing))
    a = cast("Tensor", _Compare.apply(c, v, cW, W1, base, packing))
    return a if layer is None else layer(tanh(a)).squeeze(1)


class _Compare(torch.autograd.Function):
    """By hand, so that the features are written once, where the product reads them, and kept once."""

    @staticmethod
    def forward(ctx, c, v, cW, W1, base, packing):
        H = c.shape[1]
        v = v if packing is None else packing.spread(v)
        z = c.new_empty(len(c), W1.shape[1])
        torch.mul(c, v, out=z[:, :H])
        torch.sub(c, v, out=z[:, H : 2 * H]).abs_()
        if cW is not None:
            torch.sum(cW * v, dim=1, out=z[:, -1])
        ctx.save_for_backward(c, v, cW, W1, z)
        ctx.packing, ctx.biased = packing, base.dim() == 1
        return product(z, W1.t(), base)

    @staticmethod
    def backward(ctx, *gradients):
        (d,), (c, v, cW, W1, z) = gradients, ctx.saved_tensors
        H = c.shape[1]
        dz = product(d, W1)
        joint, distance = dz[:, :H], dz[:, H : 2 * H]  # of c∘v and |c-v|
        distance.mul_((c - v).sign_())
        dc = torch.addcmul(distance, joint, v)
        dv = torch.addcmul(distance.neg_(), joint, c)
        dcW = None
        if cW is not None:
            dcW = dz[:, -1:] * v
            dv.addcmul_(dz[:, -1:], cW)
        dv = dv if ctx.packing is None else ctx.packing.total(dv)
        return dc, dv, dcW, product_of_rows(d, z), d.sum(dim=0) if ctx.biased else d, None


class EpisodicMemory(nn.Module):
    """Passes over the facts, each guided by the memory of the one before."""

    def __init__(
        self,
        hidden: int,
        *,
        passes: int,
        features: Literal["dmn", "dmn-plus"],
        gates: Literal["softmax", "sigmoid"],
        episode: Update,
        memory: Literal["gru", "relu"],
        reset: Reset,
        end_of_passes: bool,
    ) -> None:
        super().__init__()
        self.passes, self.gates = passes, gates
        self.gate = AttentionGate(hidden, features)
        self.episode = GatedGRU(hidden, hidden, reset=reset, update=episode)
        self.end = nn.Parameter(torch.randn(hidden) / hidden**0.5) if end_of_passes else None
        self.gru = GatedGRU(hidden, hidden, reset=reset) if memory == "gru" else None
        untied = passes if memory == "relu" else 0
        self.W_t = nn.ModuleList(linear(3 * hidden, hidden) for _ in range(untied))

    def update(self, t: int, m: Tensor, e: Tensor, q: Tensor) -> Tensor:
        """m^t from m^{t-1}, e^t and q, all (questions, hidden)."""
        if self.gru is not None:
            return self.gru(self.gru.project(e), Packing.even(len(m), 1, m.device), start=m)
        return torch.relu(self.W_t[t](torch.cat([m, e, q], dim=1)))

    def forward(self, facts: Facts, q: Tensor) -> Episode:
        c, packing = facts
        x = self.episode.project(c)  # W c_i + b: the same in every pass
        features = self.gate.read(c, q, packing)
        end = None if self.end is None else self.gate.read(self.end.expand(len(q), -1), q, None)
        m, running = q, q.new_ones(len(q), 1)
        gates, stops, runs = [], [], []
        for t in range(self.passes):
            score = packing.unpack(self.gate(features, m, q), fill=-torch.inf)  # (questions, facts)
            if end is not None:
                score = torch.cat([score, self.gate(end, m, q).unsqueeze(1)], dim=1)
            g = torch.softmax(score, dim=1) if self.gates == "softmax" else torch.sigmoid(score)
            e = self.episode.last(x, packing, packing.pack(g))
            m_t = self.update(t, m, e, q)
            if end is not None:
                running = running * (1 - g[:, -1:])
                running = running.where(running > STOP_THRESHOLD, 0.0)
                m_t = m + running * (m_t - m)
                stops.append(g[:, -1])
            m = m_t
            gates.append(g[:, : packing.steps])
            runs.append(running.squeeze(1))
        return Episode(
            memory=m,
            gates=torch.stack(gates, dim=1),
            stop=torch.stack(stops, dim=1) if stops else None,
            running=torch.stack(runs, dim=1),
        )
