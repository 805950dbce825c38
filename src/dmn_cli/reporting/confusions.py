"""The confusions of a task as a matrix. Reports are as `dmn eval --json` prints them."""

from __future__ import annotations

from typing import Any

import numpy as np

CLASSES = 20  # of a task that are shown at most, the most frequent


def mistakes_by_task(report: dict[str, Any]) -> dict[str, int]:
    """How many there are in each task whose answers are classes."""
    return {
        name: sum(one["count"] for one in figures["confusions"])
        for name, figures in report["tasks"].items()
        if "classes" in figures
    }


def most_confused(report: dict[str, Any]) -> str | None:
    """The task with the most mistakes among those whose answers are classes; None: there is no such task."""
    mistakes = mistakes_by_task(report)
    return max(mistakes, key=mistakes.__getitem__, default=None)


def matrix(figures: dict[str, Any]) -> tuple[list[str], np.ndarray]:
    """The names of the answers, and how often each was given where each was right: (right, given) int. The most
    frequent classes; other wrong answers are in a last column, if there are any.

    figures: of a task, with `classes` and `confusions`
    """
    names = [one["class"] for one in figures["classes"][:CLASSES]]
    at = {name: i for i, name in enumerate(names)}
    counts = np.zeros((len(names), len(names) + 1), np.int64)
    for one in figures["confusions"]:
        if one["right"] in at:
            counts[at[one["right"]], at.get(one["answer"], -1)] += one["count"]
    for i, one in enumerate(figures["classes"][:CLASSES]):
        counts[i, i] = one["count"] - counts[i].sum()
    if counts[:, -1].any():
        return [*names, "others"], counts
    return names, counts[:, :-1]
