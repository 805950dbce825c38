"""Which words may change places: symmetries of each task, found in its training stories.

Two words are taken for names where all that is known stays known when they change places: sentences and questions, the
company that words keep (`company.py`), and answers (`proof.py`). Where that takes others along, as mice go with the
mouse, these change places too. Of plain text nothing is claimed, and without supporting facts only classes of three or
more; words that only facts have are then told from one another by all that stories say (`telling.py`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from dmn_cli.data.symmetries import Symmetries
from dmn_cli.data.symmetries.company import mended, passes
from dmn_cli.data.symmetries.evidence import Evidence
from dmn_cli.data.symmetries.proof import Found, consistent, predicts
from dmn_cli.data.symmetries.shared_forms import with_shared_forms
from dmn_cli.data.symmetries.tables import Pair, moves_of

_CLASS = 3  # of fewer one can't tell whether they are names, or left and right
_TURNS = 64  # products of swaps, at most
_CANDIDATES = 500
_TOLD = 0.9  # of what is known of a name, that which others tell,
_RIGHT = 0.99  # and how often they are right
_ENOUGH = 20


def symmetries_in(evidence: Evidence | None) -> Symmetries:
    """The symmetries of a task, by the evidence in its training stories; empty where none are found."""
    if evidence is None or len(evidence.candidates) > _CANDIDATES:
        return Symmetries()
    classes, swaps, evidence = _involved(evidence)
    classes, swaps = _proved(evidence, classes, swaps)
    if evidence.supported:
        classes = [_joined(evidence, classes, n, swaps) for n in range(len(classes))]
    atoms = evidence.atoms
    return _apart(
        Symmetries(
            tuple(tuple(tuple(atoms[form] for form in entity) for entity in entities) for entities in classes),
            tuple(tuple((atoms[a], atoms[b]) for a, b in swap) for swap in swaps),
        ),
        {atom for atom in atoms if " " in atom},
    )


def _apart(symmetries: Symmetries, names: set[str]) -> Symmetries:
    """Without forms that are part of a name that stays: of a box of chocolates, where boxes change places.

    names: those of several words
    """
    while True:
        moving = {form for entities in symmetries.classes for entity in entities for form in entity}
        moving |= {form for swap in symmetries.swaps for pair in swap for form in pair}
        parts = {form for form in moving for name in names - moving if f" {form} " in f" {name} "}
        if not parts:
            return symmetries
        classes = ([entity for entity in entities if parts.isdisjoint(entity)] for entities in symmetries.classes)
        symmetries = Symmetries(
            tuple(tuple(entities) for entities in classes if len(entities) >= _CLASS),
            tuple(swap for swap in symmetries.swaps if parts.isdisjoint(form for pair in swap for form in pair)),
        )


Classes = list[list[tuple[int, ...]]]
Swaps = list[list[Pair]]


def _involved(evidence: Evidence) -> tuple[Classes, Swaps, Evidence]:
    """Classes and swaps that pass all tests of company, and the evidence with the atoms that they are of."""
    candidates = sorted((a, b) for a, others in evidence.candidates.items() for b in others if a < b)
    alone = _Groups()
    rest: list[Pair] = []
    for a, b in candidates:
        if alone.of(a) != alone.of(b):
            if passes(evidence, [(a, b)]):
                alone.join(a, b)
            else:
                rest.append((a, b))
    groups = alone.groups()
    classes = [[(atom,) for atom in group] for group in groups if len(group) >= _CLASS]
    if not evidence.supported:
        return [entities for entities in classes if evidence.names(entities)], [], evidence
    named = {atom for group in groups if len(group) >= _CLASS for atom in group}
    joint = [[(group[0], group[1])] for group in groups if len(group) < _CLASS]
    tried: set[Pair] = set()
    for a, b in rest:
        if named.isdisjoint((a, b)) and alone.of(a) != alone.of(b) and (a, b) not in tried:
            found = mended(evidence, a, b)
            if found and named.isdisjoint(atom for pair in found for atom in pair):
                joint.append(found)
                tried.update((min(pair), max(pair)) for pair in found)
    together, swaps = _together(joint)
    for entities in together:
        evidence = with_shared_forms(evidence, entities)
    taken = {atom for entities in together for entity in entities for atom in entity}
    classes = [[entity for entity in entities if taken.isdisjoint(entity)] for entities in classes]
    swaps = [swap for swap in swaps if taken.isdisjoint(atom for pair in swap for atom in pair)]
    return [entities for entities in classes if len(entities) >= _CLASS] + together, swaps, evidence


class _Groups:
    """What belongs together."""

    def __init__(self) -> None:
        self._above: dict[int, int] = {}

    def of(self, atom: int) -> int:
        while (above := self._above.get(atom, atom)) != atom:
            atom = above
        return atom

    def join(self, a: int, b: int) -> None:
        self._above[self.of(a)] = self.of(b)

    def groups(self) -> list[list[int]]:
        found: dict[int, list[int]] = defaultdict(list)
        for atom in sorted({*self._above, *self._above.values()}):
            found[self.of(atom)].append(atom)
        return list(found.values())


def _together(joint: Swaps) -> tuple[Classes, Swaps]:
    """Joint swaps as classes of entities with several forms, where an atom always goes with the same others and three
    or more entities change places; else as swaps, without those that others make up."""
    company: dict[int, set[frozenset[int]]] = defaultdict(set)
    for swap in joint:
        for side in zip(*swap, strict=True):
            for atom in side:
                company[atom].add(frozenset(side))
    firm = [swap for swap in joint if all(len(company[atom]) == 1 for pair in swap for atom in pair)]
    groups = _Groups()
    for swap in firm:
        groups.join(swap[0][0], swap[0][1])
        for a, b in swap[1:]:
            groups.join(a, swap[0][0])
            groups.join(b, swap[0][0])
    classes: Classes = []
    rest = [swap for swap in joint if swap not in firm]
    for group in groups.groups():
        swaps = [swap for swap in firm if swap[0][0] in group]
        entities = _aligned(swaps)
        if len(entities) >= _CLASS:
            classes.append(entities)
        else:
            rest += swaps
    return classes, _generators(sorted(rest, key=lambda swap: (len(swap), swap)))


def _aligned(swaps: Swaps) -> list[tuple[int, ...]]:
    """The entities that change places, with their forms in one order."""
    found = [tuple(a for a, _ in swaps[0])]
    for entity in found:
        for swap in swaps:
            both = {**dict(swap), **{b: a for a, b in swap}}
            if set(entity) <= set(both):
                image = tuple(both[form] for form in entity)
                if image not in found:
                    found.append(image)
    return found


def _generators(swaps: Swaps) -> Swaps:
    """As many swaps as make all of them, in their order."""
    chosen: Swaps = []
    made: list[dict[int, int]] = [{}]
    for swap in swaps:
        if moves_of(swap) not in made and len(larger := products([*chosen, swap])) <= _TURNS:
            chosen.append(swap)
            made = larger
    return chosen


def products(swaps: Iterable[Sequence[Pair]]) -> list[dict[int, int]]:
    """All that swaps one after another make, without what stays; at most a little more than _TURNS of them."""
    steps = [moves_of(swap) for swap in swaps]
    found: list[dict[int, int]] = [{}]
    for turn in found:
        for step in steps:
            image = {a: step.get(turn.get(a, a), turn.get(a, a)) for a in {**turn, **step}}
            image = {a: b for a, b in image.items() if a != b}
            if image not in found and len(found) <= _TURNS:
                found.append(image)
    return found


def _proved(evidence: Evidence, classes: Classes, swaps: Swaps) -> tuple[Classes, Swaps]:
    """Those by which answers follow from what they rest on: each by itself, and all together. Where the support is
    known, and they do so all together, they do by themselves."""
    if evidence.supported and consistent(evidence, Found(classes, products(swaps))):
        return classes, _without_opposites(evidence, swaps)
    classes = [entities for entities in classes if consistent(evidence, Found([entities], [{}]))]
    swaps = [swap for swap in swaps if consistent(evidence, Found([], products([swap])))]
    swaps = _without_opposites(evidence, swaps)
    for chosen in (swaps, []):
        if consistent(evidence, Found(classes, products(chosen))):
            return classes, chosen
    return [], []


def _without_opposites(evidence: Evidence, swaps: Swaps) -> Swaps:
    """Two words that are nothing but answers may be yes and no, which stay; n, s, e and w change places."""
    only = evidence.answer_atoms & ~evidence.fact_atoms & ~evidence.question_atoms
    groups = _Groups()
    for swap in swaps:
        for a, b in swap:
            groups.join(a, b)
    opposite = {atom for group in groups.groups() if len(group) == 2 for atom in group if only[atom]}
    return [swap for swap in swaps if opposite.isdisjoint(atom for pair in swap for atom in pair)]


def _joined(evidence: Evidence, classes: Classes, which: int, swaps: Swaps) -> list[tuple[int, ...]]:
    """A class with further names, which lack sentences that others have, but of which the others tell each answer."""
    entities = classes[which]
    if len(entities[0]) > 1:
        return entities
    named = {form for each in classes for entity in each for form in entity}
    named |= {atom for swap in swaps for pair in swap for atom in pair}
    while True:
        near = {other for (atom,) in entities for other in evidence.candidates.get(atom, ())} - named
        joining = next((atom for atom in sorted(near) if _told(evidence, classes, which, atom)), None)
        if joining is None:
            return entities
        entities = [*entities, (joining,)]
        classes = [*classes[:which], entities, *classes[which + 1 :]]
        named.add(joining)


def _told(evidence: Evidence, classes: Classes, which: int, atom: int) -> bool:
    """Whether what is known of the names of a class tells all that is known of an atom, if it is one of them."""
    larger = [*classes[:which], [*classes[which], (atom,)], *classes[which + 1 :]]
    having, told, right = predicts(evidence, larger, atom)
    return told >= max(_ENOUGH, _TOLD * having) and right >= _RIGHT * told
