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

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from dmn_cli.model.gated_gru import GatedGRU, Reset, Update
from dmn_cli.model.linear import linear
from dmn_cli.records import Episode, Facts

STOP_THRESHOLD = 0.05


class GateFeatures(NamedTuple):
    """The part of W1 z + b1 that every pass shares, and what the rest is made from."""

    shared: Tensor  # (questions, facts, hidden)
    c: Tensor  # (questions, facts, hidden)
    cW: Tensor | None  # (questions, facts, hidden), for cᵀWm


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

    def read(self, c: Tensor, q: Tensor) -> GateFeatures:
        """Everything that all passes share. c: (questions, facts, hidden); q: (questions, hidden)"""
        q = q.unsqueeze(1)
        z = [c * q, (c - q).abs()]
        cW = None
        if self.full:
            cW = self.W(c)
            z += [c, (cW * q).sum(dim=2, keepdim=True)]
        return GateFeatures(self.W1_q(torch.cat(z, dim=2)), c, cW)

    def forward(self, features: GateFeatures, m: Tensor, q: Tensor) -> Tensor:
        """Scores before softmax or sigmoid: (questions, facts)."""
        shared, c, cW = features
        m_ = m.unsqueeze(1)
        z = [c * m_, (c - m_).abs()]
        if cW is not None:
            z.append((cW * m_).sum(dim=2, keepdim=True))
            shared = shared + self.W1_alone(torch.cat([m, q], dim=1)).unsqueeze(1)
        return self.W2(torch.tanh(shared + self.W1_m(torch.cat(z, dim=2)))).squeeze(2)


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
            return self.gru.step(self.gru.project(e), m)
        return torch.relu(self.W_t[t](torch.cat([m, e, q], dim=1)))

    def forward(self, facts: Facts, q: Tensor) -> Episode:
        c, mask, F = facts.vectors, facts.mask, facts.mask.shape[1]
        x = self.episode.project(c)  # W c_i + b: the same in every pass
        if self.end is not None:
            c = torch.cat([c, self.end.expand(len(q), 1, -1)], dim=1)
            mask = torch.cat([mask, mask.new_ones(len(q), 1)], dim=1)
        features = self.gate.read(c, q)
        m, running = q, q.new_ones(len(q), 1)
        gates, stops, runs = [], [], []
        for t in range(self.passes):
            score = self.gate(features, m, q).masked_fill(~mask, -torch.inf)
            g = torch.softmax(score, dim=1) if self.gates == "softmax" else torch.sigmoid(score)
            e = self.episode.last(x, facts.length, g[:, :F])
            m_t = self.update(t, m, e, q)
            if self.end is not None:
                running = running * (1 - g[:, F:])
                running = running.where(running > STOP_THRESHOLD, 0.0)
                m_t = m + running * (m_t - m)
                stops.append(g[:, F])
            m = m_t
            gates.append(g[:, :F])
            runs.append(running.squeeze(1))
        return Episode(
            memory=m,
            gates=torch.stack(gates, dim=1),
            stop=torch.stack(stops, dim=1) if stops else None,
            running=torch.stack(runs, dim=1),
        )
