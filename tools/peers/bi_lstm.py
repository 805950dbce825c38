"""A bidirectional LSTM over the words of a text; the maxima of its states are classified."""

from __future__ import annotations

import torch
from peer import Predict, Task, grid, run
from torch import Tensor, nn
from torch_training import Embedding, trained

WIDTH, DROPOUT = 128, 0.5  # in each direction


class BiLSTM(nn.Module):
    def __init__(self, embedding: Embedding, classes: int) -> None:
        super().__init__()
        self.embedding = embedding
        self.read = nn.LSTM(embedding.table.embedding_dim, WIDTH, batch_first=True, bidirectional=True)
        self.classify = nn.Linear(2 * WIDTH, classes)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        words = nn.functional.dropout(self.embedding(ids), DROPOUT, self.training)
        packed = nn.utils.rnn.pack_padded_sequence(words, lengths, batch_first=True, enforce_sorted=False)
        states, _ = nn.utils.rnn.pad_packed_sequence(self.read(packed)[0], batch_first=True, padding_value=-torch.inf)
        return self.classify(nn.functional.dropout(states.amax(1), DROPOUT, self.training))


def fit(task: Task, *, epochs: int, rate: float) -> Predict:
    return trained(task, BiLSTM, epochs=epochs, rate=rate)


if __name__ == "__main__":
    run(fit, lambda task: grid(epochs=(8,), rate=(0.0005, 0.001)))
