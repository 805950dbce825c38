"""Sentences laid over those of training, which have places for names (`data/symmetries/places.py`).

aisha went to the observatory .
⟨person⟩ went to the ⟨room⟩ .
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice, pairwise
from typing import NamedTuple

from dmn_cli.answering.spelling import has_capitals, may_be_one_name
from dmn_cli.records.names import Names, Place

LONGEST = 5  # words of a name, hyphens and the like among them
_FITS = 64  # ways to lay one sentence over the known ones that are looked at

Words = Sequence[str]


class Span(NamedTuple):
    """A name in a sentence: words[start:end]."""

    start: int
    end: int
    place: Place
    text: str  # its words, joined by blanks
    article: str = ""  # that would have to precede it


Fit = tuple[Span, ...]  # all names of a sentence


@dataclass
class _Tree:
    """Known sentences without the signs at their ends, or the rest of those that begin alike."""

    words: dict[str, _Tree] = field(default_factory=dict)
    places: dict[Place, _Tree] = field(default_factory=dict)
    ends: bool = False  # whether one ends here


class KnownSentences:
    """Of one model."""

    def __init__(self, names: Names, known: frozenset[str]) -> None:
        """known: all words of the model"""
        self._names, self._known = names, known
        self._places: dict[str, set[Place]] = {}  # of known names
        for k, kind in enumerate(names.kinds):
            for entity in kind.members:
                for f, form in enumerate(entity):
                    self._places.setdefault(form, set()).add(Place(k, f))
        self._parts = {word for form in self._places for word in form.split(" ")}  # of known names

    def is_new(self, span: Span) -> bool:
        """Whether it is no known name."""
        return span.place not in self._places.get(span.text, ())

    def fits(self, words: Words, written: Words) -> list[Fit]:
        """The ways to lay a sentence over a known one in which new names have the fewest words. written: its words with
        the case as written"""
        fits = list(islice(self._laid(words[: _body(words)], written, 0, self._tree), _FITS))
        new = [sum(span.end - span.start for span in fit if self.is_new(span)) for fit in fits]
        return [fit for fit, length in zip(fits, new, strict=True) if length == min(new)]

    def _laid(self, words: Words, written: Words, at: int, known: _Tree) -> Iterator[Fit]:
        """All ways to lay the rest of a sentence over the rest of known ones."""
        if at == len(words):
            if known.ends:
                yield ()
            return
        if words[at] in known.words:
            yield from self._laid(words, written, at + 1, known.words[words[at]])
        for article, place, further in self._places_at(known):
            for end in range(at + 1, min(at + LONGEST, len(words)) + 1):
                span = Span(at, end, place, " ".join(words[at:end]), article)
                if article and not (at and has_capitals(written[at:end])):
                    continue
                if not self.is_new(span) or self._may_be_new(words[at:end], written[at:end]):
                    for rest in self._laid(words, written, end, further):
                        yield (span, *rest)

    def _may_be_new(self, words: Words, written: Words) -> bool:
        if all(word in self._known for word in words):
            return False
        return len(words) == 1 or may_be_one_name(written, [w not in self._known or w in self._parts for w in words])

    def _places_at(self, known: _Tree) -> Iterator[tuple[str, Place, _Tree]]:
        """Where a name may stand next: with the article that may be left out before one that has capitals, as Paris."""
        for place, further in known.places.items():
            yield "", place, further
        for article in self._articles & known.words.keys():
            for place, further in known.words[article].places.items():
                if self._article.get(place) == article:
                    yield article, place, further

    @cached_property
    def _article(self) -> dict[Place, str]:
        """The word that precedes a place wherever it is known to be, if there is one."""
        before: dict[Place, set[str]] = {}
        for form in self._names.forms:
            for previous, word in pairwise(("", *form)):
                if place := Place.read(word):
                    before.setdefault(place, set()).add(previous)
        return {place: next(iter(words)) for place, words in before.items() if len(words) == 1 and "" not in words}

    @cached_property
    def _articles(self) -> set[str]:
        return set(self._article.values())

    @cached_property
    def _tree(self) -> _Tree:
        root = _Tree()
        for form in self._names.forms:
            tree = root
            for word in form[: _body(form)]:
                place = Place.read(word)
                tree = tree.words.setdefault(word, _Tree()) if place is None else tree.places.setdefault(place, _Tree())
            tree.ends = True
        return root


def _body(words: Words) -> int:
    """How many words there are up to the signs that end a sentence."""
    length = len(words)
    while length and not any(letter.isalnum() for letter in words[length - 1]):
        length -= 1
    return length
