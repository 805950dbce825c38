"""What the training stories of a data set tell beside what they say: which words are names, and what answers rest on.
Each helps to find the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from dmn_cli.data.store.layout import Ragged
from dmn_cli.data.store.reader import DataSet, Split
from dmn_cli.data.symmetries import Symmetries, resting
from dmn_cli.data.symmetries.direction import given_in_one_direction
from dmn_cli.data.symmetries.mentions import Named
from dmn_cli.data.symmetries.reading import read
from dmn_cli.data.symmetries.search import symmetries_in


class Findings(NamedTuple):
    """By task."""

    symmetries: dict[str, Symmetries]
    supports: dict[str, Ragged]  # of each question of the training split: positions of facts; of other tasks none
    ordered: dict[str, Ragged]  # likewise, where the data say what answers rest on, in another order

    def all_supports(self, split: Split) -> Ragged:
        """With those that the data say."""
        found = [*self.supports.values(), *self.ordered.values()]
        elsewhere = np.sum([np.diff(one.offsets) for one in found], axis=0) == 0
        lengths = np.where(elsewhere, split.supports.lengths, 0)
        given = split.supports.take(np.flatnonzero(lengths))[0], lengths
        columns = [given, *((one.values, np.diff(one.offsets)) for one in found)]
        row = np.concatenate([np.repeat(np.arange(len(split)), lengths) for _, lengths in columns])
        values = np.concatenate([values for values, _ in columns])[np.argsort(row, kind="stable")]
        return Ragged.of(values, np.sum([lengths for _, lengths in columns], axis=0))


def look(data: DataSet, given: Mapping[str, Symmetries] | None = None, *, supports: bool = True) -> Findings:
    """given: which words may change places; None: they are looked for; supports: whether what answers rest on is looked
    for, in tasks where no question says it, and its order in others"""
    found = Findings({}, {}, {})
    if data.summary["tokenizer"]["kind"] == "sentencepiece" or not data.summary["splits"]["train"]["questions"]:
        return found._replace(symmetries=dict(given or {task: Symmetries() for task in data.tasks}))
    split = data.split("train")
    for number, task in enumerate(data.tasks):
        evidence = read(data, split, number) if given is None else None
        symmetries = symmetries_in(evidence) if given is None else given.get(task, Symmetries())
        if supports and symmetries.classes:
            if _says(split, number):
                ordered = given_in_one_direction(split, number, Named(data, symmetries.names))
                if ordered is not None:
                    found.ordered[task] = ordered
            elif (rests_on := resting.found(data, split, number, symmetries, evidence)) is not None:
                found.supports[task], told = rests_on
                if given is None:
                    symmetries = symmetries_in(told).beside(symmetries)
        found.symmetries[task] = symmetries
    return found


def _says(split: Split, task: int) -> bool:
    """Whether any question of a task says what its answer rests on."""
    asked = np.repeat(split.task == task, split.questions.lengths)
    return bool(split.supports.lengths[asked].any())
