"""Convolutional networks for sentences (Kim 2014, arXiv 1408.5882).

    c_i = ReLU(w · x_{i:i+h-1} + b)                one map of width h; x_i: (channels word_size,), w: h of these
    ĉ   = max_i c_i                                z = [ĉ^1 … ĉ^m]: `maps` for each width
    p(y) = softmax(W (z ∘ r) + b),   r ~ Bernoulli(1 - dropout),   ‖W_y‖ ≤ s

channels   static: word vectors stay as they were given; fine-tuned: they are trained; multichannel: both, with weights
           of their own in each filter
windows    all that have at least one word in them: around the text there are zeros
‖W_y‖ ≤ s  after a step, a row of W that is longer is scaled to that length

Where we depart from the paper's code: it fills all sentences up to one length, so that of most there are also windows
without any word.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dmn_cli.baselines.classifier import Classifier, texts
from dmn_cli.model.word_vectors import WordVectors
from dmn_cli.records.batch import Batch
from dmn_cli.records.network import Sizes

SPREAD = 0.15  # of the numbers of word vectors, as word2vec's have it


class Channels(nn.Module):
    """Word vectors that are trained, those that stay as they were at first, or both."""

    kept: Tensor  # (words, size) those that stay, where there are both

    def __init__(self, words: int, size: int, channels: str) -> None:
        super().__init__()
        self.tuned = WordVectors(words, size, size, spread=SPREAD)
        self.static, self.both = channels == "static", channels == "multichannel"
        self.tuned.weight.requires_grad_(not self.static)
        if self.both:
            self.register_buffer("kept", self.tuned.weight.detach().clone())

    @property
    def weight(self) -> nn.Parameter:
        return self.tuned.weight

    @property
    def sparse(self) -> bool:
        return self.tuned.sparse

    def give(self, rows: Tensor, vectors: Tensor) -> None:
        self.tuned.give(rows, vectors)
        if self.both:
            self.kept[rows] = self.weight.detach()[rows]

    def freeze(self, rows: Tensor) -> None:
        if not self.static:
            self.tuned.freeze(rows)

    def forward(self, words: Tensor) -> Tensor:
        """(texts, words) → (texts, words, channels size)"""
        tuned = self.tuned(words)
        return torch.cat([tuned, F.embedding(words, self.kept)], dim=2) if self.both else tuned


class SentenceCnn(Classifier):
    def __init__(
        self,
        sizes: Sizes,
        *,
        widths: Sequence[int],
        maps: int,
        channels: str,
        dropout: float,
        longest_row: float,
    ) -> None:
        super().__init__()
        self.words = Channels(sizes.words, sizes.word_size, channels)
        size = sizes.word_size * (2 if channels == "multichannel" else 1)
        self.w = nn.ModuleList(nn.Conv1d(size, maps, h, padding=h - 1) for h in widths)
        self.W = nn.Linear(maps * len(widths), sizes.answers)
        nn.init.zeros_(self.W.weight)
        nn.init.zeros_(self.W.bias)
        self.dropout, self.longest_row = nn.Dropout(dropout), longest_row

    @property
    def word_table(self) -> Channels:
        return self.words

    @torch.no_grad()
    def constrain(self) -> None:
        norm = self.W.weight.norm(dim=1, keepdim=True)
        self.W.weight.mul_((self.longest_row / norm.clamp(min=1e-12)).clamp(max=1.0))

    def classes(self, batch: Batch) -> Tensor:
        words, length = texts(batch)
        x = self.words(words).transpose(1, 2)  # (questions, channels word_size, words)
        z = torch.cat([self.pooled(torch.relu(w(x)), length) for w in self.w], dim=1)
        return self.W(self.dropout(z))

    @staticmethod
    def pooled(c: Tensor, length: Tensor) -> Tensor:
        """ĉ of all maps of one width. c: (questions, maps, words + h - 1) → (questions, maps)"""
        beyond = c.shape[2] - length.max()  # h - 1
        real = torch.arange(c.shape[2], device=c.device) < (length + beyond).unsqueeze(1)
        return (c * real.unsqueeze(1)).amax(dim=2)  # c is not below 0
