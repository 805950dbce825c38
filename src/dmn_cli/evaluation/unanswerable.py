"""Questions that no fact answers: how often one is answered all the same, and how often "unknown" is said where there
is an answer.

    false answers = unanswerable questions that got another answer / unanswerable questions
    false unknowns = answerable questions that got "unknown" / answerable questions

Which label means "unknown" is what the data set says (`dmn prepare --unanswerable`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dmn_cli.data.batches import Batches
from dmn_cli.evaluation.metrics import Judged


class UnanswerableCounts:
    """Counted batch by batch, by task, of those data sets that have such questions."""

    def __init__(self, tasks: Sequence[str]) -> None:
        self._names = tasks
        self._counts = np.zeros((4, len(tasks)), np.int64)  # unanswerable, of these answered; answerable, of these not

    def add(self, batches: Batches, judged: Judged) -> None:
        label = batches.data.unknown
        if label is None:
            return
        unanswerable = batches.data.unanswerable(batches.split, judged.rows)
        unknown = judged.words[:, 0] == batches.answers[label]  # never, where the model can't say it
        those = unanswerable, unanswerable & ~unknown, ~unanswerable, ~unanswerable & unknown
        for counts, which in zip(self._counts, those, strict=True):
            counts += np.bincount(judged.task[which], minlength=len(self._names))

    @property
    def tasks(self) -> dict[str, dict[str, float]]:
        """`unanswerable` (questions), `false_answers` and `false_unknowns` of each task that has such questions; the
        last only where it has others too."""
        counts = zip(self._names, self._counts.T.tolist(), strict=True)
        return {name: _rates(*of) for name, of in counts if of[0]}

    def as_json(self) -> dict[str, float]:
        """Of all questions of these tasks together; empty where there are none."""
        together = self._counts[:, self._counts[0] > 0].sum(axis=1).tolist()
        if not together[0]:
            return {}
        rates = _rates(*together)
        return {"questions": rates.pop("unanswerable"), **rates}


def _rates(unanswerable: int, answered: int, answerable: int, unknown: int) -> dict[str, float]:
    return {
        "unanswerable": unanswerable,
        "false_answers": answered / unanswerable,
        **({"false_unknowns": unknown / answerable} if answerable else {}),
    }
