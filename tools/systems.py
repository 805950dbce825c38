"""The systems of the story side by side: the tables on bAbI, sentiment and pictures, for docs/results.md.

    python tools/systems.py

writes them where they stand in that page, from the lines of docs/babi.jsonl, docs/text.jsonl and docs/systems.jsonl.
tests/test_docs.py says when they are no longer those of the lines.
"""

from __future__ import annotations

from statistics import mean

import babi_results
import memory_results
import picture_results
import sentiment_results
import text_results
from lines import DOCS, NONE, OPEN, Line, between, read, spread, table
from sentiment_trainings import DATA, OWN, SAME, SYSTEMS

PAGE = DOCS / "results.md"
BEGIN, END = "<!-- written by tools/systems.py -->\n", "<!-- end of the systems -->\n"
DMN = {"sst2": 88.6, "sst5": 52.1}  # published
VECTORS = {"dmn": SAME, "dmn, reading first": OWN}


def systems() -> str:
    kept = read(DOCS / "systems.jsonl")
    babi = babi_results.Measured(read(DOCS / "babi.jsonl"))
    parts = {
        "bAbI, a model a task, the mean over them ([by task](memory.md), [the DMN](babi.md))": memory_results.summary(
            memory_results.measured(kept), babi
        ),
        "Sentiment ([what the columns mean](sentiment.md))": sentiment(kept, read(DOCS / "text.jsonl")),
        "Pictures ([what the rows are](pictures.md))": picture_results.pictures(kept),
    }
    return "\n".join(f"{title}:\n\n{rows}" for title, rows in parts.items())


def sentiment(kept: list[Line], text: list[Line]) -> str:
    """A line a system: accuracies, what was published, and what it costs on SST-5, whatever its vectors are."""
    measured, ours = sentiment_results.Measured(kept), text_results.Measured(text)
    rows = []
    for system, vectors in VECTORS.items():
        cells = [_dmn(ours, data, system) if each == vectors else NONE for data in DATA for each in (OWN, SAME)]
        seconds = [line["seconds"] for line in text if (line["data"], line["system"]) == ("sst5", system)]
        rows.append([system, *cells, *_published(DMN), f"{mean(seconds):,.0f}" if seconds else OPEN, OPEN])
    for system, one in SYSTEMS.items():
        cells = [measured.accuracy(data, system, each) for data in DATA for each in (OWN, SAME)]
        lines = [line for each in (OWN, SAME) for line in measured.lines.get(("sst5", system, each), [])]
        costs = [memory_results.average([line[key] for line in lines if key in line]) for key in ("seconds", "rate")]
        rows.append([system, *cells, *_published(one.published), *costs])
    names = [sentiment_results.NAMES[data] for data in DATA]
    columns = [f"{name}, {each} vectors" for name in names for each in (OWN, SAME)]
    return table(["", *columns, *(f"{name}, published" for name in names), "seconds a training", "questions/s"], rows)


def _dmn(measured: text_results.Measured, data: str, system: str) -> str:
    tests = [*measured.tests.get((data, system), {}).values()]
    return f"{spread(tests)} ({len(tests)})" if tests else OPEN


def _published(figures: dict[str, float]) -> list[str]:
    return [f"{figures[data]:.1f}" for data in DATA]


def written(page: str) -> str:
    """The page with the tables as they are now."""
    return between(page, BEGIN, END, systems())


def main() -> None:
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
