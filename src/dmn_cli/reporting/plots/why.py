"""Facts × passes as a heat map: what the network read before it answered."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dmn_cli.reporting.plots.style import FAINT, GREEN, INK, ORANGE, WIDTH, on_shade, shades, sheet, styled, width_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FACTS, WORDS = 24, 240  # that are shown at most: the supporting ones, and those that were let through furthest
_MARGIN, _HEAD, _FOOT = 0.45, 1.55, 0.75  # inches
_ROW = 0.3  # of letters
_LETTERS = 52  # of a fact in a row of letters
_PASS = 1.9  # inches that the column of a pass is wide, at most
_CELL = 0.34  # inches that a pass is high, under a line of words
_NARROWEST = 0.62  # inches that a word has room for
_FACT_FONT, _FONT, _SMALL = 16, 15, 12


class Explained(NamedTuple):
    """An answer, and what it rests on."""

    question: str
    answer: str
    confidence: float
    facts: Sequence[str]
    gates: Sequence[Sequence[float]]  # [pass][fact]
    read: Collection[int]  # positions of facts, from 0
    support: Collection[int] = ()  # positions of the supporting facts; empty: unknown
    needed: Collection[int] = ()  # positions of facts without which the answer is another; empty: unknown, or none
    right: str = ""  # the right answer, where this one is wrong
    words: bool = False  # the facts are the words of a text
    tags: Sequence[str] | None = None  # the answer to each fact, where each has one


@styled
def why(explained: Explained) -> Figure:
    """One row a fact and one column a pass; of a text, its words in lines, with a row a pass under each."""
    gates = np.array(explained.gates, dtype=float).reshape(-1, len(explained.facts))
    shown = furthest(gates, WORDS if explained.words else FACTS, {*explained.support, *explained.needed})
    axes = _words(explained, gates, shown) if explained.words else _facts(explained, gates, shown)
    _write_around(axes, explained, gates, len(shown))
    return axes.get_figure(root=True)  # type: ignore[return-value]


def furthest(gates: np.ndarray, most: int, some: Collection[int] = ()) -> list[int]:
    """The positions of some facts and of those that were let through furthest, `most` of them, in their order.
    (passes, facts)"""
    chance = 1 - (1 - gates).prod(axis=0)
    chance[list(some)] += 1
    return sorted(np.argsort(-chance, kind="stable")[:most].tolist())


def _facts(explained: Explained, gates: np.ndarray, shown: list[int]) -> Axes:
    texts = ["\n".join(textwrap.wrap(explained.facts[i], _LETTERS, max_lines=3, placeholder=" …")) for i in shown]
    heights = np.array([_ROW * (text.count("\n") + 1) + 0.24 for text in texts])
    axes = sheet(WIDTH, _HEAD + 0.4 + heights.sum() + _FOOT)
    fonts = [{"fontsize": _FACT_FONT, "weight": "bold" if i in explained.read else "normal"} for i in shown]
    widths = [width_of(axes, text, **font) for text, font in zip(texts, fonts, strict=True)]
    left = _MARGIN + 0.55 + max(widths) + 0.3
    beside = [_beside(explained, i) for i in shown]
    right = WIDTH - _MARGIN - max(width_of(axes, text, fontsize=_FONT) for text in beside) - 0.2
    across = min(_PASS, (right - left) / max(1, len(gates)))
    x = left + across * np.arange(len(gates) + 1)
    y = _HEAD + 0.4 + np.concatenate([[0], np.cumsum(heights)])
    _cells(axes, x, y, gates[:, shown].T, 1.0, fontsize=_FONT if across > 0.8 else _SMALL)
    middles = (y[:-1] + y[1:]) / 2
    for t, at in enumerate(x[:-1]):
        name = f"pass {t + 1}" if across > 0.9 else str(t + 1)
        axes.text(at + across / 2, y[0] - 0.2, name, ha="center", va="center", fontsize=_FONT)
    for i, text, font, note, at in zip(shown, texts, fonts, beside, middles, strict=True):
        axes.text(_MARGIN + 0.3, at, str(i + 1), ha="right", va="center_baseline", color=FAINT, fontsize=_FONT)
        axes.text(_MARGIN + 0.55, at, text, va="center_baseline", linespacing=1.25, **font)  # type: ignore[arg-type]
        axes.text(x[-1] + 0.2, at, note, va="center_baseline", color=ORANGE, fontsize=_FONT)
    return axes


def _beside(explained: Explained, fact: int) -> str:
    """What there is to say of a fact beside its gates."""
    said = {"★ supporting": explained.support, "needed": explained.needed}
    return " · ".join(name for name, facts in said.items() if fact in facts)


def _words(explained: Explained, gates: np.ndarray, shown: list[int]) -> Axes:
    start = _MARGIN + 0.8
    words = [textwrap.shorten(explained.facts[i], 60, placeholder="…") or "…" for i in shown]
    measured = sheet(WIDTH, 1)
    rooms = [max(_NARROWEST, width_of(measured, word, fontsize=_FACT_FONT, weight="bold") + 0.24) for word in words]
    lines = list(_lines(rooms, WIDTH - _MARGIN - start))
    pitch = 0.42 + _CELL * len(gates) + (0.36 if explained.tags else 0) + 0.28
    axes = sheet(WIDTH, _HEAD + pitch * len(lines) + _FOOT)
    darkest = max(gates.max(initial=0.0), 0.01)
    for n, columns in enumerate(lines):
        x = start + np.cumsum([0, *(rooms[c] for c in columns)])
        y = _HEAD + pitch * n + 0.42 + _CELL * np.arange(len(gates) + 1)
        _cells(axes, x, y, gates[:, [shown[c] for c in columns]], darkest, fontsize=_SMALL)
        for t, at in enumerate(y[:-1]):
            axes.text(_MARGIN, at + _CELL / 2, f"pass {t + 1}", va="center", fontsize=_SMALL, color=FAINT)
        for c, middle in zip(columns, (x[:-1] + x[1:]) / 2, strict=True):
            i = shown[c]
            weight = "bold" if i in explained.read else "normal"
            color = ORANGE if i in explained.needed else INK
            center: dict[str, Any] = {"ha": "center", "va": "center"}
            axes.text(middle, y[0] - 0.2, words[c], fontsize=_FACT_FONT, weight=weight, color=color, **center)
            if explained.tags:
                axes.text(middle, y[-1] + 0.2, explained.tags[i], fontsize=_SMALL, color=GREEN, weight="bold", **center)
    return axes


def _lines(rooms: Sequence[float], width: float) -> Iterator[list[int]]:
    """Which words go into each line. rooms: how wide they are"""
    line: list[int] = []
    for i, room in enumerate(rooms):
        if line and sum(rooms[c] for c in line) + room > width:
            yield line
            line = []
        line.append(i)
    yield line


def _cells(axes: Axes, x: np.ndarray, y: np.ndarray, gates: np.ndarray, darkest: float, *, fontsize: int) -> None:
    """Gates as shades, with their numbers. x, y: the edges of the cells; gates: (rows, columns)"""
    if not gates.size:
        return
    axes.pcolormesh(x, y, gates, cmap=shades(), vmin=0, vmax=darkest, edgecolors=(0, 0, 0, 0.1), linewidth=1)
    for row, column in np.ndindex(gates.shape):
        value = float(gates[row, column])
        if value >= 0.05 * darkest:
            at = float(x[column] + x[column + 1]) / 2, float(y[row] + y[row + 1]) / 2
            color = on_shade(value / darkest)
            axes.text(*at, f"{value:.2f}", ha="center", va="center", fontsize=fontsize, color=color)


def _write_around(axes: Axes, explained: Explained, gates: np.ndarray, shown: int) -> None:
    """The question, the answer, and what is to be seen."""
    question = textwrap.shorten(explained.question, 90, placeholder=" …")
    axes.text(_MARGIN, 0.55, question, va="center", fontsize=19)
    wrong = f" · right: {textwrap.shorten(explained.right, 40, placeholder=' …')}" if explained.right else ""
    sure = f"{100 * explained.confidence:.1f} % sure" if explained.confidence < 0.9995 else "more than 99.9 % sure"
    sure += wrong
    if explained.tags:
        axes.text(_MARGIN, 1.08, sure, va="center", fontsize=19, color=FAINT)
    else:
        answer = textwrap.shorten(explained.answer, 48, placeholder=" …") or "…"
        font: dict[str, Any] = {"fontsize": 26, "weight": "bold"}
        axes.text(_MARGIN, 1.08, answer, va="center", **font)
        axes.text(_MARGIN + width_of(axes, answer, **font) + 0.25, 1.1, sure, va="center", fontsize=17, color=FAINT)
    axes.text(_MARGIN, axes.get_ylim()[0] - 0.38, _caption(explained, gates, shown), fontsize=_SMALL, color=FAINT)


def _caption(explained: Explained, gates: np.ndarray, shown: int) -> str:
    kind = "word" if explained.words else "fact"
    if not len(gates):
        return f"This network has no gates: it doesn't say which {kind}s it read."
    said = [f"Numbers: how far a pass let a {kind} through, from 0 to 1"]
    if explained.read:
        said.append("bold: read")
    if explained.needed:
        said.append(f"{'orange' if explained.words else 'needed'}: without it the answer is another")
    if explained.tags:
        said.append("green: the answer")
    if shown < len(explained.facts):
        said.append(f"{shown} of {len(explained.facts)} {kind}s, those that were let through furthest")
    return " · ".join(said)
