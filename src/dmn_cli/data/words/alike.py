"""Which words may be forms of one, by their spelling."""

from __future__ import annotations

_SHARED = 3  # letters that two forms of one name begin with, at least


def alike(one: str, other: str) -> int:
    """How many letters two words have in common at their beginning, if they may be forms of one, as mouse and mice, dog
    and dogs are; else 0."""
    shared = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return shared if shared >= min(_SHARED, len(one), len(other)) or (shared and one[-1] == other[-1]) else 0
