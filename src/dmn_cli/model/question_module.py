"""The question module: words → q.

    q_t = GRU(v_t, q_{t-1});  q = the last q_t            (Kumar et al. 2016, sec. 2.2)

The word vectors are those of the input module. Each distinct question of a batch is read once.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from dmn_cli.model.gated_gru import GatedGRU
from dmn_cli.model.word_vectors import WordVectors
from dmn_cli.records.batch import Batch


class QuestionModule(nn.Module):
    def __init__(self, hidden: int, gru: Callable[..., GatedGRU]) -> None:
        super().__init__()
        self.gru = gru(hidden, hidden)

    def forward(self, batch: Batch, word_vectors: WordVectors) -> Tensor:
        """Returns (questions, hidden)."""
        words = batch.fact_packings.wordings
        v = word_vectors(words.pack(batch.question_sentences))
        return self.gru.last(self.gru.project(v), words).index_select(0, batch.question)
