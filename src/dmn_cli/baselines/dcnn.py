"""The Dynamic Convolutional Network (Kalchbrenner, Grefenstette, Blunsom 2014, arXiv 1404.2188).

A sentence is a matrix of d rows, one for each number of its word vectors, and s columns. In each of L layers:

    c  = m * x             wide convolution of each row by itself, of width m; its maps add up what all maps below gave
    c' = c_{2i-1} + c_{2i}                      folding: two rows become one (sec. 3.6)
    k_ℓ = max(k_top, ⌈(L - ℓ)/L · s⌉)           k_L = k_top (sec. 3.5)
    x  = tanh(kmax(c') + b)                     the k_ℓ largest numbers of each row, in the order that they stood in

and p(y) = softmax(W x + b_s) of what the last layer leaves, with dropout.

x: (maps, rows, columns). Of short sentences, whose k_ℓ is smaller than the batch's, all beyond it is 0.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dmn_cli.baselines.classifier import Classifier, texts
from dmn_cli.model.linear import linear
from dmn_cli.model.word_vectors import WordVectors
from dmn_cli.records.batch import Batch
from dmn_cli.records.network import Sizes


class Layer(nn.Module):
    def __init__(self, rows: int, maps_below: int, maps: int, width: int) -> None:
        super().__init__()
        self.rows = rows
        self.m = nn.Conv1d(rows * maps_below, rows * maps, width, padding=width - 1, groups=rows, bias=False)
        self.b = nn.Parameter(torch.zeros(rows // 2, maps, 1))

    def forward(self, x: Tensor, length: Tensor, k: Tensor) -> Tensor:
        """x: (questions, rows maps_below, columns); length: (questions,) columns that are real; k: (questions,) → of
        the same layout, with half of the rows, and k columns that are real"""
        c = self.m(x)  # (questions, rows maps, columns + width - 1)
        c = c.unflatten(1, (self.rows // 2, 2, -1)).sum(dim=2)  # (questions, rows / 2, maps, …)
        length = length + self.m.kernel_size[0] - 1
        pooled, real = k_max(c, length, k)
        return (torch.tanh(pooled + self.b) * real).flatten(1, 2)


def k_max(c: Tensor, length: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
    """The k largest of each row's first `length` numbers, in the order that they stand in.

    c: (questions, rows, maps, columns); length, k: (questions,), k is at most as large → (questions, rows, maps,
    largest k), and (questions, 1, 1, largest k): which of these are real
    """
    columns, most = c.shape[3], int(k.max())
    real = torch.arange(columns, device=c.device) < length.view(-1, 1, 1, 1)
    at = c.masked_fill(~real, -torch.inf).topk(most, dim=3).indices  # the largest first
    kept = torch.arange(most, device=c.device) < k.view(-1, 1, 1, 1)
    at = at.masked_fill(~kept, columns).sort(dim=3).values  # in their order; then what isn't kept
    return c.gather(3, at.clamp(max=columns - 1)), kept


class Dcnn(Classifier):
    def __init__(
        self,
        sizes: Sizes,
        *,
        hidden: int,
        widths: Sequence[int],
        maps: Sequence[int],
        top: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.words, self.top = WordVectors(sizes.words, sizes.word_size, hidden), top
        below, rows = [1, *maps], [hidden >> n for n in range(len(maps) + 1)]
        self.layers = nn.ModuleList(Layer(rows[n], below[n], below[n + 1], width) for n, width in enumerate(widths))
        self.W = linear(rows[-1] * maps[-1] * top, sizes.answers)
        self.dropout = nn.Dropout(dropout)

    @property
    def word_table(self) -> WordVectors:
        return self.words

    def classes(self, batch: Batch) -> Tensor:
        words, s = texts(batch)
        x, length, L = self.words(words).transpose(1, 2), s, len(self.layers)
        for n, layer in enumerate(self.layers, start=1):
            k = (((L - n) * s + L - 1) // L).clamp(min=self.top)
            x = layer(x, length, k)
            length = k
        return self.W(self.dropout(x.flatten(1)))
