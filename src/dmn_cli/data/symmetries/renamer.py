"""The sentences and answers of a split under random elements of its tasks' symmetries, in a model's numbers.

A sentence is a row of slots (`slots.py`), and an element says what each slot becomes (`images.py`), so that sentences
are renamed by array operations alone: distinct sentences of a batch stay distinct, and are renamed once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from dmn_cli.data.store.reader import DataSet, Split
from dmn_cli.data.symmetries import Symmetries
from dmn_cli.data.symmetries.images import Elements, ForModel, Group
from dmn_cli.data.symmetries.spares import with_spares


class Renamer:
    """Of one split of a data set, for a model."""

    def __init__(
        self,
        data: DataSet,
        split: Split,
        tasks: Mapping[str, Symmetries],
        model: ForModel,
    ) -> None:
        """tasks: symmetries of those tasks that have any"""
        spared = with_spares(tasks)
        distinct = list(dict.fromkeys(symmetries for symmetries in tasks.values() if symmetries))
        numbers = [1 + distinct.index(tasks[task]) if tasks.get(task) else 0 for task in data.tasks]
        self._group_of = np.array(numbers, np.int64)  # (tasks,) which symmetries a task has; 0: none
        self.tasks = np.flatnonzero(self._group_of)  # whose names change
        self._sentences = len(data.sentences.words.lengths)
        extended = {symmetries: spared[task] for task, symmetries in tasks.items()}
        self._groups = [
            Group(data, split, symmetries, extended.get(symmetries, symmetries), model)
            for symmetries in (Symmetries(), *distinct)
        ]

    def draw(self, tasks: np.ndarray, random: np.random.Generator, draws: int, *, spares: bool) -> Renamed:
        """Random elements for the stories of a batch: for those of the same symmetries up to `draws`, in turn.

        tasks: (stories,) of the data set; spares: whether they take part; without them half of the draws are without
        swaps too
        """
        group = self._group_of[tasks]
        drawn: list[Elements] = []
        of_story, first = np.empty(len(group), np.int64), 0
        for number in np.unique(group):
            own = np.flatnonzero(group == number)
            count = min(draws, len(own)) if number else 1
            of_story[own] = first + np.arange(len(own)) % count
            drawn.append(self._groups[number].draw(random, count, spares=spares))
            first += count
        return Renamed(self._sentences, drawn, of_story)


class Renamed:
    """The random elements that a batch is read under."""

    def __init__(self, sentences: int, drawn: Sequence[Elements], of_story: np.ndarray) -> None:
        """sentences: of the data set; of_story: (stories,) the element of each, numbered through all that were drawn"""
        self._sentences, self._drawn, self._of_story = sentences, drawn, of_story
        self._firsts = np.cumsum([0, *(one.count for one in drawn)])

    def keys(self, sentences: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Numbers that differ where sentences do, or the elements that they are read under.

        sentences: (n,) of the data set, of each story in turn; lengths: (stories,) how many each has
        """
        return sentences + np.repeat(self._of_story, lengths) * self._sentences

    def words(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Word ids of the model, end to end, and how many each sentence has. keys: (n,), ascending"""
        bounds = np.searchsorted(keys, self._firsts * self._sentences)
        parts = []
        for drawn, start, end, first in zip(self._drawn, bounds, bounds[1:], self._firsts, strict=False):
            element, sentence = np.divmod(keys[start:end], self._sentences)
            parts.append(drawn.words(sentence, element - first))
        ids, lengths = zip(*parts, strict=True)
        return np.concatenate(ids), np.concatenate(lengths)

    def answers(self, ids: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Answer ids of the model. ids: (n,) of the data set, of each story in turn; lengths: (stories,)"""
        return np.concatenate([drawn.answers() for drawn in self._drawn])[np.repeat(self._of_story, lengths), ids]
