"""Names of several words, such as those of the shapes in "The pink rectangle is above the triangle"."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

_LONGEST = 3  # words of a name
_SHARED = 0.3  # of the sentences with a name, in which another must stand in its place,
_ENOUGH = 8  # and so many of them

Words = tuple[str, ...]


def several_words(facts: Iterable[Words], asked: Iterable[Words]) -> dict[str, list[Words]]:
    """Names of several words, the longest first, by their first word.

    They stand in the facts where others do, three or more together, which begin and end with other words, and which
    aren't two names side by side: then the first of one would go with the second of the other.
    """
    facts = list(facts)
    known = {span for words in asked for _, span in _spans(words, _LONGEST)}
    if all(len(span) == 1 for span in known):
        return {}
    everything = {span for words in facts for _, span in _spans(words, _LONGEST + 1)}
    fillers: dict[tuple[Words, Words], set[Words]] = defaultdict(set)
    for words in facts:
        for start, span in _spans(words, _LONGEST):
            if span in known:
                fillers[words[:start], words[start + len(span) :]].add(span)
    own: dict[Words, int] = defaultdict(int)
    shared: dict[tuple[Words, Words], int] = defaultdict(int)
    for spans_here in fillers.values():
        for one in spans_here:
            own[one] += 1
            for other in spans_here:
                if len(one) > 1 and one[0] != other[0] and one[-1] != other[-1]:
                    shared[one, other] += 1
    near: dict[Words, set[Words]] = defaultdict(set)
    for (one, other), count in shared.items():
        often = count >= max(_ENOUGH, _SHARED * own[one], _SHARED * own[other])
        if often and not _side_by_side(one, other, everything):
            near[one].add(other)
            near[other].add(one)
    found: dict[str, list[Words]] = defaultdict(list)
    for name in sorted(near, key=lambda name: (-len(name), name)):
        if len(name) > 1 and len(near[name]) >= 2:
            found[name[0]].append(name)
    return found


def _spans(words: Words, longest: int) -> Iterator[tuple[int, Words]]:
    for start in range(len(words)):
        for end in range(start + 1, min(start + longest, len(words)) + 1):
            yield start, words[start:end]


def _side_by_side(one: Words, other: Words, known: set[Words]) -> bool:
    return any(
        one[:i] + other[j:] in known and other[:j] + one[i:] in known
        for i in range(1, len(one))
        for j in range(1, len(other))
    )


def joined(words: Words, names: dict[str, list[Words]]) -> Iterator[str]:
    """The words of a sentence with names of several words as one."""
    at = 0
    while at < len(words):
        name = next(
            (name for name in names.get(words[at], ()) if words[at : at + len(name)] == name), words[at : at + 1]
        )
        yield " ".join(name)
        at += len(name)
