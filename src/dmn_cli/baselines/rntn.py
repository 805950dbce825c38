"""The Recursive Neural Tensor Network (Socher et al. 2013, sec. 4.3): every pair of numbers of two branches can count.

    leaf    h = x
    node    h = tanh([a; b]ᵀ V^{1:d} [a; b] + W [a; b] + β)      p(y) = softmax(W_s h + b_s)

a, b: the left and the right branch, (d,); V: (d, 2d, 2d), one matrix for each number of h; W: (d, 2d); β: a bias, as
in the authors' code, where W also begins near [I I]. Word vectors of another size than d are brought to it by a matrix.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dmn_cli.baselines.tree_classifier import TreeClassifier
from dmn_cli.model.word_vectors import WordVectors
from dmn_cli.records.network import Sizes
from dmn_cli.records.trees import Trees


class Rntn(TreeClassifier):
    def __init__(self, sizes: Sizes, *, hidden: int) -> None:
        super().__init__()
        d = hidden
        self.words = WordVectors(sizes.words, sizes.word_size, d, spread=0.1)
        self.V = nn.Parameter(torch.empty(2 * d, d, 2 * d).uniform_(-1 / (4 * d), 1 / (4 * d)))
        self.W = nn.Parameter(near_identities(d, scale=1.0))
        self.b = nn.Parameter(torch.zeros(d))
        self.W_s = nn.Linear(d, sizes.answers)

    @property
    def word_table(self) -> WordVectors:
        return self.words

    def nodes(self, trees: Trees) -> Tensor:
        return self.W_s(trees.up(self.words(trees.words), self.node))

    def node(self, left: Tensor, right: Tensor, at: slice) -> Tensor:
        ab = torch.cat([left, right], dim=1)
        xV = (ab @ self.V.flatten(1)).unflatten(1, self.V.shape[1:])  # (n, d, 2d)
        return torch.tanh((xV @ ab.unsqueeze(2)).squeeze(2) + ab @ self.W.t() + self.b)


def near_identities(d: int, *, scale: float) -> Tensor:
    """scale [I I] with some noise: at first a node is the sum, or the mean, of its branches. (d, 2d)"""
    identities = torch.eye(d).repeat(1, 2)
    return scale * (identities + torch.empty(d, 2 * d).uniform_(-1, 1) / (2 * d**0.5))
