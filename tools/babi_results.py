"""All of bAbI, from the archive to the tables: one model a task, or one of all tasks, `dmn train` with no option.

    python tools/babi_results.py ARCHIVE FOLDER [--rows en;…] [--tasks 1,…] [--seeds 1,…] [--jobs N] [--minutes M]

A finished training is a line of docs/babi.jsonl (`babi_trainings.py` says what is in it) and isn't done again, so the
tables in docs/babi.md grow from one call to the next. What is open is marked with `·`.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean
from typing import NamedTuple

from babi_trainings import ARCHIVE, ROWS, SLOWEST_FIRST, TASKS, jobs, work
from lines import NONE, OPEN, Line, arguments, numbers, read, spread, table

PASSED = 0.95
PUBLISHED = {  # test accuracies of qa1 to qa20 in %
    "Kumar 2016: DMN, en": (
        *(100, 98.2, 95.2, 100, 99.3, 100, 96.9, 96.5, 100, 97.5),
        *(99.9, 100, 99.8, 100, 100, 99.4, 59.6, 95.3, 34.5, 100),
    ),
    "Xiong 2016: DMN+, en-10k, answers only": (
        *(100, 99.7, 98.9, 100, 99.5, 100, 97.6, 100, 100, 100),
        *(100, 100, 100, 99.8, 100, 54.7, 95.8, 97.9, 100, 100),
    ),
}
HEAD = """\
# bAbI

Test accuracy in %, `dmn train` with no option; mean ± sd (seeds), and the worst of them. `·`: open. Made by
`make results-babi`, which goes on where it stopped; every training is a line of [babi.jsonl](babi.jsonl). Models are
chosen by their validation, the test is read once.

*en* has 1,000 training questions a task, *en-10k* 10,000; supporting facts are given, but where it says *answers only*;
there nothing sees them, and what an answer rests on is found by the names that link facts, in the tasks where these
tell it ([how](log.md#2026-11-27-names-and-answers-only)). *names stay*: nothing is read under other names. There is one
model a task; *joint*: one model of all twenty, on two cores.

Published: DMN, Kumar et al. 2016 (1,000 questions, supporting facts); DMN+, Xiong et al. 2016 (10,000 questions,
answers only; of qa3, qa17 and qa18 the best of ten by validation). Of *en, answers only* there are means, each of the
best of ten: Universal Transformer 95.5 (Dehghani et al. 2019), QRN 90.1 (Seo et al. 2017), MemN2N 86.1 (Sukhbaatar et
al. 2015); and of *en-10k, answers only* Universal Transformer 99.8, EntNet 99.5 (Henaff et al. 2017).

"""
STARRED = """
\\* The training file of qa3 in en-10k is missing from the archive: trained on 10,000 questions of the story world
(`dmn prepare story --tasks 3 --questions 10000`), and tested on the published test.
"""
NEW_NAMES = f"""
## Names that nobody has seen

The same models on the same test: as published / with every name that can change places replaced by one that the data
don't have (`tools/unseen_names.py`). Means over the seeds. `{NONE}`: the task has no such names.

"""

Cells = dict[tuple[str, int], dict[int, float]]  # (row, task) → seed → accuracy


class Measured:
    """What the lines say."""

    def __init__(self, kept: Sequence[Line]) -> None:
        self.tests: Cells = {}
        self.unseen: dict[tuple[str, int], dict[int, float | None]] = {}
        self.seconds: dict[str, list[float]] = {}
        self.rates: dict[str, list[float]] = {}
        for line in kept:
            row, seed = line["row"], line["seed"]
            self.seconds.setdefault(row, []).append(line["seconds"])
            if "rate" in line:
                self.rates.setdefault(row, []).append(line["rate"])
            tests = line.get("tests") or {f"qa{line['task']}": line["test"]}
            for name, accuracy in tests.items():
                key = row, int(name.removeprefix("qa"))
                self.tests.setdefault(key, {})[seed] = accuracy
                if "unseen" in line:
                    new = line["unseen"][name] if "tests" in line else line["unseen"]
                    self.unseen.setdefault(key, {})[seed] = new
        self.rows = [row for row in ROWS if row in self.seconds]

    def known_unseen(self) -> Cells:
        """Those of the tasks that have names."""
        known = {
            key: {seed: accuracy for seed, accuracy in seeds.items() if accuracy is not None}
            for key, seeds in self.unseen.items()
        }
        return {key: seeds for key, seeds in known.items() if seeds}


class Row(NamedTuple):
    """What was measured of a row."""

    tasks: dict[int, float]  # the mean over the seeds
    seeds: dict[int, float]  # of those that have all of these tasks: the mean over the tasks

    @property
    def passed(self) -> int:
        """Tasks."""
        return sum(accuracy >= PASSED for accuracy in self.tasks.values())

    @property
    def lowest(self) -> int:
        """A task."""
        return min(self.tasks, key=lambda task: self.tasks[task])

    @property
    def worst(self) -> int | None:
        """A seed."""
        return min(self.seeds, key=lambda seed: self.seeds[seed], default=None)


def over(cells: Cells, row: str) -> Row:
    """One row of these cells."""
    own = {task: cells[row, task] for task in TASKS if (row, task) in cells}
    seeds = set[int].intersection(*(set(tests) for tests in own.values())) if own else set[int]()
    return Row(
        {task: mean(tests.values()) for task, tests in own.items()},
        {seed: mean(tests[seed] for tests in own.values()) for seed in sorted(seeds)},
    )


def known(measured: Measured) -> str:
    """A line a task, a column a row of ROWS, then the published ones."""
    rows = []
    for task in TASKS:
        cells = [_cell(row, task, list(measured.tests.get((row, task), {}).values())) for row in measured.rows]
        cells += [f"{figures[task - 1]:.1f}" for figures in PUBLISHED.values()]
        rows.append([f"qa{task}", *cells])
    return table(["task", *measured.rows, *PUBLISHED], rows)


def _cell(row: str, task: int, tests: list[float]) -> str:
    if not tests:
        return OPEN
    more = f" ({len(tests)}), worst {100 * min(tests):.1f}" if len(tests) > 1 else ""
    return f"{spread(tests)}{_star(row, task)}{more}"


def _star(row: str, task: int) -> str:
    return "\\*" if ROWS[row].told(task) else ""


def passed(name: str) -> int:
    """How many tasks of what was published so."""
    return sum(figure >= 100 * PASSED for figure in PUBLISHED[name])


def summary(measured: Measured) -> str:
    """A line a row: over its tasks, and over the seeds that have them all."""
    columns = ("", "tasks", "seeds", "mean", "tasks ≥ 95", "worst seed", "seconds a training")
    rows = []
    for row in measured.rows:
        tasks, seeds = one = over(measured.tests, row)
        cells = [
            *(row, f"{len(tasks)}", f"{len(seeds)}", spread(list(seeds.values()) or [mean(tasks.values())])),
            f"{one.passed}",
            OPEN if one.worst is None else f"{100 * seeds[one.worst]:.1f} (seed {one.worst})",
            f"{mean(measured.seconds[row]):.0f}",
        ]
        rows.append(cells)
    for name, figures in PUBLISHED.items():
        rows.append([name, f"{len(figures)}", NONE, f"{mean(figures):.1f}", f"{passed(name)}", NONE, NONE])
    return table(columns, rows)


def unseen(measured: Measured) -> str:
    """A line a task: known / unseen, of the seeds that were measured on both."""
    rows = []
    for task in TASKS:
        cells = []
        for row in measured.rows:
            tests = measured.tests.get((row, task), {})
            new = measured.unseen.get((row, task), {})
            if not tests:
                cells.append(OPEN)
                continue
            figures = [accuracy for accuracy in new.values() if accuracy is not None]
            said = spread([mean(figures)]) if figures else NONE if new else OPEN
            as_published = mean([tests[seed] for seed in new or tests])
            cells.append(f"{spread([as_published])}{_star(row, task)} / {said}")
        rows.append([f"qa{task}", *cells])
    return table(["task", *measured.rows], rows)


def page(kept: Sequence[Line]) -> str:
    measured = Measured(kept)
    starred = STARRED if any(ROWS[row].told(task) for row, task in measured.tests) else ""
    return "".join((HEAD, summary(measured), "\n", known(measured), starred, NEW_NAMES, unseen(measured)))


def main() -> None:
    parser = arguments(__doc__, ARCHIVE)
    parser.add_argument("--rows", default="en", help=f"divided by semicolons: {'; '.join(ROWS)}")
    parser.add_argument("--tasks", type=numbers, default=SLOWEST_FIRST, help="of the rows of a model a task")
    parser.add_argument("--seeds", type=numbers, default=[1, 2, 3])
    given = parser.parse_args()
    kept = given.docs / "babi.jsonl"
    work(jobs(given.rows.split(";"), given.tasks, given.seeds), kept, given)
    text = page(read(kept))
    (given.docs / "babi.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
