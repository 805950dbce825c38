"""Whether answers follow from what they rest on, if names are only names: the last test of symmetries that were found.

A unit in which each name is replaced by where it was named first has one answer, whatever the names were, and that
answer names nothing that wasn't named before. Of all that swaps make of a unit the first by number stands for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dmn_cli.data.symmetries.evidence import Evidence
from dmn_cli.data.symmetries.features import Units

EXCEPTIONS = 0.01  # wrong labels
_MENTIONED = 0.99
_OFTEN = 6  # units with the same names in them that are enough to tell whether names matter
_DEVIATIONS = 6.0  # questions about one story have much in common
_DEPENDENT = 0.1  # of chi squared, at most, if names tell the answer of one of two
_BLOCK = 1 << 24  # bytes of one comparison


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
    if evidence.seen is not None:
        return _mentioned(evidence, evidence.seen, found.classes) and _names_tell_nothing(evidence, names)
    wrong = total = 0
    for units in evidence.shapes:
        keys, answers, unsure = _abstract(units, names, found.turns)
        wrong += int(unsure.sum()) + _disagreeing(keys[~unsure], answers[~unsure])
        total += len(keys)
    return wrong <= EXCEPTIONS * total


def predicts(evidence: Evidence, classes: Sequence[Sequence[tuple[int, ...]]], atom: int) -> tuple[int, int, int]:
    """If an atom is a name like others: how many units have it, of how many of these the others tell the answer, and
    how often they are right."""
    names = _Names.of(classes, len(evidence.atoms))
    having = told = right = 0
    for units in evidence.shapes:
        keys, answers, unsure = _abstract(units, names, [{}])
        has = (units.rows == atom).any(1)
        having += int(has.sum())
        known, at = np.unique(keys[~has & ~unsure], return_index=True)
        if not len(known):
            continue
        answer = answers[~has & ~unsure][at]
        place = np.minimum(np.searchsorted(known, keys[has]), len(known) - 1)
        hit = known[place] == keys[has]
        told += int(hit.sum())
        right += int((hit & (answer[place] == answers[has]) & ~unsure[has]).sum())
    return having, told, right


def _abstract(
    units: Units, names: _Names, turns: Sequence[Mapping[int, int]]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(units,) each: a number for what the answer rests on, one for the answer, and whether the answer depends on which
    of the names that weren't named is meant, or on the way round in which one looks at it."""
    best: tuple[np.ndarray, np.ndarray] | None = None
    unsure = np.zeros(len(units.rows), bool)
    for turn in turns:
        table = np.append(np.arange(len(names.entity) - 1), -1)
        for a, b in turn.items():
            table[a] = b
        keys, answers, fresh = _keys(units, table[units.rows], names)
        unsure |= fresh
        if best is None:
            best = keys, answers
            continue
        unsure |= (keys == best[0]) & (answers != best[1])
        earlier = keys < best[0]
        best = np.where(earlier, keys, best[0]), np.where(earlier, answers, best[1])
    assert best
    return *best, unsure


def _keys(units: Units, rows: np.ndarray, names: _Names) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    draw = np.random.default_rng(0)
    width = rows.shape[1]
    asked = width - units.answers
    factors = draw.integers(1 << 62, size=(2, width), dtype=np.uint64) | np.uint64(1)
    entity = names.entity[rows]
    places = np.flatnonzero((entity >= 0).any(0))
    first = np.zeros_like(rows)
    block = max(1, _BLOCK // (len(places) ** 2 + 1))
    for start in range(0, len(rows) if len(places) else 0, block):
        part = entity[start : start + block, places]
        same = (part[:, :, None] == part[:, None, :]) & (part >= 0)[:, :, None]
        first[start : start + block, places] = np.where(same.any(2), places[same.argmax(2)] + 1, 0)
    value = names.kind[rows].astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + first.astype(np.uint64)
    value = (value ^ (value >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    keys = (value[:, :asked] * factors[0, :asked]).sum(1, dtype=np.uint64)
    answers = (value[:, asked:] * factors[1, asked:]).sum(1, dtype=np.uint64)
    return keys, answers, (first[:, asked:] > asked).any(1)


def _disagreeing(keys: np.ndarray, answers: np.ndarray) -> int:
    """How many answers aren't the most frequent one of their key."""
    pairs, counts = np.unique(np.stack([keys, answers]), axis=1, return_counts=True)
    most = np.zeros(len(np.unique(keys)), np.int64)
    np.maximum.at(most, np.unique(pairs[0], return_inverse=True)[1], counts)
    return len(keys) - int(most.sum())


def _names_tell_nothing(evidence: Evidence, names: _Names) -> bool:
    """Whether answers depend on a question, alone or with one fact, only by where its names are the same: no more than
    by chance on which names they are (Pearson's test of independence)."""
    literal = _Names.of([], len(evidence.atoms))
    answered = [units for units in evidence.shapes if units.answers]
    for some in (answered, [units.of_question() for units in answered]):
        by_name = np.concatenate([_keys(units, units.rows, literal)[0] for units in some])
        abstract = [_keys(units, units.rows, names) for units in some]
        keys, answers = (np.concatenate([each[i] for each in abstract]) for i in (0, 1))
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


def _mentioned(
    evidence: Evidence, seen: list[tuple[set[int], list[int]]], classes: Iterable[Sequence[tuple[int, ...]]]
) -> bool:
    names = {atom for entities in classes for entity in entities for atom in entity}
    asked = named = 0
    for sentences, answer in seen:
        wanted = names.intersection(answer)
        if wanted:
            asked += 1
            named += wanted <= set(np.unique(evidence.sentences[sorted(sentences)]).tolist())
    return named >= _MENTIONED * asked
