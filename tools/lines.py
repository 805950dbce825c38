"""Trainings that are each done once and kept as a line of a file: what the scripts behind the tables share.

A job is a NamedTuple, and its fields are the keys that its line is known by.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import mean, stdev
from threading import Lock
from typing import Any, NamedTuple, TypeVar

DOCS = Path(__file__).parents[1] / "docs"
OPEN, NONE = "·", "–"  # cells that nothing was measured for yet, and that nothing can be
Line = dict[str, Any]
Job = TypeVar("Job", bound=NamedTuple)


def arguments(description: str | None, data: str) -> argparse.ArgumentParser:
    """Those that every such script takes. data: what it reads"""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help=data)
    parser.add_argument("folder", type=Path, help="where data sets are prepared and models are trained")
    parser.add_argument("--jobs", type=int, default=2, help="trainings at once, of one thread each")
    parser.add_argument("--minutes", type=float, default=1e9, help="after which no training is begun; 0: tables alone")
    parser.add_argument("--docs", type=Path, default=DOCS, help="where lines and tables are written")
    parser.add_argument("--options", type=shlex.split, default=[], help=argparse.SUPPRESS)  # for a trial, of dmn train
    return parser


def numbers(text: str) -> list[int]:
    """'1,3' → [1, 3]"""
    return [int(part) for part in text.split(",")]


def read(path: Path) -> list[Line]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def missing(wanted: Iterable[Job], kept: Path) -> list[Job]:
    """The jobs that have no line in `kept`."""
    jobs = list(wanted)
    done = {tuple(line.get(key) for key in jobs[0]._fields) for line in read(kept)} if jobs else set()
    return [job for job in jobs if job not in done]


def work(wanted: Iterable[Job], do: Callable[[Job], Line], kept: Path, *, jobs: int, minutes: float) -> None:
    """Does what has no line in `kept` yet, and adds one for each; no more is begun after so many minutes."""
    os.environ["OMP_NUM_THREADS"] = "1"
    end = time.monotonic() + 60 * minutes
    writing = Lock()

    def one(job: Job) -> None:
        if time.monotonic() >= end:
            return
        line = do(job)
        with writing, kept.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        print(line, file=sys.stderr)

    with ThreadPoolExecutor(jobs) as pool:
        try:
            list(pool.map(one, missing(wanted, kept)))
        except BaseException:
            pool.shutdown(cancel_futures=True)  # what was begun ends, and nothing more begins
            raise


def spread(accuracies: Sequence[float]) -> str:
    """Fractions of 1 as mean ± standard deviation, in %."""
    percents = [100 * accuracy for accuracy in accuracies]
    return f"{mean(percents):.1f}{f' ± {stdev(percents):.1f}' if len(percents) > 1 else ''}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """In Markdown: the first column to the left, figures to the right."""
    text = [f"| {' | '.join(head)} |", f"| --- |{' ---: |' * (len(head) - 1)}"]
    return "\n".join([*text, *(f"| {' | '.join(cells)} |" for cells in rows)]) + "\n"


def between(page: str, begin: str, end: str, text: str) -> str:
    """A page with other text between two lines of it."""
    before, _, rest = page.partition(begin)
    return f"{before}{begin}{text}{end}{rest.partition(end)[2]}"
