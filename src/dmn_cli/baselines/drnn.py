"""Deep recursive networks (Irsoy & Cardie 2014): layers of recursion, each of which also reads the one below.

    leaf    h^1 = f(V_x x + b_x)                     h^ℓ = f(V_x^ℓ h^{ℓ-1} + b_x^ℓ)
    node    h^1 = f(W_L^1 h_l^1 + W_R^1 h_r^1 + b)   h^ℓ = f(W_L^ℓ h_l^ℓ + W_R^ℓ h_r^ℓ + V^ℓ h^{ℓ-1} + b^ℓ)
            p(y) = softmax(W_s h^L + b_s),  f(z) = max(0, z), with dropout

h: (hidden,); l, r: the left and the right branch. Leaves have weights of their own. W_L and W_R are kept as ½ I + D, so
that L2 pulls them to ½ I, where they begin.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dmn_cli.baselines.tree_classifier import TreeClassifier
from dmn_cli.model.linear import linear
from dmn_cli.model.word_vectors import WordVectors
from dmn_cli.records.network import Sizes
from dmn_cli.records.trees import Trees


class Layer(nn.Module):
    def __init__(self, below: int, hidden: int, *, first: bool, dropout: float) -> None:
        super().__init__()
        self.V_x = linear(below, hidden)
        self.V = None if first else linear(below, hidden, bias=False)
        self.D = nn.Parameter(torch.zeros(hidden, 2 * hidden))  # [W_L; W_R] - ½ [I; I]
        self.b = nn.Parameter(torch.zeros(hidden))
        self.dropout = nn.Dropout(dropout)

    def forward(self, below: Tensor, trees: Trees) -> Tensor:
        """below: (leaves or nodes, below) → (nodes, hidden)"""
        leaves = len(trees.words)
        v = None if self.V is None else self.V(below[leaves:])

        def node(h_l: Tensor, h_r: Tensor, at: slice) -> Tensor:
            z = torch.addmm(self.b, torch.cat([h_l, h_r], dim=1), self.D.t()) + 0.5 * (h_l + h_r)
            return self.f(z if v is None else z + v[at.start - leaves : at.stop - leaves])

        return trees.up(self.f(self.V_x(below[:leaves])), node)

    def f(self, z: Tensor) -> Tensor:
        return self.dropout(torch.relu(z))


class Drnn(TreeClassifier):
    def __init__(self, sizes: Sizes, *, hidden: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.words = WordVectors(sizes.words, sizes.word_size, sizes.word_size, spread=0.15)  # word2vec's
        widths = [sizes.word_size, *[hidden] * layers]
        self.layers = nn.ModuleList(Layer(widths[n], hidden, first=n == 0, dropout=dropout) for n in range(layers))
        self.W_s = linear(hidden, sizes.answers)

    @property
    def word_table(self) -> WordVectors:
        return self.words

    def nodes(self, trees: Trees) -> Tensor:
        h = self.words(trees.words)
        for layer in self.layers:
            h = layer(h, trees)
        return self.W_s(h)
