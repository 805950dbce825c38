"""Trainings on bAbI, each done once and kept as a line of a file: what babi_results.py and seed_results.py share.

Models are chosen by their validation; the test split is read once, after the training: as published, and with names
that nobody has seen (unseen_names.py) where names can change. There is no training file of qa3 in en-10k: the story
world tells its stories instead, and the published test measures what was learnt.

A line: {"row", "task", "seed", "test", "unseen", "valid", "valid_loss", "epochs", "reason", "seconds", "rate"}; of one
model of all tasks "tests" by task in place of "task" and "test", and "unseen" by task too. "unseen" is null for tasks
without names that can change. It is missing in older lines, whose "seconds" are of preparing, training and measuring;
now they are of the training. "rate": questions of the test that are answered a second.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import lines
from lines import Line
from runs import answered, dmn, prepared
from unseen_names import write

from dmn_cli.data.store.reader import DataSet
from dmn_cli.data.symmetries.files import symmetries_of

TASKS = range(1, 21)
SLOWEST_FIRST = (17, 3, 19, 18, 8, 7, 2, 5, 16, 14, 15, 13, 10, 11, 12, 9, 6, 1, 4, 20)
WORLD_QUESTIONS = 10_000
ARCHIVE = "tasks_1-20_v1-2.tar.gz"


@dataclass(frozen=True)
class Row:
    """How a table's column is prepared and trained."""

    variant: str
    supports: bool = True
    train: tuple[str, ...] = ()
    joint: bool = False  # one model of all tasks, instead of one each
    tokenizer: str = "spacy"

    def told(self, task: int) -> bool:
        """Whether the story world tells what is trained on."""
        return (self.variant, task) == ("en-10k", 3)


NAMES_STAY = ("--set", "training.symmetries=false")
ROWS = {
    "en": Row("en"),
    "en, names stay": Row("en", train=NAMES_STAY),
    "en, answers only": Row("en", supports=False),
    "en, answers only, names stay": Row("en", supports=False, train=NAMES_STAY),
    "en-10k": Row("en-10k"),
    "en-10k, names stay": Row("en-10k", train=NAMES_STAY),
    "en-10k, answers only": Row("en-10k", supports=False),
    "en-10k, answers only, names stay": Row("en-10k", supports=False, train=NAMES_STAY),
    "en, preset dmn": Row("en", train=("--preset", "dmn")),
    "joint, en-10k": Row("en-10k", joint=True),
    "joint, en-10k, answers only": Row("en-10k", supports=False, joint=True),
}


class Job(NamedTuple):
    """A training that a line is to be written of."""

    row: str
    task: int | None  # None: all of them in one model
    seed: int


class Data(NamedTuple):
    """The data sets of a task."""

    train: Path
    test: Path
    unseen: Path | None  # the test with names that nobody has seen; None: no names can change


class Shop:
    """Where data sets are prepared and models are trained."""

    def __init__(self, archive: Path, folder: Path, options: Sequence[str] = ()) -> None:
        """options: more of them for dmn train"""
        self.archive, self.folder, self.options = archive, folder, options
        self._preparing = Lock()

    def done(self, job: Job) -> Line:
        """Trains and measures, and says what came of it."""
        row = ROWS[job.row]
        tasks = [job.task] if job.task else list(TASKS)
        with self._preparing:
            data = {f"qa{task}": self._data(row, task) for task in tasks}
        name = job.row.replace(",", "").replace(" ", "-")
        run = self.folder / f"{name}{f'-qa{job.task}' if job.task else ''}-{job.seed}"
        sets = [one.train for one in data.values()]
        trained = dmn("train", *sets, "--out", run, "--force", "--seed", job.seed, *row.train, *self.options)
        tests, rate = self._measured(run, {task: one.test for task, one in data.items()})
        new, _ = self._measured(run, {task: one.unseen for task, one in data.items() if one.unseen})
        unseen = {task: new.get(task) for task in data}
        one_task = f"qa{job.task}"
        measured = (
            {"task": job.task, "seed": job.seed, "test": tests[one_task], "unseen": unseen[one_task]}
            if job.task
            else {"seed": job.seed, "tests": tests, "unseen": unseen}
        )
        return {
            "row": job.row,
            **measured,
            "valid": round(trained["best"]["accuracy"], 4),
            "valid_loss": round(trained["best"]["loss"], 6),
            "epochs": trained["epochs"],
            "reason": trained["reason"],
            "seconds": round(trained["seconds"]),
            "rate": rate,
        }

    def sets(self, row: Row, task: int) -> tuple[Path, Path]:
        """What is trained on, and what has the test."""
        options = ["--tokenizer", row.tokenizer, *([] if row.supports else ["--no-supports"])]
        words = "" if row.tokenizer == "spacy" else f"-{row.tokenizer}"
        end = f"{'' if row.supports else '-answers-only'}{words}-qa{task}"
        variant = "en" if row.told(task) else row.variant  # whose test file is the same
        test = prepared(
            self.folder / f"{variant}{end}", "babi", self.archive, "--variant", variant, "--tasks", task, *options
        )
        train = test
        if row.told(task):
            told = ("story", "--tasks", task, "--questions", WORLD_QUESTIONS, "--format", "babi")
            text = prepared(self.folder / f"world-qa{task}-text", *told)
            train = prepared(self.folder / f"world{end}", "babi", text, "--tasks", task, *options)
        return train, test

    def _data(self, row: Row, task: int) -> Data:
        train, test = self.sets(row, task)
        return Data(train, test, self._unseen(test))

    def _unseen(self, test: Path) -> Path | None:
        data = DataSet(test)
        if not any(one.classes for one in symmetries_of(data.summary, test).values()):
            return None
        renamed = test.with_name(f"{test.name}-unseen")
        lines = renamed.with_suffix(".jsonl")
        if not renamed.exists():
            write(test, lines)
        return prepared(renamed, "jsonl", lines)

    def _measured(self, run: Path, data: dict[str, Path]) -> tuple[dict[str, float], int]:
        """Test accuracy by task, and the questions that were answered a second."""
        if not data:
            return {}, 0
        report = dmn("eval", run, *data.values())
        return {task: round(report["tasks"][task]["accuracy"], 4) for task in data}, answered(report)


def jobs(rows: Sequence[str], tasks: Sequence[int], seeds: Sequence[int]) -> Iterator[Job]:
    for name in rows:
        for seed in seeds:
            yield from (Job(name, task, seed) for task in ([None] if ROWS[name].joint else tasks))


def work(wanted: Iterator[Job], kept: Path, given: argparse.Namespace) -> None:
    """Does the trainings that have no line in `kept` yet, and adds one for each. given: what `arguments` parsed"""
    given.folder.mkdir(parents=True, exist_ok=True)
    shop = Shop(given.data, given.folder, given.options)
    lines.work(wanted, shop.done, kept, jobs=given.jobs, minutes=given.minutes)
