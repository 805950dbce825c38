"""A convolutional network for sentences (Kim 2014, CNN-non-static): the maxima of filters over 3, 4 and 5 words."""

from __future__ import annotations

import torch
from peer import Predict, Task, grid, run
from torch import Tensor, nn
from torch_training import Embedding, trained

WIDTHS, FILTERS, DROPOUT = (3, 4, 5), 100, 0.5


class SentenceCNN(nn.Module):
    def __init__(self, embedding: Embedding, classes: int) -> None:
        super().__init__()
        self.embedding = embedding
        size = embedding.table.embedding_dim
        self.filters = nn.ModuleList(nn.Conv1d(size, FILTERS, width, padding=width - 1) for width in WIDTHS)
        self.classify = nn.Linear(FILTERS * len(WIDTHS), classes)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        words = self.embedding(ids).transpose(1, 2)  # (batch, size, words); zeros where there is padding
        largest = torch.cat([convolve(words).relu().amax(2) for convolve in self.filters], dim=1)
        return self.classify(nn.functional.dropout(largest, DROPOUT, self.training))


def fit(task: Task, *, epochs: int, rate: float) -> Predict:
    return trained(task, SentenceCNN, epochs=epochs, rate=rate)


if __name__ == "__main__":
    run(fit, lambda task: grid(epochs=(8,), rate=(0.0005, 0.001)))
