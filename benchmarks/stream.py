"""`dmn ask --batch` as a program: lines of qa1 a second, next to what another checkout of dmn does in the same run.

    python -m benchmarks stream
    git worktree add --detach ../before 7e14e33
    python -m benchmarks stream --before ../before/src

Each is started anew, in turns, with many lines and with one, and the difference of the two is what lines take. Seconds
are those of the CPU, all processes together, on one thread, so that whatever else the machine does counts less.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import dmn_cli
from benchmarks.table import Column, show
from dmn_cli.notation import to_json

COLUMNS = [
    Column("dmn", "name", width=14),
    Column("start, s", "start", ".2f"),
    Column("lines, s", "seconds", ".2f"),
    Column("lines/s", "lines_per_s"),
    Column("/ before", "over_before", ".2f"),
]
_HERE = Path(dmn_cli.__file__).parents[1]


def main(arguments: Sequence[str]) -> None:
    """The table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks stream", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--before", type=Path, metavar="SRC", help="the source folder of another checkout, to be compared with")
    add("--lines", type=int, default=60_000)
    add("--rounds", type=int, default=5, help="the best of so many counts")
    add("--model", default="demo")
    add("--folder", type=Path, default=Path("build") / "bench")
    add("--json", action="store_true", help="one JSON document, and no table")
    options = parser.parse_args(arguments)
    many, one = _files(options.folder, options.lines)
    ways: dict[str, tuple[Path, list[str]]] = {"here": (_HERE, []), "here, --brief": (_HERE, ["--brief"])}
    if options.before:
        ways = {"before": (options.before, []), **ways}
    best: dict[tuple[str, Path], float] = {}
    for _ in range(options.rounds):
        for name, (source, given) in ways.items():
            for file in (one, many):
                taken = _cpu_seconds(source, [options.model, "--batch", str(file.resolve()), *given])
                best[name, file] = min(taken, best.get((name, file), taken))
    title = f"dmn ask --batch, {options.lines:,} questions of qa1"
    told = show(title, COLUMNS, _rows(best, [*ways], one, many, options.lines), silent=options.json)
    if options.json:
        print(to_json({"lines": options.lines, "stream": told}))


def _rows(
    best: dict[tuple[str, Path], float], names: list[str], one: Path, many: Path, lines: int
) -> Iterator[dict[str, Any]]:
    seconds = {name: best[name, many] - best[name, one] for name in names}
    for name in names:
        row = {"name": name, "start": best[name, one], "seconds": seconds[name], "lines_per_s": lines / seconds[name]}
        yield row | ({"over_before": seconds["before"] / seconds[name]} if "before" in seconds else {})


def _files(folder: Path, lines: int) -> tuple[Path, Path]:
    """Lines for dmn ask --batch: so many, and one."""
    from dmn_cli.data.formats.story_world import stories

    folder.mkdir(parents=True, exist_ok=True)
    asked = (
        {"story": story.facts[: question.position], "question": question.text}
        for story in stories("qa1", lines, 1, "test")
        for question in story.questions
    )
    text = [json.dumps(one) + "\n" for one in asked]
    many, one = folder / f"qa1-{lines}.jsonl", folder / "qa1-1.jsonl"
    many.write_text("".join(text), encoding="utf-8")
    one.write_text(text[0], encoding="utf-8")
    return many, one


def _cpu_seconds(source: Path, arguments: list[str]) -> float:
    """Of dmn ask, its helpers included. Raises: subprocess.CalledProcessError"""
    environment = {**os.environ, "PYTHONPATH": str(source.resolve()), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "dmn_cli", "ask", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return used.ru_utime + used.ru_stime
