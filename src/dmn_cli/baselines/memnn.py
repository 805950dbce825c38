"""The Memory Network (Weston, Chopra, Bordes 2015, arXiv 1410.3916), with the extensions of Weston et al. 2015 (arXiv
1502.05698, sec. 4): adaptive number of hops, bag of n-grams, two-layer matching.

    Φ(x)            the n-grams of a text, n from 1 to `longest_ngram`. The question, memories that were chosen, and
                    candidates have dictionaries of their own
    E(x)   = tanh(W tanh(U Φ(x)))                                     or U Φ(x), where matching isn't of two layers
    s(x, y, y') = E(x)·(E(y) - E(y') + U_t Φ_t(x, y, y'))             y wins over y' where it is positive
    Φ_t    = [x is newer than y, x is newer than y', y is newer than y']      x: the question, then the last choice
    m_o1   = the winner of all memories, oldest to newest, given the question; m_o2 that given [q, m_o1]; …
             until m_∅ wins, a memory older than all that says that nothing more is needed; `hops` at most
    w_t    = argmax_w s_R([q, m_o1, …, w_1, …, w_{t-1}], w),  s_R(x, w) = E_R(x)·E_R(w);  until w_∅, the end token

Losses, given the supporting facts f_1, …, f_n, f_{n+1} = m_∅ in place of what would be chosen (eqs. 6-8 there):

    gates     Σ_k max_{f≠f_k} [γ - s(x, f_k, f)]_+ + [γ + s(x, f, f_k)]_+      f: hard negatives, the worst of all
    answers   Σ_t Σ_{w≠w_t} [γ - s_R(x, w_t) + s_R(x, w)]_+

A gate is 1 at the winner of its pass. The confidence is that of softmax(s_R / γT), given what was chosen; so is what is
reported as the loss of a validation. U, W and m_∅ are of the memories, U_R and W_R of the answer.

Where we depart from the paper: the last memory that was chosen has another dictionary than those before it, since a bag
of all of them doesn't say in which order they were told; n-grams of several words share `buckets` rows by a hash
(Weinberger et al. 2009); and the preset's γ and optimiser are others (docs/log.md).
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dmn_cli.baselines.ngram_rows import ngram_rows
from dmn_cli.model.decoding import Reading
from dmn_cli.model.linear import linear
from dmn_cli.model.speaking import SpeakingNetwork
from dmn_cli.records.batch import Batch
from dmn_cli.records.network import Losses, Sizes

_SPREAD = 0.1  # of all weights of single words at first


class Told(NamedTuple):
    """What a batch says, as U Φ: rows of distinct sentences, and the question's own."""

    q: Tensor  # (questions, hidden)
    chosen: Tensor  # (sentences, hidden) as memories that were chosen
    last: Tensor  # (sentences, hidden) what is added to the last of these
    memory: Tensor  # (questions, 1 + facts) rows of `y`: m_∅, then the facts
    real: Tensor  # (questions, 1 + facts)
    y: Tensor  # (1 + sentences, hidden) E of m_∅ and of each candidate


class Matching(nn.Module):
    """E, and the dictionaries of the question and of chosen memories."""

    def __init__(self, rows: int, hidden: int, words: int, *, two_layers: bool) -> None:
        super().__init__()
        self.U_q, self.U_m, self.U_l = (dictionary(rows, hidden, words) for _ in range(3))
        self.W = linear(hidden, hidden, bias=False) if two_layers else None

    def E(self, x: Tensor) -> Tensor:  # noqa: N802
        """x: U Φ(x), (…, hidden) → (…, hidden)"""
        return x if self.W is None else torch.tanh(self.W(torch.tanh(x)))


class MemNN(SpeakingNetwork):
    """hops: memories that are chosen at most; margin: γ"""

    gated = taught_by_supports = True
    per_fact = False

    def __init__(
        self,
        sizes: Sizes,
        *,
        hidden: int,
        hops: int,
        longest_ngram: int,
        buckets: int,
        two_layers: bool,
        margin: float,
    ) -> None:
        super().__init__()
        self.hops, self.margin, self.max_steps = hops, margin, sizes.max_answer_steps
        buckets = buckets if longest_ngram > 1 else 0
        self.ngrams = partial(ngram_rows, words=sizes.words, longest=longest_ngram, buckets=buckets)
        made = sizes.words + buckets, hidden, sizes.words
        self.O, self.R = (Matching(*made, two_layers=two_layers) for _ in range(2))
        self.U_y = dictionary(*made)
        self.m_null = nn.Parameter(_SPREAD * torch.randn(hidden))
        self.U_t = nn.Parameter(_SPREAD * torch.randn(3, hidden))
        self.U_w, self.U_said = (nn.Parameter(_SPREAD * torch.randn(sizes.answers, hidden)) for _ in range(2))

    def arrange(self, batch: Batch) -> Batch:
        _ = batch.fact_packings
        return batch

    def tell(self, batch: Batch, by: Matching) -> Told:
        """The question and chosen memories in the dictionaries of O or of R."""
        facts, questions = self.ngrams(batch.sentences), self.ngrams(batch.question_sentences)
        y = self.O.E(torch.cat([self.m_null.unsqueeze(0), self.U_y(facts)]))
        memory = F.pad(batch.story[batch.story_of] + 1, (1, 0))
        real = torch.arange(memory.shape[1], device=memory.device) <= batch.facts_seen.unsqueeze(1)
        return Told(by.U_q(questions)[batch.question], by.U_m(facts), by.U_l(facts), memory, real, y)

    def scores(self, told: Told, x: Tensor, t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """s(x, y, y') = α_y - β_y' + τ [y is newer than y'].

        x: (questions, hidden) UΦ; t: (questions,) the place of x among the memories → α, β (questions, 1 + facts), τ
        (questions, 1)
        """
        u = self.O.E(x)
        a = (u @ told.y.t()).gather(1, told.memory)
        newer = t.unsqueeze(1) > torch.arange(a.shape[1], device=a.device)  # x than each memory
        first, second, third = (u @ self.U_t.t()).unsqueeze(2).unbind(dim=1)
        return a + first * newer, a - second * newer, third

    def losses(self, batch: Batch, supervision: str | None) -> Losses:
        told, known = self.tell(batch, self.O), (batch.support >= 0).sum(dim=1)
        support = F.pad(batch.support + 1, (0, 1)).clamp(min=0)  # m_∅ has place 0
        x, last, t = told.q, torch.zeros_like(told.q), torch.full_like(known, told.memory.shape[1])
        loss = x.new_zeros(len(batch))
        for k in range(min(self.hops, support.shape[1])):
            f = support[:, k]
            loss = loss + self.hop_loss(told, x + last, t, f) * ((k <= known) & (known > 0))
            x, last, t = self.after(told, x, last, t, f)
        s = self.margin * self.said(self.reasons(batch, support[:, : self.hops]), batch)
        right = batch.answer.clamp(min=0).unsqueeze(2)
        wrong = F.relu(self.margin - s.gather(2, right) + s).scatter(2, right, 0.0).sum(dim=2)
        answers = (wrong * (batch.answer >= 0)).sum(dim=1)
        return Losses(answers, None if supervision is None else loss)

    def hop_loss(self, told: Told, x: Tensor, t: Tensor, f: Tensor) -> Tensor:
        """Of choosing f: that against the memory which violates its margins most. f: (questions,) → (questions,)"""
        alpha, beta, third = self.scores(told, x, t)
        f, places = f.unsqueeze(1), torch.arange(alpha.shape[1], device=alpha.device)
        wins = alpha.gather(1, f) - beta + third * (f > places)  # s(x, f, y)
        loses = alpha - beta.gather(1, f) + third * (places > f)  # s(x, y, f)
        violated = F.relu(self.margin - wins) + F.relu(self.margin + loses)
        return violated.masked_fill(~told.real | (places == f), 0.0).amax(dim=1)

    def after(self, told: Told, x: Tensor, last: Tensor, t: Tensor, place: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """x, what the last choice adds to it, and its place, once the memories at some places are chosen: as they were,
        where that is m_∅. place: (questions,)"""
        sentence = (told.memory.gather(1, place.unsqueeze(1)).squeeze(1) - 1).clamp(min=0)
        real = place > 0
        x = x + told.chosen[sentence] * real.unsqueeze(1)
        return x, torch.where(real.unsqueeze(1), told.last[sentence], last), torch.where(real, place, t)

    def reasons(self, batch: Batch, places: Tensor) -> Tensor:
        """UΦ, for the answer, of the question and the memories at some places. (questions, hops) → (questions,
        hidden)"""
        told = self.tell(batch, self.R)
        x, last, t = told.q, torch.zeros_like(told.q), places[:, 0]
        for place in places.t():
            x, last, t = self.after(told, x, last, t, place)
        return x + last

    def said(self, x: Tensor, batch: Batch) -> Tensor:
        """s_R / γ of each step, given the right words before it. x: (questions, hidden) → (questions, steps,
        answers)"""
        before = F.pad(batch.answer[:, :-1], (1, 0), value=-1)
        words = self.U_said[before.clamp(min=0)] * (before >= 0).unsqueeze(2)
        return self.scored(x.unsqueeze(1) + words.cumsum(dim=1))

    def scored(self, x: Tensor) -> Tensor:
        """(…, hidden) → (…, answers)"""
        return self.R.E(x) @ self.R.E(self.U_w).t() / self.margin

    def choose(self, batch: Batch) -> Tensor:
        """The places of the memories that win, hop by hop, m_∅ from the end on: (questions, hops)"""
        told = self.tell(batch, self.O)
        x, last, t = told.q, torch.zeros_like(told.q), torch.full_like(batch.facts_seen, told.memory.shape[1])
        going = torch.ones_like(t, dtype=torch.bool)
        found = torch.zeros(len(batch), self.hops, dtype=torch.long, device=t.device)
        for k in range(self.hops):
            won = winner(*self.scores(told, x + last, t), told.real).where(going, 0)
            going = won > 0
            found[:, k] = won
            if not going.any():
                break
            x, last, t = self.after(told, x, last, t, won)
        return found

    def read(self, batch: Batch) -> Reading:
        won = self.choose(batch)
        x = self.reasons(batch, won)
        gates = F.one_hot(won, batch.story.shape[1] + 1)[:, :, 1:].to(x.dtype)
        return Reading(
            gates=gates,
            packing=batch.fact_packings.facts,
            max_steps=self.max_steps,
            once=partial(Speaker, self, x),
            at_each=None,
            forced=partial(self.said, x, batch),
        )


class Speaker:
    """Says word after word. x: (rows, hidden) UΦ of the question, the memories and the words before"""

    def __init__(self, network: MemNN, x: Tensor) -> None:
        self.network, self.x = network, x

    def __call__(self, before: Tensor | None) -> Tensor:
        if before is not None:
            self.x = self.x + self.network.U_said[before]
        return self.network.scored(self.x)

    def following(self, rows: Tensor) -> Speaker:
        return Speaker(self.network, self.x.index_select(0, rows))


def winner(alpha: Tensor, beta: Tensor, third: Tensor, real: Tensor) -> Tensor:
    """The place of the memory that is left of a walk from the oldest to the newest, where each one that wins over the
    one kept so far is kept in its place. The first is always there. Takes what `MemNN.scores` returns → (questions,)"""
    challenges = (alpha + third).masked_fill(~real, -torch.inf).unbind(dim=1)  # it is newer than what is kept
    kept, place = beta[:, 0], torch.zeros(len(beta), dtype=torch.long, device=beta.device)
    for i, (challenge, after) in enumerate(zip(challenges[1:], beta.unbind(dim=1)[1:], strict=True), start=1):
        wins = challenge > kept
        kept, place = torch.where(wins, after, kept), place.masked_fill(wins, i)
    return place


def dictionary(rows: int, hidden: int, words: int) -> nn.EmbeddingBag:
    """UΦ of bags of rows, padded by 0. What no text of the training has says nothing."""
    table = nn.EmbeddingBag(rows, hidden, mode="sum", sparse=True, padding_idx=0)
    nn.init.zeros_(table.weight)
    nn.init.normal_(table.weight[2:words], std=_SPREAD)
    return table
