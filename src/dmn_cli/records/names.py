"""Names that a model can be told: which words were only names to it, its spares, and where names stand in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Entity = tuple[str, ...]  # the forms of a name, or of anything that has one


class Place(NamedTuple):
    """Where a name stands in a sentence: of which kind, and in which of its forms.

    In a sentence it is a word that no text has: a tab, the number of the kind, a dot, the number of the form.
    """

    kind: int
    form: int

    def __str__(self) -> str:
        return f"\t{self.kind}.{self.form}"

    @classmethod
    def read(cls, word: str) -> Place | None:
        """None where it is a word."""
        if not word.startswith("\t"):
            return None
        kind, _, form = word[1:].partition(".")
        return cls(int(kind), int(form))


@dataclass(frozen=True)
class NameKind:
    """Names of one kind, such as those of people: all forms of each."""

    members: tuple[Entity, ...]  # known from training
    spares: tuple[Entity, ...]  # words that no text has, as well trained as the others


@dataclass(frozen=True)
class Names:
    kinds: tuple[NameKind, ...] = ()
    forms: tuple[tuple[str, ...], ...] = ()  # sentences of training, with a place for each name
    symmetries: dict[str, Any] = field(default_factory=dict)  # by task, as in dataset.json: for people

    def __bool__(self) -> bool:
        return bool(self.kinds)

    def as_json(self) -> dict[str, Any]:
        return {
            "kinds": [{"members": _lists(kind.members), "spares": _lists(kind.spares)} for kind in self.kinds],
            "forms": [" ".join(form) for form in self.forms],
            "symmetries": self.symmetries,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Names:
        """Raises: KeyError, TypeError, ValueError, AttributeError where it isn't what `as_json` gives."""
        kinds = tuple(NameKind(_tuples(kind["members"]), _tuples(kind["spares"])) for kind in value["kinds"])
        forms = tuple(tuple(form.split(" ")) for form in value["forms"])
        widths = [{len(name) for name in (*kind.members, *kind.spares)} for kind in kinds]
        if not all(len(width) == 1 and 0 not in width for width in widths):
            raise ValueError("names of a kind have different numbers of forms")
        for place in {place for form in forms for word in form if (place := Place.read(word))}:
            if not (0 <= place.kind < len(kinds) and 0 <= place.form < max(widths[place.kind])):
                raise ValueError("a place for a name of no kind")
        return cls(kinds, forms, dict(value["symmetries"]))


def _lists(entities: Sequence[Entity]) -> list[list[str]]:
    return [list(entity) for entity in entities]


def _tuples(entities: Any) -> tuple[Entity, ...]:
    found = tuple(tuple(entity) for entity in entities)
    "".join(form for entity in found for form in entity).encode()
    return found
