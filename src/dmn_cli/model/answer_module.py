"""The answer module: memory, q → the words of the answer.

    a_0 = m^T
    a_t = GRU([y_{t-1}, q], a_{t-1})
    y_t = softmax(W a_t)                        (Kumar et al. 2016, sec. 2.4)

Triggered once, it goes on until the end token. Triggered at each input position, as for tags, it says one word for each
fact, which it then also sees:

    a_t = GRU([y_{t-1}, q, c_t], a_{t-1})

y_{t-1} is the previous word as a one-hot vector (the right one in training), and y_0 is zero. The product of a one-hot
vector and a matrix is a row of that matrix, so the first rows of the GRU's W are looked up.

No answer is empty, and a fact is never left out: where the end token can't come, the network's own answers are chosen
by a softmax over the other words.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dmn_cli.kernels.elementwise import Dropout
from dmn_cli.model.gated_gru import GatedGRU
from dmn_cli.model.linear import linear
from dmn_cli.records.batch import END, Batch
from dmn_cli.records.output import Facts
from dmn_cli.records.packing import Packing


class AnswerModule(nn.Module):
    """`each`: whether it can also be triggered at each fact; `max_steps`: the longest answer, its end token counted."""

    def __init__(
        self,
        answers: int,
        hidden: int,
        dropout: float,
        gru: Callable[..., GatedGRU],
        max_steps: int,
        *,
        per_fact: bool = False,
    ) -> None:
        super().__init__()
        self.answers, self.max_steps, self.per_fact = answers, max_steps, per_fact
        self.gru = gru(answers + hidden + hidden * per_fact, hidden)
        self.W = linear(hidden, answers)
        self.dropout = Dropout(dropout)

    def start(self, m: Tensor, q: Tensor) -> tuple[Tensor, Tensor]:
        """a_0 and the part of the projected input that is the same at every step."""
        a, q = self.dropout(m), self.dropout(q)
        return a, q @ self.gru.W[self.answers : self.answers + q.shape[1]] + self.gru.b

    def project_facts(self, c: Tensor) -> Tensor:
        """The part of the projected input that is c_t's. (…, hidden) → (…, blocks x hidden)"""
        return c @ self.gru.W[self.answers + c.shape[-1] :]

    def forward(self, m: Tensor, q: Tensor, facts: Facts, batch: Batch) -> Tensor:
        """Logits given the right previous words. m, q: (questions, hidden) → (questions, steps, answers), with as many
        steps as `batch.answer` has"""
        any_per_fact, all_per_fact = batch.per_fact_among
        if not self.per_fact or not any_per_fact:
            return self.once(m, q, batch.answer)
        at_each = facts.packing.unpack(self.at_each(m, q, facts, batch.answer))
        at_each = F.pad(at_each, (0, 0, 0, batch.answer.shape[1] - at_each.shape[1]))
        if all_per_fact:
            return at_each
        return torch.where(batch.per_fact[:, None, None], at_each, self.once(m, q, batch.answer))

    def once(self, m: Tensor, q: Tensor, answer: Tensor) -> Tensor:
        """Triggered once. answer: (questions, steps), -1 where padded or unknown"""
        packing = Packing.even(len(answer), answer.shape[1], answer.device)
        return packing.unpack(self.steps(m, q, None, packing, answer))

    def at_each(self, m: Tensor, q: Tensor, facts: Facts, answer: Tensor) -> Tensor:
        """Triggered at each fact. answer: (questions, steps) → (packed, answers)"""
        return self.steps(m, q, facts.vectors, facts.packing, answer)

    def steps(self, m: Tensor, q: Tensor, c: Tensor | None, packing: Packing, answer: Tensor) -> Tensor:
        """c: (packed, hidden) where a_t sees a fact; answer: (questions, steps) → (packed, answers)"""
        a, x_q = self.start(m, q)
        before = F.pad(answer.clamp(min=0) + 1, (1, packing.steps))  # y_0 is row 0, of zeros
        y = F.pad(self.gru.W[: self.answers], (0, 0, 1, 0)).index_select(0, packing.pack(before))
        x = packing.spread(x_q) + y
        return self.W(self.gru(x if c is None else x + self.project_facts(c), packing, start=a))

    @torch.no_grad()
    def decode(
        self, m: Tensor, q: Tensor, facts: Facts, per_fact: Tensor, barred: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """The likeliest word at each step, until the end token, or until the last fact. barred: as of `Batch`

        Returns the answers (questions, steps), END from each one's end on, and the probability (questions,) of each
        whole answer, its end included, among all that can be said.
        """
        if not self.per_fact or not per_fact.any():
            return self.decode_once(m, q, barred)
        words, confidence = self.decode_at_each(m, q, facts, barred)
        if per_fact.all():
            return words, confidence
        said, likely = self.decode_once(m, q, barred)
        steps = max(words.shape[1], said.shape[1])
        words, said = (F.pad(w, (0, steps - w.shape[1]), value=END) for w in (words, said))
        return torch.where(per_fact.unsqueeze(1), words, said), torch.where(per_fact, confidence, likely)

    def likeliest(self, a: Tensor, barred: Tensor | None, *, may_end: bool) -> tuple[Tensor, Tensor]:
        """The likeliest words at some states, the end token among them if it may come, and the logarithms of their
        probabilities. (rows, hidden), (rows or 1, answers) → (rows,) each"""
        scores = self.W(a) if barred is None else self.W(a).masked_fill(barred, -torch.inf)
        if not may_end:
            scores[:, END] = -torch.inf
        log_p, y = torch.log_softmax(scores, dim=1).max(dim=1)
        return y, log_p

    def decode_once(self, m: Tensor, q: Tensor, barred: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """One word at least, and then until the end token."""
        a, x_q = self.start(m, q)
        x, words, log_p = x_q, [], m.new_zeros(len(m))
        ended = torch.zeros(len(m), dtype=torch.bool, device=m.device)
        for t in range(self.max_steps):
            a = self.gru.step(x, a)
            y, log_p_t = self.likeliest(a, barred, may_end=t > 0)
            words.append(y.where(~ended, END))
            log_p = log_p + log_p_t.where(~ended, 0.0)
            ended = ended | (y == END)
            if bool(ended.all()):
                break
            x = x_q + self.gru.W[y]
        return torch.stack(words, dim=1), log_p.exp()

    def decode_at_each(self, m: Tensor, q: Tensor, facts: Facts, barred: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """One word for each fact. The longest rows come first, so that step t is of the rows that have one."""
        c, packing = facts
        a, x_q = (rows.index_select(0, packing.order) for rows in self.start(m, q))
        if barred is not None:
            barred = barred.expand(len(m), -1).index_select(0, packing.order)
        x_c = self.project_facts(c).split(packing.counts)
        words, log_p, W_y = [], m.new_zeros(len(m)), m.new_zeros(len(m), x_q.shape[1])
        for n, x in zip(packing.counts, x_c, strict=True):
            a = self.gru.step(x_q[:n] + x + W_y[:n], a[:n])
            y, log_p_t = self.likeliest(a, None if barred is None else barred[:n], may_end=False)
            words.append(y)
            log_p[:n] += log_p_t
            W_y = self.gru.W.index_select(0, y)
        confidence = torch.empty_like(log_p).index_copy_(0, packing.order, log_p.exp())
        return packing.unpack(torch.cat(words), fill=END), confidence
