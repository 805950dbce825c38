"""Answers as classes: how often each is given where each is right, and what follows from that.

    precision = hits / given    recall = hits / asked    F1 = 2 hits / (asked + given)

The classes of a task are the right answers of its questions, an answer of several words by its whole text, and the tags
one by one where each fact is answered. Macro F1 is the mean over the classes, each counting the same. A task with more
than 60 of them asks for something else, and has no such figures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from dmn_cli.data.words.vocabulary import UNKNOWN, Vocabulary, answer_text
from dmn_cli.evaluation.metrics import Judged
from dmn_cli.records.batch import END

MOST = 60  # classes of a task
_MERGED_AT = 256  # batches


@dataclass(frozen=True)
class Classes:
    """The classes of one task, the most frequent first."""

    answers: list[str]  # the classes, and then what else was answered
    counts: np.ndarray  # (classes, answers) how often each answer was given where each class was right

    @property
    def asked(self) -> np.ndarray:
        """How often each class is right. (classes,)"""
        return self.counts.sum(axis=1)

    @property
    def given(self) -> np.ndarray:
        """How often each class was answered. (classes,)"""
        return self.counts.sum(axis=0)[: len(self.counts)]

    @property
    def hits(self) -> np.ndarray:
        return np.diagonal(self.counts)

    @property
    def precision(self) -> np.ndarray:
        """0 for a class that was never answered. (classes,)"""
        return self.hits / np.maximum(1, self.given)

    @property
    def recall(self) -> np.ndarray:
        return self.hits / self.asked

    @property
    def f1(self) -> np.ndarray:
        return 2 * self.hits / (self.asked + self.given)

    @property
    def macro_f1(self) -> float:
        return float(self.f1.mean())

    def confusions(self) -> list[dict[str, Any]]:
        """Every wrong answer that was given, where which class was right, and how often: the most frequent first."""
        wrong = self.counts * (np.eye(*self.counts.shape, dtype=np.int64) == 0)
        right, given = np.nonzero(wrong)
        order = np.argsort(-wrong[right, given], kind="stable")
        return [
            {"right": self.answers[r], "answer": self.answers[g], "count": int(wrong[r, g])}
            for r, g in zip(right[order], given[order], strict=True)
        ]

    def as_json(self) -> dict[str, Any]:
        figures = {
            "count": self.asked,
            "answered": self.given,
            "precision": self.precision,
            "recall": self.recall,
            "f1": self.f1,
        }
        rows = zip(self.answers, *(column.tolist() for column in figures.values()), strict=False)
        classes = [dict(zip(("class", *figures), row, strict=True)) for row in rows]
        return {"classes": classes, "confusions": self.confusions()}


class ClassCounts:
    """Counts (task, right answer, given answer), batch by batch. Answers are numbered: those of one word by its id, the
    unknown one is -1, and those of several words come after."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary, self._spares = vocabulary, vocabulary.spare_answers()
        self._several: dict[tuple[int, ...], int] = {}
        self._counted = [np.empty((0, 4), np.int64)]  # task, right, given, how often

    def add(self, judged: Judged) -> None:
        """Counts a judged batch, but for answers that are names bound for one question, which are no class."""
        steps = max(judged.words.shape[1], judged.answer.shape[1])
        right, given = (_widened(rows, steps) for rows in (judged.answer, judged.words))
        each = judged.per_fact
        alone = ~each & ~self._bound(right) & ~self._bound(given)
        real = np.arange(steps) < judged.answers[each, None]
        numbers = self._numbers(right[alone])
        said = np.where(judged.right[alone] > 0, numbers, self._numbers(given[alone]))  # a set is right in any order
        once = np.column_stack([judged.task[alone], numbers, said])
        tags = np.column_stack(
            [np.repeat(judged.task[each], judged.answers[each]), right[each][real], given[each][real]]
        )
        self._counted += [_counted(once), _counted(tags)]
        if len(self._counted) > _MERGED_AT:
            self._merge()

    def classes(self) -> dict[int, Classes]:
        """Of each task, by its number, but for those with too many classes."""
        self._merge()
        [counted] = self._counted
        tasks = {int(task): counted[counted[:, 0] == task, 1:] for task in np.unique(counted[:, 0])}
        return {task: self._classes(*rows.T) for task, rows in tasks.items() if len(np.unique(rows[:, 0])) <= MOST}

    def _classes(self, right: np.ndarray, given: np.ndarray, count: np.ndarray) -> Classes:
        classes, row = np.unique(right, return_inverse=True)
        asked = np.bincount(row, count).astype(np.int64)
        order = np.argsort(-asked, kind="stable")
        answers = np.concatenate([classes[order], np.setdiff1d(given, classes)])
        by_number = np.argsort(answers)
        column = by_number[np.searchsorted(answers, given, sorter=by_number)]
        counts = np.zeros((len(classes), len(answers)), np.int64)
        counts[np.argsort(order)[row], column] = count
        several = {number: words for words, number in self._several.items()}
        return Classes([self._text(several.get(number, (number,))) for number in answers.tolist()], counts)

    def _text(self, words: tuple[int, ...]) -> str:
        return answer_text(UNKNOWN if word < 0 else self._vocabulary.answer_words([word])[0] for word in words)

    def _bound(self, answers: np.ndarray) -> np.ndarray:
        """Whether a spare is among the words of each answer. (questions, steps) → (questions,)"""
        if self._spares is None:
            return np.zeros(len(answers), bool)
        return np.any(self._spares[np.maximum(answers, END)], axis=1)

    def _numbers(self, answers: np.ndarray) -> np.ndarray:
        """(questions, steps), END or anything after the end → (questions,)"""
        ended = (answers == END).cumsum(axis=1) > 0
        answers = np.where(ended, END, answers)
        numbers = answers[:, 0].copy()
        longer = np.flatnonzero((~ended).sum(axis=1) > 1)
        if len(longer):
            distinct, which = _distinct(answers[longer])
            first = len(self._vocabulary.answers)
            known = (
                self._several.setdefault(tuple(word for word in row if word != END), first + len(self._several))
                for row in distinct.tolist()
            )
            numbers[longer] = np.fromiter(known, np.int64, len(distinct))[which]
        return numbers

    def _merge(self) -> None:
        rows = np.concatenate(self._counted)
        distinct, which = _distinct(rows[:, :3])
        sums = np.bincount(which, rows[:, 3], len(distinct)).astype(np.int64)
        self._counted = [np.column_stack([distinct, sums])]


def _widened(rows: np.ndarray, steps: int) -> np.ndarray:
    return np.pad(rows, ((0, 0), (0, steps - rows.shape[1])), constant_values=END)


def _counted(rows: np.ndarray) -> np.ndarray:
    """Each distinct row and how often it is there. (rows, 3) → (distinct, 4)"""
    distinct, which = _distinct(rows)
    return np.column_stack([distinct, np.bincount(which, minlength=len(distinct))])


def _distinct(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct rows, and which of them each row is. (As np.unique along an axis, in a tenth of its time.)"""
    order = np.lexsort(rows.T)
    placed = rows[order]
    new = np.ones(len(rows), bool)
    new[1:] = (placed[1:] != placed[:-1]).any(axis=1)
    which = np.empty(len(rows), np.int64)
    which[order] = np.cumsum(new) - 1
    return placed[new], which
