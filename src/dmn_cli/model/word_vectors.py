"""Word vectors: word ids → v (…, hidden), shared by the input and the question module (Kumar et al. 2016, sec. 2.2).

v = E[word]              E is learned, or given from outside (GloVe, word2vec)
v = E[word] P            where the given vectors have another width than the network
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from dmn_cli.model.linear import linear

LARGE = 1 << 18


class WordVectors(nn.Module):
    """Row 0 is padding and row 1 the unknown word, which says nothing: both are zero at first."""

    def __init__(self, words: int, size: int, hidden: int, *, large: int = LARGE, spread: float = 1.0) -> None:
        """large: numbers in a table from which on its gradients are sparse: of the words of a batch alone; spread: the
        standard deviation of its numbers, given or not"""
        super().__init__()
        self.E = nn.Embedding(words, size, padding_idx=0, sparse=words * size > large)
        self.spread, most = spread, spread * 3**0.5
        nn.init.uniform_(self.E.weight, -most, most)  # with spread 1: Xiong et al. 2016, sec. 5.3
        with torch.no_grad():
            self.E.weight[:2] = 0.0
        self.P = linear(size, hidden, bias=False) if size != hidden else None

    @property
    def weight(self) -> nn.Parameter:
        return cast("nn.Parameter", self.E.weight)

    @property
    def sparse(self) -> bool:
        return self.E.sparse

    @torch.no_grad()
    def give(self, rows: Tensor, vectors: Tensor) -> None:
        """Sets some rows to vectors from outside, all scaled alike so that their numbers spread as those of the other
        rows do. rows: (given,), vectors: (given, size)"""
        self.E.weight[rows] = vectors * (self.spread / vectors.std().clamp(min=1e-6))

    def freeze(self, rows: Tensor) -> None:
        """Keeps some rows from being trained; those of the words that no vector was given for go on."""
        trained = torch.ones(len(self.E.weight), 1, device=self.E.weight.device)
        trained[rows] = 0.0

        def masked(gradient: Tensor) -> Tensor:
            if not gradient.is_sparse:
                return gradient * trained
            at = gradient._indices()
            values = gradient._values() * trained[at[0]]
            return torch.sparse_coo_tensor(at, values, gradient.shape, check_invariants=False)

        self.E.weight.register_hook(masked)

    def forward(self, words: Tensor) -> Tensor:
        """(…) → (…, hidden)"""
        return self.widened(self.E(words))

    def widened(self, v: Tensor) -> Tensor:
        """Rows of E at the network's width. (…, size) → (…, hidden)"""
        return v if self.P is None else self.P(v)
