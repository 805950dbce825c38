"""What is known of sentences, and how much of it would be lacking if words changed places.

Words, and the words of answers, are read as *atoms*: one number for a word and for the answer of the same name, one
for a name of several words. A *unit* is what an answer rests on: the supporting facts, the question and the answer.
Everything is counted by the number of stories that it occurs in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

_DEVIATIONS = 3.0  # standard deviations by which images may be missing more often than chance has it,
_EXCEPTIONS = 0.02  # and the share of all that may lack one
_TELLING = 0.4  # no more than this share may be missing by chance; else the data are too few to say anything

Moves = Mapping[int, int]
"""An involution: atoms, each with the one it changes places with, both ways round."""


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
        both = counts + images
        lots = both * independent
        one_sided = np.minimum(share**lots + (1 - share) ** lots, 1.0)
        weight = np.where(images == 0, 1.0, 0.5)  # a pair is met from both sides
        return cls(
            float(counts[images == 0].sum()),
            float((weight * both * one_sided).sum()),
            float((weight * both**2 * one_sided * (1 - one_sided)).sum()),
            float(counts.sum()),
        )

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


def permuted(moves: Moves, atoms: int) -> np.ndarray:
    """An involution as an array, whose last place is for padding, -1."""
    table = np.append(np.arange(atoms), -1)
    for a, b in moves.items():
        table[a] = b
    return table


class Forms:
    """Distinct rows of atoms, padded with -1, and in how many stories each occurs."""

    def __init__(self, rows: np.ndarray, counts: np.ndarray, atoms: int) -> None:
        draw = np.random.default_rng(0)
        self.atoms = atoms
        self.rows, self.counts = rows, counts.astype(float)
        self._atom = np.append(draw.integers(1 << 62, size=atoms, dtype=np.uint64), np.uint64(0))
        self._place = draw.integers(1 << 62, size=rows.shape[1], dtype=np.uint64) | np.uint64(1)
        hashes = self._hashes(rows)
        order = np.argsort(hashes)
        self._sorted, self._of_sorted = hashes[order], self.counts[order]

    def _hashes(self, rows: np.ndarray) -> np.ndarray:
        return (self._atom[rows] * self._place).sum(1, dtype=np.uint64)

    def moved(self, moves: Moves) -> np.ndarray:
        """The numbers of the rows that an involution changes."""
        return np.flatnonzero(np.isin(self.rows, list(moves)).any(1))

    def images(self, moves: Moves, which: np.ndarray) -> np.ndarray:
        """How often the images of some rows occur."""
        hashes = self._hashes(permuted(moves, self.atoms)[self.rows[which]])
        at = np.minimum(np.searchsorted(self._sorted, hashes), len(self._sorted) - 1)
        return np.where(self._sorted[at] == hashes, self._of_sorted[at], 0.0)

    def lacking(self, moves: Moves, share: float) -> Lacking:
        which = self.moved(moves)
        return Lacking.of(self.counts[which], self.images(moves, which), share)

    def frames(self, among: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Rows with a gap where an atom of `among`, (atoms,) bool, stands: the frame, the atom, its row and place."""
        row, place = np.nonzero((self.rows >= 0) & np.append(among, False)[self.rows])
        atom = self.rows[row, place]
        frame = self._hashes(self.rows)[row] - self._atom[atom] * self._place[place]
        return frame + (place.astype(np.uint64) + np.uint64(1)) * self._place[0], atom, row, place


def padded(rows: Sequence[Sequence[int]]) -> np.ndarray:
    """Rows of different lengths as a rectangle, filled with -1."""
    longest = max(map(len, rows), default=0)
    return np.array([[*row, *[-1] * (longest - len(row))] for row in rows], np.int64).reshape(len(rows), longest)


def pairs(moves: Moves) -> Iterator[tuple[int, int]]:
    """Each pair of an involution once."""
    return ((a, b) for a, b in moves.items() if a < b)
