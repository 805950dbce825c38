"""Names of several words, such as those of the shapes in "The pink rectangle is above the triangle"."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from dmn_cli.data.symmetries.counting import distinct, distinct_rows, draws, found_in, looked_up, mixed, runs
from dmn_cli.records.ragged import spans

_LONGEST = 3  # words of a name
_SHARED = 0.3  # of the sentences with a name, in which another must stand in its place,
_ENOUGH = 8  # and so many of them
_BASE = 0x9E3779B97F4A7C15  # of the polynomials that words side by side are hashed by
_ALL = 1 << 64

Words = tuple[int, ...]


class _Spans(NamedTuple):
    """Words side by side in sentences."""

    key: np.ndarray  # (n,) the same where the words are
    frame: np.ndarray  # (n,) the same where the words before and after them are
    row: np.ndarray  # (n,) in which sentence they are,
    start: np.ndarray  # (n,) where they begin
    length: np.ndarray  # (n,) and how many they are

    def where(self, chosen: np.ndarray) -> _Spans:
        return _Spans(*(column[chosen] for column in self))


def _spans(rows: np.ndarray, code: np.ndarray, longest: int) -> _Spans:
    """All words side by side in some sentences, up to so many. code: (words + 1,) of each word, 0 for padding"""
    width, coded = rows.shape[1], code[rows]
    power = np.array([pow(_BASE, n, _ALL) for n in range(width + 1)], np.uint64)
    before = np.zeros((len(rows), width + 1), np.uint64)
    before[:, 1:] = np.cumsum(coded * power[:width], axis=1)
    after = np.zeros((len(rows), width + 1), np.uint64)
    for at in reversed(range(width)):
        after[:, at] = coded[:, at] + after[:, at + 1] * power[1]
    found = []
    for length in range(1, max(1, min(longest, width)) + 1):
        row, start = np.nonzero(rows[:, length - 1 :] >= 0)
        key = sum((coded[row, start + n] * power[n] for n in range(length)), np.zeros(len(row), np.uint64))
        frame = before[row, start] * power[1] ^ after[row, start + length]
        found.append((key, frame, row, start, np.full(len(row), length)))
    return _Spans(*(np.concatenate(column) for column in zip(*found, strict=True)))


def several_words(facts: np.ndarray, asked: Iterable[np.ndarray], words: int) -> dict[int, list[Words]]:
    """Names of several words, the longest first, by their first word.

    They stand in the facts where others do, three or more together, which begin and end with other words, and which
    aren't two names side by side: then the first of one would go with the second of the other.

    facts, asked: (sentences, longest) numbers below `words`, padded with -1; what is asked are questions and answers
    """
    code = np.append(draws(words), np.uint64(0))
    facts = facts[distinct_rows(facts)[0]]
    known = distinct(np.concatenate([_spans(rows, code, _LONGEST).key for rows in asked]))
    here = _spans(facts, code, _LONGEST)
    here = here.where(found_in(known, here.key))
    if not (here.length > 1).any():
        return {}
    shared = _sharing(facts, here)
    everything = set(_spans(facts, code, _LONGEST + 1).key.tolist()) if shared else set()
    near: dict[Words, set[Words]] = defaultdict(set)
    for one, other in shared:
        if not _side_by_side(one, other, everything, code):
            near[one].add(other)
            near[other].add(one)
    found: dict[int, list[Words]] = defaultdict(list)
    for name in sorted(near, key=lambda name: (-len(name), name)):
        if len(name) > 1 and len(near[name]) >= 2:
            found[name[0]].append(name)
    return found


def _sharing(facts: np.ndarray, here: _Spans) -> list[tuple[Words, Words]]:
    """Several words, with others that often stand in their place."""
    own = np.unique(here.key, return_counts=True)
    here = here.where(found_in(distinct(here.frame[here.length > 1]), here.frame))
    here = here.where(np.argsort(here.frame, kind="stable"))
    starts, sizes = runs(here.frame)
    frame = np.repeat(np.arange(len(starts)), sizes)
    several = np.flatnonzero(here.length > 1)
    one = np.repeat(several, sizes[frame[several]])
    other = spans(starts[frame[several]], sizes[frame[several]])
    first, last = facts[here.row, here.start], facts[here.row, here.start + here.length - 1]
    apart = (first[one] != first[other]) & (last[one] != last[other])
    one, other = one[apart], other[apart]
    _, at, count = np.unique(mixed(here.key[one]) ^ here.key[other], return_index=True, return_counts=True)
    often = np.maximum(*(looked_up(*own, here.key[which[at]]) for which in (one, other)))
    least = np.maximum(_ENOUGH, _SHARED * often)
    at = at[count >= least]
    return [(_words(facts, here, i), _words(facts, here, j)) for i, j in zip(one[at], other[at], strict=True)]


def _words(facts: np.ndarray, here: _Spans, which: int) -> Words:
    row, start, length = here.row[which], here.start[which], here.length[which]
    return tuple(facts[row, start : start + length].tolist())


def _side_by_side(one: Words, other: Words, known: set[int], code: np.ndarray) -> bool:
    """known: the keys of words side by side"""

    def key(words: Words) -> int:
        return sum(int(code[word]) * pow(_BASE, n, _ALL) for n, word in enumerate(words)) % _ALL

    return any(
        key(one[:i] + other[j:]) in known and key(other[:j] + one[i:]) in known
        for i in range(1, len(one))
        for j in range(1, len(other))
    )


def parts(words: Sequence[str], known: Container[str], longest: int) -> Iterator[tuple[str, bool]]:
    """The names in a sentence, of those in each other the longest, and its other words; and whether each is a name.

    known: names, of at most so many words
    """
    at = 0
    while at < len(words):
        texts = ((" ".join(words[at:end]), end) for end in range(min(at + longest, len(words)), at, -1))
        name, end = next(((text, end) for text, end in texts if text in known), (None, at + 1))
        yield (words[at], False) if name is None else (name, True)
        at = end


def joined(words: Words, names: Mapping[int, Sequence[Words]]) -> Iterator[Words]:
    """The words of a sentence, those of names of several words together."""
    at = 0
    while at < len(words):
        name = next(
            (name for name in names.get(words[at], ()) if words[at : at + len(name)] == name), words[at : at + 1]
        )
        yield name
        at += len(name)
