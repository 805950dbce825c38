"""Symmetries of a task: words that can change places, answers with them, and every story means what it meant.

Where entities are only names, all of a *class* may change places: people, rooms. An entity is a tuple of forms, and a
form is one word or several, joined by blanks: ("mary",), ("mouse", "mice"), ("pink rectangle",). A *swap* exchanges
several pairs of forms at once: left with right; north with south and n with s. Answers count as forms too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np

from dmn_cli.data.words.affixes import affixes, is_affix

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
    def of_words(self) -> bool:
        """Whether each element only permutes single words, so that it can be applied to rows of a table; else whole
        sentences have to be written anew."""
        forms = [form for entities in self.classes for entity in entities for form in entity]
        forms += {form for swap in self.swaps for pair in swap for form in pair}
        return len(set(forms)) == len(forms) and not any(" " in form for form in forms)

    def where(self, allowed: Callable[[str], bool]) -> Symmetries:
        """Those classes and swaps all of whose forms are allowed."""
        return Symmetries(
            tuple(each for each in self.classes if all(allowed(form) for entity in each for form in entity)),
            tuple(swap for swap in self.swaps if all(allowed(form) for pair in swap for form in pair)),
        )

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

    def draw(self, rng: np.random.Generator) -> Renaming:
        """A random element: all permutations of a class are equally likely, and so are all products of swaps."""
        images: dict[str, list[str]] = {}
        for entities in self.classes:
            for entity, i in zip(entities, rng.permutation(len(entities)), strict=True):
                for form, image in zip(entity, entities[i], strict=True):
                    images[form] = [*images.get(form, ()), image]
        turn = self._turn(rng)
        for form, image in turn.items():
            images.setdefault(form, [image])
        return Renaming({form: tuple(dict.fromkeys(image)) for form, image in images.items()})

    def turns(self, rng: np.random.Generator, count: int) -> list[dict[str, str]]:
        """Random products of the swaps: what each form becomes that doesn't stay."""
        return [self._turn(rng) for _ in range(count)] if self.swaps else [{}] * count

    def _turn(self, rng: np.random.Generator) -> dict[str, str]:
        if self._turns is not None:
            return self._turns[rng.integers(len(self._turns))]
        turn: dict[str, str] = {}
        for i in rng.integers(len(self.swaps), size=64 + int(rng.integers(2))):
            turn = _then(turn, _both_ways(self.swaps[i]))
        return turn


def _both_ways(swap: Swap) -> dict[str, str]:
    return {a: b for pair in swap for a, b in (pair, pair[::-1])}


def _then(first: Mapping[str, str], second: Mapping[str, str]) -> dict[str, str]:
    """One permutation after another, without what stays in its place."""
    images = {form: second.get(first.get(form, form), first.get(form, form)) for form in {**first, **second}}
    return {form: image for form, image in images.items() if image != form}


class Renaming:
    """An element of a group of symmetries: what each form becomes.

    A form that is two forms of its entity, as "sheep" is, has two images, "mouse" and "mice".
    """

    def __init__(self, images: Mapping[str, Sequence[str]]) -> None:
        self.images = images
        self._starts: dict[str, list[tuple[str, ...]]] = {}
        for form in sorted(images, key=len, reverse=True):
            words = tuple(form.split(" "))
            self._starts.setdefault(words[0], []).append(words)
        self._folded = {form.casefold(): image for form, image in images.items()}

    def sentence(self, words: Sequence[str], known: Collection[tuple[str, ...]] = ()) -> list[str]:
        """A sentence, as its words, written anew. The longest form that fits is taken, from left to right.

        Affixes (`affixes.py`) are those of the words that take a word's place. `known`: sentences without affixes; of
        several ways to write a form, one is taken that makes one of these, or else the first.
        """
        plain = [word for word in words if not is_affix(word)]
        parts = self._parts(plain)
        ways = product(*(images for _, images in parts))
        first = next(ways)
        chosen = first
        if any(len(images) > 1 for _, images in parts):
            chosen = next((way for way in (first, *ways) if tuple(_flat(way)) in known), first)
        if len(plain) == len(words):
            return _flat(chosen)
        given = _affixes_of_each(words)
        written: list[str] = []
        at = 0
        for (length, _), image in zip(parts, chosen, strict=True):
            of_part = given[at : at + length]
            kept = image == tuple(plain[at : at + length])
            for n, word in enumerate(image):
                written.append(word)
                if kept:
                    written += of_part[n]
                elif of_part[min(n, length - 1)]:
                    capital = of_part[min(n, length - 1)][0].startswith(" X")
                    written += affixes(word[:1].upper() + word[1:] if capital else word)
            at += length
        return written

    def _parts(self, words: Sequence[str]) -> list[tuple[int, list[tuple[str, ...]]]]:
        """The sentence in parts: how many words each has, and what it can become."""
        parts: list[tuple[int, list[tuple[str, ...]]]] = []
        at = 0
        while at < len(words):
            fits = (form for form in self._starts.get(words[at], ()) if tuple(words[at : at + len(form)]) == form)
            form = next(fits, None)
            if form is None:
                parts.append((1, [(words[at],)]))
            else:
                parts.append((len(form), [tuple(image.split(" ")) for image in self.images[" ".join(form)]]))
            at += parts[-1][0]
        return parts

    def answer(self, words: Sequence[str], known: Mapping[str, str]) -> tuple[str, ...]:
        """An answer, as its words. `known`: the answers that there are, by what they are in lower case (`casefold`)."""
        return tuple(self._answer(word, known) for word in words)

    def _answer(self, word: str, known: Mapping[str, str]) -> str:
        images = self._folded.get(word.casefold(), (word,))
        return next((known[image.casefold()] for image in images if image.casefold() in known), word)


def folded(answers: Iterable[str]) -> dict[str, str]:
    """Answers by what they are in lower case; of two that differ only in case, the first."""
    found: dict[str, str] = {}
    for answer in answers:
        found.setdefault(answer.casefold(), answer)
    return found


def _flat(parts: Iterable[tuple[str, ...]]) -> list[str]:
    return [word for part in parts for word in part]


def _affixes_of_each(words: Sequence[str]) -> list[list[str]]:
    """The affixes that follow each word."""
    found: list[list[str]] = []
    for word in words:
        if is_affix(word) and found:
            found[-1].append(word)
        else:
            found.append([])
    return found
