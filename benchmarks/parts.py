"""Both cores: whole epochs of training with whole batches and one or two threads, and with batches in two parts and one
process or two (`training/helpers.py`).

All that training does is included, also making the batches and waiting for the other process.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch

from benchmarks.data import prepared
from benchmarks.networks import CELL, Cell, training_on
from benchmarks.table import Column
from benchmarks.timing import take_turns
from dmn_cli.training.loop import Training

COLUMNS = [
    *CELL,
    Column("whole, q/s", "whole"),
    Column("whole, two threads, q/s", "threads"),
    Column("two parts, one process, q/s", "alone"),
    Column("two parts, two processes, q/s", "beside"),
    Column("/ whole", "beside_over_whole", ".2f"),
]


def rows(cells: Iterable[Cell], folder: Path, shared: Path | None, seconds: float) -> Iterator[dict[str, Any]]:
    """A row for each cell."""
    for cell in cells:
        called, data = prepared(cell.data, folder, shared)
        cpu = torch.device("cpu")
        parts = {"whole": 1, "threads": 1, "alone": 2, "beside": 2}
        trainings = {name: training_on(cell, data, folder, cpu, **{"training.parts": n}) for name, n in parts.items()}
        try:
            trainings["beside"].help(1)
            assert trainings["beside"].helpers
            trainings["beside"].helpers.wait()
            best = take_turns(
                {name: _epochs(training, 2 if name == "threads" else 1) for name, training in trainings.items()},
                cpu,
                seconds,
            )
        finally:
            torch.set_num_threads(1)
            trainings["beside"].help(0)
        questions = len(trainings["whole"].learner.train[0].split)
        rates = {name: questions / taken for name, taken in best.items()}
        yield {**cell._asdict(), "data": called, **rates, "beside_over_whole": rates["beside"] / rates["whole"]}


def _epochs(training: Training, threads: int = 1) -> Any:
    def epoch() -> None:
        torch.set_num_threads(threads)
        for _ in training._epoch(lambda: False):
            pass
        training._next_epoch()

    return epoch
