"""What networks share that make all words of an answer at once: a softmax for each of its steps, which knows nothing of
the others.

    p(y_t) = softmax(s_t / T)      s_t: (answers,) the scores of step t; T: the network's temperature

Papers on such networks have answers of one word. Here a list has as many steps as the longest one in training and the
end token, and a longer answer is as good as impossible.
"""

from __future__ import annotations

from abc import abstractmethod
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from dmn_cli.model.decoding import Reading
from dmn_cli.model.objective import answer_loss
from dmn_cli.model.speaking import SpeakingNetwork
from dmn_cli.records.batch import END, Batch
from dmn_cli.records.network import Losses

_IMPOSSIBLE = -30.0  # a logit, beside others that are 0


class Scores(NamedTuple):
    """What a network makes of a batch."""

    s: Tensor  # (questions, steps, answers)
    gates: Tensor | None  # (questions, passes, facts) as they counted; None: it has none


class StepwiseNetwork(SpeakingNetwork):
    per_fact = False

    @abstractmethod
    def scores(self, batch: Batch) -> Scores: ...

    def losses(self, batch: Batch, supervision: str | None) -> Losses:
        s = ended(self.scores(batch).s, batch.answer.shape[1])
        smoothed = answer_loss(s, batch, self.label_smoothing) if self.label_smoothing else None
        return Losses(answer_loss(s, batch), None, smoothed)

    def read(self, batch: Batch) -> Reading:
        s, gates = self.scores(batch)
        return Reading(
            gates=gates,
            packing=batch.fact_packings.facts,
            max_steps=s.shape[1],
            once=partial(Steps, s),
            at_each=None,
            forced=partial(ended, s, batch.answer.shape[1]),
        )


def ended(s: Tensor, steps: int) -> Tensor:
    """Scores of so many steps: after those that a network has there is nothing but the end token. (questions, steps',
    answers) → (questions, steps, answers)"""
    after = s.new_full((s.shape[0], max(0, steps - s.shape[1]), s.shape[2]), _IMPOSSIBLE)
    after[..., END] = 0.0
    return torch.cat([s[:, :steps], after], dim=1)


class Steps:
    """Says the steps one after another, whatever was said before."""

    def __init__(self, s: Tensor, t: int = 0) -> None:
        self.s, self.t = s, t

    def __call__(self, before: Tensor | None) -> Tensor:
        self.t += 1
        return self.s[:, self.t - 1].clone()

    def following(self, rows: Tensor) -> Steps:
        return Steps(self.s.index_select(0, rows), self.t)
