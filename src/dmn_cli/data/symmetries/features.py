"""The company that words keep: pairs of them in sentences, and in what answers rest on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from dmn_cli.data.symmetries.tables import Lacking, Moves, permuted

SEEN = 4  # pairs in units are regarded from so many stories on, that of the image included
INDEPENDENT = 0.5  # of the stories with a pair in what answers rest on: what is carried is asked about again
_DEPENDENT = 0.15  # how far two places must be from holding the same word just by chance,
_SURE = 5.0  # and by how many standard deviations
_ENOUGH = 20  # stories that show something
_FACTS = 3  # supporting facts that are regarded one by one
_BLOCK = 1 << 20  # numbers that are sorted at once


@dataclass
class Features:
    """Pairs of atoms in two places of a kind of unit: `places` numbers the kind and the two places."""

    places: np.ndarray
    first: np.ndarray
    second: np.ndarray
    counts: np.ndarray

    def __post_init__(self) -> None:
        keys = self._coded(self.places, self.first, self.second)
        self._keys, at, of = np.unique(keys, return_index=True, return_inverse=True)
        self.places, self.first, self.second = self.places[at], self.first[at], self.second[at]
        self.counts = np.bincount(of, self.counts, len(at))

    @staticmethod
    def _coded(places: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return (places << 40) | (first << 20) | second

    def moved(self, moves: Moves) -> np.ndarray:
        atoms = list(moves)
        return np.flatnonzero(np.isin(self.first, atoms) | np.isin(self.second, atoms))

    def images(self, moves: Moves, which: np.ndarray, atoms: int) -> np.ndarray:
        table = permuted(moves, atoms)
        keys = self._coded(self.places[which], table[self.first[which]], table[self.second[which]])
        at = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return np.where(self._keys[at] == keys, self.counts[at], 0.0)

    def lacking(self, moves: Moves, share: float, atoms: int, seen: int = 1, independent: float = 1.0) -> Lacking:
        """seen: in how many stories, a pair and its image together, for a pair to be regarded"""
        which = self.moved(moves)
        counts, images = self.counts[which], self.images(moves, which, atoms)
        often = counts + images >= seen
        return Lacking.of(counts[often], images[often], share, independent)

    def at(self, places: int, atom: int, *, first: bool) -> tuple[np.ndarray, np.ndarray]:
        """The atoms that go with one in two places of a kind, and how often."""
        start, end = np.searchsorted(self.places, [places, places + 1])
        here = slice(int(start), int(end))
        one, other = (self.first, self.second) if first else (self.second, self.first)
        chosen = one[here] == atom
        return other[here][chosen], self.counts[here][chosen]


@dataclass
class Units:
    """Units of one shape: as many supporting facts, each as long, as many words in the answer."""

    rows: np.ndarray  # (units, places) atoms, the answer's last
    sentence: np.ndarray  # (places,) which sentence of the unit a place is in
    answers: int  # places of the answer
    story: np.ndarray  # (units,)

    def of_question(self) -> Units:
        """Without the facts."""
        places = self.sentence >= self.sentence[-1 - self.answers]
        return Units(self.rows[:, places], self.sentence[places], self.answers, self.story)


def features(units: Iterable[Units], bound: np.ndarray, atoms: int) -> Features:
    """The pairs of atoms in units of each kind. Of one kind are those of one shape in which the same places have the
    same word; only that of the atoms in `bound`, (atoms,) bool, is regarded."""
    found: list[tuple[np.ndarray, ...]] = []
    places = 0
    for one in units:
        kinds = _kinds(one, bound)
        known, rows = np.unique(one.rows, return_inverse=True)
        rows = rows.reshape(one.rows.shape)
        varying = np.flatnonzero((rows != rows[0]).any(0))
        first, second = (varying[i] for i in np.triu_indices(len(varying), 1))
        at_once = max(1, _BLOCK // len(rows))
        for start in range(0, len(first), at_once):
            i, j = first[start : start + at_once], second[start : start + at_once]
            place = np.arange(len(i)) * (kinds.max() + 1) + kinds[:, None]
            key = (place * len(known) + rows[:, i]) * len(known) + rows[:, j]
            distinct, counts = _by_story(key, one.story)
            place, pair = np.divmod(distinct, len(known) ** 2)
            found.append((places + place, *(known[atom] for atom in np.divmod(pair, len(known))), counts))
            places += len(i) * int(kinds.max() + 1)
    return _joined(found)


def bag_features(
    units: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]], sentences: np.ndarray, telling: np.ndarray
) -> Features:
    """The pairs of atoms in two sentences of a unit, or in one and the answer, wherever they stand there. Of many
    supporting facts the first count.

    units: sentences (units, n), answers (units, words), stories (units,); telling: (atoms,) bool, atoms to regard
    """
    rows = np.where(np.append(telling, False)[sentences], sentences, -1)
    rows = -np.sort(-rows, axis=1)
    rows = rows[:, : max(1, int((rows >= 0).sum(1).max(initial=1)))]
    found: list[tuple[np.ndarray, ...]] = []
    for which, answers, story in units:
        *facts, question = (rows[which[:, k]] for k in range(which.shape[1]))
        bags = [*facts[:_FACTS], question, answers]
        for a, b in combinations(range(len(bags)), 2):
            key = (bags[a][:, :, None] << 20) | bags[b][:, None, :]
            key = np.where((bags[a][:, :, None] >= 0) & (bags[b][:, None, :] >= 0), key, -1)
            distinct, counts = _by_story(key.reshape(len(key), -1), story)
            distinct, counts = distinct[distinct >= 0], counts[distinct >= 0]
            place = np.full(len(distinct), (len(bags) * 8 + a) * 8 + b)
            found.append((place, distinct >> 20, distinct & 0xFFFFF, counts))
    return _joined(found)


def sentence_features(sentences: np.ndarray, counts: np.ndarray) -> Features:
    """The pairs of atoms in sentences of each length, (sentences, words) padded with -1, which occur so often each."""
    lengths = (sentences >= 0).sum(1)
    width = sentences.shape[1]
    found: list[tuple[np.ndarray, ...]] = []
    for length in np.unique(lengths[counts > 0]):
        which = np.flatnonzero((lengths == length) & (counts > 0))
        rows = sentences[which]
        varying = np.flatnonzero((rows[:, :length] != rows[0, :length]).any(0))
        for n, i in enumerate(varying):
            for j in varying[n + 1 :]:
                pair, of = np.unique((rows[:, i] << 20) | rows[:, j], return_inverse=True)
                place = np.full(len(pair), (length * width + i) * width + j)
                found.append((place, pair >> 20, pair & 0xFFFFF, np.bincount(of, counts[which])))
    return _joined(found)


def _joined(found: list[tuple[np.ndarray, ...]]) -> Features:
    if not found:
        empty = np.empty(0, np.int64)
        return Features(empty, empty, empty, empty)
    return Features(*(np.concatenate(column) for column in zip(*found, strict=True)))


def _by_story(keys: np.ndarray, story: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct keys of (units, n), and in how many stories each occurs."""
    stories = int(story.max()) + 1
    both = np.sort(keys * stories + story[:, None], axis=None)
    once = both[_changes(both)] // stories
    starts = np.flatnonzero(_changes(once))
    return once[starts], np.diff(starts, append=len(once))


def _changes(values: np.ndarray) -> np.ndarray:
    """Where an ascending array has another value than before."""
    return np.concatenate([[True], values[1:] != values[:-1]])[: len(values)]


def _kinds(units: Units, bound: np.ndarray) -> np.ndarray:
    """(units,) Numbers, the same where the same places have the same bound word."""
    rows = units.rows
    kind = np.zeros(len(rows), np.int64)
    held = bound[rows]
    candidates = [j for j in range(rows.shape[1]) if held[:, j].any()]
    for n, j in enumerate(candidates):
        for i in candidates[:n]:
            same = (rows[:, i] == rows[:, j]) & held[:, j]
            if same.any() and not same.all():
                kind = np.unique(kind * 2 + same, return_inverse=True)[1]
    return kind


def referring(units: Iterable[Units], atoms: int) -> np.ndarray:
    """(atoms,) Which atoms matter by being the same as before: where one of them stands in two sentences of a unit,
    it does so far more often, or less often, than chance has it."""
    found = np.zeros(atoms, bool)
    for one in units:
        varying = np.flatnonzero((one.rows != one.rows[0]).any(0))
        total = len(one.rows)
        if total < _ENOUGH:
            continue
        share = {j: np.bincount(one.rows[:, j], minlength=atoms) / total for j in varying}
        for n, i in enumerate(varying):
            for j in varying[n + 1 :]:
                if one.sentence[i] == one.sentence[j]:
                    continue
                by_chance = float(share[i] @ share[j])
                deviation = abs(float((one.rows[:, i] == one.rows[:, j]).mean()) - by_chance)
                if deviation > max(_DEPENDENT, _SURE * (by_chance * (1 - by_chance) / total) ** 0.5):
                    found |= (share[i] > 0) & (share[j] > 0)
    return found


def partners(table: Features, answers: np.ndarray) -> set[int]:
    """Atoms that have an answer of their own: somewhere in units of some kind, one is there where the other is, and
    only there. answers: (atoms,) bool, those that are nothing but answers"""
    which = np.flatnonzero(answers[table.second] & (table.counts >= _ENOUGH))
    found: set[int] = set()
    for i in which:
        one, other, places = int(table.first[i]), int(table.second[i]), int(table.places[i])
        if len(table.at(places, one, first=True)[0]) == len(table.at(places, other, first=False)[0]) == 1:
            found.add(one)
    return found
