"""Whether a network's gates say what its answers need, and whether that is what they should rest on.

**Faithfulness** is how well the gates rank the facts that an answer needs above those that it doesn't: the area under
the ROC curve (Fawcett 2006, doi 10.1016/j.patrec.2005.10.010), which is the chance that a needed fact was let through
with a higher chance than another of its story, ties counting a half (sec. 7 there). It is of the facts that were left
out one by one, and the mean over the questions that have facts of both kinds. At 1 the gates are to be believed, at 0.5
they say nothing. (Jain and Wallace 2019, arXiv 1902.10186, compare attention with leave-one-out by ranks too.)

An answer is **right for the right reason** if it is right, needs something, and everything that it needs supports it:
each fact without which it changes, or of each such pair at least one. It is right for another reason if it needs
something else, and for no reason that was found if it needs nothing.
"""

from __future__ import annotations

import numpy as np

from dmn_cli.evaluation.metrics import Judged
from dmn_cli.records.left_out import Needs

KEYS = ("right_reason", "other_reason", "no_reason")


class Reasons:
    """Adds them up, batch by batch, for each of some tasks."""

    def __init__(self, tasks: int) -> None:
        self._faithfulness, self._ranked = np.zeros((2, tasks))  # sum, and the questions that it is over
        self._reasons = np.zeros((len(KEYS), tasks))
        self._supported = np.zeros(tasks)  # questions whose supporting facts are known

    def add(self, judged: Judged) -> None:
        """Nothing where what its answers need wasn't asked for."""
        if judged.needs is None or judged.supporting is None:
            return
        tasks = len(self._supported)
        auc = faithfulness(judged.needs)
        ranked = ~np.isnan(auc)
        self._faithfulness += np.bincount(judged.task[ranked], auc[ranked], tasks)
        self._ranked += np.bincount(judged.task[ranked], minlength=tasks)
        known = judged.supporting.any(axis=1) & ~judged.per_fact
        self._supported += np.bincount(judged.task[known], minlength=tasks)
        right = known & (judged.right == judged.answers)
        for sums, which in zip(self._reasons, reasons(judged.needs, judged.supporting), strict=True):
            sums += np.bincount(judged.task[right & which], minlength=tasks)

    def figures(self, task: int) -> dict[str, float]:
        """What is known of a task: `faithfulness`; and where supporting facts are known, the share of the questions
        that are right for the right reason, for another, and for none."""
        found: dict[str, float] = {}
        if self._ranked[task]:
            found["faithfulness"] = float(self._faithfulness[task] / self._ranked[task])
        if self._supported[task]:
            found |= zip(KEYS, (self._reasons[:, task] / self._supported[task]).tolist(), strict=True)
        return found


def faithfulness(needs: Needs) -> np.ndarray:
    """Of each question; NaN where the facts that were left out one by one are all needed, or none is. (questions,)"""
    left, changed = needs.left.of(needs.alone), needs.changed[needs.alone]
    counts = np.bincount(left.question, minlength=len(needs.chance))
    real = np.arange(counts.max(initial=1)) < counts[:, np.newaxis]  # (questions, facts that were left out)
    chance, needed = np.zeros(real.shape), np.zeros(real.shape, bool)
    chance[real], needed[real] = needs.chance[left.question, left.facts[:, 0]], changed
    compared = needed[:, :, np.newaxis] & (real & ~needed)[:, np.newaxis]
    above = np.sign(chance[:, :, np.newaxis] - chance[:, np.newaxis]) / 2 + 0.5
    number = compared.sum(axis=(1, 2))
    return np.where(number, (above * compared).sum(axis=(1, 2)) / np.maximum(1, number), np.nan)


def reasons(needs: Needs, supporting: np.ndarray) -> np.ndarray:
    """Of each question whether its answer needs only what supports it, whether it needs something else, and whether it
    needs nothing. supporting: (questions, facts) bool → (3, questions) bool"""
    left = needs.left.of(needs.changed)
    support = (supporting[left.question[:, np.newaxis], left.facts] & (left.facts >= 0)).any(axis=1)
    questions = len(supporting)
    something = np.bincount(left.question, minlength=questions) > 0
    other = np.bincount(left.question[~support], minlength=questions) > 0
    return np.stack([something & ~other, other, ~something])
