"""A bag of n-grams: all words of a text, and all that stand in a row, as one vector that the answer sees.

    b = P (1/√|G| Σ_{g ∈ G} w_g T[g])

G is the set of the distinct n-grams of the facts that a question sees, without those that fewer than two texts of the
training have: they say nothing, as unknown words do. T has a row for each other one (Joulin et al. 2017, sec. 2.2,
whose rows are buckets, and whose sums count a word as often as it occurs; that sets do better for sentiment is from
Wang & Manning 2012). w_g is how much g says of an answer, by naive Bayes (`data/ngrams.py`): what says little learns
slowly (Li et al. 2016, sec. 3). Dropout leaves out whole n-grams (Iyyer et al. 2015, sec. 3.2).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dmn_cli.model.linear import linear
from dmn_cli.records.batch import Batch

WIDTH = 16  # of a row: a table is large, and says little of each n-gram


class NgramBag(nn.Module):
    """Which n-grams its rows are of is in `keys`, ascending (`records/ngrams.py`); with w, given by the training."""

    keys: Tensor  # (rows,) int64
    w: Tensor  # (rows,)

    def __init__(self, longest: int, rows: int, hidden: int, dropout: float) -> None:
        """longest: n; rows: n-grams that it knows"""
        super().__init__()
        self.longest, self.p = longest, dropout
        self.register_buffer("keys", torch.arange(rows))
        self.register_buffer("w", torch.ones(rows))
        self.T = nn.EmbeddingBag(rows, WIDTH, mode="sum", sparse=True)
        nn.init.zeros_(self.T.weight)
        self.P = linear(WIDTH, hidden, bias=False)
        self.register_load_state_dict_pre_hook(_with_w)

    def arrange(self, batch: Batch) -> None:
        _ = batch.ngrams(self.longest)

    def forward(self, batch: Batch) -> Tensor:
        """→ (questions, hidden)"""
        ngrams = batch.ngrams(self.longest)
        row = torch.searchsorted(self.keys, ngrams.keys).clamp(max=len(self.keys) - 1)
        known = self.keys[row] == ngrams.keys
        row, text = row[known], ngrams.text[known]
        count = torch.bincount(text, minlength=ngrams.texts)
        weight = self.w[row] * count.to(self.w.dtype).rsqrt()[text]
        if self.training and self.p > 0:
            weight = weight * (torch.rand(len(row), device=row.device) >= self.p) / (1 - self.p)
        bag = self.T(row, count.cumsum(0) - count, per_sample_weights=weight)
        return self.P(bag).index_select(0, ngrams.text_of)


def _with_w(bag: nn.Module, weights: dict[str, Tensor], prefix: str, *_: object) -> None:
    """In a model of before, all n-grams count the same."""
    weights.setdefault(f"{prefix}w", torch.ones(len(weights[f"{prefix}keys"])))
