"""The evidence in the stories of one task, and which words are candidates by it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dmn_cli.data.symmetries.features import (
    Features,
    Units,
    bag_features,
    features,
    partners,
    referring,
    sentence_features,
)
from dmn_cli.data.symmetries.tables import Forms

_FILLERS = 1000  # words in one place of one sentence; of more, none is a candidate
_COMMON = 0.8  # a word of more distinct sentences says nothing
_SHARED = 0.3  # of the places of a word, in which another must occur to be a candidate for its place
_PLACES = 120  # words in what an answer rests on; what is longer is left out


@dataclass
class Evidence:
    """Of one task."""

    atoms: list[str]  # words, names of several words joined by blanks, words of answers
    sentences: np.ndarray  # (sentences, words) atoms, padded with -1; facts and questions
    fact_counts: np.ndarray  # (sentences,) in how many stories each is a fact
    question_counts: np.ndarray  # (sentences,) and a question
    units: list[tuple[np.ndarray, np.ndarray, np.ndarray]]  # sentences (units, n), answers, stories
    seen: list[tuple[set[int], list[int]]] | None  # of some questions the sentences that it sees, and its answer; None
    # where the units have supporting facts, which else are a guess

    def __post_init__(self) -> None:
        self.lengths = (self.sentences >= 0).sum(1)
        self.supported = self.seen is None

    @cached_property
    def facts(self) -> Forms:
        return self._forms(self.fact_counts)

    @cached_property
    def fact_features(self) -> Features:
        return sentence_features(self.sentences, self.fact_counts)

    @cached_property
    def questions(self) -> Forms:
        return self._forms(self.question_counts)

    @cached_property
    def whole(self) -> Forms:
        """Facts and questions."""
        return Forms(self.sentences, self.fact_counts + self.question_counts, len(self.atoms))

    def _forms(self, counts: np.ndarray) -> Forms:
        which = np.flatnonzero(counts)
        return Forms(self.sentences[which], counts[which], len(self.atoms))

    @cached_property
    def shapes(self) -> list[Units]:
        """The units, by how long their sentences are; not the longest."""
        return list(self._shapes())

    def _shapes(self) -> Iterator[Units]:
        for which, answers, story in self.units:
            lengths = self.lengths[which]
            shape = np.unique(lengths, axis=0, return_inverse=True)[1].ravel()
            order = np.argsort(shape, kind="stable")
            for rows in np.split(order, np.flatnonzero(np.diff(shape[order])) + 1):
                if lengths[rows[0]].sum() <= _PLACES:
                    yield self._of_shape(which[rows], answers[rows], story[rows])

    def _of_shape(self, which: np.ndarray, answers: np.ndarray, story: np.ndarray) -> Units:
        lengths = self.lengths[which[0]]
        parts = [self.sentences[which[:, k], :length] for k, length in enumerate(lengths)]
        sentence = np.repeat(np.arange(len(lengths) + 1), [*lengths, answers.shape[1]])
        return Units(np.hstack([*parts, answers]), sentence, answers.shape[1], story)

    @cached_property
    def answer_atoms(self) -> np.ndarray:
        """(atoms,) bool"""
        return self._among(np.concatenate([np.empty(0, np.int64), *(answers.ravel() for _, answers, _ in self.units)]))

    @cached_property
    def fact_atoms(self) -> np.ndarray:
        return self._among(self.facts.rows)

    @cached_property
    def question_atoms(self) -> np.ndarray:
        return self._among(self.questions.rows)

    def _among(self, atoms: np.ndarray) -> np.ndarray:
        found = np.zeros(len(self.atoms) + 1, bool)
        found[atoms] = True
        return found[:-1]

    @cached_property
    def eligible(self) -> np.ndarray:
        """(atoms,) bool Atoms that occur in facts, and in questions or answers, or by which facts refer to others."""
        eligible = self.question_atoms | self.answer_atoms
        if self.supported:
            eligible |= referring(self.shapes, len(self.atoms))
        return eligible & self.fact_atoms

    @cached_property
    def features(self) -> Features:
        bound = np.zeros(len(self.atoms), bool)
        bound[list(self._alike(self.eligible))] = True
        return features(self.shapes, bound, len(self.atoms))

    @cached_property
    def bag_features(self) -> Features:
        rows = self.sentences
        often = np.bincount(rows[rows >= 0], minlength=len(self.atoms))
        return bag_features(self.units, rows, often < _COMMON * len(rows))

    @cached_property
    def candidates(self) -> dict[int, set[int]]:
        """Atoms, each with those that often stand where it does."""
        eligible = self.eligible.copy()
        if self.supported:
            eligible[list(partners(self.features, self.answer_atoms & ~self.fact_atoms & ~self.question_atoms))] = True
        return self._alike(eligible & self.fact_atoms)

    def _alike(self, eligible: np.ndarray) -> dict[int, set[int]]:
        shared, own = _shared(
            [self.facts.frames(eligible), self.questions.frames(eligible)], [self.facts.counts, self.questions.counts]
        )
        found: dict[int, set[int]] = defaultdict(set)
        for (a, b), mass in shared.items():
            if mass[0] >= _SHARED * own[a] and mass[1] >= _SHARED * own[b]:
                found[a].add(b)
                found[b].add(a)
        return dict(found)

    @cached_property
    def often(self) -> np.ndarray:
        """(atoms,) In how many stories each occurs, added up over sentences."""
        rows = self.sentences
        weight = np.broadcast_to((self.fact_counts + self.question_counts)[:, None], rows.shape)
        return np.bincount(rows[rows >= 0], weight[rows >= 0], len(self.atoms))


def _shared(
    frames: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]], counts: Sequence[np.ndarray]
) -> tuple[dict[tuple[int, int], list[float]], dict[int, float]]:
    """How often each of two atoms, a < b, stands in a frame in which the other does; and how often each does at all."""
    shared: dict[tuple[int, int], list[float]] = defaultdict(lambda: [0.0, 0.0])
    own: dict[int, float] = defaultdict(float)
    for (frame, atom, row, _), of_row in zip(frames, counts, strict=True):
        order = np.argsort(frame, kind="stable")
        for here in np.split(order, np.flatnonzero(np.diff(frame[order])) + 1):
            if len(here) > _FILLERS:
                continue
            fillers = sorted(zip(atom[here].tolist(), of_row[row[here]].tolist(), strict=True))
            for n, (b, count) in enumerate(fillers):
                own[b] += count
                for a, other in fillers[:n]:
                    shared[a, b][0] += other
                    shared[a, b][1] += count
    return shared, own
