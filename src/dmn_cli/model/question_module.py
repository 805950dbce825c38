"""The question module: words → q.

    q_t = GRU(v_t, q_{t-1});  q = the last q_t            (Kumar et al. 2016, sec. 2.2)

The word vectors are those of the input module. Each distinct question of a batch is read once, what all
of them begin with is read once for all, and each distinct word is projected once.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from dmn_cli.model.gated_gru import GatedGRU
from dmn_cli.model.word_vectors import WordVectors
from dmn_cli.records.batch import Batch
from dmn_cli.records.packing import Packing


class QuestionModule(nn.Module):
    def __init__(self, hidden: int, gru: Callable[..., GatedGRU]) -> None:
        super().__init__()
        self.gru = gru(hidden, hidden)

    def forward(self, batch: Batch, word_vectors: WordVectors) -> Tensor:
        """Returns (questions, hidden)."""
        wordings = batch.fact_packings.wordings
        x = wordings.words.pointers.look_up(self.gru.project(word_vectors(wordings.words.distinct)))
        start, n = None, wordings.beginning
        if n:
            start = self.gru(x[:n], Packing.even(1, n, x.device), last=True).expand(len(wordings.rest.order), -1)
        return self.gru(x[n:], wordings.rest, start=start, last=True).index_select(0, batch.question)
