"""A character reader: the letters of a word → a vector beside that of the word (Ling et al. 2015, sec. 3).

    h→_j = GRU(x_j, h→_{j-1});   h←_j = GRU(x_j, h←_{j+1});   c = W_→ h→_n + W_← h←_1 + b

x_j is a learned vector of letter j of n; letters are the bytes of UTF-8 (`records/spelling.py`). c is added to the
word's own vector, so that a word which training never saw still says something. Each distinct word of a
batch is read once.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from dmn_cli.model.gated_gru import GatedGRU
from dmn_cli.model.linear import linear
from dmn_cli.records.letters import Letters
from dmn_cli.records.spelling import BYTES


class LetterReader(nn.Module):
    def __init__(self, width: int, hidden: int, gru: Callable[..., GatedGRU]) -> None:
        """width: of the letters' vectors and of the states"""
        super().__init__()
        self.X = nn.Parameter(torch.empty(BYTES, width).uniform_(-(3**0.5), 3**0.5))
        self.forwards = gru(width, width)
        self.backwards = gru(width, width)
        self.W = linear(2 * width, hidden)

    def forward(self, letters: Letters) -> Tensor:
        """→ (distinct words, hidden)"""
        right = self.forwards(self.forwards.project(self.X), letters.packing, taken=letters.letters, last=True)
        left = self.backwards(self.backwards.project(self.X), letters.packing, taken=letters.from_end, last=True)
        return self.W(torch.cat([right, left], dim=1))
