"""Both cores: whole epochs of training with whole batches and one or two threads, and with batches in two parts and one
process or two, which share memory (`training/helpers.py`) or speak through gloo, as under torchrun
(`training/distributed.py`).

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
from benchmarks.together import CPU, joined
from dmn_cli.training.helpers import Helpers
from dmn_cli.training.loop import Training

COLUMNS = [
    *CELL,
    Column("whole, q/s", "whole"),
    Column("whole, two threads, q/s", "threads"),
    Column("two parts, one process, q/s", "alone"),
    Column("two parts, two processes, q/s", "beside"),
    Column("/ whole", "beside_over_whole", ".2f"),
    Column("/ one process", "beside_over_alone", ".2f"),
    Column("two through gloo, q/s", "gloo"),
    Column("/ one process", "gloo_over_alone", ".2f"),
]

_RATIOS = [("beside", "whole"), ("beside", "alone"), ("gloo", "alone")]


def rows(cells: Iterable[Cell], folder: Path, shared: Path | None, seconds: float) -> Iterator[dict[str, Any]]:
    """A row for each cell."""
    for cell in cells:
        called, data = prepared(cell.data, folder, shared)
        parts = {"whole": 1, "threads": 1, "alone": 2, "beside": 2}
        trainings = {name: training_on(cell, data, folder, CPU, **{"training.parts": n}) for name, n in parts.items()}
        with joined(data.path, 2):
            trainings["gloo"] = training_on(cell, data, folder, CPU, **{"training.parts": 2})
            try:
                for name in ("beside", "gloo"):
                    trainings[name].help(1)
                helpers = trainings["beside"].helpers
                assert isinstance(helpers, Helpers)
                helpers.wait()
                best = take_turns(
                    {name: _epochs(training, 2 if name == "threads" else 1) for name, training in trainings.items()},
                    CPU,
                    seconds,
                )
            finally:
                torch.set_num_threads(1)
                for training in trainings.values():
                    training.help(0)
        questions = len(trainings["whole"].learner.train[0].split)
        rates = {name: questions / taken for name, taken in best.items()}
        ratios = {f"{one}_over_{other}": rates[one] / rates[other] for one, other in _RATIOS}
        yield {**cell._asdict(), "data": called, **rates, **ratios}


def _epochs(training: Training, threads: int = 1) -> Any:
    def epoch() -> None:
        torch.set_num_threads(threads)
        for _ in training._epoch(lambda: False):
            pass
        training._next_epoch()

    return epoch
