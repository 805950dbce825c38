"""How much seeds differ: the tasks of bAbI en-10k that vary the most, ten seeds each, `dmn train` with no option.

    python tools/seed_results.py ARCHIVE FOLDER [--tasks 2,…] [--seeds 1,…] [--jobs N] [--minutes M]

A finished training is a line of docs/babi.jsonl (`babi_trainings.py` says what is in it), as those of babi_results.py
are, and isn't done again; the table is docs/seeds.md, the worst first.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean

from babi_trainings import ARCHIVE, ROWS, jobs, work
from lines import Line, arguments, numbers, read, spread

ROW = "en-10k"
TASKS = (3, 19, 16, 14, 2)
SEEDS = 10
HEAD = """\
# How much seeds differ

Test accuracy in % of bAbI en-10k, supporting facts given, `dmn train` with no option; qa3 is trained on 10,000
questions of the story world, since its training file is missing from the archive. The worst task first, and of each the
worst seed. Made by `make results-seeds`, which goes on where it stopped; every training is a line of
[babi.jsonl](babi.jsonl).

"""


def page(kept: Sequence[Line]) -> str:
    columns = (
        "task",
        "seeds",
        "mean ± sd",
        "worst",
        "the best by validation",
        "seconds a training",
        "all, worst first",
    )
    text = [f"| {' | '.join(columns)} |", f"| --- |{' ---: |' * (len(columns) - 2)} --- |"]
    tasks: dict[int, list[Line]] = {}
    for line in kept:
        if line["row"] == ROW and line["task"] in TASKS:
            tasks.setdefault(line["task"], []).append(line)
    for task, own in sorted(tasks.items(), key=lambda item: min(line["test"] for line in item[1])):
        ranked = sorted(own, key=lambda line: (line["test"], line["seed"]))
        chosen = max(own, key=lambda line: (line["valid"], -line["valid_loss"]))
        cells = [
            f"{'story-world ' if ROWS[ROW].told(task) else ''}qa{task}",
            f"{len(own)}",
            spread([line["test"] for line in own]),
            f"{100 * ranked[0]['test']:.1f} (seed {ranked[0]['seed']})",
            f"{100 * chosen['test']:.1f} (seed {chosen['seed']})",
            f"{mean(line['seconds'] for line in own):.0f}",
            ", ".join(f"{100 * line['test']:.1f}" for line in ranked),
        ]
        text.append(f"| {' | '.join(cells)} |")
    return HEAD + "\n".join(text) + "\n"


def main() -> None:
    parser = arguments(__doc__, ARCHIVE)
    parser.add_argument("--tasks", type=numbers, default=TASKS)
    parser.add_argument("--seeds", type=numbers, default=range(1, SEEDS + 1))
    given = parser.parse_args()
    kept = given.docs / "babi.jsonl"
    work(jobs([ROW], given.tasks, given.seeds), kept, given)
    text = page(read(kept))
    (given.docs / "seeds.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
