"""What is known of sentences, and how much of it would be lacking if words changed places.

Words, and the words of answers, are read as *atoms*: one number for a word and for the answer of the same name, one
for a name of several words. A *unit* is what an answer rests on: the supporting facts, the question and the answer.
Everything is counted by the number of stories that it occurs in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import log

import numpy as np

from dmn_cli.data.symmetries.counting import draws, looked_up

_DEVIATIONS = 3.0  # standard deviations by which images may be missing more often than chance has it,
_EXCEPTIONS = 0.02  # and the share of all that may lack one
_TELLING = 0.4  # no more than this share may be missing by chance; else the data are too few to say anything

Pair = tuple[int, int]


@dataclass
class Lacking:
    """What an involution makes of what is known: how much of it has no image, and how much chance explains.

    If names are only names, what was seen t times, itself and its image together, is one of the two each time, by lot.
    """

    missing: float = 0.0
    expected: float = 0.0
    variance: float = 0.0
    total: float = 0.0

    @classmethod
    def of(cls, counts: np.ndarray, images: np.ndarray, share: float, independent: float = 1.0) -> Lacking:
        """counts: of what moves, (n,); images: how often its image occurs, (n,); share: of the lots that fall to
        one; independent: how many of the lots are drawn by themselves, and don't follow from others in their story"""
        none, both = images == 0, counts + images
        lots = both * independent
        one_sided = np.minimum(np.exp(lots * log(share)) + np.exp(lots * log(1 - share)), 1.0)
        chance = both * one_sided * (0.5 + 0.5 * none)  # a pair is met from both sides
        missing, total = float(counts @ none), float(counts.sum())
        return cls(missing, float(chance.sum()), float(chance @ (both * (1 - one_sided))), total)

    @property
    def bound(self) -> float:
        return self.expected + _DEVIATIONS * self.variance**0.5 + _EXCEPTIONS * self.total

    @property
    def possible(self) -> bool:
        """Whether chance explains what is missing."""
        return self.missing <= self.bound

    @property
    def telling(self) -> bool:
        """Whether something would be missing if names were more than names."""
        return self.bound <= _TELLING * self.total and self.total > 0


def permuted(moves: Mapping[int, int], atoms: int) -> np.ndarray:
    """What atoms become, as an array, whose last place is for padding, -1."""
    table = np.arange(atoms + 1)
    table[-1] = -1
    for a, b in moves.items():
        table[a] = b
    return table


class Moves:
    """Pairs of atoms that change places."""

    def __init__(self, swap: Iterable[Pair], atoms: int) -> None:
        self.swap = [*swap]
        self.to = permuted(moves_of(self.swap), atoms)
        self.moving = np.zeros(atoms + 1, bool)
        self.moving[[atom for pair in self.swap for atom in pair]] = True


def moves_of(swap: Iterable[Pair]) -> dict[int, int]:
    """Both ways round."""
    return {a: b for pair in swap for a, b in (pair, pair[::-1])}


class Forms:
    """Distinct rows of atoms, padded with -1, and in how many stories each occurs."""

    def __init__(self, rows: np.ndarray, counts: np.ndarray, atoms: int) -> None:
        self.rows, self.counts = rows, counts.astype(float)
        drawn = draws(atoms + rows.shape[1])
        self._atom, self._place = np.append(drawn[:atoms], np.uint64(0)), drawn[atoms:]
        hashes = self._hashes(rows)
        order = np.argsort(hashes)
        self._sorted, self._of_sorted = hashes[order], self.counts[order]

    def _hashes(self, rows: np.ndarray) -> np.ndarray:
        return (self._atom[rows] * self._place).sum(1, dtype=np.uint64)

    def moved(self, moves: Moves) -> np.ndarray:
        """The numbers of the rows that an involution changes."""
        return np.flatnonzero(moves.moving[self.rows].any(1))

    def images(self, moves: Moves, which: np.ndarray) -> np.ndarray:
        """How often the images of some rows occur."""
        hashes = self._hashes(moves.to[self.rows[which]])
        return looked_up(self._sorted, self._of_sorted, hashes)

    def lacking(self, moves: Moves, share: float) -> Lacking:
        which = self.moved(moves)
        return Lacking.of(self.counts[which], self.images(moves, which), share)

    def frames(self, among: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Rows with a gap where an atom of `among`, (atoms,) bool, stands: the frame, the atom, its row and place."""
        row, place = np.nonzero((self.rows >= 0) & np.append(among, False)[self.rows])
        atom = self.rows[row, place]
        frame = self._hashes(self.rows)[row] - self._atom[atom] * self._place[place]
        return frame + (place.astype(np.uint64) + np.uint64(1)) * self._place[0], atom, row, place


def padded(values: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Rows end to end as a rectangle, filled with -1."""
    rectangle = np.full((len(lengths), int(lengths.max(initial=0))), -1)
    rectangle[np.arange(rectangle.shape[1]) < lengths[:, None]] = values
    return rectangle
