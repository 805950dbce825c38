"""Which batches an epoch is made of, where several data sets are trained on together.

Each batch is of one data set. An epoch has as many batches as all of them have, and of these data set i gets a share of

    p_i ∝ n_i               proportional: each batch once
    p_i ∝ n_i^(1/T)         temperature T
    p_i ∝ 1                 uniform

where n_i is how many it has itself. A small one is then read several times in an epoch, reshuffled each time, and only
a part of a large one. An epoch of few stories of each has as many batches as one of all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dmn_cli.data.batches import Batches
from dmn_cli.settings.schema import TrainingSettings


class PlannedBatch(NamedTuple):
    """A batch to be made."""

    batches: Batches
    stories: np.ndarray  # their numbers in the split


def plan(sets: Sequence[Batches], settings: TrainingSettings, epoch: int, *, few: bool = False) -> list[PlannedBatch]:
    """The batches of one epoch in their order, which depends on the arguments alone.

    few: whether of tasks whose names change only the `first_questions` are read
    """
    random = np.random.default_rng([settings.seed, epoch])
    first = settings.first_questions if few else 0
    chosen = [batches.few(first) if first else None for batches in sets]
    planned = _once(sets, chosen, settings, random)
    while len(planned) < settings.steps:
        planned += _once(sets, chosen, settings, random)
    return planned


def _once(
    sets: Sequence[Batches],
    chosen: Sequence[np.ndarray | None],
    settings: TrainingSettings,
    random: np.random.Generator,
) -> list[PlannedBatch]:
    """As many batches as one reading of the data has. chosen: which stories of each set they are made of; None: all"""

    def once_through(batches: Batches, stories: np.ndarray | None = None) -> list[PlannedBatch]:
        return [PlannedBatch(batches, own) for own in batches.plan(settings.batch_size, random, stories=stories)]

    readings = [once_through(batches) for batches in sets]
    planned: list[PlannedBatch] = []
    numbers = shares([len(reading) for reading in readings], settings)
    for batches, stories, reading, share in zip(sets, chosen, readings, numbers, strict=True):
        drawn = reading if stories is None else []
        while len(drawn) < share:
            drawn += once_through(batches, stories)
        planned += drawn[:share]
    return planned if len(sets) == 1 else [planned[i] for i in random.permutation(len(planned))]


def shares(batches: Sequence[int], settings: TrainingSettings) -> list[int]:
    """How many batches of an epoch each data set gets, at least one. batches: how many each has"""
    exponent = {"proportional": 1.0, "temperature": 1 / settings.sampling_temperature, "uniform": 0.0}
    weights = np.array(batches, float) ** exponent[settings.sampling]
    return np.maximum(1, np.rint(sum(batches) * weights / weights.sum())).astype(int).tolist()
