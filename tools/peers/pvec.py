"""Paragraph vectors (Le and Mikolov 2014, arXiv 1405.4053): a vector for each training text by PV-DM and by PV-DBOW,
joined, and a logistic regression. The vectors of other texts are inferred, with those of words as they are.

    python tools/peers/pvec.py EXPORT.jsonl [--seed N]

As in the paper: 400 numbers of each kind, a window of 8 words, and every labelled phrase is a text. Words are predicted
by negative sampling, where the paper has a hierarchical softmax, and vectors of a window are averaged, not joined.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from gensim.models.doc2vec import Doc2Vec, TaggedDocument
from peer import Predict, Task, grid, run

SIZE, WINDOW = 400, 8
SAMPLE = 1e-4  # of words with a larger share of the text, some are left out
EPOCHS, INFERRED = 20, 50  # times that training texts are read, and a text whose vector is inferred
_STEPS = 100  # of L-BFGS


class Vectors:
    """Both kinds, of the texts of a task."""

    def __init__(self, task: Task) -> None:
        texts = [TaggedDocument(example.words, [n]) for n, example in enumerate(task.train)]
        common: dict[str, Any] = {"vector_size": SIZE, "min_count": 2, "negative": 5, "sample": SAMPLE}
        repeats: dict[str, Any] = {"epochs": EPOCHS, "seed": task.seed, "workers": 1}
        kinds: list[dict[str, Any]] = [{"dm": 1, "window": WINDOW}, {"dm": 0}]
        self.models = [Doc2Vec(texts, **common, **repeats, **kind) for kind in kinds]
        found = np.concatenate([model.dv.vectors for model in self.models], axis=1)
        self.mean, self.spread = found.mean(axis=0), found.std(axis=0)
        self.train = self.scaled(found)

    def scaled(self, found: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(((found - self.mean) / self.spread).astype(np.float32))

    def inferred(self, words: list[str]) -> np.ndarray:
        """(2 SIZE,) The same for the same words."""
        for model in self.models:
            model.random.seed(model.seed)  # type: ignore[reportAttributeAccessIssue]
        return np.concatenate([model.infer_vector(words, epochs=INFERRED) for model in self.models])


class Fit:
    """Finds the vectors once, whatever is then made of them."""

    vectors: Vectors | None = None

    def __call__(self, task: Task, *, l2: float) -> Predict:
        """A logistic regression on the vectors."""
        vectors = self.vectors = self.vectors or Vectors(task)
        classes = task.classes
        W = regression(vectors.train, torch.tensor([classes.index(str(one.answer)) for one in task.train]), l2)

        def predict(texts: list[list[str]]) -> list[str]:
            found = vectors.scaled(np.stack([vectors.inferred(words) for words in texts]))
            return [classes[i] for i in (found @ W[:-1] + W[-1]).argmax(dim=1).tolist()]

        return predict


def regression(x: torch.Tensor, y: torch.Tensor, l2: float) -> torch.Tensor:
    """Weights and, in the last row, biases. x: (texts, numbers); y: (texts,) → (numbers + 1, classes)"""
    W = torch.zeros(x.shape[1] + 1, int(y.max()) + 1, requires_grad=True)
    optimiser = torch.optim.LBFGS([W], max_iter=_STEPS, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        value = torch.nn.functional.cross_entropy(x @ W[:-1] + W[-1], y) + l2 * W[:-1].square().sum()
        value.backward()
        return value

    torch.set_num_threads(1)
    optimiser.step(loss)  # type: ignore[arg-type]
    return W.detach()


if __name__ == "__main__":
    run(Fit(), lambda task: grid(l2=(1e-5, 1e-4, 1e-3)))
