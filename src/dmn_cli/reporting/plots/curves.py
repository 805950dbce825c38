"""How a training went, epoch by epoch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dmn_cli.reporting.plots.style import (
    BLUE,
    FAINT,
    GREEN,
    PURPLE,
    RED,
    WIDTH,
    new_figure,
    percent_axis,
    styled,
    whole_numbers,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LOSSES = {"loss": ("training", BLUE, "o"), "valid_loss": ("validation", RED, "s"), "gate_loss": ("gates", GREEN, "^")}
_ACCURACIES = {"valid_accuracy": ("validation", RED, "s"), "valid_changed": ("with other names", PURPLE, "D")}
_MARKED = 30  # epochs up to which each has a mark


@styled
def curves(epochs: Sequence[dict[str, Any]]) -> Figure:
    """Losses on the left, accuracy of the validation on the right. epochs: lines of metrics.jsonl, at least one"""
    figure = new_figure(WIDTH, 6.0)
    left, right = figure.subplots(1, 2)
    _lines(left, epochs, {key: look for key, look in _LOSSES.items() if any(one.get(key) for one in epochs)})
    _lines(right, epochs, {key: look for key, look in _ACCURACIES.items() if any(key in one for one in epochs)})
    left.set(title="Loss", xlabel="epoch")
    left.set_ylim(bottom=0)
    right.set(title="Accuracy of the validation", xlabel="epoch")
    percent_axis(right.yaxis)
    best = max((one for one in epochs if one.get("best")), key=lambda one: one["epoch"], default=None)
    if best:
        _mark(right, best)
    return figure


def _lines(axes: Axes, epochs: Sequence[dict[str, Any]], looks: dict[str, tuple[str, str, str]]) -> None:
    for key, (name, color, marker) in looks.items():
        there = [one for one in epochs if one.get(key) is not None]
        x, y = [one["epoch"] for one in there], [one[key] for one in there]
        axes.plot(x, y, color=color, marker=marker if len(x) <= _MARKED else None, label=name)
    whole_numbers(axes.xaxis)
    if len(looks) > 1:
        axes.legend()


def _mark(axes: Axes, best: dict[str, Any]) -> None:
    """The epoch whose model was kept."""
    epoch, accuracy = best["epoch"], best["valid_accuracy"]
    axes.plot(epoch, accuracy, "o", markersize=20, markerfacecolor="none", markeredgecolor=FAINT, markeredgewidth=2)
    axes.set_xlabel(f"epoch   (kept: that of epoch {epoch}, {100 * accuracy:.1f} %)")
