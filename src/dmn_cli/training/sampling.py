"""Which batches an epoch is made of, where several data sets are trained on together.

Each batch is of one data set. An epoch has as many batches as all of them have, and of these data set i gets a share of

    p_i ∝ n_i               proportional: each batch once
    p_i ∝ n_i^(1/T)         temperature T
    p_i ∝ 1                 uniform

where n_i is how many it has itself. A small one is then read several times in an epoch, reshuffled each time, and only
a part of a large one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from dmn_cli.data.batches import Batches
from dmn_cli.settings.schema import TrainingSettings


class PlannedBatch(NamedTuple):
    """A batch to be made."""

    batches: Batches
    stories: np.ndarray  # their numbers in the split


Reader = Callable[[], list[PlannedBatch]]
"""The batches of one reading of a data set, reshuffled each time."""


def plan(sets: Sequence[Batches], settings: TrainingSettings, epoch: int, *, few: bool = False) -> list[PlannedBatch]:
    """The batches of one epoch in their order, which depends on the arguments alone.

    few: whether of tasks whose names change only the `first_questions` are read
    """
    random = np.random.default_rng([settings.seed, epoch])
    first = settings.first_questions if few else 0

    def reader(batches: Batches) -> Reader:
        stories = batches.few(first) if first else None
        return lambda: [
            PlannedBatch(batches, own) for own in batches.plan(settings.batch_size, random, stories=stories)
        ]

    readers = [reader(batches) for batches in sets]
    planned = _once(readers, settings, random)
    while len(planned) < settings.steps:
        planned += _once(readers, settings, random)
    return planned


def _once(readers: Sequence[Reader], settings: TrainingSettings, random: np.random.Generator) -> list[PlannedBatch]:
    """The batches of one reading of the data."""
    own = [read() for read in readers]
    if len(own) == 1:
        return own[0]
    planned: list[PlannedBatch] = []
    for read, drawn, share in zip(readers, own, shares([len(plan) for plan in own], settings), strict=True):
        while len(drawn) < share:
            drawn += read()
        planned += drawn[:share]
    return [planned[i] for i in random.permutation(len(planned))]


def shares(batches: Sequence[int], settings: TrainingSettings) -> list[int]:
    """How many batches of an epoch each data set gets, at least one. batches: how many each has"""
    exponent = {"proportional": 1.0, "temperature": 1 / settings.sampling_temperature, "uniform": 0.0}
    weights = np.array(batches, float) ** exponent[settings.sampling]
    return np.maximum(1, np.rint(sum(batches) * weights / weights.sum())).astype(int).tolist()
