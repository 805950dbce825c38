"""What was prepared, in words for a person."""

from __future__ import annotations

from typing import Any

from dmn_cli.cli.output import Output, plural, rows


def warn(output: Output, summary: dict[str, Any]) -> None:
    """Warns of test questions that a model may simply remember."""
    seen, of = summary["seen_in_training"]["test"], summary["questions_of"]["test"]
    counts = [f"{n:,} of {of[task]:,} test questions of {task}" for task, n in seen.items()]
    if len(counts) > 3:
        counts = [f"{sum(seen.values()):,} of {sum(of.values()):,} test questions (dataset.json counts them by task)"]
    if counts:
        output.warning(f"{', '.join(counts)} also occur in training, with the same story")


def describe(summary: dict[str, Any]) -> str:
    """How much was read, as a table and a few lines."""
    table = [("", "stories", "questions", "facts")]
    table += [
        (split, *(f"{counts[k]:,}" for k in ("stories", "questions", "facts")))
        for split, counts in summary["splits"].items()
    ]
    return (
        rows(table)
        + f"\n{plural(len(summary['tasks']), 'task')}, {summary['words']:,} words, {summary['answers']:,} answers, "
        + f"{summary['sentences']:,} distinct sentences; the longest story has {summary['longest_story']:,} facts."
        + (f"\n{_coverage(summary['vectors'])}" if "vectors" in summary else "")
        + _symmetries(summary)
    )


def _symmetries(summary: dict[str, Any]) -> str:
    """What can change places, tasks that say the same together."""
    from dmn_cli.data.symmetries.files import describe, symmetries_of

    tasks: dict[str, list[str]] = {}
    for task, symmetries in symmetries_of(summary, "").items():
        tasks.setdefault(describe(symmetries), []).append(task)
    return "".join(f"\nIn {', '.join(names)} can change places: {said}." for said, names in tasks.items())


def _coverage(vectors: dict[str, Any]) -> str:
    """How many of the words have a vector, split by split."""
    table = [("vectors", "words", "found", "of all tokens")]
    table += [
        (split, f"{n['types']:,}", *(f"{100 * n[f'{of}_found'] / n[of]:.1f} %" for of in ("types", "tokens")))
        for split, n in vectors["coverage"].items()
        if n["tokens"]
    ]
    by_case = f" ({vectors['by_case']:,} of them spelled in another case)" if vectors["by_case"] else ""
    return (
        rows(table)
        + f"\n{plural(vectors['found'], 'word')} with a vector of size {vectors['size']:,}{by_case}, "
        + f"{plural(vectors['extra'], 'extra word')}."
    )
