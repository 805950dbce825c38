"""A model measured: its calibration, its accuracy by story length, and its confusions.

All functions take a `Report` as JSON, as `dmn eval --json` prints it, and lengths as `evaluation.lengths` gives them.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from dmn_cli.evaluation.lengths import wilson
from dmn_cli.reporting.confusions import CLASSES, matrix, most_confused
from dmn_cli.reporting.lengths import lines_by_length
from dmn_cli.reporting.plots.style import (
    BLUE,
    FAINT,
    LINES,
    SERIES,
    SKY,
    WIDTH,
    bare,
    new_figure,
    on_shade,
    percent_axis,
    shades,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    Lengths = dict[str, list[dict[str, Any]]]

_MARKERS = "osD^vP"


@styled
def overview(report: dict[str, Any], lengths: Lengths) -> Figure:
    """All on one slide; confusions of the task that has the most of them."""
    task = most_confused(report)
    figure = new_figure(WIDTH, 12.4 if task else 6.4)
    if task is None:
        left, right = figure.subplots(1, 2)
    else:
        axes = figure.subplot_mosaic("AB;CC", height_ratios=[1, 1.05])
        left, right = axes["A"], axes["B"]
        _confusions(axes["C"], task, report["tasks"][task])
    _reliability(left, report["calibration"])
    _lengths(right, lengths)
    return figure


@styled
def reliability(report: dict[str, Any]) -> Figure:
    figure = new_figure(8.4, 7.2)
    _reliability(figure.subplots(), report["calibration"])
    return figure


@styled
def by_length(lengths: Lengths) -> Figure:
    figure = new_figure(WIDTH, 7.2)
    _lengths(figure.subplots(), lengths)
    return figure


@styled
def confusions(task: str, figures: dict[str, Any]) -> Figure:
    """figures: of the task, with `classes`"""
    shown = min(CLASSES, len(figures["classes"]))
    figure = new_figure(WIDTH, 4.2 + 0.42 * shown)
    _confusions(figure.subplots(), task, figures)
    return figure


def _reliability(axes: Axes, calibration: dict[str, Any]) -> None:
    """The accuracy of the answers of each confidence, with 95 % intervals; the more answers, the larger the mark."""
    bins = calibration["bins"]
    confidence, accuracy, questions = (np.array([one[key] for one in bins]) for key in _BIN)
    axes.plot([0, 1], [0, 1], color=FAINT, linestyle="--", linewidth=1.5)
    axes.text(0.04, 0.075, "calibrated", color=FAINT, fontsize=13, rotation=45, rotation_mode="anchor")
    intervals = [wilson(share * n, n) for share, n in zip(accuracy, questions, strict=True)]
    axes.vlines(confidence, *zip(*intervals, strict=True), color=SKY, linewidth=2)
    axes.scatter(confidence, accuracy, 40 + 600 * questions / questions.sum(), color=BLUE, zorder=3, clip_on=False)
    axes.set(title="Calibration", xlabel="confidence", ylabel="accuracy", xlim=(0, 1), ylim=(0, 1))
    axes.set_aspect("equal")
    percent_axis(axes.xaxis)
    percent_axis(axes.yaxis)
    said = f"calibration error {100 * calibration['ece']:.1f} %"
    if calibration["temperature"] != 1:
        said += f"\n({100 * calibration['ece_uncalibrated']:.1f} % without its temperature)"
    axes.text(0.97, 0.05, said, ha="right", fontsize=13, linespacing=1.4)


_BIN = ("confidence", "accuracy", "questions")


def _lengths(axes: Axes, lengths: Lengths) -> None:
    """A line a task, where there are few, with 95 % intervals."""
    labels, lines = lines_by_length(lengths)
    for n, (name, points) in enumerate(lines.items()):
        x = np.array([group for group, _ in points]) + 0.08 * (n - (len(lines) - 1) / 2)
        y, low, high = (np.array([one[key] for _, one in points]) for key in ("accuracy", "low", "high"))
        axes.vlines(x, low, high, color=SERIES[n], linewidth=2, alpha=0.45)
        axes.plot(x, y, label=name, color=SERIES[n], marker=_MARKERS[n], clip_on=False, zorder=3)
    axes.set_xticks(range(len(labels)), labels)
    axes.set(title="Accuracy by story length", xlabel="facts", ylabel="accuracy", ylim=(0, 1))
    axes.set_xlim(-0.5, len(labels) - 0.5)
    axes.grid(visible=False, axis="x")
    percent_axis(axes.yaxis)
    if len(lines) > 1:
        axes.legend(loc="lower left", ncols=2, fontsize=13)


def _confusions(axes: Axes, task: str, figures: dict[str, Any]) -> None:
    """Right answers × given ones; shades are shares of a row."""
    names, counts = matrix(figures)
    labels = [textwrap.shorten(name, 18, placeholder="…") or name[:17] + "…" for name in names]
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    axes.imshow(shares, cmap=shades(), vmin=0, vmax=1, aspect="auto")
    size = 14 if len(names) <= 12 else 11
    for row, column in zip(*np.nonzero(counts), strict=True):
        share = shares[row, column]
        weight = "bold" if row != column else "normal"
        axes.text(
            column,
            row,
            str(counts[row, column]),
            ha="center",
            va="center",
            color=on_shade(share),
            weight=weight,
            fontsize=size,
        )
    flat = sum(map(len, labels)) <= 90
    axes.set_xticks(
        range(len(names)), labels, fontsize=size, rotation=0 if flat else 40, ha="center" if flat else "right"
    )
    axes.set_yticks(range(len(counts)), labels[: len(counts)], fontsize=size)
    axes.set_xticks(np.arange(0.5, len(names) - 1), minor=True)
    axes.set_yticks(np.arange(0.5, len(counts) - 1), minor=True)
    axes.set(title=f"Confusions of {task}", xlabel="answer", ylabel="right answer")
    bare(axes)
    axes.grid(which="minor", color=LINES, linewidth=1)
    axes.tick_params(which="minor", length=0)


def plots(report: dict[str, Any], lengths: Lengths) -> dict[str, Figure]:
    """Each by itself, by the name of its file."""
    drawn = {"reliability": reliability(report), "length": by_length(lengths)}
    for task, figures in report["tasks"].items():
        if "classes" in figures:
            drawn[f"confusions-{file_name(task)}"] = confusions(task, figures)
    return drawn


def file_name(task: str) -> str:
    """A task as a part of a file's name, whatever it is called."""
    return "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in task)[:80]
