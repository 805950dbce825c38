"""All of bAbI, from the archive to the table: one model a task and seed, `dmn train` with no option.

    python tools/babi_results.py ARCHIVE FOLDER [--rows en,…] [--tasks 1,…] [--seeds 1,…] [--jobs N] [--minutes M]

Models are chosen by their validation; the test split is read once. A finished training is a line of docs/babi.jsonl and
isn't done again, so the table in docs/babi.md grows from one call to the next. Cells that are open are marked with `·`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from runs import dmn, prepared

DOCS = Path(__file__).parents[1] / "docs"
LINES = DOCS / "babi.jsonl"
ROWS: dict[str, dict[str, list[str]]] = {  # name → options of prepare, and of train
    "en": {"prepare": ["--variant", "en"], "train": []},
    "en, names stay": {"prepare": ["--variant", "en"], "train": ["--set", "training.symmetries=false"]},
    "en, answers only": {"prepare": ["--variant", "en", "--no-supports"], "train": []},
    "en-10k": {"prepare": ["--variant", "en-10k"], "train": []},
    "en-10k, names stay": {"prepare": ["--variant", "en-10k"], "train": ["--set", "training.symmetries=false"]},
    "en-10k, answers only": {"prepare": ["--variant", "en-10k", "--no-supports"], "train": []},
    "en, preset dmn": {"prepare": ["--variant", "en"], "train": ["--preset", "dmn"]},
}
SLOWEST_FIRST = (17, 3, 19, 18, 8, 7, 2, 5, 16, 14, 15, 13, 10, 11, 12, 9, 6, 1, 4, 20)


def one(row: str, task: int, seed: int, archive: Path, folder: Path) -> dict[str, Any]:
    options = ROWS[row]
    name = row.replace(",", "").replace(" ", "-")
    start = time.perf_counter()
    data = prepared(folder / f"{name}-qa{task}", "babi", archive, "--tasks", task, *options["prepare"])
    run = folder / f"{name}-qa{task}-{seed}"
    trained = dmn("train", data, "--out", run, "--force", "--seed", seed, *options["train"])
    test = dmn("eval", run, data)
    return {
        "row": row,
        "task": task,
        "seed": seed,
        "test": round(test["accuracy"], 4),
        "valid": round(trained["best"]["accuracy"], 4),
        "epochs": trained["epochs"],
        "reason": trained["reason"],
        "seconds": round(time.perf_counter() - start),
    }


def lines() -> list[dict[str, Any]]:
    return [json.loads(line) for line in LINES.read_text(encoding="utf-8").splitlines()] if LINES.exists() else []


def missing(rows: list[str], tasks: list[int], seeds: list[int]) -> list[tuple[str, int, int]]:
    done = {(line["row"], line["task"], line["seed"]) for line in lines()}
    wanted = [(row, task, seed) for row in rows for seed in seeds for task in tasks]
    return [
        run for run in wanted if run not in done and not (run[1] == 3 and run[0].startswith("en-10k"))
    ]  # there is no 10k file of qa3


def table() -> str:
    """Test accuracy in %, a column a row of ROWS, mean ± sd over the seeds that are there."""
    tests: dict[tuple[str, int], list[float]] = {}
    for line in lines():
        tests.setdefault((line["row"], line["task"]), []).append(100 * line["test"])
    shown = [row for row in ROWS if any(key[0] == row for key in tests)]
    text = [f"| task | {' | '.join(shown)} |", f"| --- |{' ---: |' * len(shown)}"]
    for task in range(1, 21):
        text.append(f"| qa{task} | {' | '.join(_cell(tests.get((row, task), [])) for row in shown)} |")
    for name, figure in (("mean", mean), ("worst", min)):
        cells = []
        for row in shown:
            own = [tests[row, task] for task in range(1, 21) if (row, task) in tests]
            figures = [mean(cell) for cell in own] if name == "mean" else [min(cell) for cell in own]
            cells.append(f"{figure(figures):.1f} ({len(own)} tasks)")
        text.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(text) + "\n"


def _cell(tests: list[float]) -> str:
    if not tests:
        return "·"
    if len(tests) == 1:
        return f"{tests[0]:.1f}"
    return f"{mean(tests):.1f} ± {stdev(tests):.1f} ({len(tests)}), worst {min(tests):.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", default="en", help="names of ROWS, divided by semicolons")
    parser.add_argument("--tasks", default=",".join(map(str, SLOWEST_FIRST)))
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--jobs", type=int, default=2, help="trainings at once, of one thread each")
    parser.add_argument("--minutes", type=float, default=1e9, help="after which no training is begun")
    given = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    given.folder.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + 60 * given.minutes
    tasks, seeds = ([int(n) for n in text.split(",")] for text in (given.tasks, given.seeds))

    def work(run: tuple[str, int, int]) -> None:
        if time.monotonic() > end:
            return
        line = one(*run, given.archive, given.folder)
        with LINES.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        print(line, file=sys.stderr)

    with ThreadPoolExecutor(given.jobs) as pool:
        list(pool.map(work, missing(given.rows.split(";"), tasks, seeds)))
    head = "# bAbI, one model a task\n\nTest accuracy in %, `dmn train` with no option; " + (
        "mean ± sd (seeds). `·`: open. Made by `make results-babi`, which goes on where it stopped; "
        "every training is a line of [babi.jsonl](babi.jsonl).\n\n"
    )
    (DOCS / "babi.md").write_text(head + table(), encoding="utf-8")
    print(table())


if __name__ == "__main__":
    main()
