"""The constituency Tree-LSTM (Tai, Socher, Manning 2015, arXiv 1503.00075, sec. 3.2), of binary trees.

    leaf    c = W x + b,  o = σ(W_o x + b_o),  h = o ∘ tanh c
    node    i   = σ(U_i [h_l; h_r] + b_i)      f_l = σ(U_fl [h_l; h_r] + b_fl)      f_r = σ(U_fr [h_l; h_r] + b_fr)
            o   = σ(U_o [h_l; h_r] + b_o)      u   = tanh(U_u [h_l; h_r] + b_u)
            c   = i ∘ u + f_l ∘ c_l + f_r ∘ c_r
            h   = o ∘ tanh c                   p(y) = softmax(W_s (h ∘ r) + b_s),  r: dropout

x: (word_size,); h, c: (hidden,); l, r: the left and the right branch. A leaf has no i and u, as in the authors' code.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dmn_cli.baselines.tree_classifier import TreeClassifier
from dmn_cli.model.word_vectors import WordVectors
from dmn_cli.records.network import Sizes
from dmn_cli.records.trees import Trees


class TreeLstm(TreeClassifier):
    def __init__(self, sizes: Sizes, *, hidden: int, dropout: float) -> None:
        super().__init__()
        self.words = WordVectors(sizes.words, sizes.word_size, sizes.word_size, spread=0.4)  # GloVe's
        self.leaf = nn.Linear(sizes.word_size, 2 * hidden)  # [W; W_o]
        self.U = nn.Linear(2 * hidden, 5 * hidden)  # [U_i; U_fl; U_fr; U_o; U_u]
        self.W = nn.Linear(hidden, sizes.answers)
        self.hidden, self.dropout = hidden, nn.Dropout(dropout)

    @property
    def word_table(self) -> WordVectors:
        return self.words

    def nodes(self, trees: Trees) -> Tensor:
        c, o = self.leaf(self.words(trees.words)).chunk(2, dim=1)
        states = trees.up(torch.cat([o.sigmoid() * c.tanh(), c], dim=1), self.node)  # [h; c]
        return self.W(self.dropout(states[:, : self.hidden]))

    def node(self, left: Tensor, right: Tensor, at: slice) -> Tensor:
        (h_l, c_l), (h_r, c_r) = left.chunk(2, dim=1), right.chunk(2, dim=1)
        gates = self.U(torch.cat([h_l, h_r], dim=1))
        i, f_l, f_r, o = gates[:, : -self.hidden].sigmoid().chunk(4, dim=1)
        u = gates[:, -self.hidden :].tanh()
        c = i * u + f_l * c_l + f_r * c_r
        return torch.cat([o * c.tanh(), c], dim=1)
