"""What dmn eval shows of answers that are classes: how well each is recognised, and what is taken for what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dmn_cli.cli.output import Output, plural, show_rows

if TYPE_CHECKING:
    from dmn_cli.evaluation.classes import Classes
    from dmn_cli.evaluation.report import Report

_TASKS = 3  # of more, only the accuracy and macro F1 are shown
_CLASSES, _CONFUSIONS = 20, 5  # of a task, at most


def show_classes(output: Output, report: Report) -> None:
    """A table for each task, where they are few and something is wrong in them; --json has all."""
    from dmn_cli.evaluation.classes import MOST

    if len(report.tasks) > _TASKS:
        return
    for name, figures in report.tasks.items():
        if name not in report.classes:
            output.result(f"{name}: no figures by answer, which are more than {MOST} or new names")
        elif figures["accuracy"] < 1:
            _show(output, name, report.classes[name])


def _show(output: Output, name: str, classes: Classes) -> None:
    found = classes.as_json()
    header = (name, "count", "precision", "recall", "F1")
    lines = [
        (one["class"], f"{one['count']:,}", *(f"{100 * one[key]:.1f} %" for key in ("precision", "recall", "f1")))
        for one in found["classes"][:_CLASSES]
    ]
    output.result("")
    show_rows(output, [header, *lines])
    if len(found["classes"]) > _CLASSES:
        output.result(f"and {plural(len(found['classes']) - _CLASSES, 'rarer one')}: --json has all")
    confused = [(one["right"], one["answer"], f"{one['count']:,}") for one in found["confusions"][:_CONFUSIONS]]
    output.result(f"\n{name}: the most frequent mistakes")
    show_rows(output, [("right answer", "answered", "times"), *confused], texts=2)
    output.result("")
