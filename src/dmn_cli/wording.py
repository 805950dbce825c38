"""Numbers and stories in words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def plural(n: int, noun: str, *, nouns: str = "") -> str:
    """1 task, 2 tasks, 1,000 tasks. nouns: what several are called, where it isn't the noun with an s"""
    return f"{n:,} {noun if n == 1 else nouns or noun + 's'}"


def size(n: float) -> str:
    """512 bytes, 1.2 MB, 3.4 GB"""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if n >= factor:
            return f"{n / factor:.1f} {unit}"
    return plural(int(n), "byte")


def duration(seconds: float) -> str:
    """45 s, 12 min, 3.5 h: so much that one knows whether to wait"""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 99.5 * 60 else f"{seconds / 3600:.1f} h"


def one_text(story: Sequence[str]) -> str | None:
    """A story whose facts are single words, in one line; None where they are sentences."""
    return " ".join(story) if len(story) > 1 and all(len(fact.split()) == 1 for fact in story) else None


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """The first column is text, and the others are numbers; cells are shown as they are."""
    alignment = ["---"] + ["---:"] * (len(header) - 1)
    return "\n".join(f"| {' | '.join(literal(str(cell)) for cell in row)} |" for row in (header, alignment, *rows))


def literal(text: str) -> str:
    """Markdown that shows a text as it is, in one line."""
    return re.sub(r"([\\`*_{}\[\]<>#|~&!])", r"\\\1", " ".join(text.split()))
