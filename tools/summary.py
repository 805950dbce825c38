"""Where we stand: one table of the lines of docs/babi.jsonl and docs/text.jsonl, for docs/results.md and the README.

    python tools/summary.py

writes it where it stands in these pages, and the tables of systems.py. A row of bAbI is in it once it has all twenty
tasks; a text has a row without reading first and one with it, where these are measured. tests/test_docs.py says when
the table is no longer that of the lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from statistics import mean

import babi_results
import systems
import text_results
from lines import DOCS, NONE, OPEN, between, read, spread, table
from text_data import FEW, FEW_OF, WHOLE
from text_trainings import OURS, PEERS_BY_NAME

PAGES = (DOCS / "results.md", DOCS.parent / "README.md")
BEGIN, END = "<!-- written by tools/summary.py -->\n", "<!-- end of the summary -->\n"
HEAD = ("", "seeds", "mean ± sd", "worst seed", "tasks ≥ 95", "best peer, same data", "published")

BABI = ("en", "en, answers only", "en-10k", "en-10k, answers only", "joint, en-10k", "joint, en-10k, answers only")
KUMAR, XIONG = babi_results.PUBLISHED
LIKE = {"en": ("DMN", KUMAR), "en-10k, answers only": ("DMN+", XIONG)}  # who published the same
MEANS = {  # of the best of ten of each task: all that is published of these
    "en, answers only": "best of ten: UT 95.5, QRN 90.1, MemN2N 86.1",
    "en-10k, answers only": "best of ten: UT 99.8, EntNet 99.5",
}
UNSEEN = ("en", "en-10k")  # of which it is said too how they do with names that nobody has seen
PUBLISHED = {
    "sst2": "DMN 88.6, Tree-LSTM 88.0, CNN 87.2",
    "sst5": "DMN 52.1, Tree-LSTM 51.0, CNN 48.0",
    "trec": "CNN 93.6",
    "imdb": "Maas 2011 88.9",
    "ewt-upos": "UDPipe 1 94.4, UDPipe 2 with BERT 97.6",
    "ewt-xpos": "UDPipe 1 93.9, UDPipe 2 with BERT 97.1",
}


def summary() -> str:
    babi = babi_results.Measured(read(DOCS / "babi.jsonl"))
    text = text_results.Measured(read(DOCS / "text.jsonl"))
    below = "".join(f"\nTasks of bAbI {row} below the published: {_below(babi, row)}.\n" for row in _whole(babi, LIKE))
    gains = {system: text_results.over_all(text, system) for system in OURS}
    said = ", ".join(f"{system} {gain}" for system, gain in gains.items() if gain != OPEN)
    few = f"\nWith {FEW} labels, the mean of {len(FEW_OF)} data sets in points over {text_results.AGAINST}: {said}.\n"
    return table(HEAD, [*_babi(babi), *_text(text)]) + below + (few if said else "")


def written(page: str) -> str:
    """A page with the table as it is now."""
    return between(page, BEGIN, END, summary())


def _whole(measured: babi_results.Measured, rows: Iterable[str]) -> Iterator[str]:
    """Those of these rows of which a seed has all tasks."""
    for row in rows:
        if row in measured.rows:
            one = babi_results.over(measured.tests, row)
            if len(one.tasks) == len(babi_results.TASKS) and one.seeds:
                yield row


def _babi(measured: babi_results.Measured) -> Iterator[list[str]]:
    for row in _whole(measured, BABI):
        published: list[str] = []
        if row in LIKE:
            who, name = LIKE[row]
            figure, passed = mean(babi_results.PUBLISHED[name]), babi_results.passed(name)
            published.append(f"{who} {figure:.1f}, {passed} tasks")
        if row in MEANS:
            published.append(MEANS[row])
        yield [f"bAbI {row}", *_over(babi_results.over(measured.tests, row)), NONE, "; ".join(published) or NONE]
        unseen = babi_results.over(measured.known_unseen(), row)
        if row in UNSEEN and unseen.seeds:
            yield [f"bAbI {row}, names that nobody has seen", *_over(unseen), NONE, NONE]


def _over(one: babi_results.Row) -> tuple[str, ...]:
    tasks = f"{one.passed}; lowest qa{one.lowest} {100 * one.tasks[one.lowest]:.1f}"
    return *_ours(one.seeds), tasks


def _below(measured: babi_results.Measured, row: str) -> str:
    """The tasks of a row that are, as they are written, below what was published."""
    ours = {task: 100 * accuracy for task, accuracy in babi_results.over(measured.tests, row).tasks.items()}
    published = dict(zip(babi_results.TASKS, babi_results.PUBLISHED[LIKE[row][1]], strict=True))
    below = [task for task in ours if round(ours[task], 1) < published[task]]
    return ", ".join(f"qa{task} {ours[task]:.1f} ({published[task]:.1f})" for task in below) or "none"


def _text(measured: text_results.Measured) -> Iterator[list[str]]:
    tests = measured.tests
    for data in WHOLE:
        peers = {peer: mean(tests[data, peer].values()) for peer in PEERS_BY_NAME if (data, peer) in tests}
        best = max(peers, key=lambda peer: peers[peer], default=None)
        beside = OPEN if best is None else f"{best} {100 * peers[best]:.1f}", PUBLISHED[data]
        for ours in [system for system in OURS if (data, system) in tests] or ["dmn"]:
            named = text_results.NAMES[data] + ours.removeprefix("dmn")
            yield [named, *_ours(tests.get((data, ours), {})), NONE, *beside]


def _ours(seeds: Mapping[int, float]) -> tuple[str, str, str]:
    if not seeds:
        return OPEN, OPEN, OPEN
    return f"{len(seeds)}", spread(list(seeds.values())), f"{100 * min(seeds.values()):.1f}"


def main() -> None:
    for page in PAGES:
        page.write_text(written(page.read_text(encoding="utf-8")), encoding="utf-8")
    systems.main()


if __name__ == "__main__":
    main()
