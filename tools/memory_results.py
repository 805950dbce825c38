"""Memory networks on bAbI side by side, from the archive to the table.

    python tools/memory_results.py ARCHIVE FOLDER [--rows memnn;…] [--tasks 1,…] [--seeds 1,…] [--jobs N] [--minutes M]

A finished training is a line of docs/systems.jsonl and isn't done again, so the tables in docs/memory.md grow from one
call to the next. What is open is marked with `·`. A line: {"table": "memory", "row", "task", "seed", "test", "valid",
"train_loss", "epochs", "seconds", "rate"}: accuracies of the model that the validation chose, the mean loss of the
training's last epoch, its seconds by the clock, and how many questions are answered a second.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean
from threading import Lock
from typing import NamedTuple

import babi_results
from babi_results import PASSED, Measured, over
from babi_trainings import ARCHIVE, SLOWEST_FIRST, TASKS, Row, Shop
from lines import NONE, OPEN, Line, arguments, numbers, read, spread, table, work
from runs import answered, dmn

TABLE = "memory"
MEMNN, MEMN2N, MEMN2N_10K = "memnn, en", "memn2n, en, answers only", "memn2n, en-10k, answers only"
ROWS = {
    MEMNN: Row("en", train=("--preset", "memnn")),
    MEMN2N: Row("en", supports=False, train=("--preset", "memn2n"), tokenizer="plain"),
    MEMN2N_10K: Row("en-10k", supports=False, train=("--preset", "memn2n"), tokenizer="plain"),
}
PUBLISHED = {  # test accuracies of qa1 to qa20 in %
    MEMNN: (*(100, 100, 100, 100, 98, 100, 85, 91, 100, 98), *(100, 100, 100, 99, 100, 100, 65, 95, 36, 100)),
    MEMN2N: (
        *(100, 91.7, 59.7, 97.2, 86.9, 92.4, 82.7, 90.0, 86.8, 84.9),
        *(99.1, 99.8, 99.6, 98.3, 100, 98.7, 49.0, 88.9, 17.2, 100),
    ),
    MEMN2N_10K: (
        *(100, 99.7, 97.9, 100, 99.2, 99.9, 98.0, 99.1, 99.7, 100),
        *(100, 100, 100, 99.9, 100, 48.2, 81.4, 94.7, 97.7, 100),
    ),
}
KUMAR, XIONG = babi_results.PUBLISHED
BESIDE = {  # rows of babi.md: their names here, and who published the same
    "en, preset dmn": ("dmn, en", KUMAR),
    "en": ("dmn-plus, en", None),
    "en, answers only": ("dmn-plus, en, answers only", None),
    "en-10k, answers only": ("dmn-plus, en-10k, answers only", XIONG),
}
HEAD = """\
# Memory networks

Test accuracy in % on bAbI, one model a task: the networks that the Dynamic Memory Network comes from, made here from
their papers (`src/dmn_cli/baselines/`), with the settings of their presets. `·`: open. Made by `make results-systems`,
which goes on where it stopped; every training is a line of [systems.jsonl](systems.jsonl).

*memnn*: Weston et al. 2015, 1,000 training questions a task with supporting facts. *memn2n*: Sukhbaatar et al. 2015,
answers only, of 1,000 and of 10,000 questions, punctuation left out (`--tokenizer plain`). Published are for *memn2n*
the best of ten trainings by their training loss; *by training loss* is ours chosen so, and *mean* is over all seeds.
The epoch is chosen by the validation, a tenth of the training stories; the test is read once. The training file of qa3
in en-10k is missing from the archive: the story world tells 10,000 questions instead.

The rows of [babi.md](babi.md) beside them: `dmn train` with no option, by which names change in each batch; of
*dmn*, `--preset dmn`, by which they stay.

"""

Cells = dict[int, dict[int, Line]]  # task → seed → line


class Job(NamedTuple):
    """A training that a line is to be written of."""

    table: str
    row: str
    task: int
    seed: int


class Trainings:
    """Done by the shell commands of docs/tour.md."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self._preparing = Lock()

    def done(self, job: Job) -> Line:
        row = ROWS[job.row]
        with self._preparing:
            data, test = self.shop.sets(row, job.task)
        run = self.shop.folder / f"{row.train[1]}-{row.variant}-qa{job.task}-{job.seed}"
        options = ("--force", "--seed", job.seed, *row.train, *self.shop.options)
        trained = dmn("train", data, "--out", run, *options)
        report = dmn("eval", run, test)
        *_, last = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        return {
            **job._asdict(),
            "test": report["tasks"][f"qa{job.task}"]["accuracy"],
            "valid": round(trained["best"]["accuracy"], 4),
            "train_loss": round(json.loads(last)["loss"], 6),
            "epochs": trained["epochs"],
            "seconds": round(trained["seconds"]),
            "rate": answered(report),
        }


def jobs(rows: Sequence[str], tasks: Sequence[int], seeds: Sequence[int]) -> Iterator[Job]:
    yield from (Job(TABLE, row, task, seed) for row in rows for seed in seeds for task in tasks)


def measured(kept: Sequence[Line]) -> dict[str, Cells]:
    """By row."""
    cells: dict[str, Cells] = {row: {} for row in ROWS}
    for line in kept:
        if line["table"] == TABLE:
            cells[line["row"]].setdefault(line["task"], {})[line["seed"]] = line
    return cells


def chosen(seeds: dict[int, Line]) -> float:
    """The test accuracy of the training with the lowest loss."""
    return min(seeds.values(), key=lambda line: line["train_loss"])["test"]


def by_task(cells: dict[str, Cells]) -> str:
    rows = []
    for task in TASKS:
        said = [f"qa{task}"]
        for row, published in PUBLISHED.items():
            seeds = cells[row].get(task)
            tests = [line["test"] for line in seeds.values()] if seeds else []
            said += [f"{spread(tests)} ({len(tests)})" if tests else OPEN]
            said += [f"{100 * chosen(seeds):.1f}" if seeds else OPEN, f"{published[task - 1]:.1f}"]
        rows.append(said)
    head = ["task", *(name for row in ROWS for name in (row, "by training loss", "published"))]
    return table(head, rows)


def summary(cells: dict[str, Cells], babi: Measured) -> str:
    rows = []
    for row, published in PUBLISHED.items():
        own = cells[row]
        means = {task: mean(line["test"] for line in seeds.values()) for task, seeds in own.items()}
        best = [chosen(seeds) for seeds in own.values()]
        lines = [line for seeds in own.values() for line in seeds.values()]
        said = [f"{len(own)}", *(f"{100 * mean(of):.1f}" if of else OPEN for of in (means.values(), best))]
        passed = [f"{sum(of >= PASSED for of in best)}" if best else OPEN]
        of_paper = [f"{mean(published):.1f}", f"{sum(of >= 100 * PASSED for of in published)}"]
        costs = [average([line[key] for line in lines if key in line]) for key in ("seconds", "rate")]
        rows.append([row, *said, *passed, *of_paper, *costs])
    for row, (name, paper) in BESIDE.items():
        one = over(babi.tests, row)
        of_paper = (
            [f"{mean(babi_results.PUBLISHED[paper]):.1f}", f"{babi_results.passed(paper)}"] if paper else [NONE] * 2
        )
        known = row in babi.seconds
        said = [f"{100 * mean(one.tasks.values()):.1f}", NONE, f"{one.passed}"] if known else [OPEN, NONE, OPEN]
        costs = [average(of.get(row, [])) for of in (babi.seconds, babi.rates)]
        rows.append([name, f"{len(one.tasks)}", *said, *of_paper, *costs])
    columns = ("tasks", "mean", "by training loss", "tasks ≥ 95", "published", "published ≥ 95")
    return table(["", *columns, "seconds a training", "questions/s"], rows)


def average(figures: Sequence[float]) -> str:
    return f"{mean(figures):,.0f}" if figures else OPEN


def page(kept: Sequence[Line], babi: Sequence[Line]) -> str:
    cells = measured(kept)
    return "".join((HEAD, summary(cells, Measured(babi)), "\n", by_task(cells)))


def main() -> None:
    parser = arguments(__doc__, ARCHIVE)
    parser.add_argument("--rows", default=";".join(ROWS), help="divided by semicolons; the first words of each will do")
    parser.add_argument("--tasks", type=numbers, default=SLOWEST_FIRST)
    parser.add_argument("--seeds", type=numbers, default=[*range(1, 11)])
    given = parser.parse_args()
    rows = [row for row in ROWS if any(row.startswith(name) for name in given.rows.split(";"))]
    kept: Path = given.docs / "systems.jsonl"
    given.folder.mkdir(parents=True, exist_ok=True)
    trainings = Trainings(Shop(given.data, given.folder, given.options))
    if given.minutes:
        wanted = jobs(rows, given.tasks, given.seeds)
        work(wanted, trainings.done, kept, jobs=given.jobs, minutes=given.minutes)
    text = page(read(kept), read(given.docs / "babi.jsonl"))
    (given.docs / "memory.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
