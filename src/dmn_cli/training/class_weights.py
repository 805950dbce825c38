"""How much the answer to each question counts, so that rare classes are learnt too.

A class is a whole answer of a task. With N questions of a task, C classes and n_c questions of class c, a question of
class c weighs N / (C n_c): all classes count the same, and the mean over the task's questions is 1. Where each fact is
answered, a question weighs 1.
"""

from __future__ import annotations

import numpy as np

from dmn_cli.data.batches import Batches
from dmn_cli.records.batch import padded


def balanced(batches: Batches) -> np.ndarray:
    """The weight of each question of a split, in the order of its rows: (questions,) float32"""
    split = batches.split
    stories = np.arange(split.stories)
    asked, questions = split.questions.take(stories)
    once = np.flatnonzero(~np.isin(asked, batches.data.questions_per_fact))
    weights = np.ones(len(asked), np.float32)
    if not len(once):
        return weights
    task = np.repeat(split.task, questions)[once].astype(np.int64)
    answers = padded(*split.answers.take(once), -1)
    _, kind = np.unique(np.column_stack([task, answers]), axis=0, return_inverse=True)
    kind = kind.reshape(-1)
    first = np.unique(kind, return_index=True)[1]
    classes = np.bincount(task[first])
    weights[once] = np.bincount(task)[task] / (classes[task] * np.bincount(kind)[kind])
    return weights
