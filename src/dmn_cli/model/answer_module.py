"""The answer module: memory, q → the words of the answer.

    a_0 = m^T                                   or, seeing all facts at once, W_0 [m^T; mean_i c_i; max_i c_i] + b_0
    a_t = GRU([y_{t-1}, q], a_{t-1})
    y_t = softmax(W a_t)                        (Kumar et al. 2016, sec. 2.4)

Triggered once, it goes on until the end token. Triggered at each input position, as for tags, it says one word for each
fact, which it then also sees:

    a_t = GRU([y_{t-1}, q, c_t], a_{t-1})

y_{t-1} is the previous word as a one-hot vector (the right one in training), and y_0 is zero. The product of a one-hot
vector and a matrix is a row of that matrix, so the first rows of the GRU's W are looked up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dmn_cli.kernels.elementwise import Dropout
from dmn_cli.model.gated_gru import GatedGRU
from dmn_cli.model.input_module import mean_and_maximum
from dmn_cli.model.linear import linear
from dmn_cli.records.batch import Batch
from dmn_cli.records.output import Facts
from dmn_cli.records.packing import Packing


class AnswerModule(nn.Module):
    """`per_fact`: whether it can also be triggered at each fact; `max_steps`: the longest answer, its end token
    counted; `pooled`: whether it sees all facts at once."""

    def __init__(
        self,
        answers: int,
        hidden: int,
        dropout: float,
        gru: Callable[..., GatedGRU],
        max_steps: int,
        *,
        per_fact: bool = False,
        pooled: bool = False,
    ) -> None:
        super().__init__()
        self.answers, self.max_steps, self.per_fact = answers, max_steps, per_fact
        self.gru = gru(answers + hidden + hidden * per_fact, hidden)
        self.W = linear(hidden, answers)
        self.W_0 = linear(3 * hidden, hidden) if pooled else None
        self.dropout = Dropout(dropout)

    def see(self, m: Tensor, facts: Facts) -> Tensor:
        """What all the rest is given as m. m: (questions, hidden) → (questions, hidden)"""
        return m if self.W_0 is None else self.W_0(self.dropout(torch.cat([m, *mean_and_maximum(*facts)], dim=1)))

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

    def speaker(self, m: Tensor, q: Tensor, batch: Batch | None = None, facts: Facts | None = None) -> Speaker:
        """Says its own answers (`decoding.py`). batch: whose questions these are; their wordings are projected once;
        facts: where it is triggered at each of them; then the rows are in the order of their packing"""
        if batch is None:
            a, x_q = self.start(m, q)
        else:
            worded = q.new_empty(len(batch.question_sentences), q.shape[1]).index_copy_(0, batch.question, q)
            a, x_q = self.start(m, worded)
            x_q = x_q.index_select(0, batch.question)
        if facts is None:
            return Speaker(self, a, x_q, None)
        a, x_q = (rows.index_select(0, facts.packing.order) for rows in (a, x_q))
        return Speaker(self, a, x_q, iter(self.project_facts(facts.vectors).split(facts.packing.counts)))


class Speaker:
    """The module between two words. a: (rows, hidden) the state a_{t-1}; x_q, x_c: q's part of its projected input,
    (rows, blocks x hidden), and that of each c_t"""

    def __init__(self, module: AnswerModule, a: Tensor, x_q: Tensor, x_c: Iterator[Tensor] | None) -> None:
        self.module, self.a, self.x_q, self.x_c = module, a, x_q, x_c

    def __call__(self, before: Tensor | None) -> Tensor:
        """The logits of y_t, (rows, answers). before: (rows of the step before,) y_{t-1}; None: y_0"""
        gru, x, n = self.module.gru, self.x_q, len(self.a)
        if self.x_c is not None:
            x_c = next(self.x_c)
            n = len(x_c)
            x = x[:n] + x_c
        if before is not None:
            x = x + gru.W.index_select(0, before[:n])
        self.a = gru(x, Packing.even(n, 1, x.device), start=self.a[:n])
        return self.module.W(self.a)

    def following(self, rows: Tensor) -> Speaker:
        """One that goes on with some rows, where it isn't triggered at each fact."""
        return Speaker(self.module, self.a.index_select(0, rows), self.x_q.index_select(0, rows), None)
