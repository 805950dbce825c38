"""Symmetries of a task: words that can change places, answers with them, and every story means what it meant.

Where entities are only names, all of a *class* may change places: people, rooms. An entity is a tuple of forms, and a
form is one word or several, joined by blanks: ("mary",), ("mouse", "mice"), ("pink rectangle",). A *swap* exchanges
several pairs of forms at once: left with right; north with south and n with s. Answers count as forms too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

Entity = tuple[str, ...]
Swap = tuple[tuple[str, str], ...]
_LARGEST = 1024  # elements of a group of swaps that are listed; of a larger one, long random products are drawn


@dataclass(frozen=True)
class Symmetries:
    """Of one task. Taken as sound: `files.py` checks what a person wrote."""

    classes: tuple[tuple[Entity, ...], ...] = ()
    swaps: tuple[Swap, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.classes or self.swaps)

    @cached_property
    def forms(self) -> list[str]:
        """Those that may change, each once."""
        of_classes = [form for entities in self.classes for entity in entities for form in entity]
        return [*dict.fromkeys(of_classes + [form for swap in self.swaps for pair in swap for form in pair])]

    @cached_property
    def names(self) -> dict[str, str]:
        """Each form of a class's entities, and the first form of its entity."""
        return {form: entity[0] for entities in self.classes for entity in entities for form in entity}

    @cached_property
    def of_words(self) -> bool:
        """Whether each element only permutes single words, so that it can be applied to rows of a table; else whole
        sentences have to be written anew."""
        alike = any(len(set(entity)) < len(entity) for entities in self.classes for entity in entities)
        return not alike and not any(" " in form for form in self.forms)

    def where(self, allowed: Callable[[str], bool]) -> Symmetries:
        """Those classes and swaps all of whose forms are allowed."""
        return Symmetries(
            tuple(each for each in self.classes if all(allowed(form) for entity in each for form in entity)),
            tuple(swap for swap in self.swaps if all(allowed(form) for pair in swap for form in pair)),
        )

    def beside(self, other: Symmetries) -> Symmetries:
        """With the classes of another that have nothing in common with it."""
        own = {*self.forms}
        more = (each for each in other.classes if own.isdisjoint(form for entity in each for form in entity))
        return Symmetries((*self.classes, *more), self.swaps)

    @cached_property
    def _turns(self) -> list[dict[str, str]] | None:
        """All products of the swaps; None where there are too many to list."""
        swaps = [_both_ways(swap) for swap in self.swaps]
        found, new = [dict[str, str]()], [dict[str, str]()]
        while new:
            products = [_then(turn, swap) for turn in new for swap in swaps]
            new = [turn for n, turn in enumerate(products) if turn not in found and turn not in products[:n]]
            found += new
            if len(found) > _LARGEST:
                return None
        return found

    def turns(self, random: np.random.Generator, count: int) -> tuple[list[dict[str, str]], np.ndarray]:
        """Random products of the swaps: the distinct ones, each as what forms become that don't stay, and which of
        these each of `count` is."""
        if self._turns is None:
            return [self._long_product(random) for _ in range(count)], np.arange(count)
        which, turn = np.unique(random.integers(len(self._turns), size=count), return_inverse=True)
        return [self._turns[i] for i in which], turn

    def _long_product(self, random: np.random.Generator) -> dict[str, str]:
        turn: dict[str, str] = {}
        for i in random.integers(len(self.swaps), size=64 + int(random.integers(2))):
            turn = _then(turn, _both_ways(self.swaps[i]))
        return turn


def _both_ways(swap: Swap) -> dict[str, str]:
    return {a: b for pair in swap for a, b in (pair, pair[::-1])}


def _then(first: Mapping[str, str], second: Mapping[str, str]) -> dict[str, str]:
    """One permutation after another, without what stays in its place."""
    images = {form: second.get(first.get(form, form), first.get(form, form)) for form in {**first, **second}}
    return {form: image for form, image in images.items() if image != form}


def folded(answers: Iterable[str]) -> dict[str, str]:
    """Answers by what they are in lower case; of two that differ only in case, the first."""
    found: dict[str, str] = {}
    for answer in answers:
        found.setdefault(answer.casefold(), answer)
    return found
