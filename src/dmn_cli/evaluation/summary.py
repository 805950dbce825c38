"""An evaluation as Markdown, for the page of a CI job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import shorten
from typing import Any

from dmn_cli.evaluation.gate import Gate
from dmn_cli.evaluation.report import Report
from dmn_cli.wording import literal, markdown_table, one_text

_LOST = 10  # questions that are shown
_LETTERS = 100  # letters of a text that are shown
_VERDICTS = {"pass": "✅ pass", "fail": "❌ fail", "investigate": "⚠️ investigate"}


def markdown(model: str, data: str, split: str, report: Report, short: Sequence[str], gate: Gate | None) -> str:
    """short: required scores that were not reached (`Report.below`)"""
    parts = [f"## {literal(model)} on {literal(data)} ({split})"]
    if short:
        parts.append(f"**❌ below the required score**: {literal('; '.join(short))}")
    if gate:
        parts.append(f"**{_VERDICTS[gate.verdict]}**: {gate.meaning}")
        parts.append(f"Against {literal(gate.baseline)}: {gate.difference}; {gate.sees}.")
    parts.append(_table(report, gate))
    parts.append(f"Mean accuracy {100 * report.accuracy:.2f} %, {report.questions:,} questions.")
    if gate and gate.comparison.only_a:
        parts.append(_lost(gate))
    return "\n\n".join(parts) + "\n"


def _table(report: Report, gate: Gate | None) -> str:
    header = ["task", "questions", "accuracy"]
    rows = [[name, f"{task['questions']:,}", f"{100 * task['accuracy']:.1f} %"] for name, task in report.tasks.items()]
    if gate:
        header += ["difference", "95 % interval", "gained", "lost"]
        by_task = dict(zip(gate.comparison.tasks, gate.comparison.by_task(), strict=True))
        for row in rows:
            one = by_task[row[0]]
            limits = f"{100 * one['low']:+.2f} to {100 * one['high']:+.2f}"
            row += [f"{100 * one['difference']:+.2f}", limits, f"{one['gained']:,}", f"{one['lost']:,}"]
    return markdown_table(header, rows)


def _lost(gate: Gate) -> str:
    """What the baseline had right and the model hasn't, folded away."""
    questions = gate.comparison.only_a
    count = f"{len(questions):,}" if len(questions) <= _LOST else f"{_LOST} of {len(questions):,}"
    lines = [
        f"- {literal(one['task'])}: {literal(_asked(one))} answered {literal(one['b'])}, "
        f"right is {literal(one['answer'])}"
        for one in questions[:_LOST]
    ]
    return "\n".join([f"<details><summary>Lost: {count}</summary>", "", *lines, "", "</details>"])


def _asked(one: Mapping[str, Any]) -> str:
    """The question; of one that many texts are asked, the text too."""
    text = one_text(one["story"])
    return f"{one['question']} “{shorten(text, _LETTERS, placeholder=' …')}”" if text else one["question"]
