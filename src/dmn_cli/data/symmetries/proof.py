"""Whether answers follow from what they rest on, if names are only names: the last test of symmetries that were found.

A unit in which each name is replaced by where it was named first has one answer, whatever the names were, and that
answer names nothing that wasn't named before. Of all that swaps make of a unit the first by number stands for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dmn_cli.data.symmetries.counting import distinct, found_in, mixed, runs
from dmn_cli.data.symmetries.evidence import Evidence
from dmn_cli.data.symmetries.tables import permuted
from dmn_cli.data.symmetries.telling import Asked
from dmn_cli.data.symmetries.units import Told

EXCEPTIONS = 0.01  # wrong labels
_MENTIONED = 0.99
_ANSWERS = 2000  # that are looked for among what their questions see
_OFTEN = 6  # units with the same names in them that are enough to tell whether names matter
_DEVIATIONS = 6.0  # questions about one story have much in common
_DEPENDENT = 0.1  # of chi squared, at most, if names tell the answer of one of two


_FIRST = np.uint64(1 << 32)


@dataclass
class Found:
    """Symmetries in atoms."""

    classes: list[list[tuple[int, ...]]]  # entities of a class
    turns: Sequence[Mapping[int, int]]  # all products of the swaps


@dataclass
class _Names:
    """What each atom is, if names are only names. The last place of each array is for padding, -1."""

    entity: np.ndarray  # (atoms + 1,) -1 where it is none
    kind: np.ndarray  # (atoms + 1,) the class and the form; the atom where it is no name

    @classmethod
    def of(cls, classes: Sequence[Sequence[tuple[int, ...]]], atoms: int) -> _Names:
        entity, kind = np.full(atoms + 1, -1), np.append(np.arange(atoms), -1)
        number, kinds = 0, atoms
        for entities in classes:
            for member in entities:
                for form, atom in enumerate(member):
                    entity[atom], kind[atom] = number, kinds + form
                number += 1
            kinds += len(entities[0])
        return cls(entity, kind)


def consistent(evidence: Evidence, found: Found) -> bool:
    """Whether no unit has two answers once names are only names, but for a few wrong ones; where support is unknown,
    whether answers that are names are named before, and others depend on no name."""
    names = _Names.of(found.classes, len(evidence.atoms))
    if evidence.asked is not None:
        return _mentioned(evidence, evidence.asked, found.classes) and _names_tell_nothing(evidence, names)
    return agreement(evidence, found) >= 1 - EXCEPTIONS


def agreement(evidence: Evidence, found: Found) -> float:
    """The share of units whose answer is that of most units like them, once names are only names."""
    told = evidence.told
    keys, answers, unsure = _abstract(told, _Names.of(found.classes, len(evidence.atoms)), found.turns)
    right = _agreeing(keys[~unsure], answers[~unsure], told.counts[~unsure])
    return right / max(int(told.counts.sum()), 1)


def recurring(evidence: Evidence, found: Found) -> tuple[float, float]:
    """The share of units that are alike others once names are only names, and of these the share whose answer is that
    of most."""
    told = evidence.told
    keys, answers, unsure = _abstract(told, _Names.of(found.classes, len(evidence.atoms)), found.turns)
    _, of, times = np.unique(keys, return_inverse=True, return_counts=True)
    again = times[of] > 1
    alike = int(told.counts[again].sum())
    right = _agreeing(*(each[again & ~unsure] for each in (keys, answers, told.counts)))
    return alike / max(int(told.counts.sum()), 1), right / max(alike, 1)


def predicts(evidence: Evidence, classes: Sequence[Sequence[tuple[int, ...]]], atom: int) -> tuple[int, int, int]:
    """If an atom is a name like others: how many units have it, of how many of these the others tell the answer, and
    how often they are right."""
    names, told = _Names.of(classes, len(evidence.atoms)), evidence.told
    keys, answers, unsure = _abstract(told, names, [{}])
    has = np.zeros(len(keys), bool)
    has[told.unit[told.atom == atom]] = True
    known, at = np.unique(keys[~has & ~unsure], return_index=True)
    tell = found_in(known, keys[has])
    answer = answers[~has & ~unsure][at[np.searchsorted(known, keys[has][tell])]]
    right = (answer == answers[has][tell]) & ~unsure[has][tell]
    counts = told.counts[has]
    return int(counts.sum()), int(counts[tell].sum()), int(counts[tell][right].sum())


def _abstract(
    told: Told, names: _Names, turns: Iterable[Mapping[int, int]]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(units,) each: a number for what the answer rests on, one for the answer, and whether the answer depends on which
    of the names that weren't named is meant, or on the way round in which one looks at it."""
    best: tuple[np.ndarray, np.ndarray] | None = None
    unsure = np.zeros(len(told.shape), bool)
    for turn in turns:
        keys, answers, fresh = _keys(told, names, turn)
        keys += told.shape
        unsure |= fresh
        if best is None:
            best = keys, answers
            continue
        unsure |= (keys == best[0]) & (answers != best[1])
        earlier = keys < best[0]
        best = np.where(earlier, keys, best[0]), np.where(earlier, answers, best[1])
    assert best
    return *best, unsure


def _keys(told: Told, names: _Names, turn: Mapping[int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    becomes = permuted(turn, len(names.entity) - 1)
    entity, kind = names.entity[becomes], names.kind[becomes].astype(np.uint64)
    named = np.flatnonzero((entity >= 0)[told.atom])
    atom, unit = told.atom[named], told.unit[named]
    slot = unit * (int(entity.max()) + 1) + entity[atom]
    earliest = np.empty(int(slot.max(initial=0)) + 1, np.int64)
    earliest[slot[::-1]] = told.place[named[::-1]] + 1  # of several the last that is written: the first to stand there
    first = earliest[slot]
    value = mixed(kind)[told.atom]
    value[named] = mixed(kind[atom] + first.astype(np.uint64) * _FIRST)
    total = np.concatenate([[np.uint64(0)], np.cumsum(value * told.factor)])
    start, answer, end = total[told.bounds]
    fresh = np.zeros(len(told.shape), bool)
    fresh[unit[first > told.asked[unit]]] = True
    return answer - start, end - answer, fresh


def _agreeing(keys: np.ndarray, answers: np.ndarray, counts: np.ndarray) -> int:
    """How many answers are the most frequent one of their key. counts: (units,) how many each is"""
    both = mixed(keys) ^ answers
    _, at, of = np.unique(both, return_index=True, return_inverse=True)
    order = np.argsort(keys[at], kind="stable")
    starts, _ = runs(keys[at[order]])
    return int(np.maximum.reduceat(np.bincount(of, counts)[order], starts).sum()) if len(at) else 0


def _names_tell_nothing(evidence: Evidence, names: _Names) -> bool:
    """Whether answers depend on a question, alone or with one fact, only by where its names are the same: no more than
    by chance on which names they are (Pearson's test of independence)."""
    literal = _Names.of([], len(evidence.atoms))
    answered = [units for units in evidence.shapes if units.answers]
    for told in (Told.of(answered), Told.of([units.of_question() for units in answered])):
        by_name, _, _ = _keys(told, literal, {})
        abstract, answers, _ = _keys(told, names, {})
        by_name, keys, answers = (np.repeat(each, told.counts) for each in (by_name, abstract, answers))
        excess, deviation, units = _dependence(by_name, keys, answers)
        if excess > max(_DEVIATIONS * deviation, _DEPENDENT * units):
            return False
    return True


def _dependence(by_name: np.ndarray, keys: np.ndarray, answers: np.ndarray) -> tuple[float, float, int]:
    """Of the answers, (units,), of units with the same key, on what they are by name: chi squared above what it is by
    chance, its standard deviation, and how many units this rests on."""
    _, of, counts = np.unique(by_name, return_inverse=True, return_counts=True)
    often = counts[of] >= _OFTEN
    name, key, answer = (np.unique(each[often], return_inverse=True)[1] for each in (by_name, keys, answers))
    if not len(name):
        return 0.0, 0.0, 0
    answers_of, cell, cells = np.unique(key * (answer.max() + 1) + answer, return_inverse=True, return_counts=True)
    _, first, seen_counts = np.unique(name * len(answers_of) + cell, return_index=True, return_counts=True)
    expected = np.bincount(name)[name[first]] * cells[cell[first]] / np.bincount(key)[key[first]]
    names_of = np.bincount(key[np.unique(name, return_index=True)[1]])
    freedom = float(((names_of - 1) * (np.bincount(answers_of // (answer.max() + 1)) - 1)).sum())
    return float((seen_counts**2 / expected).sum()) - len(name) - freedom, (2 * freedom) ** 0.5, len(name)


def _mentioned(evidence: Evidence, asked: Asked, classes: Iterable[Sequence[tuple[int, ...]]]) -> bool:
    """Whether the names in answers are in what their questions see, of some questions."""
    names = {atom for entities in classes for entity in entities for atom in entity}
    answering = named = 0
    for question in range(min(len(asked.story), _ANSWERS)):
        wanted = names.intersection(asked.answers.take(np.array([question]))[0].tolist())
        if wanted:
            answering += 1
            named += wanted <= set(distinct(evidence.sentences[asked.seen(question)]).tolist())
    return named >= _MENTIONED * answering
