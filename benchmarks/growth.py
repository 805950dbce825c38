"""Time and memory as facts, questions and passes grow: python -m benchmarks growth [--out PLOT.svg]

    facts       a training step on stories of 10 to 10,000 facts (--full: 30,000)
    passes      the same with 30 facts and 1 to 10 passes
    questions   `dmn prepare story` and `dmn eval` of 10^3 to 10^6 questions (--full: 10^7)

Each point is a process of its own. To each curve is fitted

    y = fixed + each · n^slope,     fixed, each ≥ 0

by least squares of what it is off by in proportion, so a slope of 1 is a straight line, whatever there is to pay
before. Where nothing grows, or hardly, there is no slope to speak of.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.points import in_mib
from benchmarks.table import Column, show
from dmn_cli.errors import ResourceError, UsageError
from dmn_cli.files import write_text
from dmn_cli.notation import to_json

FACTS = [10, 30, 100, 300, 1000, 3000, 10_000, 30_000]
PASSES = list(range(1, 11))
QUESTIONS = [10**3, 10**4, 10**5, 10**6, 10**7]
PRESETS = {"dmn": 5, "dmn-plus": 3}  # and their passes
SLOPES = [hundredths / 100 for hundredths in range(20, 301)]
_FEW_FACTS = 30
_GROWS = 0.25  # of a curve's last value: less isn't growth
_ROOT = Path(__file__).parent.parent

POINTS = [
    Column("of", "of", width=9),
    Column("what", "what", width=15),
    Column("      n", "n"),
    Column("seconds", "seconds", ".4f"),
    Column("CPU seconds", "cpu_seconds", ".4f"),
    Column("peak MiB", "mib"),
]
FITS = [
    Column("of", "of", width=9),
    Column("what", "what", width=15),
    Column("", "unit", width=11),
    Column("  fixed", "fixed", ".4g"),
    Column("of each", "each", ".3g"),
    Column("slope", "slope", ".2f"),
    Column("off by at most %", "off", ".0f", scale=100),
]


class Fit(NamedTuple):
    fixed: float
    per_fact: float
    slope: float | None  # None where the values don't grow
    off: float  # the largest error, in proportion


def main(arguments: Sequence[str]) -> None:
    """Raises: ResourceError where a point fails"""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks growth", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--of", default="facts,passes,questions", metavar="A,B", help="which of the three")
    add("--most", type=int, default=0, help="no points past this")
    add("--full", action="store_true", help="the last point of facts and questions too, which takes long")
    add("--out", type=Path, metavar="PLOT", help="draw the curves; takes matplotlib")
    add("--folder", type=Path, default=Path("build") / "bench", help="where data and a model are kept meanwhile")
    add("--json", action="store_true", help="one JSON document, and no table")
    options = parser.parse_args(arguments)
    counts = {"facts": FACTS, "passes": PASSES, "questions": QUESTIONS}
    of = options.of.split(",")
    if unknown := set(of) - set(counts):
        raise UsageError(f"--of {min(unknown)}: there is none", hint=f"There are: {', '.join(counts)}.")
    chosen = {name: _few(counts[name], options.most, full=options.full) for name in of}
    points = show("Growth", POINTS, _points(chosen, options.folder.resolve()), silent=options.json)
    fits = show("y = fixed + each · n^slope", FITS, _fits(points), silent=options.json)
    if options.json:
        print(to_json({"points": points, "fits": fits}))
    if options.out:
        draw(points, options.out)


def _few(counts: Sequence[int], most: int, *, full: bool) -> list[int]:
    """Those up to `most`, where it isn't 0; without the last one, which takes long, unless `full`."""
    return [n for n in (counts if full or counts is PASSES else counts[:-1]) if n <= (most or n)]


def _points(counts: dict[str, list[int]], folder: Path) -> Iterator[dict[str, Any]]:
    for preset, usual in PRESETS.items():
        ways = {
            "facts": [(n, n, usual) for n in counts.get("facts", [])],
            "passes": [(n, _FEW_FACTS, n) for n in counts.get("passes", [])],
        }
        for name, points in ways.items():
            for n, facts, passes in points:
                point, _ = _run(["-m", "benchmarks.points", preset, facts, passes])
                yield {"of": name, "what": preset, "n": n, **point}
    yield from _questions(counts.get("questions", []), folder)


def _questions(counts: Sequence[int], folder: Path) -> Iterator[dict[str, Any]]:
    """Preparing so many, and then answering those of them that are trained on. Seconds are without the start."""
    model = folder / "growth-model"
    for n in counts:
        data = folder / f"growth-{n}"
        made, mib = _dmn("prepare", "story", "--tasks", 1, "--questions", n, "--out", data, "--force")
        yield {"of": "questions", "what": "dmn prepare", "n": n, "seconds": made["seconds"], "mib": mib}
        if n == counts[0]:
            _dmn("train", data, "--out", model, "--epochs", 1, "--force")
        report, mib = _dmn("eval", model, data, "--split", "train")
        asked = report["questions"]
        yield {"of": "questions", "what": "dmn eval", "n": asked, "seconds": report["seconds"], "mib": mib}
        shutil.rmtree(data)


def _dmn(*arguments: object) -> tuple[dict[str, Any], float]:
    return _run(["-m", "dmn_cli", *arguments, "--json", "--quiet"])


def _run(arguments: Sequence[object]) -> tuple[dict[str, Any], float]:
    """The JSON that a Python process prints, and its peak memory in MiB. This process must stay small: on Linux a child
    starts with the peak of its parent."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "THP_MEM_ALLOC_ENABLE": "1"}
    command = [sys.executable, *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=_ROOT, env=environment) as process:
        assert process.stdout
        printed = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise ResourceError(f"a measurement ended with exit code {process.returncode}", where=" ".join(command[1:]))
    return json.loads(printed), in_mib(usage.ru_maxrss)


def _fits(points: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for unit in ("seconds", "cpu_seconds", "mib"):
        for (of, what), curve in _curves(points).items():
            if len(curve) > 2 and unit in curve[0]:
                found = fit([point["n"] for point in curve], [point[unit] for point in curve])
                yield {"of": of, "what": what, "unit": unit, **found._asdict()}


def _curves(points: list[dict[str, Any]]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    curves: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for point in points:
        curves.setdefault((point["of"], point["what"]), []).append(point)
    return curves


def fit(counts: Sequence[float], values: Sequence[float], slopes: Sequence[float] = SLOPES) -> Fit:
    """The best of these slopes."""
    import numpy as np

    n, y = np.array(counts, float), np.array(values, float)
    best: tuple[float, Fit] | None = None
    for slope in slopes:
        for columns in ((0, 1), (0,), (1,)):  # neither may be negative: then it is 0
            matrix = np.stack([np.ones_like(n), n**slope], axis=1)[:, columns] / y[:, None]
            found = np.zeros(2)
            found[list(columns)] = np.linalg.lstsq(matrix, np.ones_like(y), rcond=None)[0]
            if (found < 0).any():
                continue
            errors = (found[0] + found[1] * n**slope) / y - 1
            loss = float((errors**2).sum())
            if best is None or loss < best[0]:
                grows = found[1] * n.max() ** slope >= _GROWS * y.max()
                fixed, per_fact = found.tolist()
                best = loss, Fit(fixed, per_fact, slope if grows else None, float(np.abs(errors).max()))
    assert best
    return best[1]


def draw(points: list[dict[str, Any]], plot: Path) -> None:
    """Time above, memory below; dotted, the straight line that fits best."""
    import io

    import matplotlib.pyplot as plt

    curves = _curves(points)
    names = list(dict.fromkeys(of for of, _ in curves))
    plt.rcParams["svg.hashsalt"] = "dmn"
    figure, axes = plt.subplots(2, len(names), figsize=(4 * len(names), 6), squeeze=False)
    for column, name in enumerate(names):
        scale = "linear" if name == "passes" else "log"
        for row, (unit, label) in enumerate({"seconds": "seconds", "mib": "peak memory, MiB"}.items()):
            ax = axes[row][column]
            for (of, what), curve in curves.items():
                if of == name:
                    n, y = [point["n"] for point in curve], [point[unit] for point in curve]
                    (line,) = ax.plot(n, y, marker="o", label=what)
                    straight = fit(n, y, slopes=[1.0])
                    ax.plot(n, [straight.fixed + straight.per_fact * one for one in n], ":", color=line.get_color())
            ax.set(xscale=scale, yscale=scale, xlabel=name, ylabel=label)
            bottom, top = ax.get_ylim()
            if scale == "linear":
                ax.set_ylim(0, 1.1 * top)
            elif top < 10 * bottom:
                ax.set_ylim(bottom / 3, 3 * top)
            ax.grid(alpha=0.3)
            ax.legend()
    figure.tight_layout()
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg", metadata={"Date": None})
    write_text(plot, drawn.getvalue())
