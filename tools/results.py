"""The trainings behind docs/results.md: python tools/results.py ARCHIVE FOLDER

Each row is trained through the shell commands of docs/tour.md, with each of its seeds, and measured once on the test
split; the model was chosen by its validation. Prints the table as Markdown, and every single run above it.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from runs import accuracy, percent, prepared, trained


@dataclass(frozen=True)
class Row:
    variant: str
    task: int
    preset: str
    seeds: tuple[int, ...]
    options: tuple[str, ...] = ()


SMALL = ("--set", "training.batch_size=32", "--epochs", "100")  # a thousand questions want more steps
ROWS = [
    Row("en-10k", 1, "dmn-plus", (1, 2, 3)),
    Row("en-10k", 2, "dmn-plus", (1, 2, 3)),
    *(Row("en", task, preset, (1, 2, 3), SMALL) for preset in ("dmn", "dmn-plus") for task in (1, 2)),
]


def measure(row: Row, archive: str, folder: Path) -> list[tuple[float, float, float]]:
    """(test accuracy, validation accuracy, seconds of training) of each seed."""
    data = folder / f"{row.variant}-qa{row.task}"
    prepared(data, "babi", archive, "--variant", row.variant, "--tasks", row.task)
    figures = []
    for seed in row.seeds:
        run = folder / f"{data.name}-{row.preset}-{seed}"
        training = trained(run, data, "--preset", row.preset, "--seed", seed, *row.options)
        test, best, seconds = accuracy(run, data), training["best"]["accuracy"], training["seconds"]
        print(f"{run.name}: test {test:.4f}, validation {best:.4f}, {seconds:.0f} s", flush=True)
        figures.append((test, best, seconds))
    return figures


def main(archive: str, folder: str) -> None:
    root = Path(folder)
    root.mkdir(parents=True, exist_ok=True)
    lines = [
        "| data | preset | seeds | test accuracy %, mean ± sd | that of the best validation | seconds of training |",
        "| --- | --- | --- | ---: | ---: | ---: |",
    ]
    for row in ROWS:
        figures = measure(row, archive, root)
        chosen = 100 * max(figures, key=lambda f: f[1])[0]
        lines.append(
            f"| {row.variant} qa{row.task} | {row.preset} | {', '.join(map(str, row.seeds))} "
            f"| {percent([accuracy for accuracy, _, _ in figures])} | {chosen:.1f} "
            f"| {', '.join(f'{seconds:.0f}' for *_, seconds in figures)} |"
        )
    print("\n".join(lines))


if __name__ == "__main__":
    main(*sys.argv[1:3])
