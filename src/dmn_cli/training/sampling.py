"""Which batches the steps of an epoch go down, where several data sets are trained on together.

Each batch is of one data set. An epoch has as many batches as all of them have, and of these data set i gets a share of

    p_i ∝ n_i               proportional: each batch once
    p_i ∝ n_i^(1/T)         temperature T
    p_i ∝ 1                 uniform

where n_i is how many it has itself. A small one is then read several times in an epoch, reshuffled each time, and only
a part of a large one. A step goes down the loss of one batch; or

    J = 1/K Σ_k J_k         together: down the mean over a batch of each task k

With one task's batch after another's, tasks whose loss stays on a plateau at first never left it, however many batches
they had (docs/log.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from dmn_cli.data.batches import Batches
from dmn_cli.settings.schema import TrainingSettings
from dmn_cli.training.suits import is_taught


class PlannedBatch(NamedTuple):
    """A batch to be made."""

    batches: Batches
    stories: np.ndarray  # their numbers in the split


PlannedStep = Sequence[PlannedBatch]
"""The batches whose mean loss a step goes down."""

_FACTS = 8  # that a question sees in the mean; where there are more, a task's batches have fewer questions
_SELDOM = 4  # a task that is learnt comes in every fourth step
_READINGS = 8  # in a whole training of what is read beside tasks that need many more

Reader = Callable[[], list[PlannedBatch]]
"""The batches of one reading of a data set, reshuffled each time."""


class _Task(NamedTuple):
    batches: Batches
    number: int  # as the model numbers it
    stories: np.ndarray


def plan(
    sets: Sequence[Batches], settings: TrainingSettings, epoch: int, *, few: bool = False, seldom: int = 0
) -> list[PlannedStep]:
    """The steps of one epoch in their order, which depends on the arguments alone.

    few: whether of tasks whose names change only the `first_questions` are read; seldom: `Phase.seldom`
    """
    random = np.random.default_rng([settings.seed, epoch])
    first = settings.first_questions if few else 0
    chosen = [batches.few(first) if first else None for batches in sets]
    if settings.sampling == "together":
        tasks = [task for one, stories in zip(sets, chosen, strict=True) for task in _tasks(one, stories)]
        return _together(tasks, settings, random, seldom)
    readers = [_reader(*one, random, settings.batch_size) for one in zip(sets, chosen, strict=True)]
    planned = _once(readers, settings, random)
    while len(planned) < settings.steps:
        planned += _once(readers, settings, random)
    return [[batch] for batch in planned]


def _reader(
    batches: Batches, stories: np.ndarray | None, random: np.random.Generator, size: int, facts: int | None = None
) -> Reader:
    """size: questions of a batch; facts: that they see at most; stories: those that are read; None: all"""
    return lambda: [PlannedBatch(batches, own) for own in batches.plan(size, random, facts=facts, stories=stories)]


def _tasks(batches: Batches, stories: np.ndarray | None) -> list[_Task]:
    """stories: those that are read; None: all"""
    stories = np.arange(batches.split.stories) if stories is None else stories
    task = batches.split.task[stories]
    return [_Task(batches, int(batches.task_ids[one]), stories[task == one]) for one in np.unique(task)]


def _together(
    tasks: Sequence[_Task], settings: TrainingSettings, random: np.random.Generator, seldom: int
) -> list[PlannedStep]:
    """A batch of each in every step, or in every fourth of those that `seldom` names, unless these are all: as many
    steps as they have batches in the mean, or `steps`.

    Texts beside tasks that are learnt by reading them hundreds of times under other names would be learnt by heart: of
    these a step has so few that they are read `_READINGS` times in all.
    """
    texts = [not is_taught(task.batches.data.summary) for task in tasks]
    if all(texts):
        texts = [False] * len(tasks)
    size, facts = settings.batch_size, _FACTS * settings.batch_size
    readers = [_reader(task.batches, task.stories, random, size, facts) for task in tasks]
    drawn = [[] if text else read() for read, text in zip(readers, texts, strict=True)]
    steps = max(settings.steps, round(sum(map(len, drawn)) / texts.count(False)))
    for n, (task, text) in enumerate(zip(tasks, texts, strict=True)):
        if text:
            asked = int(task.batches.split.questions.lengths[task.stories].sum())
            own = min(size, -(-_READINGS * asked // (steps * settings.epochs)))
            readers[n] = _reader(task.batches, task.stories, random, own, facts)
    rests = [_SELDOM if seldom >> task.number & 1 else 1 for task in tasks]
    if min(rests) > 1:
        rests = [1] * len(rests)

    def endless(first: list[PlannedBatch], read: Reader) -> Iterator[PlannedBatch]:
        yield from first
        while True:
            yield from read()

    columns = [endless(*one) for one in zip(drawn, readers, strict=True)]
    return [
        [next(column) for n, (column, rest) in enumerate(zip(columns, rests, strict=True)) if step % rest == n % rest]
        for step in range(steps)
    ]


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
