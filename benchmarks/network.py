"""What processes of one training send to each other: python -m benchmarks network [--data qa1] [--hidden 80]

They train side by side on this machine, as under torchrun; what goes through its loopback device is counted (all of
it, so nothing else should), and set against what the gradient alone takes, 2 (N-1)/N times 4 bytes a weight from each.
A part's time is that of one of N, computed alone, on one core; what a network of 1 Gbit/s adds to it is
an estimate, from the bytes, without its latency.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.table import Column, show

if TYPE_CHECKING:
    from dmn_cli.training.learner import Learner, Portion

_STEPS = 20  # to take the time of
_GIGABIT = 1e9 / 8  # bytes a second

COLUMNS = [
    Column("processes", "processes"),
    Column("weights", "weights"),
    Column("a process sends, MB a step", "sent", ".2f", 1e-6),
    Column("gradient alone, MB", "gradient", ".2f", 1e-6),
    Column("its part takes, ms", "seconds", ".1f", 1e3),
    Column("so it sends, Mbit/s", "rate", ".0f", 8e-6),
    Column("1 Gbit/s adds, ms", "added", ".1f", 1e3),
]


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks network", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", default="qa1", help="qa1, qa2, qa3")
    parser.add_argument("--hidden", type=int, default=80)
    parser.add_argument("--batch", type=int, default=128, help="questions in a batch")
    parser.add_argument("--processes", type=int, nargs="+", default=[2, 3, 4])
    parser.add_argument("--folder", type=Path, default=Path("build") / "bench", help="where prepared data are kept")
    options = parser.parse_args(arguments)

    from dmn_cli.kernels.tune import tune

    tune(options.hidden)
    title = f"{options.data}, {options.batch} questions in a batch, {options.hidden} hidden"
    show(title, COLUMNS, _rows(options))


def _rows(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    from benchmarks.data import prepared
    from benchmarks.networks import Cell, training_on
    from benchmarks.together import CPU, joined
    from dmn_cli.training.learner import USUAL

    _, data = prepared(options.data, options.folder)
    cell = Cell(data=options.data, batch=options.batch, hidden=options.hidden)
    for count in options.processes:
        changes = {"training.parts": count}
        alone = training_on(cell, data, options.folder, CPU, **changes).learner
        plan = alone.plan(USUAL)
        portions = [alone.portion(planned, USUAL, step, 0) for step, planned in enumerate(plan[:_STEPS])]
        seconds = min(_seconds(alone, portions) for _ in range(3)) / len(portions)
        with joined(data.path, count):
            training = training_on(cell, data, options.folder, CPU, **changes)
            training.help(count - 1)
            before = _through_loopback()
            for _ in training._epoch(lambda: False):
                pass
            sent = (_through_loopback() - before) / training.state.step / count
            training.help(0)
        weights = sum(parameter.numel() for parameter in alone.network.parameters())
        yield {
            "processes": count,
            "weights": weights,
            "sent": sent,
            "gradient": 2 * (count - 1) / count * 4 * weights,
            "seconds": seconds,
            "rate": sent / seconds,
            "added": sent / _GIGABIT,
        }


def _seconds(learner: Learner, portions: Sequence[Portion]) -> float:
    """Of the processor, whatever else it does."""
    from dmn_cli.training.learner import USUAL

    began = time.process_time()
    for portion in portions:
        learner.compute(portion, USUAL)
    return time.process_time() - began


def _through_loopback() -> int:
    """Bytes so far."""
    for line in Path("/proc/net/dev").read_text(encoding="ascii").splitlines():
        name, _, figures = line.partition(":")
        if name.strip() == "lo":
            return int(figures.split()[0])
    raise OSError("there is no loopback device")
