"""What an epoch is measured by: the validation as it is, under other names where these change, and with facts left out.

Each copy takes time, so there are no more of them than make a thousand questions of each task.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dmn_cli.data.batches import Batches
from dmn_cli.evaluation.report import Judge, Report, evaluate
from dmn_cli.training.learner import Learner

_NAMES, _THINNED = 4, 8  # copies under other names, and with facts left out, at most
_ENOUGH = 1000  # questions of a task, in all copies of one kind
_WORSE = 0.01  # of the answers to thinned stories may be wrong beyond those to whole ones


@dataclass(frozen=True)
class Validation:
    """Of a learner's network, with the weights that it has at the time."""

    batches: Sequence[Batches]
    learner: Learner
    judging: Callable[..., Judge]  # names or thin, as for `evaluation.metrics.judge`; says how questions are answered

    def reports(self) -> list[Report]:
        """The validation as it is, and then under other names, where names change."""
        copies = self._copies(_NAMES) if self.learner.joint.symmetries else 0
        return [self._report(), *(self._report(names=seed) for seed in range(copies))]

    def as_good_thinned(self, whole: Report) -> bool:
        """Whether answers to stories with facts left out are as good, in each task, as those to whole ones."""
        joint, anywhere = self.learner.joint, self.learner.settings.training.thinning == "always"
        if not self.learner.supervision or joint.pictures or not (joint.symmetries or anywhere):
            return False
        copies = self._copies(_THINNED)
        thinned = [self._report(thin=seed).tasks for seed in range(copies)]
        right = {task: sum(figures[task]["accuracy"] for figures in thinned) / copies for task in whole.tasks}
        return all(right[task] >= figures["accuracy"] - _WORSE for task, figures in whole.tasks.items())

    def _report(self, **how: int) -> Report:
        return evaluate(self.learner.network, self.batches, self.learner.device, judge=self.judging(**how))

    def _copies(self, most: int) -> int:
        questions, tasks = sum(len(batches.split) for batches in self.batches), len(self.batches[0].tasks)
        return max(1, min(most, _ENOUGH * tasks // questions))
