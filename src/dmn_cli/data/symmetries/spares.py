"""Spare members of classes: they take part in the permutations of training, and later stand for names never seen.

Tasks whose classes share a member have one kind of name in common, with the same spares. A spare's forms are words that
no text has: they begin with a tab.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from dmn_cli.data.symmetries import Entity, Symmetries

LEAST = 8  # spares of a class, or as many as it has members, if these are more


def is_spare(word: str) -> bool:
    return word.startswith("\t")


@dataclass(frozen=True)
class Kind:
    """Classes of several tasks that share members: people, rooms."""

    members: frozenset[Entity]
    spares: tuple[Entity, ...]


def kinds(tasks: Mapping[str, Symmetries]) -> list[Kind]:
    """Of all classes of all tasks, in the order of their first members."""
    groups: list[set[Entity]] = []
    for symmetries in tasks.values():
        for members in symmetries.classes:
            joined = set(members)
            apart = []
            for group in groups:
                if joined & group and len(next(iter(group))) == len(members[0]):
                    joined |= group
                else:
                    apart.append(group)
            groups = [*apart, joined]
    found = []
    for n, group in enumerate(sorted(groups, key=min)):
        forms = len(next(iter(group)))
        most = max(len(c) for s in tasks.values() for c in s.classes if group.issuperset(c))
        spares = tuple(
            tuple(f"\t{n}.{i}" if forms == 1 else f"\t{n}.{i}.{form}" for form in range(forms))
            for i in range(max(LEAST, most))
        )
        found.append(Kind(frozenset(group), spares))
    return found


def with_spares(tasks: Mapping[str, Symmetries]) -> dict[str, Symmetries]:
    """The same symmetries, each class with its kind's spares after its own members."""
    known = kinds(tasks)

    def of(members: tuple[Entity, ...]) -> tuple[Entity, ...]:
        (kind,) = (kind for kind in known if kind.members.issuperset(members))
        return (*members, *kind.spares)

    return {task: replace(s, classes=tuple(map(of, s.classes))) for task, s in tasks.items()}
