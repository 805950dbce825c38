"""What a person who types is told: which words the model doesn't know, and how a word may go on."""

from __future__ import annotations

import re
from bisect import bisect_left
from functools import cached_property
from typing import NamedTuple

from dmn_cli.answering.encoder import Encoder
from dmn_cli.answering.spelling import with_capital_of
from dmn_cli.data.words.vocabulary import UNKNOWN
from dmn_cli.errors import DataError

_MOST = 12  # ways in which a word may go on
_BEGUN = re.compile(r"\w+$")  # a word that may still go on
_PIECE = "▁"  # how a piece begins that begins a word


class Span(NamedTuple):
    """A part of a line."""

    start: int
    end: int
    name: bool  # it is new, and read as a name


class Hints:
    """For lines that are asked or told of one model."""

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder

    def unknown(self, line: str) -> list[Span]:
        """The words of a fact or question that the model doesn't know, in their order, but one that has only begun."""
        try:
            if not self.encoder.unknown_words([line]):
                return []
            bound = self.encoder.bound([line])
        except DataError:  # no words yet
            return []
        kinds = dict.fromkeys((*bound.unknown, *bound.meant, *bound.too_many), False)
        kinds = dict.fromkeys(bound.names, True) | kinds
        found: dict[tuple[int, int], bool] = {}
        for word in sorted(kinds, key=len, reverse=True):  # a name of several words comes before its words
            for start, end in _places(word, line):
                if not any(begin < end and start < stop for begin, stop in found):
                    found[start, end] = kinds[word]
        begun = _BEGUN.search(line)
        if begun and self._known_from(begun[0].casefold()):
            found = {place: name for place, name in found.items() if place[1] != len(line)}
        return [Span(*place, name) for place, name in sorted(found.items())]

    def goes_on(self, line: str) -> tuple[str, list[str]]:
        """The word that a line ends with, and how it may go on: known words, with a capital where it has one."""
        begun = _BEGUN.search(line)
        if not begun:
            return "", []
        return begun[0], [with_capital_of(begun[0], word) for word in self._known_from(begun[0].casefold())]

    def _known_from(self, begun: str) -> list[str]:
        """Some known words that go on like this, in the order of the alphabet. begun: in lower case"""
        first = bisect_left(self._words, begun, key=str.casefold)
        some = self._words[first : first + _MOST + 1]
        return [word for word in some if word.casefold().startswith(begun) and word.casefold() != begun][:_MOST]

    @cached_property
    def _words(self) -> list[str]:
        """All that the model knows, in the order of the alphabet."""
        items = self.encoder.model.vocabulary.words.items
        pieces = self.encoder.model.tokenizer_spec["kind"] == "sentencepiece"
        if pieces:
            items = [item[1:] for item in items if item.startswith(_PIECE)]
        known = {item for item in items if item[:1].isalpha() and item != UNKNOWN}
        return sorted(known, key=str.casefold)


def _places(words: str, line: str) -> list[tuple[int, int]]:
    """Where some words stand in a line, whatever their case."""
    pattern = rf"(?<!\w){re.escape(words)}(?!\w)"
    return [found.span() for found in re.finditer(pattern, line, re.IGNORECASE)]
