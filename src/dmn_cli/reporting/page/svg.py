"""Line charts as SVG inside of HTML: their colours are the page's (`page.css`), in light and in dark."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape
from typing import NamedTuple

_WIDTH, _HEIGHT = 560, 330
_LEFT, _RIGHT, _TOP, _BOTTOM = 76, 28, 14, 46
_TICKS = 5  # of an axis, about
_MARKED = 40  # points up to which each has a mark


class Series(NamedTuple):
    """A line. Of each point, optionally, the ends of an interval and how much it weighs (its mark is then a disc)."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    weight: Sequence[float] = ()  # shares of 1


class Axis(NamedTuple):
    label: str
    low: float
    high: float
    percent: bool = False
    names: Sequence[str] = ()  # of 0, 1, 2, …, in place of numbers

    def ticks(self) -> list[tuple[float, str]]:
        if self.names:
            return [(float(i), name) for i, name in enumerate(self.names)]
        step = _round((self.high - self.low) / _TICKS, whole=self.label == "epoch")
        first = math.ceil(self.low / step - 1e-9)
        values = [n * step for n in range(first, math.floor(self.high / step + 1e-9) + 1)]
        return [(value, f"{100 * value:.3g} %" if self.percent else f"{value:.4g}") for value in values]


def _round(step: float, *, whole: bool) -> float:
    """The next step of 1, 2 or 5 times a power of ten."""
    power = 10 ** math.floor(math.log10(step)) if step > 0 else 1.0
    found = next(power * digit for digit in (1, 2, 5, 10) if power * digit >= step * 0.999)
    return max(1.0, found) if whole else found


def chart(says: str, series: Sequence[Series], x: Axis, y: Axis, *, diagonal: bool = False, lines: bool = True) -> str:
    """A figure with its legend. says: what there is to see, for who can't see it; diagonal: a line where y is x; lines:
    whether points are joined"""

    def at(px: float, py: float) -> tuple[float, float]:
        across = (px - x.low) / ((x.high - x.low) or 1)
        up = (py - y.low) / ((y.high - y.low) or 1)
        return (
            round(_LEFT + across * (_WIDTH - _LEFT - _RIGHT), 1),
            round(_HEIGHT - _BOTTOM - up * (_HEIGHT - _TOP - _BOTTOM), 1),
        )

    parts = [*_axes(x, y, at)]
    if diagonal:
        (x1, y1), (x2, y2) = at(0, 0), at(1, 1)
        parts.append(f'<line class="diagonal" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>')
    for n, one in enumerate(series):
        parts.append(f'<g class="s{n % 6}">')
        if one.low:
            for px, low, high in zip(one.x, one.low, one.high, strict=True):
                (x1, y1), (_, y2) = at(px, low), at(px, high)
                parts.append(f'<line class="interval" x1="{x1}" y1="{y1}" x2="{x1}" y2="{y2}"/>')
        points = [at(px, py) for px, py in zip(one.x, one.y, strict=True)]
        if lines and len(points) > 1:
            parts.append(f'<polyline points="{" ".join(f"{px},{py}" for px, py in points)}"/>')
        if one.weight:
            sizes = [3 + 11 * math.sqrt(weight) for weight in one.weight]
            parts += [
                f'<circle cx="{px}" cy="{py}" r="{size:.1f}"/>' for (px, py), size in zip(points, sizes, strict=True)
            ]
        elif len(points) <= _MARKED:
            parts += [_mark(n, px, py) for px, py in points]
        parts.append("</g>")
    drawn = "".join(parts)
    legend = _legend(series) if len(series) > 1 else ""
    return (
        f'<div class="chart"><svg role="img" aria-label="{escape(says)}" viewBox="0 0 {_WIDTH} {_HEIGHT}">{drawn}</svg>'
        f"{legend}</div>"
    )


def _axes(x: Axis, y: Axis, at: Callable[[float, float], tuple[float, float]]) -> list[str]:
    left, bottom = _LEFT, _HEIGHT - _BOTTOM
    parts = []
    for value, name in y.ticks():
        _, py = at(x.low, value)
        parts.append(f'<line class="grid" x1="{left}" y1="{py}" x2="{_WIDTH - _RIGHT}" y2="{py}"/>')
        parts.append(f'<text class="end" x="{left - 8}" y="{py + 4.5}">{escape(name)}</text>')
    for value, name in x.ticks():
        px, _ = at(value, y.low)
        parts.append(f'<text class="middle" x="{px}" y="{bottom + 19}">{escape(name)}</text>')
    middle, centre = (left + _WIDTH - _RIGHT) / 2, (_TOP + bottom) / 2
    return [
        *parts,
        f'<line class="axis" x1="{left}" y1="{bottom}" x2="{_WIDTH - _RIGHT}" y2="{bottom}"/>',
        f'<text class="middle label" x="{middle}" y="{_HEIGHT - 6}">{escape(x.label)}</text>',
        f'<text class="middle label" transform="translate(13 {centre}) rotate(-90)">{escape(y.label)}</text>',
    ]


def _mark(n: int, x: float, y: float) -> str:
    """Lines can be told apart by the form of their marks too."""
    form = n % 4
    if form == 0:
        return f'<circle cx="{x}" cy="{y}" r="4"/>'
    if form == 1:
        return f'<rect x="{x - 3.8:.1f}" y="{y - 3.8:.1f}" width="7.6" height="7.6"/>'
    if form == 2:
        return f'<path d="M{x} {y - 5:.1f}l5.2 9h-10.4z"/>'
    return f'<path d="M{x} {y - 5.4:.1f}l5.4 5.4l-5.4 5.4l-5.4 -5.4z"/>'


def _legend(series: Sequence[Series]) -> str:
    items = "".join(
        f'<li><svg aria-hidden="true" viewBox="0 0 30 12"><g class="s{n % 6}"><polyline points="0,6 30,6"/>'
        f"{_mark(n, 15, 6)}</g></svg>{escape(one.name)}</li>"
        for n, one in enumerate(series)
    )
    return f'<ul class="legend">{items}</ul>'
