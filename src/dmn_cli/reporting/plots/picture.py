"""A picture, and what of it each pass read before the network answered; or a story, as `why.py` shows it."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dmn_cli.records.regions import PictureForm
from dmn_cli.reporting.faded import faded, in_place
from dmn_cli.reporting.plots.style import BLUE, FAINT, LINES, ORANGE, WIDTH, on_shade, shades, sheet, styled, width_of
from dmn_cli.reporting.plots.why import Explained, why

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from dmn_cli.reporting.questions import Seen

_MARGIN, _HEAD, _TITLE, _FOOT, _GAP = 0.45, 1.55, 0.45, 0.65, 0.35  # inches
_ACROSS = 3  # panels in a row
_SHOWN = 0.05  # the least gate that is written


def figure(explained: Explained, picture: Seen | None) -> Figure:
    """What each pass read. picture: of which the facts are regions; None: they are texts"""
    if picture is None:
        return why(explained)
    return shaded(explained, picture.form, picture.regions, None if picture.form.width else picture.array)


@styled
def shaded(explained: Explained, form: PictureForm, regions: Sequence[int], picture: np.ndarray | None) -> Figure:
    """A panel a pass, where the picture fades as far as the pass didn't let a region through; before them the picture
    itself. regions: what `explained.facts` are; picture: (height, width, 3) uint8; None: there are no pixels"""
    panels: list[tuple[str, np.ndarray | None]] = [("the picture", None)] if picture is not None else []
    panels += [(f"pass {t + 1}", in_place(gates, form, regions)) for t, gates in enumerate(explained.gates)]
    across = min(_ACROSS, max(1, len(panels)))
    size = (WIDTH - 2 * _MARGIN - (_ACROSS - 1) * _GAP) / _ACROSS
    rows = -(-len(panels) // across)
    axes = sheet(WIDTH, _HEAD + rows * (size + _TITLE + _GAP) + _FOOT)
    height = axes.get_ylim()[0]
    for n, (title, gates) in enumerate(panels):
        row, column = divmod(n, across)
        x, y = _MARGIN + column * (size + _GAP), _HEAD + row * (size + _TITLE + _GAP) + _TITLE
        axes.text(x, y - 0.18, title, fontsize=15)
        _panel(axes, x, y, size, gates, picture)
        if gates is not None:
            _numbers(axes, x, y, size, gates, plain=picture is None)
            _outlines(axes, x, y, size, explained, form, regions)
    axes.set(xlim=(0, WIDTH), ylim=(height, 0))
    _write_around(axes, explained)
    return axes.get_figure(root=True)  # type: ignore[return-value]


def _panel(axes: Axes, x: float, y: float, size: float, gates: np.ndarray | None, picture: np.ndarray | None) -> None:
    """gates: None where the picture is shown as it is"""
    where: dict[str, Any] = {"extent": (x, x + size, y + size, y), "aspect": "auto", "interpolation": "nearest"}
    if gates is None:
        assert picture is not None  # or there would be no such panel
        axes.imshow(picture, **where)
    elif picture is None:
        axes.imshow(gates, cmap=shades(), vmin=0, vmax=max(0.01, float(gates.max())), **where)
    else:
        axes.imshow(faded(picture, gates), **where)
    axes.plot([x, x + size, x + size, x, x], [y, y, y + size, y + size, y], color=LINES, linewidth=1)


def _numbers(axes: Axes, x: float, y: float, size: float, gates: np.ndarray, *, plain: bool) -> None:
    """plain: on shades and not on a picture"""
    rows, columns = gates.shape
    high, wide = size / rows, size / columns
    for row, column in zip(*np.nonzero(gates >= _SHOWN), strict=True):
        value = float(gates[row, column])
        color = on_shade(value / float(gates.max())) if plain else BLUE
        text = f"{value:.2f}" if wide > 0.45 else f"{100 * value:.0f}"
        at = x + (column + 0.5) * wide, y + (row + 0.5) * high
        box = None if plain else {"facecolor": "white", "alpha": 0.75, "pad": 1, "linewidth": 0}
        axes.text(*at, text, ha="center", va="center", fontsize=9 if wide < 0.6 else 12, color=color, bbox=box)


def _outlines(
    axes: Axes, x: float, y: float, size: float, explained: Explained, form: PictureForm, regions: Sequence[int]
) -> None:
    """Frames around the regions that were read, orange where the answer needs them."""
    from matplotlib.patches import Rectangle

    wide, high = size / form.columns, size / form.rows
    places = form.places
    for fact in {*explained.read, *explained.needed}:
        row, column = places[regions[fact]]
        color = ORANGE if fact in explained.needed else BLUE
        at = x + column * wide, y + row * high
        axes.add_patch(Rectangle(at, wide, high, fill=False, edgecolor=color, linewidth=2))


def _write_around(axes: Axes, explained: Explained) -> None:
    axes.text(_MARGIN, 0.55, textwrap.shorten(explained.question, 90, placeholder=" …"), va="center", fontsize=19)
    font: dict[str, Any] = {"fontsize": 26, "weight": "bold"}
    answer = textwrap.shorten(explained.answer, 48, placeholder=" …") or "…"
    axes.text(_MARGIN, 1.08, answer, va="center", **font)
    sure = f"{100 * explained.confidence:.1f} % sure" if explained.confidence < 0.9995 else "more than 99.9 % sure"
    sure += f" · right: {textwrap.shorten(explained.right, 40, placeholder=' …')}" if explained.right else ""
    at = _MARGIN + width_of(axes, answer, **font) + 0.25
    axes.text(at, 1.1, sure, va="center", fontsize=17, color=FAINT)
    said = ["Numbers: how far a pass let a region through"]
    if explained.read:
        said.append("blue frame: read")
    if explained.needed:
        said.append("orange frame: without it the answer is another")
    axes.text(_MARGIN, axes.get_ylim()[0] - 0.35, " · ".join(said), fontsize=12, color=FAINT)
