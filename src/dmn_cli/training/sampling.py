"""Which batches an epoch is made of, where several data sets are trained on together.

Each batch is of one data set. An epoch has as many batches as all of them have, and of these data set i gets a share of

    p_i ∝ n_i               proportional: each batch once
    p_i ∝ n_i^(1/T)         temperature T
    p_i ∝ 1                 uniform

where n_i is how many it has itself. A small one is then read several times in an epoch, shuffled anew each time, and a
large one in part.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dmn_cli.data.batches import Batches
from dmn_cli.settings.schema import TrainingSettings


class PlannedBatch(NamedTuple):
    """A batch to be made."""

    of: Batches
    stories: np.ndarray


def plan(sets: Sequence[Batches], settings: TrainingSettings, epoch: int) -> list[PlannedBatch]:
    """The batches of one epoch in their order, by the seed and the epoch alone."""
    random = np.random.default_rng([settings.seed, epoch])
    own = [
        [PlannedBatch(batches, stories) for stories in batches.plan(settings.batch_size, random)] for batches in sets
    ]
    if len(own) == 1:
        return own[0]
    planned: list[PlannedBatch] = []
    for batches, once, share in zip(sets, own, shares([len(plan) for plan in own], settings), strict=True):
        while len(once) < share:
            once += [PlannedBatch(batches, stories) for stories in batches.plan(settings.batch_size, random)]
        planned += once[:share]
    return [planned[i] for i in random.permutation(len(planned))]


def shares(batches: Sequence[int], settings: TrainingSettings) -> list[int]:
    """How many batches of an epoch each data set gets, one at least, from how many it has."""
    exponent = {"proportional": 1.0, "temperature": 1 / settings.sampling_temperature, "uniform": 0.0}
    weights = np.array(batches, float) ** exponent[settings.sampling]
    return np.maximum(1, np.rint(sum(batches) * weights / weights.sum())).astype(int).tolist()
