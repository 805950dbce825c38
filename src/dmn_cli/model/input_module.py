"""The input module: words → facts.

Kumar et al. 2016, sec. 2.1 (`WordGRU`): one GRU reads the whole story word by word, and the facts are its states at
the last word of each sentence. A story of one-word sentences therefore has a fact at every word.

    h_t = GRU(x_t, h_{t-1});  c_i = h at the end of sentence i

Xiong et al. 2016, sec. 3.1 (`FusionReader`): each sentence is read by itself as a position-weighted sum of its words,
and a bi-directional GRU lets the sentences exchange what they say.

    f_i  = Σ_j l_j ∘ w_j^i,   l_jd = (1 - j/M) - (d/D) (1 - 2j/M)          (eq. 5, M words, D dimensions, from 1)
    f→_i = GRU(f_i, f→_{i-1});  f←_i = GRU(f_i, f←_{i+1});  f↔_i = f→_i + f←_i   (eqs. 6-8)

Facts may also come as vectors and not as words, like the regions of a picture (sec. 3.2). Then each is brought to the
network's width, and the same GRUs read on from there:

    f_i = tanh(W v_i + b)

A story is read once for all of its questions: a state that looks only backwards is the same for each of them. M is a
sentence's own length, not the batch's, so that padding changes nothing.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dmn_cli.model.gated_gru import GatedGRU, Reset
from dmn_cli.model.linear import linear
from dmn_cli.model.word_vectors import WordVectors
from dmn_cli.records import Batch, Facts

KEEP = 2.0  # where b_z starts: at first a state keeps most of itself, since a story is many words long


class WordGRU(nn.Module):
    """The input module of 2016's DMN. `features`: the width of facts that are vectors."""

    def __init__(self, hidden: int, dropout: float, reset: Reset, features: int | None = None) -> None:
        super().__init__()
        self.W = linear(features, hidden) if features else None
        self.gru = GatedGRU(hidden, hidden, reset=reset)
        nn.init.constant_(self.gru.b[:hidden], KEEP)
        self.dropout = nn.Dropout(dropout)

    def forward(self, batch: Batch, word_vectors: WordVectors) -> Facts:
        if self.W is not None:
            f = torch.tanh(self.W(batch.vectors))[batch.story]  # (stories, facts, hidden)
            return seen_by_question(self.gru(self.gru.project(self.dropout(f)), batch.story_length), batch)
        words, end = story_words(batch)
        x = self.gru.project(self.dropout(word_vectors(words)))
        h = self.gru(x, end[:, -1])  # (stories, words, hidden)
        c = h.gather(1, (end - 1).unsqueeze(2).expand(-1, -1, h.shape[2]))  # the states at the ends of sentences
        return seen_by_question(c, batch)


class FusionReader(nn.Module):
    """The input module of DMN+: sentence reader and input fusion layer. `features`: the width of facts that are
    vectors."""

    def __init__(self, hidden: int, dropout: float, reset: Reset, features: int | None = None) -> None:
        super().__init__()
        self.W = linear(features, hidden) if features else None
        self.forwards = GatedGRU(hidden, hidden, reset=reset)
        self.backwards = GatedGRU(hidden, hidden, reset=reset)
        self.dropout = nn.Dropout(dropout)

    def forward(self, batch: Batch, word_vectors: WordVectors) -> Facts:
        if self.W is not None:
            f = torch.tanh(self.W(batch.vectors))
        else:
            f = position_encoding(word_vectors(batch.sentences), (batch.sentences != 0).sum(dim=1))
        f = self.dropout(f[batch.story])  # (stories, facts, hidden)
        right = self.forwards(self.forwards.project(f), batch.story_length)
        left = self.backwards(self.backwards.project(f)[batch.story_of], batch.facts_seen, reverse=True)
        facts = seen_by_question(right, batch)
        return facts._replace(vectors=self.dropout(facts.vectors + left))


def position_encoding(words: Tensor, length: Tensor) -> Tensor:
    """f = Σ_j l_j ∘ w_j with l_jd = (1 - j/M) - (d/D)(1 - 2j/M).

    l is linear in j, so the sum over words needs only Σ w_j and Σ (j/M) w_j:
    f_d = (1 - d/D) Σ_j w_jd - (1 - 2d/D) Σ_j (j/M) w_jd.

    words: (sentences, words, hidden), zero where padded; length: (sentences,) → (sentences, hidden)
    """
    _, W, D = words.shape
    j = torch.arange(1, W + 1, device=words.device, dtype=words.dtype)
    d = torch.arange(1, D + 1, device=words.device, dtype=words.dtype) / D
    j_over_M = j / length.clamp(min=1).unsqueeze(1)  # (sentences, words)
    return (1 - d) * words.sum(dim=1) - (1 - 2 * d) * torch.einsum("sw,swd->sd", j_over_M, words)


def story_words(batch: Batch) -> tuple[Tensor, Tensor]:
    """Each story as one row of words, its sentences joined.

    Returns words (stories, words), padded by 0, and end (stories, facts): how many words the story has up to and
    including each fact (the story's whole length for facts past its end).
    """
    S, F = batch.story.shape
    real = torch.arange(F, device=batch.story.device) < batch.story_length.unsqueeze(1)
    length = (batch.sentences != 0).sum(dim=1)[batch.story] * real  # (stories, facts)
    end = length.cumsum(dim=1)
    position = torch.arange(int(end[:, -1].max()), device=end.device).expand(S, -1).contiguous()
    fact = torch.searchsorted(end, position, right=True).clamp(max=F - 1)
    offset = position - (end - length).gather(1, fact)
    inside = position < end[:, -1:]
    words = batch.sentences[batch.story.gather(1, fact), offset.where(inside, 0)]
    return words.where(inside, 0), end


def seen_by_question(facts: Tensor, batch: Batch) -> Facts:
    """Hands each question the facts that precede it. facts: (stories, facts, hidden)"""
    mask = torch.arange(facts.shape[1], device=facts.device) < batch.facts_seen.unsqueeze(1)
    return Facts(facts[batch.story_of], batch.facts_seen, mask)
