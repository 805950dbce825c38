"""How much the answer to each question counts, so that rare classes are learnt too; and what guessing by how frequent
they are is worth.

A class is a whole answer of a task. With N questions of a task, C classes and n_c questions of class c, a question of
class c weighs N / (C n_c): all classes count the same, and the mean over the task's questions is 1. Where each fact is
answered, a question weighs 1.
"""

from __future__ import annotations

import math

import numpy as np

from dmn_cli.data.batches import Batches
from dmn_cli.records.batch import padded


def balanced(batches: Batches) -> np.ndarray:
    """The weight of each question of a split, in the order of its rows: (questions,) float32"""
    task, kind, once = _classes(batches)
    weights = np.ones(len(batches.split), np.float32)
    if not len(once):
        return weights
    first = np.unique(kind, return_index=True)[1]
    classes = np.bincount(task[first])
    weights[once] = np.bincount(task)[task] / (classes[task] * np.bincount(kind)[kind])
    return weights


def guessing(batches: Batches) -> float:
    """The loss of one who knows how frequent each class is, and nothing of the stories: mean of log(N / n_c), in nats;
    infinite where each fact is answered"""
    task, kind, once = _classes(batches)
    if not len(once):
        return math.inf
    return float(np.log(np.bincount(task)[task] / np.bincount(kind)[kind]).mean())


def _classes(batches: Batches) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The task and the class of each question that is answered once, and which these are, of all questions."""
    split = batches.split
    asked, questions = split.questions.take(np.arange(split.stories))
    once = np.flatnonzero(~np.isin(asked, batches.data.questions_per_fact))
    task = np.repeat(split.task, questions)[once].astype(np.int64)
    if not len(once):
        return task, task, once
    answers = padded(*split.answers.take(once), -1)
    _, kind = np.unique(np.column_stack([task, answers]), axis=0, return_inverse=True)
    return task, kind.reshape(-1), once
