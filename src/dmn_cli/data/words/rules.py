"""A language's rules for words and sentences, as spaCy has them, from a file and without spaCy.

`Rules` cuts a text exactly as spaCy 3.8 does with a blank pipeline and its `sentencizer` (tokenizer.pyx and
sentencizer.pyx there; "How spaCy's tokenizer works" in its documentation). What is between blanks is looked up among
the special cases; else prefixes and suffixes are taken off it, one after the other, until what is left is a special
case or one whole token, or nothing can be taken off; then it is divided at its infixes. Last, special cases that the
affixes have torn apart are put together.

It takes time in proportion to the text, where spaCy takes the square of a run of affixes. The tokens differ only where
an affix of more than 48 characters isn't one by its first or last 64 (a run of dots is), or where there is a special
case or a whole token of more than 1000 characters within affixes.
"""

from __future__ import annotations

import json
import re
import unicodedata
import warnings
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import Any

from dmn_cli.errors import DataError

FORMAT_VERSION = 1
PATTERNS = ("prefix", "suffix", "infix", "token", "url")
_CHUNKS = re.compile(r"\S+|(?:(?<!\S)|(?! ))\s+")  # a blank that follows a word goes with it, and is no part of a token
_CACHE = 50_000  # chunks remembered, of at most
_LETTERS = 50
_WINDOW = 64  # characters among which an affix is looked for at first
_MARGIN = 16  # of these, that what is found must leave over
_LONG = 1000  # characters of a special case or a whole token, at most, once an affix is off
_END = ""  # in a tree of phrases: one ends here; no token is empty


class Rules:
    """Cuts texts into words and sentences."""

    def __init__(self, content: bytes) -> None:
        """`content`: what `written` returned. Raises: DataError where it isn't that."""
        try:
            value = json.loads(content)
            if value["format_version"] > FORMAT_VERSION:
                raise DataError("the language's rules were written by a newer dmn")
            prefix, suffix, infix, token, url = (_pattern(value[name]) for name in PATTERNS)
            self._specials = dict(map(_special, value["special_cases"].items()))
            phrases = [_texts(phrase) for phrase in value["phrases"]]
            self._sentence_ends = frozenset(_texts(value["sentence_ends"]))
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError, re.error) as error:
            raise DataError("the language's rules are damaged: they aren't what dmn writes") from error
        self._prefix, self._suffix = _remembered(prefix), _remembered(suffix)
        self._infixes = infix.finditer
        self._whole, self._url = token.match, url.match
        self._phrases = _tree(phrases)
        self._cut = _Cache(self._tokens_of)

    def words(self, text: str) -> list[str]:
        """The words of a text, with the case as written."""
        tokens = self._tokens(text)
        if found := self._found(tokens):
            tokens, _ = self._put_together(text, tokens, found)
        return [token for token in tokens if not token.isspace()]

    def sentences(self, text: str) -> list[str]:
        """The sentences of a text, without blanks around them, never empty ones; a line end always ends one."""
        return [sentence for line in text.splitlines() for part in self._parts(line) if (sentence := part.strip())]

    def divides(self, text: str) -> bool:
        """Whether some of it is an affix or an infix."""
        spans = self._prefix(text), self._suffix(text)
        return any(end > start for start, end in spans) or next(self._infixes(text), None) is not None

    def _parts(self, line: str) -> Iterator[str]:
        """A line, cut before each token that follows the end of a sentence and any more punctuation."""
        tokens = self._tokens(line)
        start, ended = 0, False
        for token, place in zip(*self._put_together(line, tokens, self._found(tokens)), strict=True):
            if token in self._sentence_ends:
                ended = True
            elif ended and not _is_punctuation(token):
                yield line[start:place]
                start, ended = place, False
        yield line[start:]

    def _tokens(self, text: str) -> list[str]:
        """The tokens of a text before phrases are put together; they are the text, but for the blank after a word."""
        cut = self._cut
        chunks = text.split()
        if chunks != text.split(" "):  # there are other blanks, or more of them, which are tokens too
            chunks = _CHUNKS.findall(text)
        return [token for chunk in chunks for token in cut[chunk]]

    def _tokens_of(self, chunk: str) -> tuple[str, ...]:
        """The tokens of what is between blanks, or of blanks."""
        specials = self._specials
        prefixes: list[str] = []
        suffixes: list[str] = []
        start, end = 0, len(chunk)  # of what is left
        while start < end:
            if end - start <= _LONG or not (prefixes or suffixes):
                rest = chunk[start:end]
                if rest in specials or self._whole(rest):
                    break
            before = self._prefix_length(chunk, start, end)
            if before and end - start - before <= _LONG and chunk[start + before : end] in specials:
                prefixes.append(chunk[start : start + before])
                start += before
                break
            after = self._suffix_length(chunk, start + before, end)
            if after and end - start - after <= _LONG and chunk[start : end - after] in specials:
                suffixes.append(chunk[end - after : end])
                end -= after
                break
            if not before and not after:
                break
            if before:
                prefixes.append(chunk[start : start + before])
            if after:
                suffixes.append(chunk[end - after : end])
            start, end = start + before, end - after
        return (*prefixes, *self._inner(chunk[start:end]), *reversed(suffixes))

    def _prefix_length(self, chunk: str, start: int, end: int) -> int:
        """How much of chunk[start:end] is a prefix.

        It is looked for among the first characters, and among more of them only while what is found reaches nearly as
        far as they do: else each of a thousand exclamation marks would be looked for among all of them.
        """
        width = _WINDOW
        while width < end - start:
            first, last = self._prefix(chunk[start : start + width])
            if last <= width - _MARGIN:
                return last - first
            width *= 2
        first, last = self._prefix(chunk[start:end])
        return last - first

    def _suffix_length(self, chunk: str, start: int, end: int) -> int:
        """The same for suffixes, from the end."""
        width = _WINDOW
        while width < end - start:
            first, last = self._suffix(chunk[end - width : end])
            if first >= _MARGIN or first == last:
                return last - first
            width *= 2
        first, last = self._suffix(chunk[start:end])
        return last - first

    def _inner(self, chunk: str) -> tuple[str, ...]:
        """The tokens of what is left when the affixes are off."""
        if not chunk:
            return ()
        special = self._specials.get(chunk)
        if special is not None:
            return special
        if self._whole(chunk) or self._url(chunk):
            return (chunk,)
        cuts = [0, *(place for infix in self._infixes(chunk) if infix.start() for place in infix.span()), len(chunk)]
        return tuple(chunk[start:end] for start, end in pairwise(cuts) if start < end)

    def _put_together(self, text: str, tokens: list[str], found: list[tuple[int, int]]) -> tuple[list[str], list[int]]:
        """The same tokens, those that were `_found` as their special case has them, and where each begins."""
        places = _places(text, tokens)
        new_tokens: list[str] = []
        new_places: list[int] = []
        at = 0
        for start, end in found:
            special = self._specials.get(text[places[start] : places[end - 1] + len(tokens[end - 1])])
            if special is not None:
                new_tokens += tokens[at:start]
                new_tokens += special
                new_places += places[at:start]
                new_places += accumulate(map(len, special[:-1]), initial=places[start])
                at = end
        return new_tokens + tokens[at:], new_places + places[at:]

    def _found(self, tokens: list[str]) -> list[tuple[int, int]]:
        """Where phrases are, in order, as (start, end): the longest first, the first of these first, and of the others
        those whose first and last token isn't in one that came before, even if that one itself was left out."""
        if self._phrases.keys().isdisjoint(tokens):
            return []
        matches: list[tuple[int, int]] = []
        for start, token in enumerate(tokens):
            node = self._phrases.get(token)
            end = start + 1
            while node is not None:
                if _END in node:
                    matches.append((start, end))
                node = node.get(tokens[end]) if end < len(tokens) else None
                end += 1
        if not matches:
            return []
        seen: set[int] = set()
        kept: list[tuple[int, int]] = []
        for start, end in sorted(matches, key=lambda match: (match[0] - match[1], match[0])):
            if start not in seen and end - 1 not in seen:
                kept.append((start, end))
            seen.update(range(start, end))
        return sorted(kept)


def written(
    patterns: dict[str, str | None], specials: dict[str, list[str]], sentence_ends: list[str], *, all_phrases: bool
) -> bytes:
    """A file that `Rules` reads; the same rules give the same bytes.

    `patterns`: of PATTERNS, None where there is none; `all_phrases`: every special case may have been torn apart, not
    only those with an affix, an infix or a blank in them (spaCy's `faster_heuristics` is off).
    """
    value: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        **patterns,
        "special_cases": dict(sorted(specials.items())),
        "phrases": [],
        "sentence_ends": sorted(sentence_ends),
    }
    plain = Rules(json.dumps({**value, "special_cases": {}}).encode())
    value["phrases"] = [
        tokens
        for special in value["special_cases"]
        if all_phrases or " " in special or plain.divides(special)
        # putting one token in its own place says nothing
        if (tokens := plain._tokens(special)) != specials[special] or len(tokens) > 1
    ]
    return json.dumps(value, ensure_ascii=False, indent=0).encode()


_NEVER = re.compile(r"(?!)")


def _pattern(value: Any) -> re.Pattern[str]:
    if value is None:
        return _NEVER
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what a pattern may mean one day
        return re.compile(value)


def _texts(value: Any) -> list[str]:
    """Raises: TypeError where it isn't a list of texts, none of them empty."""
    if not isinstance(value, list) or not all(isinstance(text, str) and text for text in value):
        raise TypeError("texts")
    return value


def _special(item: tuple[str, Any]) -> tuple[str, tuple[str, ...]]:
    """Raises: ValueError where the tokens aren't those of the text."""
    text, tokens = item
    if "".join(_texts(tokens)) != text or not tokens:
        raise ValueError(text)
    return text, tuple(tokens)


def _tree(phrases: list[list[str]]) -> dict[str, Any]:
    """Token → the tree of what may follow it."""
    root: dict[str, Any] = {}
    for phrase in phrases:
        node = root
        for token in phrase:
            node = node.setdefault(token, {})
        node[_END] = {}
    return root


class _Cache(dict[str, "tuple[str, ...]"]):
    """Remembers what became of chunks, and forgets all of them once there are many."""

    def __init__(self, cut: Any) -> None:
        self.cut = cut

    def __missing__(self, chunk: str) -> tuple[str, ...]:
        tokens = self.cut(chunk)
        if len(chunk) <= _LETTERS:
            if len(self) >= _CACHE:
                self.clear()
            self[chunk] = tokens
        return tokens


def _remembered(pattern: re.Pattern[str]) -> Callable[[str], tuple[int, int]]:
    """Where a text has the pattern first, as (start, end); (0, 0) where it hasn't."""

    @lru_cache(1 << 12)
    def span(text: str) -> tuple[int, int]:
        match = pattern.search(text)
        return match.span() if match else (0, 0)

    return span


def _places(text: str, tokens: list[str]) -> list[int]:
    """Where each token begins."""
    places = []
    place, in_word = 0, False
    for token in tokens:
        if in_word and text[place] == " ":
            place += 1
        places.append(place)
        place += len(token)
        in_word = not token[-1].isspace()
    return places


def _is_punctuation(token: str) -> bool:
    return all(unicodedata.category(letter)[0] == "P" for letter in token)
