"""Regions × passes: where in a picture the network looked before it answered, as a small grid for each pass."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dmn_cli.cli.output import stdout

if TYPE_CHECKING:
    from dmn_cli.answering.answer import Answer
    from dmn_cli.answering.pictures import Picture

_BETWEEN = "   "  # two grids
_WIDTH = 80  # characters
_NAMED = 0.1  # the least gate of a region that is named


def show_regions(answer: Answer, picture: Picture) -> None:
    """On a terminal shades, elsewhere percent; and the names of the regions that were let through furthest."""
    shades = sys.stdout.isatty() and not stdout().options.ascii_only
    grids = [_grid(gates, picture, shades=shades) for gates in answer.gates]
    width = max((len(line) for grid in grids for line in grid), default=0)
    across = max(1, _WIDTH // (width + len(_BETWEEN)))
    for first in range(0, len(grids), across):
        some = grids[first : first + across]
        for line in [[f"pass {first + i + 1}" for i in range(len(some))], *zip(*some, strict=True)]:
            sys.stdout.write(_BETWEEN.join(text.ljust(width) for text in line).rstrip() + "\n")
    for t, gates in enumerate(answer.gates):
        furthest = sorted(range(len(gates)), key=gates.__getitem__, reverse=True)[:3]
        named = [f"{answer.facts[i]} ({gates[i]:.2f})" for i in furthest if gates[i] >= _NAMED]
        sys.stdout.write(f"pass {t + 1}: {'; '.join(named) or 'no region stands out'}\n")


def _grid(gates: Sequence[float], picture: Picture, *, shades: bool) -> list[str]:
    """A line for each row of regions."""
    form = picture.form
    places = form.places
    cells = [["  " if shades else "  ."] * form.columns for _ in range(form.rows)]
    for region, gate in zip(picture.regions, gates, strict=True):
        row, column = places[region]
        cells[row][column] = _shade(gate) if shades else _percent(gate)
    return ["".join(row) for row in cells]


def _shade(gate: float) -> str:
    return "·░▒▓█"[min(4, int(5 * gate))] * 2


def _percent(gate: float) -> str:
    return f"{min(99, round(100 * gate)) or '.':>3}"
