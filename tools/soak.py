"""A soak of `dmn ask --batch`: lines go in through a pipe, as many must come out, in order, and memory must not grow.

    python tools/soak.py --lines 10000000           (make soak LINES=10000000)
    python tools/soak.py --lines 100000 --model runs/two --processes 1

Lines are questions of the built-in story world, over and over; each hundredth has words that were never seen, each
thousandth is cut short, and each ten-thousandth has a thousand facts more. What comes out is checked line by line: the
id, and an answer or an error where each is due.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import orjson

GROWTH = 128 << 20  # bytes by which memory may grow after the first fifth
_NEW, _BAD, _LONG = 100, 1000, 10_000  # each so-manieth line
_QUESTIONS = 20_000
_AT_ONCE = 200  # lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--minutes", type=float, default=1e9, help="after so many no more lines go in")
    parser.add_argument("--model", default="demo")
    parser.add_argument("--processes", type=int, help="OMP_NUM_THREADS of dmn; not given: as many as there are cores")
    parser.add_argument("--brief", action="store_true", help="have brief answers")
    options = parser.parse_args()
    environment = dict(os.environ)
    if options.processes:
        environment["OMP_NUM_THREADS"] = str(options.processes)
    command = [sys.executable, "-m", "dmn_cli", "ask", options.model, "--batch", "-", *["--brief"] * options.brief]
    start = time.perf_counter()
    feeder = _Feeder(options.lines, start + 60 * options.minutes)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdin
        assert process.stdout
        threading.Thread(target=feeder.feed, args=(process.stdin,), daemon=True).start()
        out, wrong, memory = _check(process.stdout, process.pid, options.lines)
    seconds = time.perf_counter() - start
    early = max(size for line, size in memory if line <= feeder.fed / 5)
    report = {
        "lines_in": feeder.fed,
        "lines_out": out,
        "wrong": wrong,
        "exit_code": process.returncode,
        "seconds": round(seconds),
        "lines_per_s": round(out / seconds),
        "mib_after_a_fifth": early >> 20,
        "mib_at_most": max(size for _, size in memory) >> 20,
    }
    print(json.dumps(report))
    flat = max(size for _, size in memory) - early <= GROWTH
    return 0 if out == feeder.fed and not wrong and process.returncode == 0 and flat else 1


class _Feeder:
    def __init__(self, lines: int, until: float) -> None:
        self.lines, self.until = lines, until  # of `time.perf_counter`
        self.fed = 0  # lines

    def feed(self, pipe: IO[bytes]) -> None:
        questions = [json.dumps({"story": story, "question": question}).encode() for story, question in _asked()]
        with pipe:
            while self.fed < self.lines and time.perf_counter() < self.until:
                numbers = range(self.fed, min(self.fed + _AT_ONCE, self.lines))
                pipe.write(b"".join(_line(number, questions[number % len(questions)]) for number in numbers))
                self.fed = numbers.stop


def _line(number: int, question: bytes) -> bytes:
    if number % _BAD == _BAD - 1:
        question = question[:-9]  # cut short
    elif number % _LONG == 0:
        question = question.replace(b"[", b"[" + b'"Mary went to the garden.", ' * 1000)
    elif number % _NEW == 0:
        question = question.replace(b"[", b'["Zork%d went to room %d.", ' % (number, number))
    return b'{"id": %d, %s\n' % (number, question[1:])


def _asked() -> Iterator[tuple[list[str], str]]:
    """Facts and questions."""
    from dmn_cli.data.formats.story_world import stories

    for story in stories("qa1", _QUESTIONS, 1, "test"):
        for question in story.questions:
            yield [*story.facts[: question.position]], question.text


def _check(pipe: IO[bytes], process: int, lines: int) -> tuple[int, int, list[tuple[int, int]]]:
    """How many lines came, how many of them were wrong, and how much memory was in use after how many lines."""
    wrong = number = 0
    memory: list[tuple[int, int]] = []
    every = max(1, min(lines // 100, 50_000))
    for number, line in enumerate(pipe, start=1):
        answer: dict[str, Any] = orjson.loads(line)
        bad = (number - 1) % _BAD == _BAD - 1
        wrong += "error" not in answer if bad else answer.get("id") != number - 1 or not answer.get("answer")
        if number % every == 0:
            with suppress(OSError):  # it has ended, or one of its children
                memory.append((number, _memory(process)))
            print(f"{number:,} lines, {memory[-1][1] >> 20} MiB, {wrong} wrong", file=sys.stderr, flush=True)
    return number, wrong, memory


def _memory(process: int) -> int:
    """Bytes that it and its children hold."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii").split()
    total = 0
    for one in (str(process), *children):
        held = Path(f"/proc/{one}/smaps_rollup").read_text(encoding="ascii")
        total += next(int(line.split()[1]) << 10 for line in held.splitlines() if line.startswith("Pss:"))
    return total


if __name__ == "__main__":
    sys.exit(main())
