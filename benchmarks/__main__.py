"""Speed, measured in one run.

    python -m benchmarks                    the recurrence, and the networks along each axis, in some minutes
    python -m benchmarks --full             every network at every batch size, width and number of threads: hours
    python -m benchmarks --data qa1 --hidden 80,256     these networks and no others
    python -m benchmarks growth             time and memory as facts, questions and passes grow
    python -m benchmarks stream             lines a second of dmn ask --batch, beside another checkout's
    python -m benchmarks network            what processes of one training send to each other

Each figure stands next to its floor (`floors.py`). Machines are shared and noisy: whatever is compared is measured in
turns, the best of several rounds counts, and ratios are what to quote.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dmn_cli.errors import DmnError, UsageError
from dmn_cli.notation import to_json

BATCHES = [32, 128, 512, 1024]
HIDDENS = [80, 128, 256]
THREADS = [1, 2]
STEPS = [64, 256]


def main(arguments: Sequence[str]) -> int:
    """Returns the exit code."""
    try:
        if arguments[:1] == ["growth"]:
            from benchmarks import growth

            growth.main(arguments[1:])
        elif arguments[:1] == ["stream"]:
            from benchmarks import stream

            stream.main(arguments[1:])
        elif arguments[:1] == ["network"]:
            from benchmarks import network

            network.main(arguments[1:])
        else:
            speed(arguments)
    except DmnError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def speed(arguments: Sequence[str]) -> None:
    """The three tables. Raises: UsageError, ResourceError"""
    options = _parser().parse_args(arguments)
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # as dmn does

    import torch

    from benchmarks import data, networks, parts, recurrence
    from benchmarks.networks import Cell
    from benchmarks.table import show
    from dmn_cli.kernels.tune import compiled, tune
    from dmn_cli.machine.device import choose_device, describe
    from dmn_cli.settings.load import presets

    if options.device.startswith("cuda") and not torch.version.cuda:
        raise UsageError(
            f"--device {options.device}: this torch, {torch.__version__}, can't use a GPU",
            hint="Install one that can; pytorch.org says how.",
        )
    device = choose_device(options.device)
    there = {"presets": presets(), "data": data.names(options.shared)}
    cells = _cells(options, there, gpu=device.type != "cpu")
    tune(hidden=HIDDENS[0])
    torch.set_num_threads(max(options.threads or [1]))  # of the recurrence; networks set their own
    machine = {
        "device": describe(device, compiled=compiled()),
        "cpu": platform.processor() or platform.machine(),
        "torch": torch.__version__,
    }
    if not options.json:
        print(f"{machine['device']}, torch {torch.__version__}")
    loops = show(
        f"The recurrence, {recurrence.ROWS} rows",
        recurrence.COLUMNS,
        recurrence.rows(options.hidden or HIDDENS, options.steps, device, options.seconds),
        silent=options.json,
    )
    torch.set_num_threads(1)
    whole = show(
        "Networks",
        networks.COLUMNS,
        networks.rows(cells, options.folder, options.shared, device, options.seconds, options.plain_loops),
        silent=options.json,
    )
    usual = Cell()
    asked = {cell._replace(threads=1) for cell in cells if (cell.batch, cell.hidden) == (usual.batch, usual.hidden)}
    chosen = sorted(cell for cell in asked if cell.data.removeprefix("babi-") in data.WORLD)  # epochs of some seconds
    beside = show(
        "Both cores",
        parts.COLUMNS,
        parts.rows(chosen, options.folder, options.shared, options.seconds) if device.type == "cpu" else [],
        silent=options.json,
    )
    if options.json:
        print(to_json({"machine": machine, "recurrence": loops, "networks": whole, "parts": beside}))


def _cells(options: argparse.Namespace, there: dict[str, list[str]], *, gpu: bool) -> list[Any]:
    """Those that were asked for, all of them, or some along each axis. Raises: UsageError"""
    from benchmarks.networks import Axes, Cell

    for axis, known in there.items():
        unknown = set(getattr(options, axis) or []) - set(known)
        if unknown:
            raise UsageError(f"--{axis} {min(unknown)}: there is none", hint=f"There are: {', '.join(known)}.")
    asked = Axes(
        presets=options.presets or [],
        data=options.data or [],
        batches=options.batch or [],
        hiddens=options.hidden or [],
        threads=options.threads or [],
    )
    every = Axes(there["presets"], there["data"], BATCHES, HIDDENS, [1] if gpu else THREADS)
    if options.full:
        return asked.or_else(every).cells()
    if not any(asked):
        return every.sweeps()
    usual = Cell()
    return asked.or_else(Axes([usual.preset], [usual.data], [usual.batch], [usual.hidden], [usual.threads])).cells()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--json", action="store_true", help="one JSON document, with more figures, and no table")
    add("--full", action="store_true", help="all networks; on the axes that are named, these values alone")
    add("--device", default="cpu", help="cpu, cuda or cuda:N")
    add("--presets", type=_names, metavar="A,B")
    add("--data", type=_names, metavar="A,B", help="qa1, qa2, qa3, sst, tags, babi-qa2")
    add("--batch", type=_numbers, metavar="N,…", help="questions in a batch")
    add("--hidden", type=_numbers, metavar="N,…", help="widths, of the recurrence too")
    add("--threads", type=_numbers, metavar="N,…")
    add("--steps", type=_numbers, metavar="N,…", default=STEPS, help="lengths of the recurrence's rows")
    add("--plain-loops", action="store_true", default=None, help="time them for all networks, not the usual ones alone")
    add(
        "--seconds",
        type=float,
        default=3.0,
        help="to measure each network, or width and length, for; 3 rounds at least",
    )
    add("--shared", type=Path, metavar="FOLDER", help="real data, in babi/, sst/ and pos/")
    add("--folder", type=Path, default=Path("build") / "bench", help="where prepared data are kept")
    return parser


def _names(text: str) -> list[str]:
    return text.split(",")


def _numbers(text: str) -> list[int]:
    numbers = [int(part) for part in text.split(",")]
    if min(numbers) < 1:
        raise argparse.ArgumentTypeError("numbers from 1 on")
    return numbers


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
