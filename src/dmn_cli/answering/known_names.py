"""Where names that a model knows stand in sentences, spares among them, and which of them a question is about."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from operator import or_
from typing import NamedTuple

from dmn_cli.records.names import Names


class Named(NamedTuple):
    """Words of a sentence that are a name."""

    which: int  # the names that they may be, as the bits of a number
    start: int
    end: int


class KnownNames:
    """Of one model."""

    def __init__(self, names: Names) -> None:
        self._which: dict[str, int] = {}  # form → the names that it may be
        self._kinds: list[int] = []  # all names of each kind
        count = 0
        for kind in names.kinds:
            entities = (*kind.members, *kind.spares)
            for n, entity in enumerate(entities, count):
                for form in entity:
                    self._which[form] = self._which.get(form, 0) | 1 << n
            self._kinds.append((1 << len(entities)) - 1 << count)
            count += len(entities)
        self._longest = max((form.count(" ") + 1 for form in self._which), default=0)

    def named(self, words: Sequence[str]) -> list[Named]:
        """The names in a sentence, the longest that fits from left to right."""
        found: list[Named] = []
        at = 0
        while at < len(words):
            for end in range(min(at + self._longest, len(words)), at, -1):
                which = self._which.get(words[at] if end == at + 1 else " ".join(words[at:end]))
                if which is not None:
                    found.append(Named(which, at, end))
                    at = end - 1
                    break
            at += 1
        return found

    def asked_about(self, words: Sequence[str]) -> list[Named]:
        """The first name of a question, and others of its kind. Where it only asks whether someone is somewhere, that
        the place isn't mentioned is nothing to speak of."""
        found = self.named(words)
        kinds = union(kind for kind in self._kinds if found and kind & found[0].which)
        return [name for name in found if name.which & kinds]


def union(sets: Iterable[int]) -> int:
    """Of sets as the bits of numbers."""
    return reduce(or_, sets, 0)
