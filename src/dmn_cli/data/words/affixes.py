"""What the form of a word says: its shape and its endings, so that a word that training lacks isn't a blank.

They follow the word as further words of the same fact. Each begins with a blank, which no word of a text does.
"""

from __future__ import annotations

import re
from functools import lru_cache

_LONGEST = 3  # letters of an ending
_RUNS = re.compile(r"(.)\1+")


@lru_cache(1 << 16)
def affixes(word: str) -> tuple[str, ...]:
    """The shape of a word as written, and its last letters in lower case: of Running Xx, g, ng, ing."""
    lower = word.lower()
    return (f" {shape(word)}", *(f" -{lower[-n:]}" for n in range(1, min(_LONGEST, len(lower)) + 1)))


def is_affix(word: str) -> bool:
    return word.startswith(" ")


def shape(word: str) -> str:
    """X for a capital, x for any other letter, 0 for a digit, other characters as they are; repetitions count once."""
    kinds = ("0" if c.isdigit() else "X" if c.isupper() else "x" if c.isalpha() else c for c in word)
    return _RUNS.sub(r"\1", "".join(kinds))
