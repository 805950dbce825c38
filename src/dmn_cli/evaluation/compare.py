"""Two models on the same questions: by how much one is more accurate, and what each has right alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dmn_cli.evaluation.marked import Predictions, Wrong, matched
from dmn_cli.evaluation.paired import holm, interval, mcnemar, mcnemar_by_task, mean_interval
from dmn_cli.evaluation.report import natural


@dataclass(frozen=True)
class Comparison:
    """Two models on the same questions, A and B. Counts: (tasks,), the tasks in their natural order."""

    tasks: list[str]
    questions: np.ndarray
    right_a: np.ndarray
    right_b: np.ndarray
    gained: np.ndarray  # right in B alone
    lost: np.ndarray  # right in A alone
    repeated: int  # questions that are there more than once, each time of which counts
    only_a: list[dict[str, Any]]  # what A alone has right, from the tasks in turn: task, story, question, answer, a, b
    only_b: list[dict[str, Any]]

    @classmethod
    def of(cls, a: Predictions, b: Predictions) -> Comparison:
        """Raises: DataError where they aren't of the same questions"""
        place = matched(a, b)
        names = sorted(set(a.tasks), key=natural)
        number = {name: i for i, name in enumerate(names)}
        task = np.array([number[name] for name in a.tasks])
        right_a, right_b = a.right, b.right[place]
        lost, gained = np.flatnonzero(right_a & ~right_b), np.flatnonzero(right_b & ~right_a)
        counts = [
            np.bincount(task[which], minlength=len(names))
            for which in (np.arange(len(task)), right_a, right_b, gained, lost)
        ]
        return cls(
            names,
            *counts,
            repeated=sum(n > 1 for n in Counter(a.keys).values()),
            only_a=[_example(a, i, b.wrong[place[i]], "b") for i in _in_turn(lost, task)],
            only_b=[_example(a, i, a.wrong[i], "a") for i in _in_turn(gained, task)],
        )

    @property
    def accuracy(self) -> tuple[float, float]:
        """Of A and of B: means over the tasks, each counting the same."""
        return float((self.right_a / self.questions).mean()), float((self.right_b / self.questions).mean())

    @property
    def difference(self) -> float:
        """By which B is more accurate."""
        return float(((self.gained - self.lost) / self.questions).mean())

    @property
    def interval(self) -> tuple[float, float]:
        """In which the difference lies with 95 %."""
        low, high = mean_interval(self.gained, self.lost, self.questions)
        return float(low), float(high)

    @property
    def p(self) -> float:
        return mcnemar_by_task(self.gained, self.lost, self.questions)

    def as_json(self) -> dict[str, Any]:
        """Without the examples."""
        a, b = self.accuracy
        return {
            "questions": int(self.questions.sum()),
            "repeated": self.repeated,
            "accuracy": {"a": a, "b": b},
            **_figures(self.difference, self.interval, self.p, int(self.gained.sum()), int(self.lost.sum())),
            "tasks": dict(zip(self.tasks, self.by_task(), strict=True)),
        }

    def by_task(self) -> list[dict[str, Any]]:
        """The same figures of each task, and the p-value corrected for as many tests as there are tasks."""
        counts = (self.questions, self.right_a, self.right_b, self.gained, self.lost)
        low, high = interval(self.gained, self.lost, self.questions)
        columns = (column.tolist() for column in (*counts, low, high))
        found = []
        for n, a, b, gained, lost, *limits in zip(*columns, strict=True):
            figures = _figures((gained - lost) / n, limits, mcnemar(gained, lost), gained, lost)
            found.append({"questions": n, "accuracy": {"a": a / n, "b": b / n}, **figures})
        corrected = holm([one["p"] for one in found])
        return [{**one, "p_holm": p} for one, p in zip(found, corrected, strict=True)]


def _figures(difference: float, limits: Sequence[float], p: float, gained: int, lost: int) -> dict[str, float | int]:
    low, high = limits
    return {"difference": difference, "low": low, "high": high, "p": p, "gained": gained, "lost": lost}


def _in_turn(places: np.ndarray, task: np.ndarray) -> list[int]:
    """The first of each task, the second of each, and so on."""
    seen: Counter[int] = Counter()
    order = []
    for place in places.tolist():
        one = int(task[place])
        order.append((seen[one], one, place))
        seen[one] += 1
    return [place for *_, place in sorted(order)]


def _example(asked: Predictions, place: int, wrong: Wrong, mistaken: str) -> dict[str, Any]:
    """mistaken: `a` or `b`, which the wrong answer is of; the other's is the right one"""
    answers = {"a": wrong.answer, "b": wrong.answer, mistaken: wrong.prediction}
    texts = {"story": wrong.story, "question": asked.questions[place], "answer": wrong.answer}
    return {"task": asked.tasks[place], **texts, **answers}
