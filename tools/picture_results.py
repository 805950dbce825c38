"""Pictures, from the data to the table.

    python tools/picture_results.py DAQUAR FOLDER [--rows sort-of-clevr;…] [--seeds 1,…] [--jobs N] [--minutes M]

DAQUAR is its folder as published. A finished training is a line of docs/systems.jsonl and isn't done again, so the
table in docs/pictures.md grows from one call to the next. What is open is marked with `·`. A line: {"table":
"pictures", "row", "seed", "tasks": {NAME: test accuracy}, "valid", "seconds", "questions_per_s"}; the model was chosen
by its validation, and seconds are those of the training by the clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import NamedTuple

from lines import NONE, OPEN, Line, arguments, missing, numbers, read, spread, table, work
from runs import answered, dmn, prepared, trained

TABLE = "pictures"
HEAD = """\
# Pictures

Test accuracy in %: mean ± sd (seeds). `·`: open. Made by `make results-pictures`, which goes on where it stopped; every
training is a line of [systems.jsonl](systems.jsonl). The model is chosen by the validation, the test is read once.

*sort-of-clevr*: 30,000 pictures made by `dmn prepare image --make sort-of-clevr --pictures 30000`, of which a tenth is
held out, and 30,000 test questions about 1,500 others; five epochs in one process, supporting regions teach the gates,
and the first epoch reads them (teacher forcing). Published for relation networks, of 9,800 pictures: 94 relational and
94 non-relational (Santoro et al. 2017), 89 to 92 and 99 in public code. *daquar*: 6,795 training and 5,673 test
questions of the 894 answers, an answer counted where all of its words are right. Its convolutions are trained from
scratch on 714 pictures; *question alone* has the same settings but one pass, and one grey picture for all questions.
With features of a network that knows ImageNet, name their files in JSON lines: `dmn prepare image FOLDER`
([formats](formats.md)). Seconds are by the clock of a busy machine.

"""


class Job(NamedTuple):
    table: str
    row: str
    seed: int


class Row(NamedTuple):
    prepare: tuple[str, ...]  # DAQUAR stands for its folder
    train: tuple[str, ...] = ()
    grey: bool = False  # whether all pictures are the same


_DAQUAR = ("image", "DAQUAR", "--side", "112", "--grid", "7")
_SMALL = ("--set", "model.dropout=0.3", "--set", "training.patience=5")
ROWS = {
    "sort-of-clevr": Row(
        ("image", "--make", "sort-of-clevr", "--pictures", "30000"),
        ("--epochs", "5", "--set", "training.parts=1"),
    ),
    "daquar": Row(_DAQUAR, _SMALL),
    "daquar, question alone": Row(_DAQUAR, (*_SMALL, "--set", "model.passes=1"), grey=True),
}
TASKS = ("relational", "non-relational", "daquar")


class Shop:
    """Prepares, trains and measures. All of it is in `folder`."""

    def __init__(self, daquar: Path, folder: Path, options: Sequence[str]) -> None:
        self.daquar, self.folder, self.options = daquar, folder, options

    def prepare(self, row: str) -> Path:
        name, chosen = row.replace(", ", "-").replace(" ", "-"), ROWS[row]
        source = [str(self.daquar) if part == "DAQUAR" else part for part in chosen.prepare]
        if not chosen.grey:
            return prepared(self.folder / name, *source)
        lines = self.folder / f"{name}.lines"
        if not lines.exists():
            from grey_pictures import write

            write(self.daquar, lines)
        return prepared(self.folder / name, "image", lines, *chosen.prepare[2:])

    def done(self, job: Job) -> Line:
        data = self.prepare(job.row)
        run = self.folder / f"{data.name}-{job.seed}.run"
        options = ("--preset", "dmn-image", "--seed", job.seed, *ROWS[job.row].train, *self.options)
        training = trained(run, data, *options)
        report = dmn("eval", run, data)
        return {
            **job._asdict(),
            "tasks": {name: task["accuracy"] for name, task in report["tasks"].items()},
            "valid": training["best"]["accuracy"],
            "seconds": round(training["seconds"]),
            "questions_per_s": answered(report),
        }


def page(kept: Sequence[Line]) -> str:
    return HEAD + pictures(kept)


def pictures(kept: Sequence[Line]) -> str:
    rows = []
    for row in ROWS:
        lines = [line for line in kept if line.get("table") == TABLE and line["row"] == row]
        cells = [_accuracy(lines, task, row) for task in TASKS]
        figures = [f"{mean(line[key] for line in lines):.0f}" if lines else OPEN for key in _FIGURES]
        rows.append([row, *cells, *figures])
    return table(["", *TASKS, "seconds of training", "questions/s"], rows)


_FIGURES = ("seconds", "questions_per_s")


def _accuracy(lines: Sequence[Line], task: str, row: str) -> str:
    if (task == "daquar") != row.startswith("daquar"):
        return NONE
    found = [line["tasks"][task] for line in lines]
    return f"{spread(found)} ({len(found)})" if found else OPEN


def main() -> None:
    parser = arguments(__doc__, "the folder of DAQUAR")
    parser.add_argument("--rows", default=";".join(ROWS), help="divided by semicolons")
    parser.add_argument("--seeds", type=numbers, default=[1, 2, 3])
    given = parser.parse_args()
    wanted = [Job(TABLE, row, seed) for row in given.rows.split(";") for seed in given.seeds]
    if unknown := [job.row for job in wanted if job.row not in ROWS]:
        parser.error(f"there is no row {unknown[0]!r}; there are: {', '.join(ROWS)}")
    kept = given.docs / "systems.jsonl"
    given.folder.mkdir(parents=True, exist_ok=True)
    if given.minutes:
        shop = Shop(given.data.resolve(), given.folder.resolve(), given.options)
        for row in dict.fromkeys(job.row for job in missing(wanted, kept)):
            shop.prepare(row)
        work(wanted, shop.done, kept, jobs=given.jobs, minutes=given.minutes)
    text = page(read(kept))
    (given.docs / "pictures.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
