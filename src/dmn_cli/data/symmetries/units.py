"""Units: what an answer rests on, its facts, the question and the answer. Each distinct one is held once, with the
stories that have it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dmn_cli.data.symmetries.counting import by_story, distinct_rows, draws, runs

_PLACES = 120  # words in a unit; what is longer is left out


@dataclass
class _InStories:
    """Units, each of which some stories have."""

    of: np.ndarray  # (units,) which of the distinct ones each is
    story: np.ndarray  # (units,)

    def by_story(self, keys: np.ndarray, largest: int) -> tuple[np.ndarray, np.ndarray]:
        """The distinct keys, ascending, and how many stories have each. keys: (…, distinct), at most `largest`"""
        return by_story(keys, self.story, largest, self.of)


@dataclass
class Sized(_InStories):
    """Units of as many sentences, and as many words in the answer."""

    which: np.ndarray  # (distinct, n) sentences, the question last
    answers: np.ndarray  # (distinct, words) atoms

    @classmethod
    def of_table(cls, which: np.ndarray, answers: np.ndarray, story: np.ndarray) -> Sized:
        """Each unit once for a story."""
        first, of = distinct_rows(np.hstack([which, answers]))
        stories = int(story.max(initial=0)) + 1
        of, story = np.divmod(np.unique(of * stories + story, return_counts=True)[0], stories)
        return cls(of, story, which[first], answers[first])

    def shapes(self, sentences: np.ndarray, lengths: np.ndarray) -> Iterator[Units]:
        """By how long the sentences are; not the longest."""
        shape = lengths[self.which].astype(np.uint64) @ draws(self.which.shape[1])
        order = np.argsort(shape, kind="stable")
        place = np.argsort(order, kind="stable")[self.of]
        by_place = np.argsort(place, kind="stable")
        place, story = place[by_place], self.story[by_place]
        for start, count in zip(*runs(shape[order]), strict=True):
            rows, here = order[start : start + count], slice(*np.searchsorted(place, [start, start + count]))
            long = lengths[self.which[rows[0]]]
            if long.sum() <= _PLACES:
                parts = [sentences[self.which[rows, k], :length] for k, length in enumerate(long)]
                sentence = np.repeat(np.arange(len(long) + 1), [*long, self.answers.shape[1]])
                table = np.hstack([*parts, self.answers[rows]])
                yield Units(place[here] - start, story[here], table, sentence, self.answers.shape[1])


@dataclass
class Units(_InStories):
    """Units of one shape: as many sentences, each as long, as many words in the answer."""

    rows: np.ndarray  # (distinct, places) atoms, the answer's last
    sentence: np.ndarray  # (places,) which sentence of the unit a place is in
    answers: int  # places of the answer

    @cached_property
    def counts(self) -> np.ndarray:
        """(distinct,) How many stories have each."""
        return np.bincount(self.of, minlength=len(self.rows))

    @cached_property
    def varying(self) -> np.ndarray:
        """The places that don't hold the same in all units."""
        return np.flatnonzero((self.rows != self.rows[0]).any(0))

    def where(self, chosen: np.ndarray) -> Units:
        """Some of them. chosen: (distinct,) bool"""
        here = chosen[self.of]
        of = (np.cumsum(chosen) - 1)[self.of[here]]
        return Units(of, self.story[here], self.rows[chosen], self.sentence, self.answers)

    def columns(self, places: np.ndarray, atoms: int) -> tuple[np.ndarray, np.ndarray]:
        """The atoms in some places, ascending, and what these hold, (places, distinct), as positions among them."""
        columns = np.ascontiguousarray(self.rows[:, places].T)
        used = np.zeros(atoms, bool)
        used[columns] = True
        return np.flatnonzero(used), (np.cumsum(used) - 1)[columns]

    def of_question(self) -> Units:
        """Without the facts."""
        places = self.sentence >= self.sentence[-1 - self.answers]
        return Units(self.of, self.story, self.rows[:, places], self.sentence[places], self.answers)


@dataclass
class Told:
    """All distinct units, their places end to end."""

    atom: np.ndarray  # (places,)
    place: np.ndarray  # (places,) in its unit
    unit: np.ndarray  # (places,)
    factor: np.ndarray  # (places,) uint64, the same for the same place of a unit
    asked: np.ndarray  # (units,) places before the answer
    bounds: np.ndarray  # (3, units) where each begins, where its answer does, where it ends
    shape: np.ndarray  # (units,) uint64, the same where the shape is
    counts: np.ndarray  # (units,) how many stories have each

    @classmethod
    def of(cls, shapes: Sequence[Units]) -> Told:
        sizes, widths, answers = (
            np.array([(len(one.rows), one.rows.shape[1], one.answers) for one in shapes], np.int64).reshape(-1, 3).T
        )
        width, asked = np.repeat(widths, sizes), np.repeat(widths - answers, sizes)
        end = np.cumsum(width)
        unit = np.repeat(np.arange(len(width)), width)
        place = np.arange(len(unit)) - (end - width)[unit]
        return cls(
            np.concatenate([np.empty(0, np.int64), *(one.rows.ravel() for one in shapes)]),
            place,
            unit,
            draws(int(width.max(initial=0)))[place],
            asked,
            np.stack([end - width, end - width + asked, end]),
            np.repeat(draws(len(shapes)), sizes),
            np.concatenate([np.empty(0, np.int64), *(one.counts for one in shapes)]),
        )
