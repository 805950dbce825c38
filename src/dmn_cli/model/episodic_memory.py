"""The episodic memory module: facts, q → memory, gates.

It passes over the facts several times; the memory of one pass decides what the next one reads.

    m^0   = q
    g_i^t = G(c_i, m^{t-1}, q)                                     how much fact i matters in pass t
    h_i^t = g_i^t GRU(c_i, h_{i-1}^t) + (1 - g_i^t) h_{i-1}^t      the episode reads on, or skips (`gated_gru.py`)
    e^t   = the last h^t
    m^t   = GRU(e^t, m^{t-1})                                      Kumar et al. 2016, sec. 2.3
    m^t   = ReLU(W^t [m^{t-1}; e^t; q] + b^t)                      Xiong et al. 2016, eq. 13, W^t for each pass

g^t is the softmax of the gate's scores (`attention_gate.py`) over the facts, or the sigmoid of each.

End of passes: Kumar et al. append a fact that ends the passes once it is chosen. Here it is a learned vector that takes
part in the gates like one more fact, and its gate s^t closes the memory instead of entering the episode:

    running^t = running^{t-1} (1 - s^t);    m^t = running^t m^t + (1 - running^t) m^{t-1}

which is the paper's hard stop where s is 0 or 1, and has a gradient in between (our departure). Below
`STOP_THRESHOLD`, running is set to 0: the passes have ended.

Teacher forcing (Williams and Zipser 1989; Weston et al. 2015 train so): while the gates are still to be learnt, an
episode can be read with given gates in place of its own: pass t reads the supporting fact s_t, and those after s_n read
s_n again. Then the answer, and what it needs to see in the facts, are learnt at the same time.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dmn_cli.kernels import c_library, memory_c
from dmn_cli.model.attention_gate import AttentionGate
from dmn_cli.model.forms import GateFeatures, Gates, MemoryUpdate, Update
from dmn_cli.model.gated_gru import GatedGRU
from dmn_cli.model.linear import linear
from dmn_cli.records.output import Episode, Facts
from dmn_cli.records.packing import Packing

STOP_THRESHOLD = 0.05


class EpisodicMemory(nn.Module):
    """Passes over the facts, each guided by the memory of the one before."""

    def __init__(
        self,
        hidden: int,
        gru: Callable[..., GatedGRU],
        *,
        passes: int,
        features: GateFeatures,
        gates: Gates,
        episode: Update,
        memory: MemoryUpdate,
        end_of_passes: bool,
    ) -> None:
        super().__init__()
        self.passes, self.gates = passes, gates
        self.gate = AttentionGate(hidden, features)
        self.episode = gru(hidden, hidden, update=episode)
        self.end = nn.Parameter(torch.randn(hidden) / hidden**0.5) if end_of_passes else None
        self.gru = gru(hidden, hidden) if memory == "gru" else None
        untied = passes if memory == "relu" else 0
        self.W_t = nn.ModuleList(linear(3 * hidden, hidden) for _ in range(untied))

    def update(self, t: int, m: Tensor, e: Tensor, q: Tensor) -> Tensor:
        """m^t from m^{t-1}, e^t and q, all (questions, hidden)."""
        if self.gru is not None:
            return self.gru(self.gru.project(e), Packing.even(len(m), 1, m.device), start=m)
        return torch.relu(self.W_t[t](torch.cat([m, e, q], dim=1)))

    def forward(self, facts: Facts, q: Tensor, given: Tensor | None = None) -> Episode:
        """given: (questions, passes, facts) what episodes are read with in place of their own gates; these count all
        the same where it is all 0"""
        c, packing = facts
        if given is None and not torch.is_grad_enabled() and (weights := self._in_one_piece(c)):
            m, gates = memory_c.passes(c, packing, q, weights, softmax=self.gates == "softmax")
            return Episode(memory=m, gates=gates, stop=None, running=q.new_ones(len(q), self.passes))
        x = self.episode.project(c)  # W c_i + b: the same in every pass
        shared = self.gate.read(c, q, packing)
        end = None if self.end is None else self.gate.read(self.end.expand(len(q), -1), q, None)
        m, running = q, q.new_ones(len(q), 1)
        gates, stops, runs = [], [], []
        for t in range(self.passes):
            score = packing.unpack(self.gate(shared, m, q), fill=-torch.inf)  # (questions, facts)
            if end is not None:
                score = torch.cat([score, self.gate(end, m, q).unsqueeze(1)], dim=1)
            g = torch.softmax(score, dim=1) if self.gates == "softmax" else torch.sigmoid(score)
            read = g
            if given is not None:
                y = F.pad(given[:, t], (0, g.shape[1] - packing.steps))
                read = y.where(y.any(dim=1, keepdim=True), g)
            e = self.episode(x, packing, packing.pack(read), last=True)
            m_t = self.update(t, m, e, q)
            if end is not None:
                running = running * (1 - read[:, -1:])
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

    def _in_one_piece(self, c: Tensor) -> memory_c.Weights | None:
        """The weights, where all passes can be one call of C: for answering, as DMN+ does."""
        gate, episode = self.gate, self.episode
        as_dmn_plus = not gate.full and self.gru is None and self.end is None
        as_dmn_plus &= episode.update == "gate" and episode.reset == "after"
        if self.training or not as_dmn_plus or not c_library.serves(c):
            return None
        return memory_c.Weights(
            *(gate.W1_q.weight, gate.W1_q.bias, gate.W1_m.weight, gate.W2.weight, gate.W2.bias),
            *(episode.W, episode.b, episode.U),
            *(torch.stack([getattr(layer, name) for layer in self.W_t]) for name in ("weight", "bias")),
        )
