"""Whole networks: training and answering, next to the floors of the same step measured in the same rounds.

A cell is a network on a data set at a batch size, a width and a number of threads. Its step is one on a batch of
typical length, made anew each time, with all that training does: the batch, the loss, the gradient, clipping, Adam. A
question reads the words of all facts that it sees and its own, so words a second count a story again for each of its
questions, as a reader would who got them one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from benchmarks import floors, loops
from benchmarks.data import prepared
from benchmarks.table import Column
from benchmarks.timing import Work, take_turns
from dmn_cli.data.batches import Batches
from dmn_cli.evaluation.metrics import judge_stories
from dmn_cli.records.batch import Batch
from dmn_cli.settings.load import load
from dmn_cli.training.learner import USUAL
from dmn_cli.training.loop import Training
from dmn_cli.training.sampling import PlannedBatch


class Cell(NamedTuple):
    preset: str = "dmn-plus"
    data: str = "qa2"
    batch: int = 128
    hidden: int = 80
    threads: int = 1


class Axes(NamedTuple):
    presets: list[str]
    data: list[str]
    batches: list[int]
    hiddens: list[int]
    threads: list[int]

    def or_else(self, other: Axes) -> Axes:
        """The values of the other where there are none here."""
        return Axes(*(own or theirs for own, theirs in zip(self, other, strict=True)))  # type: ignore[arg-type]

    def cells(self) -> list[Cell]:
        """All of them together."""
        return [Cell(*values) for values in product(*self)]

    def sweeps(self) -> list[Cell]:
        """The usual cell of each preset, and from there along each axis alone."""
        names = dict(zip(Axes._fields[1:], Cell._fields[1:], strict=True))
        cells = [Cell(preset) for preset in self.presets]
        for axis, name in names.items():
            cells += [
                Cell(preset)._replace(**{name: value}) for preset in self.presets for value in getattr(self, axis)
            ]
        return list(dict.fromkeys(cells))


CELL = [
    Column("preset", "preset", width=8),
    Column("data", "data", width=9),
    Column("batch", "batch"),
    Column("hidden", "hidden"),
]
COLUMNS = [
    *CELL,
    Column("threads", "threads"),
    Column("training q/s", "training_questions_per_s"),
    Column("words/s", "training_words_per_s"),
    Column("floor q/s", "training_floor_questions_per_s"),
    Column("of floor %", "training_of_floor", ".1f", 100),
    Column("of bytes' %", "training_of_bytes", ".1f", 100),
    Column("making batches %", "making_batches", ".1f", 100),
    Column("/ plain loops", "training_over_plain", ".2f"),
    Column("answering q/s", "answering_questions_per_s"),
    Column("words/s", "answering_words_per_s"),
    Column("of floor %", "answering_of_floor", ".1f", 100),
]


def rows(
    cells: Iterable[Cell], folder: Path, shared: Path | None, device: torch.device, seconds: float, plain: bool | None
) -> Iterator[dict[str, Any]]:
    """A row for each cell. `seconds`: to take the times of one in; `plain`: whether to time the plain loops too, None
    for the usual cell of each preset alone."""
    threads = torch.get_num_threads()
    try:
        for cell in cells:
            torch.set_num_threads(cell.threads)
            yield _measured(
                cell, folder, shared, device, seconds, cell == Cell(cell.preset) if plain is None else plain
            )
    finally:
        torch.set_num_threads(threads)


def training_on(cell: Cell, data: Any, folder: Path, device: torch.device, **changes: Any) -> Training:
    """A training that hardly moves from where it starts, so that all of its steps are alike."""
    settings = {"batch_size": cell.batch, "learning_rate": 1e-9, "final_learning_rate": 1e-9, "parts": 1}
    overrides = {"model.hidden": cell.hidden, **{f"training.{key}": value for key, value in settings.items()}}
    return Training([data], folder / "run", load(cell.preset, None, [*(overrides | changes).items()]), device)


def _measured(
    cell: Cell, folder: Path, shared: Path | None, device: torch.device, seconds: float, plain: bool
) -> dict[str, Any]:
    called, data = prepared(cell.data, folder, shared)
    training = training_on(cell, data, folder, device)
    batches = training.learner.train[0]
    stories = _typical(batches, cell.batch)
    planned, made = [PlannedBatch(batches, stories)], []

    def make() -> None:
        made[:] = [training.learner.portion(planned, USUAL, 0, 0)]

    def step() -> None:
        training.step(planned, made, USUAL)

    def answer() -> None:
        judge_stories(training.learner.network, batches, stories, device)

    def plain_step() -> None:
        with loops.plain_loops():
            step()

    make()
    training_products, answering_products = floors.recorded(step, device), floors.recorded(answer, device)
    works: dict[str, Work] = {"make": make, "step": step, "floor": training_products.replay()}
    if plain:
        works |= {"make again": make, "plain step": plain_step}
    works |= {"answer": answer, "answering floor": answering_products.replay()}
    best = take_turns(works, device, seconds)
    bandwidth = floors.bandwidth(device)
    batch = batches.batch(stories)
    questions, words = len(batch), words_read(batch)
    trained = best["make"] + best["step"]
    row = {
        **cell._asdict(),
        "data": called,
        "questions": questions,
        "words": words,
        "facts_seen": float(batch.facts_seen.double().mean()),
        "training_questions_per_s": questions / trained,
        "training_words_per_s": words / trained,
        "training_floor_questions_per_s": questions / best["floor"],
        "training_of_floor": best["floor"] / trained,
        "training_of_bytes": training_products.bytes / bandwidth / trained,
        "making_batches": best["make"] / trained,
        "answering_questions_per_s": questions / best["answer"],
        "answering_words_per_s": words / best["answer"],
        "answering_of_floor": best["answering floor"] / best["answer"],
        "copied_bytes_per_s": bandwidth,
        "seconds": best,
    }
    for name, products in (("training", training_products), ("answering", answering_products)):
        row[f"{name}_products"] = {
            "calls": len(products.calls),
            "flops": products.flops,
            "bytes": products.bytes,
        }
    if plain:
        row["training_over_plain"] = (best["make"] + best["plain step"]) / trained
    return row


def _typical(batches: Batches, size: int) -> np.ndarray:
    """The stories of that batch of an epoch whose questions have closest to the mean number of facts in their
    stories."""
    facts, questions = batches.split.facts.lengths, batches.split.questions.lengths
    plan = batches.plan(size, np.random.default_rng(1))
    work = np.array([(facts[stories].astype(float) * questions[stories]).sum() for stories in plan])
    return plan[int(np.abs(work - work.mean()).argmin())]


def words_read(batch: Batch) -> int:
    """How many words all questions read."""
    facts = (batch.sentences != 0).sum(dim=1)[batch.story].cumsum(dim=1)  # (stories, facts) read up to each
    own = (batch.question_sentences != 0).sum(dim=1)[batch.question]
    return int((facts[batch.story_of, batch.facts_seen - 1] + own).sum())
