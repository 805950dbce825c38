"""Matrix-vector recursion (Socher, Huval, Manning, Ng 2012): a word has a vector and a matrix that changes its
neighbour.

    leaf    (a, A),  A = U_w V_w + diag(a_w)                                              (sec. 2.5: low rank r)
    node    p = tanh(W [B a; A b] + β),   P = W_M [A; B]      p(y) = softmax(W_s p + b_s)

a, b, p: (d,); A, B, P: (d, d), of the left branch, the right one and the node; W, W_M: (d, 2d). At first A is near the
identity, and W and W_M take the mean. Word vectors of another size than d are brought to it by a matrix.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dmn_cli.baselines.rntn import near_identities
from dmn_cli.baselines.tree_classifier import TreeClassifier
from dmn_cli.model.word_vectors import LARGE, WordVectors
from dmn_cli.records.network import Sizes
from dmn_cli.records.trees import Trees

_SPREAD = 0.05  # of the numbers of U_w and V_w at first


class MvRnn(TreeClassifier):
    def __init__(self, sizes: Sizes, *, hidden: int, rank: int) -> None:
        super().__init__()
        self.d, self.rank = d, r = hidden, rank
        self.words = WordVectors(sizes.words, sizes.word_size, d, spread=0.1)
        numbers = d * (2 * r + 1)
        self.matrices = nn.Embedding(sizes.words, numbers, padding_idx=0, sparse=sizes.words * numbers > LARGE)
        nn.init.uniform_(self.matrices.weight, -_SPREAD, _SPREAD)  # [U_w V_w a_w - 1]
        self.W = nn.Parameter(near_identities(d, scale=0.5))
        self.W_M = nn.Parameter(near_identities(d, scale=0.5))
        self.b = nn.Parameter(torch.zeros(d))
        self.W_s = nn.Linear(d, sizes.answers)

    @property
    def word_table(self) -> WordVectors:
        return self.words

    def nodes(self, trees: Trees) -> Tensor:
        d, r = self.d, self.rank
        a = self.words(trees.words)
        U, V, diagonal = self.matrices(trees.words).split([d * r, d * r, d], dim=1)
        A = U.unflatten(1, (d, r)) @ V.unflatten(1, (r, d)) + torch.diag_embed(1 + diagonal)
        states = trees.up(torch.cat([a, A.flatten(1)], dim=1), self.node)  # [p; P]
        return self.W_s(states[:, :d])

    def node(self, left: Tensor, right: Tensor, at: slice) -> Tensor:
        (a, A), (b, B) = self.parts(left), self.parts(right)
        Ba, Ab = (B @ a.unsqueeze(2)).squeeze(2), (A @ b.unsqueeze(2)).squeeze(2)
        p = torch.tanh(torch.cat([Ba, Ab], dim=1) @ self.W.t() + self.b)
        P = self.W_M @ torch.cat([A, B], dim=1)
        return torch.cat([p, P.flatten(1)], dim=1)

    def parts(self, state: Tensor) -> tuple[Tensor, Tensor]:
        """(n, d + d d) → (n, d), (n, d, d)"""
        return state[:, : self.d], state[:, self.d :].unflatten(1, (self.d, self.d))
