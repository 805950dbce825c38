"""Answers given only where the network is sure enough: how many are left, and how many of these are right.

    coverage = answered / questions        selective accuracy = right among the answered / answered

(El-Yaniv and Wiener 2010; Geifman and El-Yaniv 2017, arXiv 1705.08500), by the confidence of the whole answer, which is
right or wrong as a whole, tags too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dmn_cli.evaluation.metrics import Judged


class Abstaining:
    """Counts, batch by batch, what is answered with a confidence of at least `below`, by task."""

    def __init__(self, below: float, tasks: Sequence[str]) -> None:
        self.below, self._names = below, tasks
        self._counts = np.zeros((3, len(tasks)), np.int64)  # questions, answered, right among the answered

    def add(self, judged: Judged) -> None:
        answered = judged.confidence.astype(np.float64) >= self.below
        right = answered & (judged.right == judged.answers)
        for counts, which in zip(self._counts, (np.ones_like(answered), answered, right), strict=True):
            counts += np.bincount(judged.task[which], minlength=len(self._names))

    @property
    def tasks(self) -> dict[str, dict[str, float]]:
        """`coverage` and `selective_accuracy` of each task that has questions; without the second where none of them
        is answered."""
        counts = zip(self._names, self._counts.T.tolist(), strict=True)
        return {name: _shares(*of) for name, of in counts if of[0]}

    def as_json(self) -> dict[str, Any]:
        """Of all questions together."""
        questions, answered, right = self._counts.sum(axis=1).tolist()
        return {"below": self.below, "answered": answered, **_shares(questions, answered, right)}


def _shares(questions: int, answered: int, right: int) -> dict[str, float]:
    return {
        "coverage": answered / questions,
        **({"selective_accuracy": right / answered} if answered else {}),
    }


def coverage_curve(confidence: np.ndarray, right: np.ndarray, points: int = 40) -> list[dict[str, float]]:
    """How accurate the answers are if only the surest are given: the confidence of the last of them, `coverage` and
    `selective_accuracy`, at evenly spaced coverages up to 1. Answers of one confidence are given together or not at
    all. Both: (questions,)"""
    order = np.argsort(-confidence, kind="stable")
    sorted_, hits = confidence[order], np.cumsum(right[order])
    wanted = np.unique(np.ceil(len(order) * np.arange(1, points + 1) / points).astype(int))
    last = np.unique(np.searchsorted(-sorted_, -sorted_[wanted - 1], side="right"))
    return [
        {
            "below": float(sorted_[n - 1]),
            "coverage": n / len(order),
            "selective_accuracy": float(hits[n - 1]) / n,
        }
        for n in last.tolist()
    ]
