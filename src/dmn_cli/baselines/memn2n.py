"""The End-To-End Memory Network (Sukhbaatar, Szlam, Weston, Fergus 2015, arXiv 1503.08895), with adjacent tying.

    m_i = Σ_j l_j ∘ A x_ij + l_J ∘ T_A(i)    c_i = Σ_j l_j ∘ C x_ij + l_J ∘ T_C(i)    u^1 = Σ_j l_j ∘ B q_j
    p_i = softmax(uᵀ m_i)                  o = Σ_i p_i c_i                      u^{k+1} = u^k + o^k      (eq. 5)
    â   = softmax(W u^{K+1})                                                                            (eq. 3)
    l_kj = 1 + 4 (k - (d+1)/2) (j - (J+1)/2) / dJ      word j, number k of d, from 1                    (sec. 4.1)
    A^{k+1} = C^k,  B = A^1                                                                             (sec. 2.2)

x_ij: word j of fact i. Facts are counted backwards from the question, and the last `memory` of them are kept. In
training their times i are those that they would have among up to a tenth as many empty ones, scattered at random (sec.
4.1, as in the authors' code). In the first `linear_start` epochs p_i = uᵀ m_i, without the softmax (sec. 4.2).

What the paper doesn't say and its authors' code does (facebookarchive/MemNN), and bAbI isn't learnt as well without
(docs/log.md): the places of the memory that no fact is in take part in the softmax, with uᵀ m_i = 0 and c_i = 0, so
that nothing need be read; J is the same for all sentences, those of the longest and one more, which the time is; l is
twice the paper's, so that its mean is 1; punctuation is no word (--tokenizer plain).

Where we depart from both: each word of an answer has a softmax of its own (`stepwise.py`), over the words that answers
are made of. W of the first is C^K, W of each later one a matrix of its own; a list is one word of the vocabulary there.
J is a setting; of a longer sentence, words from J - 1 on weigh alike.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from dmn_cli.baselines.stepwise import Scores, StepwiseNetwork
from dmn_cli.records.batch import Batch
from dmn_cli.records.network import Sizes

_SPREAD = 0.1  # of all weights at first


class MemN2N(StepwiseNetwork):
    """hops: K; memory: facts that it keeps; longest: J; time_noise: empty facts in training, as a part of the others"""

    l_kj: Tensor  # (J, hidden)
    row: Tensor  # (answers,) of W: the words of texts, then those that no text has, the end token among them
    linear: Tensor  # () whether the softmaxes are off: part of the model, since one of these epochs may be the best

    def __init__(
        self, sizes: Sizes, *, hidden: int, hops: int, memory: int, longest: int, time_noise: float, linear_start: int
    ) -> None:
        super().__init__()
        self.register_buffer("l_kj", weights_of_places(longest, hidden), persistent=False)
        self.memory, self.time_noise, self.linear_start = memory, time_noise, linear_start
        self.E = nn.ModuleList(nn.Embedding(sizes.words, hidden, padding_idx=0) for _ in range(hops + 1))  # A^1 … C^K
        self.T = nn.Parameter(torch.empty(hops + 1, memory, hidden))
        row, others = rows_of_answers(sizes)
        self.W_other = nn.Parameter(torch.empty(others, hidden))
        self.W_later = nn.Parameter(torch.empty(sizes.max_answer_steps - 1, sizes.answers, hidden))
        for weight in self.parameters():
            nn.init.normal_(weight, std=_SPREAD)
        with torch.no_grad():
            for table in self.E.parameters():
                table[:2] = 0.0  # padding, and the unknown word
        self.register_buffer("row", row, persistent=False)
        self.register_buffer("linear", torch.tensor(linear_start > 0))

    def begin_epoch(self, epoch: int) -> None:
        self.linear.fill_(epoch <= self.linear_start)

    def arrange(self, batch: Batch) -> Batch:
        _ = batch.fact_packings
        return batch

    def scores(self, batch: Batch) -> Scores:
        back = torch.arange(min(self.memory, batch.story.shape[1]), device=batch.story.device)
        place = batch.facts_seen.unsqueeze(1) - 1 - back  # (questions, memory): the latest fact first
        real, place = place >= 0, place.clamp(min=0)
        story = batch.story[batch.story_of]  # (questions, facts)
        x = story.gather(1, place)
        time = self.noisy(back, batch.facts_seen) if self.training and self.time_noise else back
        empty = (self.memory - batch.facts_seen).clamp(min=0)
        T = self.l_kj[-1] * self.T
        memories = [self.encoded(C, batch.sentences)[x] + T_C[time] for C, T_C in zip(self.E, T, strict=True)]
        u, gates = self.encoded(self.E[0], batch.question_sentences)[batch.question], []
        for m, c in pairwise(memories):  # (questions, memory, hidden)
            p = (m @ u.unsqueeze(2)).squeeze(2)
            p = p.where(real, 0.0) if self.linear else softmax_among(empty, p, real)
            o = (p.unsqueeze(1) @ c).squeeze(1)
            u = u + o
            gates.append(p.new_zeros(story.shape).scatter_add(1, place, p.where(real, 0.0)))
        W = torch.cat([self.E[-1].get_parameter("weight"), self.W_other])[self.row]
        s = torch.einsum("qh,tah->qta", u, torch.cat([W.unsqueeze(0), self.W_later]))
        return Scores(s, torch.stack(gates, dim=1).detach().clamp(0, 1))

    def encoded(self, table: nn.Module, sentences: Tensor) -> Tensor:
        """Σ_j l_j ∘ A x_j: (sentences, words) → (sentences, hidden)"""
        j = torch.arange(sentences.shape[1], device=sentences.device).clamp(max=len(self.l_kj) - 2)
        return (self.l_kj[j] * table(sentences)).sum(dim=1)  # padding is 0

    def noisy(self, back: Tensor, seen: Tensor) -> Tensor:
        """Times of facts among up to ⌈noise n⌉ empty ones: the n that are drawn of so many, in order. back: (memory,);
        seen: (questions,) → (questions, memory)"""
        n = seen.clamp(max=self.memory).unsqueeze(1)
        most = (n * self.time_noise).ceil()
        empty = (torch.rand(n.shape, device=n.device) * (most + 1)).floor()
        places = torch.arange(len(back) + int(most.max()), device=n.device)
        chance = torch.rand(len(n), len(places), device=n.device).masked_fill(places >= n + empty, 2.0)
        drawn = chance.argsort(dim=1).masked_fill(torch.arange(len(places), device=n.device) >= n, len(places))
        return drawn[:, : len(back)].sort(dim=1).values.clamp(max=self.memory - 1)


def rows_of_answers(sizes: Sizes) -> tuple[Tensor, int]:
    """The row of each answer among the words of texts and, after them, those that no text has; and how many these
    are."""
    rows, others = [], 0
    for word in sizes.answer_words or [1] * sizes.answers:
        rows.append(word if word > 1 else sizes.words + others)
        others += word <= 1
    return torch.tensor(rows), others


def softmax_among(empty: Tensor, s: Tensor, real: Tensor) -> Tensor:
    """The softmax over the scores of facts and so many others that are 0, of the facts.

    empty: (questions,); s, real: (questions, memory) → (questions, memory)
    """
    others = empty.to(s.dtype).log().unsqueeze(1)
    return torch.cat([s.masked_fill(~real, -torch.inf), others], dim=1).softmax(dim=1)[:, :-1]


def weights_of_places(J: int, d: int) -> Tensor:
    """l: (J, d)"""
    j, k = torch.arange(1, J + 1).unsqueeze(1), torch.arange(1, d + 1)
    return 1 + 4 * (k - (d + 1) / 2) * (j - (J + 1) / 2) / (d * J)
