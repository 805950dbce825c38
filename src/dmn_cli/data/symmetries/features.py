"""The company that words keep: pairs of them in sentences, and in what answers rest on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np

from dmn_cli.data.symmetries.counting import distinct, draws, found_in, looked_up, numbered, together
from dmn_cli.data.symmetries.tables import Lacking, Moves
from dmn_cli.data.symmetries.units import Sized, Units
from dmn_cli.records.ragged import spans

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
        self._keys = self._coded(self.places, self.first, self.second)
        if (self._keys[1:] <= self._keys[:-1]).any():
            self._keys, at, of = np.unique(self._keys, return_index=True, return_inverse=True)
            self.places, self.first, self.second = self.places[at], self.first[at], self.second[at]
            self.counts = np.bincount(of, self.counts, len(at))

    @staticmethod
    def _coded(places: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return (places << 40) | (first << 20) | second

    def moved(self, moves: Moves) -> np.ndarray:
        return (moves.moving[self.first] | moves.moving[self.second]).nonzero()[0]

    def images(self, moves: Moves, which: np.ndarray) -> np.ndarray:
        first, second = moves.to[self.first[which]], moves.to[self.second[which]]
        return looked_up(self._keys, self.counts, self._coded(self.places[which], first, second))

    def lacking(self, moves: Moves, share: float, seen: int = 1, independent: float = 1.0) -> Lacking:
        """seen: in how many stories, a pair and its image together, for a pair to be regarded"""
        which = self.moved(moves)
        counts, images = self.counts[which], self.images(moves, which)
        if seen > 1:
            often = counts + images >= seen
            counts, images = counts[often], images[often]
        return Lacking.of(counts, images, share, independent)

    def at(self, places: np.ndarray, atoms: np.ndarray, *, first: bool) -> tuple[np.ndarray, np.ndarray]:
        """Where some atoms are one of a pair in some places: which pairs these are, and which of the atoms each has."""
        keys, order = self._by_first if first else self._by_second
        wanted = places << 20 | atoms
        start, end = np.searchsorted(keys, wanted), np.searchsorted(keys, wanted, side="right")
        return order[spans(start, end - start)], np.repeat(np.arange(len(wanted)), end - start)

    @cached_property
    def _by_first(self) -> tuple[np.ndarray, np.ndarray]:
        return self.places << 20 | self.first, np.arange(len(self.places))

    @cached_property
    def _by_second(self) -> tuple[np.ndarray, np.ndarray]:
        keys = self.places << 20 | self.second
        order = np.argsort(keys, kind="stable")
        return keys[order], order


def features(shapes: Iterable[Units], bound: np.ndarray, atoms: int) -> Features:
    """The pairs of atoms in units of each kind. Of one kind are those of one shape in which the same places have the
    same word; only that of the atoms in `bound`, (atoms,) bool, is regarded. Too few to be regarded are left out."""
    found: list[tuple[np.ndarray, ...]] = []
    places = 0
    for units in shapes:
        if len(units.of) < SEEN:
            continue
        known, columns = units.columns(units.varying, atoms)
        kinds, size = _kinds(units, bound, atoms), len(known) ** 2
        number = int(kinds.max()) + 1
        often = np.bincount(kinds, units.counts)[kinds] >= SEEN
        if not often.all():
            units = units.where(often)
            if not len(units.of):
                continue
            columns, kinds = columns[:, often], kinds[often]
        second, first = together(np.zeros(len(columns), np.int64))
        at_once = max(1, _BLOCK // len(units.of))
        for start in range(0, len(first), at_once):
            i, j = first[start : start + at_once], second[start : start + at_once]
            place = np.arange(len(i))[:, None] * number + kinds
            keys = place * size + columns[i] * len(known) + columns[j]
            pairs, counts = units.by_story(keys, len(i) * number * size)
            place, pair = np.divmod(pairs, size)
            found.append((places + place, *(known[atom] for atom in np.divmod(pair, len(known))), counts))
            places += len(i) * number
    return _joined(found)


def bag_features(units: Iterable[Sized], sentences: np.ndarray, telling: np.ndarray) -> Features:
    """The pairs of atoms in two sentences of a unit, or in one and the answer, wherever they stand there. Of many
    supporting facts the first count.

    telling: (atoms,) bool, atoms to regard
    """
    rows = np.where(np.append(telling, False)[sentences], sentences, -1)
    rows = -np.sort(-rows, axis=1)
    atoms = len(telling)
    beyond = atoms * atoms  # what stands for a pair without one or the other
    found: list[tuple[np.ndarray, ...]] = []
    for sized in units:
        *facts, question = (rows[which].T for which in sized.which.T)
        bags = [bag[(bag >= 0).any(1)] for bag in (*facts[:_FACTS], question, sized.answers.T)]
        firsts = [np.where(bag >= 0, bag * atoms, beyond)[:, None] for bag in bags]
        seconds = [np.where(bag >= 0, bag, beyond) for bag in bags]
        for a, b in combinations(range(len(bags)), 2):
            pairs, counts = sized.by_story(firsts[a] + seconds[b], 2 * beyond)
            real = slice(int(np.searchsorted(pairs, beyond)))
            place = np.full(len(pairs[real]), (len(bags) * 8 + a) * 8 + b)
            found.append((place, *np.divmod(pairs[real], atoms), counts[real]))
    return _joined(found)


def sentence_features(sentences: np.ndarray, counts: np.ndarray) -> Features:
    """The pairs of atoms in sentences of each length, (sentences, words) padded with -1, which occur so often each."""
    sentences, counts = sentences[counts > 0], counts[counts > 0]
    lengths, width = (sentences >= 0).sum(1), sentences.shape[1]
    found: list[tuple[np.ndarray, ...]] = []
    for length in distinct(lengths):
        rows, often = sentences[lengths == length], counts[lengths == length]
        varying = np.flatnonzero((rows != rows[0]).any(0))
        second, first = (varying[i] for i in together(np.zeros_like(varying)))
        place = np.repeat((length * width + first) * width + second, len(rows))
        found.append((place, rows.T[first].ravel(), rows.T[second].ravel(), np.tile(often, len(first))))
    return _joined(found)


def _joined(found: list[tuple[np.ndarray, ...]]) -> Features:
    if not found:
        empty = np.empty(0, np.int64)
        return Features(empty, empty, empty, empty)
    return Features(*(np.concatenate(column) for column in zip(*found, strict=True)))


def _kinds(units: Units, bound: np.ndarray, atoms: int) -> np.ndarray:
    """(distinct,) Numbers, the same where the same places have the same bound word."""
    known, columns = units.columns(np.flatnonzero(bound[units.rows].any(0)), atoms)
    later, earlier = together(np.zeros(len(columns), np.int64))
    same = (columns[earlier] == columns[later]) & bound[known][columns][later]
    same = same[same.any(1) & ~same.all(1)]
    return numbered(draws(len(same)) @ same)


def referring(shapes: Iterable[Units], atoms: int) -> np.ndarray:
    """(atoms,) Which atoms matter by being the same as before: where one of them stands in two sentences of a unit,
    it does so far more often, or less often, than chance has it."""
    found = np.zeros(atoms, bool)
    for units in shapes:
        total = len(units.of)
        if total < _ENOUGH or not len(units.varying):
            continue
        known, columns = units.columns(units.varying, atoms)
        share = np.stack([np.bincount(column, units.counts, len(known)) for column in columns]) / total
        second, first = together(np.zeros(len(columns), np.int64))
        sentence = units.sentence[units.varying]
        apart = sentence[first] != sentence[second]
        first, second = first[apart], second[apart]
        by_chance = (share @ share.T)[first, second]
        deviation = np.abs((columns[first] == columns[second]) @ units.counts / total - by_chance)
        sure = deviation > np.maximum(_DEPENDENT, _SURE * (by_chance * (1 - by_chance) / total) ** 0.5)
        both = (share[first[sure]] > 0) & (share[second[sure]] > 0)
        found[known[both.any(0)]] = True
    return found


def partners(table: Features, answers: np.ndarray) -> set[int]:
    """Atoms that have an answer of their own: somewhere in units of some kind, one is there where the other is, and
    only there. answers: (atoms,) bool, those that are nothing but answers"""
    which = np.flatnonzero(answers[table.second] & (table.counts >= _ENOUGH))
    here = np.flatnonzero(found_in(distinct(table.places[which]), table.places))
    alone = np.zeros(len(table.places), bool)
    firsts, seconds = (numbered(table.places[here] << 20 | atoms[here]) for atoms in (table.first, table.second))
    alone[here] = (np.bincount(firsts)[firsts] == 1) & (np.bincount(seconds)[seconds] == 1)
    return set(table.first[which[alone[which]]].tolist())
