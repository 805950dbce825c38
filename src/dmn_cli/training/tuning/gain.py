"""What tuning has gained over trial 0, and how sure that is.

The best of many is partly the luckiest. So the choice is made again in each bootstrap sample of the validation
questions, and what it gains is measured on the questions that the sample left out (Tsamardinos, Greasidou and
Borboudakis 2018): the mean over the samples is the gain, and the middle 95 % of them are its interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from dmn_cli.data.batches import Batches
from dmn_cli.evaluation.metrics import Judged
from dmn_cli.evaluation.report import evaluate
from dmn_cli.records.network import Network

SAMPLES = 2000


class Gain(NamedTuple):
    """Of accuracy, as a fraction of 1."""

    mean: float
    low: float  # of the interval
    high: float

    @property
    def sure(self) -> bool:
        """Whether the interval lies above 0."""
        return self.low > 0


class Answers(NamedTuple):
    """How a network answers the validation questions, always in the same order."""

    right: np.ndarray  # (questions,) how many answers of each are right
    asked: np.ndarray  # (questions,) how many answers it asks for
    task: np.ndarray  # (questions,)


def answers(network: Network, valid: Sequence[Batches], device: torch.device) -> Answers:
    arrays = {id(one): np.zeros((3, len(one.split)), np.int64) for one in valid}

    def keep(batches: Batches, judged: Judged) -> None:
        arrays[id(batches)][:, judged.rows] = judged.right, judged.answers, judged.task

    evaluate(network, valid, device, on_judged=keep)
    return Answers(*np.concatenate([arrays[id(one)] for one in valid], axis=1))


def gain(right: np.ndarray, asked: np.ndarray, task: np.ndarray, seed: int) -> Gain:
    """right: (trials, questions), trial 0 first; asked, task: as of `Answers`. Accuracy is the mean over the tasks."""
    random = np.random.default_rng(seed)
    tasks = [np.flatnonzero(task == one) for one in np.unique(task)]
    gains = []
    for _ in range(SAMPLES):
        within, without = np.zeros((2, len(right)))
        for rows in tasks:
            drawn = np.bincount(random.integers(len(rows), size=len(rows)), minlength=len(rows))
            within += right[:, rows] @ drawn / (asked[rows] @ drawn)
            left_out = rows[drawn == 0]
            if len(left_out):
                without += right[:, left_out].sum(axis=1) / asked[left_out].sum()
        gains.append((without[within.argmax()] - without[0]) / len(tasks))
    low, high = np.quantile(gains, [0.025, 0.975])
    return Gain(float(np.mean(gains)), float(low), float(high))
