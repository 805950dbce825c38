"""What spelling says of names: which words are one name, or a slip of the pen."""

from __future__ import annotations

import re
from collections.abc import Sequence

_WITHIN = frozenset("-'’.&")  # signs that a name may have between its words
_LONG = 4  # letters, from which on one that differs may be a slip


def may_be_one_name(written: Sequence[str], plain: Sequence[bool]) -> bool:
    """Whether some words, with the case as written, may be one name: they begin and end with letters or digits, and all
    have a capital, or none has.

    plain: which of them are no words that the model knows as anything but names; without capitals, all must be such.
    """
    if not (_spoken(written[0]) and _spoken(written[-1])):
        return False
    if any(not _spoken(word) and word not in _WITHIN for word in written):
        return False
    capitals = [word[0].isupper() for word in written if word[0].isalpha()]
    return has_capitals(written) or (not any(capitals) and all(plain))


def has_capitals(written: Sequence[str]) -> bool:
    """Whether all words have one that can."""
    return {word[0].isupper() for word in written if word[0].isalpha()} == {True}


def with_capital_of(written: str, word: str) -> str:
    """A word as it would be written in another's place."""
    return word[:1].upper() + word[1:] if written[:1].isupper() else word


def _spoken(word: str) -> bool:
    return any(letter.isalnum() for letter in word)


def as_written(text: str, words: Sequence[str]) -> str:
    """Some words that follow one another in a text, with what stands between them there."""
    if len(words) == 1:
        return words[0]
    found = re.search(r"\s*".join(map(re.escape, words)), text)
    return " ".join(found.group().split()) if found else " ".join(words)


def one_letter_apart(one: str, other: str) -> bool:
    """By a letter more, less or another, or two that changed places. Short words are many, and no slips."""
    if one == other or abs(len(one) - len(other)) > 1 or max(len(one), len(other)) < _LONG:
        return False
    start = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    a, b = one[start:], other[start:]
    return a[1:] == b or a == b[1:] or a[1:] == b[1:] or (a[:2] == b[:2][::-1] and a[2:] == b[2:])
