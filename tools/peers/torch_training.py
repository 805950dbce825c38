"""What the peers in PyTorch share: words as ids, batches of texts of like length, and the best epoch by validation."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterator

import torch
from peer import Predict, Task, accuracy, vector_lines
from torch import Tensor, nn

PADDING, UNKNOWN = 0, 1
MAX_WORDS = 400  # of a text; a review's first
BATCH = 50
Encode = Callable[[list[list[str]]], list[Tensor]]


class Embedding(nn.Module):
    """The vectors of words, those given where there are some, and random ones as large for the others."""

    def __init__(self, task: Task, size: int = 100) -> None:
        super().__init__()
        counts = Counter(word for example in task.train for word in example.words)
        self.ids = {word: i for i, word in enumerate(counts, start=UNKNOWN + 1)}
        table = torch.empty(len(self.ids) + 2, size).uniform_(-0.25, 0.25)
        table[PADDING] = 0
        if task.vectors:
            with vector_lines(task.vectors) as lines:
                next(lines)
                for line in lines:
                    word, *numbers = line.rstrip().split(" ")
                    if word in self.ids:
                        table[self.ids[word]] = torch.tensor([float(number) for number in numbers])
        self.table = nn.Embedding.from_pretrained(table, freeze=False, padding_idx=PADDING)

    def encode(self, words: list[str]) -> Tensor:
        return torch.tensor([self.ids.get(word, UNKNOWN) for word in words[:MAX_WORDS]] or [UNKNOWN])

    def forward(self, ids: Tensor) -> Tensor:
        """(batch, words) → (batch, words, size)"""
        return self.table(ids)


def trained(task: Task, make: Callable[[Embedding, int], nn.Module], *, epochs: int, rate: float) -> Predict:
    """A network of `make(embedding, classes)`, which takes (ids (batch, words), lengths (batch)) and gives logits
    (batch, classes), after the epoch that was best on the validation."""
    torch.manual_seed(task.seed)
    torch.set_num_threads(1)
    classes = task.classes
    embedding = Embedding(task)
    network = make(embedding, len(classes))
    texts = [embedding.encode(example.words) for example in task.train]
    answers = torch.tensor([classes.index(str(example.answer)) for example in task.train])
    optimiser = torch.optim.Adam(network.parameters(), lr=rate)

    def predict(words: list[list[str]]) -> list[str]:
        network.eval()
        encoded = [embedding.encode(text) for text in words]
        found = torch.empty(len(words), dtype=torch.long)
        with torch.inference_mode():
            for rows in _batches(encoded, shuffled=False):
                found[rows] = network(*_padded([encoded[i] for i in rows])).argmax(1)
        return [classes[i] for i in found.tolist()]

    best, weights = -1.0, network.state_dict()
    for _ in range(epochs):
        network.train()
        for rows in _batches(texts, shuffled=True):
            loss = nn.functional.cross_entropy(network(*_padded([texts[i] for i in rows])), answers[rows])
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 3.0)
            optimiser.step()
        if (valid := accuracy(predict, task.valid)) > best:
            best, weights = valid, copy.deepcopy(network.state_dict())
    network.load_state_dict(weights)
    return predict


def _batches(texts: list[Tensor], *, shuffled: bool) -> Iterator[list[int]]:
    """Rows of texts of like length, batch by batch; shuffled: the batches and who is in them come in a random order."""
    noise = torch.rand(len(texts)) if shuffled else torch.zeros(len(texts))
    order = torch.argsort(torch.tensor([len(text) for text in texts]) + noise).split(BATCH)
    for i in torch.randperm(len(order)) if shuffled else range(len(order)):
        yield order[i].tolist()


def _padded(texts: list[Tensor]) -> tuple[Tensor, Tensor]:
    return nn.utils.rnn.pad_sequence(texts, batch_first=True), torch.tensor([len(text) for text in texts])
