"""The evidence in the stories of one task, and which words are candidates by it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dmn_cli.data.symmetries.counting import distinct, found_in, numbered, together
from dmn_cli.data.symmetries.features import (
    Features,
    bag_features,
    features,
    partners,
    referring,
    sentence_features,
)
from dmn_cli.data.symmetries.tables import Forms
from dmn_cli.data.symmetries.telling import Asked, Telling
from dmn_cli.data.symmetries.units import Sized, Told, Units

_FILLERS = 1000  # words in one place of one sentence; of more, none is a candidate
_COMMON = 0.8  # a word of more distinct sentences says nothing
_ONLY_FACTS = 500  # words that no question and no answer has; where support is unknown and there are more, none is one
_ALONE = 0.98  # of what stands in their places, so much are names
_SHARED = 0.3  # of the places of a word, in which another must occur to be a candidate for its place


@dataclass
class Evidence:
    """Of one task."""

    atoms: list[str]  # words, names of several words joined by blanks, words of answers
    sentences: np.ndarray  # (sentences, words) atoms, padded with -1; facts and questions
    fact_counts: np.ndarray  # (sentences,) in how many stories each is a fact
    question_counts: np.ndarray  # (sentences,) and a question
    units: list[Sized]
    asked: Asked | None  # None where the units have supporting facts, which else are a guess

    def __post_init__(self) -> None:
        self.lengths = (self.sentences >= 0).sum(1)
        self.supported = self.asked is None

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
        return [shape for sized in self.units for shape in sized.shapes(self.sentences, self.lengths)]

    @cached_property
    def told(self) -> Told:
        return Told.of(self.shapes)

    @cached_property
    def answer_atoms(self) -> np.ndarray:
        """(atoms,) bool"""
        return self._among(np.concatenate([np.empty(0, np.int64), *(sized.answers.ravel() for sized in self.units)]))

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
        """(atoms,) bool Atoms that occur in facts, and in questions or answers, or by which facts refer to others.
        Where support is unknown, that can't be seen, and all atoms of facts are."""
        told = (self.question_atoms | self.answer_atoms) & self.fact_atoms
        if self.supported:
            return told | referring(self.shapes, len(self.atoms)) & self.fact_atoms
        return self.fact_atoms if np.count_nonzero(self.only_facts) <= _ONLY_FACTS else told

    def differ(self, a: int, b: int) -> bool:
        """Whether stories tell two words from one another that only facts have, where support is unknown."""
        if self.asked is None or not self.only_facts[[a, b]].all():
            return False
        return not self._telling.alike(a, b)

    def names(self, entities: Sequence[tuple[int, ...]]) -> bool:
        """Whether words, where support is unknown and only facts have them, are those that can stand where they do.
        Verbs aren't: who moved or travelled may as well have gone."""
        words = [atom for entity in entities for atom in entity]
        if self.supported or not self.only_facts[words].any():
            return True
        frame, atom, count = self._fillers(self.fact_atoms)
        own = found_in(np.sort(words), atom)
        here = found_in(distinct(frame[own]), frame)
        return bool(count[own].sum() >= _ALONE * count[here].sum())

    @cached_property
    def only_facts(self) -> np.ndarray:
        return self.fact_atoms & ~self.question_atoms & ~self.answer_atoms

    @cached_property
    def _telling(self) -> Telling:
        assert self.asked is not None
        names = np.zeros(len(self.atoms), bool)
        names[[*self.candidates]] = True
        return Telling(self.asked, self.sentences, self.only_facts & names, names)

    @cached_property
    def features(self) -> Features:
        bound = np.zeros(len(self.atoms), bool)
        bound[list(self._alike_eligible)] = True
        return features(self.shapes, bound, len(self.atoms))

    @cached_property
    def bag_features(self) -> Features:
        rows = self.sentences
        often = np.bincount(rows[rows >= 0], minlength=len(self.atoms))
        return bag_features(self.units, rows, often < _COMMON * len(rows))

    @cached_property
    def candidates(self) -> dict[int, set[int]]:
        """Atoms, each with those that often stand where it does."""
        alone = self.answer_atoms & ~self.fact_atoms & ~self.question_atoms
        if not (self.supported and alone.any() and (others := partners(self.features, alone))):
            return self._alike_eligible
        eligible = self.eligible.copy()
        eligible[list(others)] = True
        return self._alike(eligible & self.fact_atoms)

    @cached_property
    def _alike_eligible(self) -> dict[int, set[int]]:
        return self._alike(self.eligible)

    def _alike(self, eligible: np.ndarray) -> dict[int, set[int]]:
        """Atoms, each with those that stand in many of its frames, in facts or in questions."""
        group, atom, count = self._fillers(eligible)
        own = np.bincount(atom, count, len(self.atoms))
        second, first = together(group)
        pair, of = np.unique(atom[first] * len(own) + atom[second], return_inverse=True)
        a, b = np.divmod(pair, len(own))
        often = (np.bincount(of, count[first], len(pair)) >= _SHARED * own[a]) & (
            np.bincount(of, count[second], len(pair)) >= _SHARED * own[b]
        )
        found: dict[int, set[int]] = defaultdict(set)
        for one, other in zip(a[often].tolist(), b[often].tolist(), strict=True):
            if one != other:
                found[one].add(other)
                found[other].add(one)
        return dict(found)

    def _fillers(self, eligible: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What stands in each frame: the number of the frame, ascending, the atom, ascending, and how often it does."""
        frames, atoms, counts = [], [], []
        for which, forms in enumerate((self.facts, self.questions)):
            frame, atom, row, _ = forms.frames(eligible)
            frames.append(numbered(frame) * 2 + which)
            atoms.append(atom)
            counts.append(forms.counts[row])
        frame, atom, count = np.concatenate(frames), np.concatenate(atoms), np.concatenate(counts)
        few = np.bincount(frame)[frame] <= _FILLERS
        frame, atom, count = frame[few], atom[few], count[few]
        order = np.argsort(frame * len(self.atoms) + atom, kind="stable")
        return frame[order], atom[order], count[order]

    @cached_property
    def often(self) -> np.ndarray:
        """(atoms,) In how many stories each occurs, added up over sentences."""
        rows = self.sentences
        weight = np.broadcast_to((self.fact_counts + self.question_counts)[:, None], rows.shape)
        return np.bincount(rows[rows >= 0], weight[rows >= 0], len(self.atoms))
