"""Accuracy by story length as lines to draw. Lengths are as `evaluation.lengths` gives them."""

from __future__ import annotations

from typing import Any

_LINES = 6  # tasks that have a line each, at most
_ENOUGH = 10  # answers to a task of some length, for a share of them to say anything

Point = tuple[int, dict[str, Any]]
"""The position of a group of lengths, and the figures of it."""


def lines_by_length(found: dict[str, list[dict[str, Any]]]) -> tuple[list[str], dict[str, list[Point]]]:
    """What the groups of lengths are called; and a line a task, or where there is one task or too many, one line of all
    of them, under the empty name."""
    names = [name for name in found if name]
    groups = [(one["from"], one["to"]) for one in found[""]]
    lines = {}
    for name in names if 1 < len(names) <= _LINES else [""]:
        enough = [one for one in found[name] if one["answers"] >= _ENOUGH] or found[name]
        lines[name] = [(groups.index((one["from"], one["to"])), one) for one in enough]
    return [str(a) if a == b else f"{a}–{b}" for a, b in groups], lines
