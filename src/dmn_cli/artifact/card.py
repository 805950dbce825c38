"""The model card: the README of a model directory, written from measured figures."""

from __future__ import annotations

from typing import Any

from dmn_cli.artifact.model import Model
from dmn_cli.settings.networks import NETWORKS
from dmn_cli.version import __version__
from dmn_cli.wording import literal, markdown_table, plural

_FIGURES = {"accuracy": "accuracy", "macro_f1": "macro F1"}
_TASKS = 3  # of more, only the figures above are shown
_CLASSES, _CONFUSIONS = 20, 5  # of a task, at most; metrics.json has all


def card(model: Model, metrics: dict[str, Any], weights: int) -> str:
    """metrics: a `Report` as JSON; weights: how many the network has"""
    tasks: dict[str, Any] = metrics["tasks"]
    rows = [(name, task["questions"], *(_percent(task.get(key)) for key in _FIGURES)) for name, task in tasks.items()]
    figures = markdown_table(("task", "questions", *_FIGURES.values()), rows)
    by_answer = "".join(_by_answer(name, task) for name, task in tasks.items() if "classes" in task)
    title = f"A {NETWORKS[model.settings.network].title}"
    several = ""
    if model.ensemble > 1:
        title = f"{model.ensemble} {NETWORKS[model.settings.network].title}s that answer as one"
        several = (
            f"\nIts probabilities and gates are the means over {model.ensemble} networks, so it takes about "
            f"{model.ensemble} times as long to answer as one.\n"
        )
    texts = (
        f"{literal(one['name'])} ({plural(one['words'], 'word')}, perplexity {one['perplexity']:.1f})"
        for one in model.read
    )
    read = f"\nIt has read, before it was trained: {', '.join(texts)}.\n" if model.read else ""
    words = plural(len(model.vocabulary.words) - 2, "word")
    answers = plural(len(model.vocabulary.answers) - 1, "answer")
    return f"""# {title}

Preset `{model.preset}`, {model.settings.summary}, {weights:,} weights; it knows
{words} and {answers}. Made by dmn {__version__}.
{several}{read}
Chosen by its validation, not measured on a test set:

{figures}
{_calibrated(metrics)}{by_answer if len(tasks) <= _TASKS else ""}
    dmn ask . --story story.txt --question "…" --why
    dmn eval . --verify    # whether it answers as it did when it was saved
"""


def _calibrated(metrics: dict[str, Any]) -> str:
    """How far its confidence can be believed; nothing where that wasn't measured."""
    found = metrics.get("calibration")
    if found is None:
        return ""
    errors = f"{_percent(found['ece'])}; {_percent(found['ece_uncalibrated'])} without its temperature"
    return f"""
Its confidence differs from how often it is right by {errors} of {found["temperature"]:.2f},
which was fitted on the same questions (expected calibration error, 15 bins).
"""


def _by_answer(name: str, task: dict[str, Any]) -> str:
    """The figures of each answer of a task, and its most frequent mistakes."""
    rows = [(one["class"], one["count"], *map(_percent, _scores(one))) for one in task["classes"][:_CLASSES]]
    wrong = [(one["right"], one["answer"], one["count"]) for one in task["confusions"][:_CONFUSIONS]]
    tables = [markdown_table((name, "count", "precision", "recall", "F1"), rows)]
    if wrong:
        tables.append(markdown_table((f"{name}: right answer", "answered", "times"), wrong))
    return "".join(f"\n{table}\n" for table in tables)


def _scores(one: dict[str, Any]) -> tuple[float, float, float]:
    return one["precision"], one["recall"], one["f1"]


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"
