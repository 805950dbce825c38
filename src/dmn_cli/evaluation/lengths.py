"""How accuracy goes with the length of stories: the facts that a question sees, or the words of a text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dmn_cli.data.batches import Batches
from dmn_cli.evaluation.metrics import Judged

_GROUPS = 8  # of lengths, at most
_Z = 1.96  # of a normal distribution, 95 % lie within so many standard deviations


class LengthCounts:
    """Counts answers and right ones by task and length, batch by batch."""

    def __init__(self, tasks: Sequence[str]) -> None:
        """tasks: as the data sets number them"""
        self._tasks = list(tasks)
        self._counts = np.zeros((2, len(tasks), 1))  # answers and right ones
        self._seen: dict[int, np.ndarray] = {}  # by split, how many facts each question sees

    def add(self, batches: Batches, judged: Judged) -> None:
        split = batches.split
        if id(split) not in self._seen:
            self._seen[id(split)] = split.positions.take(np.arange(split.stories))[0]
        length = self._seen[id(split)][judged.rows]
        more = int(length.max(initial=0)) + 1 - self._counts.shape[2]
        if more > 0:
            self._counts = np.pad(self._counts, ((0, 0), (0, 0), (0, more)))
        for counts, column in zip(self._counts, (judged.answers, judged.right), strict=True):
            np.add.at(counts, (judged.task, length), column)

    def as_json(self) -> dict[str, list[dict[str, Any]]]:
        """By task, and of all of them under the empty name, groups of lengths with about as many answers each: their
        shortest and longest, the answers, their accuracy, and its 95 % interval."""
        everything = self._counts.sum(axis=1)
        edges = _edges(everything[0])
        of = {"": everything, **dict(zip(self._tasks, self._counts.swapaxes(0, 1), strict=True))}
        return {name: _grouped(counts, edges) for name, counts in of.items() if counts[0].sum()}


def _edges(answers: np.ndarray) -> list[tuple[int, int]]:
    """The first and the last length of each group. answers: (lengths,)"""
    there = np.flatnonzero(answers)
    if len(there) <= _GROUPS:
        return [(int(length), int(length)) for length in there]
    before = np.cumsum(answers[there]) - answers[there]  # so that a group begins where its share of answers does
    group = (before * _GROUPS / answers.sum()).astype(int)
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    ends = np.append(starts[1:], len(there)) - 1
    return [(int(there[start]), int(there[end])) for start, end in zip(starts, ends, strict=True)]


def _grouped(counts: np.ndarray, edges: list[tuple[int, int]]) -> list[dict[str, Any]]:
    found = []
    for first, last in edges:
        answers, right = counts[:, first : last + 1].sum(axis=1).tolist()
        if answers:
            low, high = wilson(right, answers)
            figures = {"answers": int(answers), "accuracy": right / answers, "low": low, "high": high}
            found.append({"from": first, "to": last, **figures})
    return found


def wilson(right: float, answers: float) -> tuple[float, float]:
    """The 95 % interval of a share (Wilson 1927)."""
    share, z = right / answers, _Z**2 / answers
    middle, half = share + z / 2, _Z * np.sqrt(share * (1 - share) / answers + z / (4 * answers))
    return float(max(0.0, (middle - half) / (1 + z))), float(min(1.0, (middle + half) / (1 + z)))
