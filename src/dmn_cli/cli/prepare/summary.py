"""What was prepared, in words for a person."""

from __future__ import annotations

from typing import Any

from dmn_cli.cli.output import Output, plural, rows

SPLITS = ("train", "valid", "test")
_CLASSES = 20  # of a table, that are shown
_SPLITS_BY = {
    "nothing": "splits: drawn by the seed, each class in the same shares; rows with the same text stay together",
    "files": "splits: as the files are named",
    "column": "splits: as the column says",
}


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
    counts = {"task": len(summary["tasks"]), "word": summary["words"], "answer": summary["answers"]}
    counts["distinct sentence"] = summary["sentences"]
    return (
        rows(table)
        + f"\n{', '.join(plural(n, noun) for noun, n in counts.items())}; "
        + f"the longest story has {plural(summary['longest_story'], 'fact')}."
        + (f"\n{_coverage(summary['vectors'])}" if "vectors" in summary else "")
        + (f"\n{_unanswerable(summary['unanswerable'])}" if "unanswerable" in summary else "")
        + _symmetries(summary)
        + (f"\n{_supports(summary)}" if summary.get("found_supports") else "")
        + (f"\n{_ordered(summary)}" if summary.get("ordered_supports") else "")
        + (f"\n{_table(summary['table'])}" if "table" in summary else "")
    )


def _unanswerable(unanswerable: dict[str, Any]) -> str:
    """How many questions were added that no fact answers."""
    added = unanswerable["added"]
    splits = ", ".join(f"{added[split]:,} in {split}" for split in SPLITS)
    return (
        f"{plural(sum(added.values()), 'unanswerable question')} added ({splits}), answered {unanswerable['label']!r}"
    )


def _table(table: dict[str, Any]) -> str:
    """The classes of a table, and what stands in the way of learning them."""
    classes = table["classes"]
    shown = dict(list(classes.items())[:_CLASSES])
    lines = [(table["label"], *SPLITS)]
    lines += [(label, *(f"{counts[split]:,}" for split in SPLITS)) for label, counts in shown.items()]
    said = [rows(lines)]
    if len(classes) > len(shown):
        said.append(f"and {len(classes) - len(shown):,} classes that have fewer rows (dataset.json counts them)")
    said.append(f"texts have {table['letters']:.0f} letters on average: their {table['facts']} are the facts (--facts)")
    said.append(_SPLITS_BY[table["splits_by"]])
    for what in ("label", "text"):
        if lacking := table.get(f"without_{what}"):
            said.append(f"left out: {plural(lacking['rows'], 'row')} without a {what}, the first at {lacking['first']}")
    if table["duplicates"]:
        said.append(f"{plural(table['duplicates'], 'row')} with the same text as one before")
    if table["contradictory"]:
        said.append(f"{plural(table['contradictory'], 'row')} whose text another row has with another label")
    for split, n in table["leaks"].items():
        if n:
            said.append(f"{plural(n, f'{split} row')} whose text is in training too")
    shares = ", ".join(f"{100 * share:.1f} % of {split}" for split, share in table["majority"]["share"].items())
    said.append(f"who always answers {', '.join(table['majority']['answer'])!r} is right for {shares}")
    return "\n".join(said)


def _symmetries(summary: dict[str, Any]) -> str:
    """What can change places, tasks that say the same together."""
    from dmn_cli.data.symmetries.files import describe, symmetries_of

    tasks: dict[str, list[str]] = {}
    for task, symmetries in symmetries_of(summary, "").items():
        tasks.setdefault(describe(symmetries), []).append(task)
    return "".join(f"\nIn {', '.join(names)} can change places: {said}." for said, names in tasks.items())


def _supports(summary: dict[str, Any]) -> str:
    """For which tasks it was found what answers rest on."""
    found = summary["found_supports"]
    return (
        f"What answers rest on isn't said. In {', '.join(found)} names tell it, for "
        f"{plural(sum(found.values()), 'question')} (--supports given: not looked for)."
    )


def _ordered(summary: dict[str, Any]) -> str:
    """For which tasks supporting facts are read in an order of their own."""
    return (
        f"In {', '.join(summary['ordered_supports'])} supporting facts are put into the order in which they are all "
        "read the same way round (--supports given: as they are)."
    )


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
