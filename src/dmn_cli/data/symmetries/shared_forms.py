"""Names one word of which stands for several forms, as sheep are one and many."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dmn_cli.data.symmetries.company import passes
from dmn_cli.data.symmetries.evidence import Evidence


def with_shared_forms(evidence: Evidence, entities: list[tuple[int, ...]]) -> Evidence:
    """Adds to a class of entities with several forms those with one word for several, as sheep are. In the evidence
    that is returned such a word is one atom for each form."""
    for atom in sorted(
        set(np.flatnonzero(evidence.eligible).tolist()) - {form for entity in entities for form in entity}
    ):
        split = _split(evidence, entities, atom)
        if split:
            other, entity = split
            if passes(other, [*zip(entities[0], entity, strict=True)]):
                evidence = other
                entities.append(entity)
    return evidence


def _split(
    evidence: Evidence, entities: Sequence[tuple[int, ...]], atom: int
) -> tuple[Evidence, tuple[int, ...]] | None:
    """The evidence with an atom for each form that a word stands for, and these; None where it stands for fewer."""
    form_of = {form: n for entity in entities for n, form in enumerate(entity)}
    among = np.zeros(len(evidence.atoms), bool)
    among[[*form_of, atom]] = True
    rows, place = np.nonzero(evidence.sentences == atom)
    counts = evidence.fact_counts + evidence.question_counts
    frame, filler, row, at = evidence.whole.frames(among)
    forms: dict[int, set[int]] = defaultdict(set)
    for one, other in zip(frame.tolist(), filler.tolist(), strict=True):
        if other != atom:
            forms[one].add(form_of[other])
    mine = filler == atom
    standing = {
        (r, p): forms[one]
        for one, r, p in zip(frame[mine].tolist(), row[mine].tolist(), at[mine].tolist(), strict=True)
    }
    if (
        any(len(standing[key]) != 1 for key in zip(rows.tolist(), place.tolist(), strict=True))
        or not counts[rows].all()
    ):
        return None
    form = np.array([next(iter(standing[key])) for key in zip(rows.tolist(), place.tolist(), strict=True)])
    number = len(entities[0])
    if set(form.tolist()) != set(range(number)):
        return None
    answering = next((n for n in range(number) if evidence.answer_atoms[[e[n] for e in entities]].any()), 0)
    atoms = [*evidence.atoms]
    entity = []
    for n in range(number):
        if n == answering:
            entity.append(atom)
        else:
            entity.append(len(atoms))
            atoms.append(evidence.atoms[atom])
    sentences = evidence.sentences.copy()
    sentences[rows, place] = np.array(entity)[form]
    return replace(evidence, atoms=atoms, sentences=sentences), tuple(entity)
