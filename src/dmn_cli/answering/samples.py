"""Test stories with their right answers, of the data that a model was trained on or of others."""

from __future__ import annotations

import random
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dmn_cli.artifact import trained_on
from dmn_cli.errors import UsageError

if TYPE_CHECKING:
    import numpy as np

    from dmn_cli.data.store.reader import DataSet, Split


class Sample(NamedTuple):
    facts: list[str]
    question: str
    answer: tuple[str, ...]  # the right one, word by word
    picture: np.ndarray | None = None  # of which the facts are regions, as it is stored


class Samples:
    """Draws them."""

    def __init__(self, model: Path, data: Path | None = None, *, seed: int | None = None) -> None:
        """model: as on the command line; data: a data set in place of those that it was trained on; seed: what is
        drawn depends on; None: on nothing"""
        self.model, self.data = model, data
        self._random = random.Random(seed)

    def draw(self, task: str = "") -> Sample:
        """Any question of the test splits, or of one task. Raises: DataError where the data aren't there, or aren't
        what they were; UsageError where no task is called that."""
        chosen = [(data, split, rows) for data, split in self._splits for rows in _stories(data, split, task)]
        if not chosen:
            names = dict.fromkeys(name for data, _ in self._splits for name in data.tasks)
            raise UsageError(f"there is no task {task!r}", hint=f"There are: {', '.join(names)}.")
        data, split, rows = self._random.choices(chosen, [len(rows) for *_, rows in chosen])[0]
        row = self._random.choice(rows)
        example = data.example(split, row)
        return Sample(example.facts, example.question, tuple(example.answer), data.picture(split, row))

    @cached_property
    def _splits(self) -> list[tuple[DataSet, Split]]:
        if self.data is None:
            found = trained_on.data_sets(self.model, instead="dmn ask MODEL --data DIR")
        else:
            from dmn_cli.data.store.reader import DataSet

            found = [DataSet(self.data)]
        return [(data, data.split("test")) for data in found]


def _stories(data: DataSet, split: Split, task: str) -> list[range]:
    """The questions of a split, or of its stories of one task, as runs of their numbers."""
    if not task:
        return [range(len(split))]
    if task not in data.tasks:
        return []
    offset = split.question_offset.tolist()
    stories = (split.task == data.tasks.index(task)).nonzero()[0].tolist()
    return [range(offset[story], offset[story + 1]) for story in stories]
