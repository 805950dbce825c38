"""The input module: words → facts.

Kumar et al. 2016, sec. 2.1 (`WordGRU`): one GRU reads the whole story word by word, and the facts are its states at
the last word of each sentence. A story of one-word sentences therefore has a fact at every word.

    h_t = GRU(x_t, h_{t-1});  c_i = h at the end of sentence i

Xiong et al. 2016, sec. 3.1 (`FusionReader`): each sentence is read by itself as a position-weighted sum of its words,
and a bi-directional GRU lets the sentences exchange what they say.

    f_i  = Σ_j l_j ∘ w_j^i,   l_jd = (1 - j/M) - (d/D) (1 - 2j/M)          (of M words and D dimensions, from 1)
    f→_i = GRU(f_i, f→_{i-1});  f←_i = GRU(f_i, f←_{i+1});  f↔_i = f→_i + f←_i   (eqs. 5-7)

A sentence of a longer text is read by a bi-directional GRU over its words, of which the mean and the maximum are kept
(`SentenceGRU`; max pooling: Collobert & Weston 2008, Conneau et al. 2017). A fact of one word is its word:

    h_j = GRU→(w_j, h_{j-1}) + GRU←(w_j, h_{j+1});   f_i = W [mean_j h_j; max_j h_j] + b,   or  f_i = w_1 where M = 1

What a word's letters say (`letter_reader.py`) can be added to its vector w_j.

More layers of fusion read what the layer below has read, and add to it:

    c^1 = f↔;   c^l = c^{l-1} + GRU→(c^{l-1}) + GRU←(c^{l-1})

Facts may also come as vectors and not as words, like the regions of a picture (sec. 3.2). Each is then brought to the
network's width (`Regions`), and the same GRUs read on from there (`FusionReader`, `FactGRU`); `image_regions.py` makes
them of pixels:

    f_i = tanh(W v_i + b)

A story is read once for all of its questions: a state that looks only backwards is the same for each of them. M is a
sentence's own length, not the batch's, so that padding changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dmn_cli.kernels.elementwise import Dropout
from dmn_cli.kernels.fusion import fuse
from dmn_cli.model.gated_gru import GatedGRU
from dmn_cli.model.letter_reader import LetterReader
from dmn_cli.model.linear import linear
from dmn_cli.model.word_vectors import WordVectors
from dmn_cli.records.batch import Bags, Batch
from dmn_cli.records.output import Facts
from dmn_cli.records.packing import Packing


class Encoder(Protocol):
    """Distinct facts → (facts, hidden)."""

    def arrange(self, batch: Batch) -> None:
        """Has the batch prepare what this will ask of it."""
        ...

    def __call__(self, batch: Batch, word_vectors: WordVectors) -> Tensor: ...


KEEP = 2.0  # where b_z starts: at first a state keeps most of itself, since a story is many words long


class WordGRU(nn.Module):
    """The input module of 2016's DMN."""

    def __init__(self, hidden: int, dropout: float, gru: Callable[..., GatedGRU]) -> None:
        super().__init__()
        self.gru = keeping(gru(hidden, hidden))
        self.dropout = Dropout(dropout)

    def arrange(self, batch: Batch) -> None:
        _ = batch.word_packings

    def forward(self, batch: Batch, word_vectors: WordVectors) -> Facts:
        packings = batch.word_packings
        x = self.gru.project(self.dropout(word_vectors(packings.words)))
        h = self.gru(x, packings.stories)  # (words of all stories, hidden)
        return Facts(packings.seen.look_up(h), batch.fact_packings.facts)


class FactGRU(nn.Module):
    """The same over facts that are vectors: a step is a fact, not a word."""

    def __init__(self, sentences: Encoder, hidden: int, dropout: float, gru: Callable[..., GatedGRU]) -> None:
        super().__init__()
        self.sentences = sentences
        self.gru = keeping(gru(hidden, hidden))
        self.dropout = Dropout(dropout)

    def arrange(self, batch: Batch) -> None:
        self.sentences.arrange(batch)

    def forward(self, batch: Batch, word_vectors: WordVectors) -> Facts:
        packings = batch.fact_packings
        f = packings.sentence.look_up(self.sentences(batch, word_vectors))
        h = self.gru(self.gru.project(self.dropout(f)), packings.stories)
        return Facts(packings.seen.look_up(h), packings.facts)


def keeping(gru: GatedGRU) -> GatedGRU:
    """The same, which begins by keeping most of its state."""
    nn.init.constant_(gru.b[: gru.hidden], KEEP)
    return gru


class FusionReader(nn.Module):
    """The input module of DMN+: a sentence reader, and the input fusion layer over what it has read.

    What is the same wherever a sentence stands, its encoding and its products with the weights, is computed once for
    each distinct sentence of a batch, and the dropout on its encoding is drawn once.
    """

    def __init__(
        self,
        sentences: Encoder,
        hidden: int,
        dropout: float,
        gru: Callable[..., GatedGRU],
        layers: int = 1,
    ) -> None:
        super().__init__()
        self.sentences = sentences
        self.forwards = gru(hidden, hidden)
        self.backwards = gru(hidden, hidden)
        self.higher = nn.ModuleList(FusionLayer(hidden, gru) for _ in range(layers - 1))
        self.dropout = Dropout(dropout)

    def arrange(self, batch: Batch) -> None:
        self.sentences.arrange(batch)

    def forward(self, batch: Batch, word_vectors: WordVectors) -> Facts:
        f, packings = self.dropout(self.sentences(batch, word_vectors)), batch.fact_packings
        right = self.forwards(self.forwards.project(f), packings.stories, taken=packings.sentence)
        # read from a question's last fact to its first: each row in reverse
        left = self.backwards(self.backwards.project(f), packings.facts, taken=packings.sentence_from_end)
        c = self.dropout(fuse(right, packings.seen, left, packings.facts))
        for layer in self.higher:
            c = c + self.dropout(layer(c, packings.facts))
        return Facts(c, packings.facts)


class FusionLayer(nn.Module):
    """A bi-directional GRU over packed rows, its two directions added."""

    def __init__(self, hidden: int, gru: Callable[..., GatedGRU]) -> None:
        super().__init__()
        self.forwards = gru(hidden, hidden)
        self.backwards = gru(hidden, hidden)

    def forward(self, c: Tensor, packing: Packing) -> Tensor:
        """(packed, hidden) → (packed, hidden)"""
        right, left = self.directions(c, packing)
        return right + left

    def directions(self, c: Tensor, packing: Packing) -> tuple[Tensor, Tensor]:
        """What has read up to each step from the start, and from the end. (packed, hidden) → (packed, hidden) twice"""
        right = self.forwards(self.forwards.project(c), packing)
        left = self.backwards(packing.reverse(self.backwards.project(c)), packing)
        return right, packing.reverse(left)


class PositionEncoding(nn.Module):
    """Sentences of words → (sentences, hidden)."""

    def __init__(self, word_dropout: float = 0.0) -> None:
        super().__init__()
        self.words = WordDropout(word_dropout)

    def arrange(self, batch: Batch) -> None:
        _ = batch.bags

    def forward(self, batch: Batch, word_vectors: WordVectors) -> Tensor:
        return position_encoding(batch.bags, self.words(word_vectors(batch.bags.words.distinct)))


class SentenceGRU(nn.Module):
    """Sentences of words → (sentences, hidden): a word is its own encoding, several are read in both directions."""

    def __init__(
        self,
        hidden: int,
        dropout: float,
        word_dropout: float,
        gru: Callable[..., GatedGRU],
        letters: LetterReader | None = None,
    ) -> None:
        super().__init__()
        self.letters = letters
        self.read = FusionLayer(hidden, gru)
        self.W = linear(2 * hidden, hidden)
        self.words, self.dropout = WordDropout(word_dropout), Dropout(dropout)

    def arrange(self, batch: Batch) -> None:
        _ = batch.texts
        if self.letters:
            _ = batch.letters

    def forward(self, batch: Batch, word_vectors: WordVectors) -> Tensor:
        texts = batch.texts
        v = self.words(word_vectors(texts.words.distinct))
        w = F.embedding_bag(texts.words.pointers.index, v, texts.start, mode="sum")  # (packed, hidden)
        if self.letters:
            w = w + batch.letters.word.look_up(self.letters(batch.letters))
        if texts.packing.steps == 1:
            return w.index_select(0, texts.packing.last)
        h = self.dropout(self.read(self.dropout(w), texts.packing))
        f = self.W(torch.cat(mean_and_maximum(h, texts.packing), dim=1))
        return torch.where(texts.single.unsqueeze(1), w.index_select(0, texts.packing.last), f)


class WordDropout(nn.Module):
    """Takes away the vectors of some of a batch's distinct words, wherever they stand (Gal & Ghahramani 2016)."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, v: Tensor) -> Tensor:
        """(distinct words, hidden)"""
        if not self.training or self.p == 0:
            return v
        return v * (torch.rand(len(v), 1, device=v.device) >= self.p)


def mean_and_maximum(h: Tensor, packing: Packing) -> tuple[Tensor, Tensor]:
    """Of the steps of each row. (packed, hidden) → (rows, hidden) twice"""
    length = torch.empty_like(packing.order).index_copy_(0, packing.order, packing.longest_first)
    return packing.total(h) / length.unsqueeze(1), packing.unpack(h, fill=-torch.inf).amax(dim=1)


class Regions(nn.Module):
    """Facts that are vectors → (facts, hidden)."""

    def __init__(self, regions: int, hidden: int) -> None:
        """regions: the width of the vectors"""
        super().__init__()
        self.W = linear(regions, hidden)

    def arrange(self, batch: Batch) -> None:
        """The vectors are taken as they come."""

    def forward(self, batch: Batch, word_vectors: WordVectors) -> Tensor:
        return torch.tanh(self.W(batch.vectors))


def position_encoding(sentences: Bags, words: Tensor) -> Tensor:
    """words: (distinct words, hidden) the vectors of `sentences.words.distinct`

    f = Σ_j l_j ∘ w_j with l_jd = (1 - j/M) - (d/D)(1 - 2j/M).

    l is linear in j, so the sum over words needs only Σ w_j and Σ (j/M) w_j:
    f_d = (1 - d/D) Σ_j w_jd - (1 - 2d/D) Σ_j (j/M) w_jd.

    → (sentences, hidden)
    """
    return cast("Tensor", _PositionEncoding.apply(words, sentences))


class _PositionEncoding(torch.autograd.Function):
    """The gradient of a distinct word is the same two sums, over the sentences that it stands in."""

    @staticmethod
    def forward(ctx, vectors, sentences):
        ctx.sentences = sentences
        return _encoded(vectors, sentences.words.pointers.index, sentences.start, sentences.place)

    @staticmethod
    def backward(ctx, *gradients):
        sentences = ctx.sentences
        start = sentences.words.pointers.start
        return _encoded(gradients[0].contiguous(), sentences.sentence, start, sentences.place_there), None


def _encoded(vectors: Tensor, index: Tensor, start: Tensor, place: Tensor) -> Tensor:
    D = vectors.shape[1]
    d = torch.arange(1, D + 1, device=vectors.device, dtype=vectors.dtype) / D
    total = F.embedding_bag(index, vectors, start, mode="sum")
    placed = F.embedding_bag(index, vectors, start, mode="sum", per_sample_weights=place.to(vectors.dtype))
    return (1 - d) * total - (1 - 2 * d) * placed
