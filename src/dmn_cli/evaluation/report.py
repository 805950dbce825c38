"""A model measured on a data set: what `dmn eval` prints, training chooses by, and a model directory keeps."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from dmn_cli.data.batches import Batches
from dmn_cli.errors import UsageError
from dmn_cli.evaluation.metrics import Judged, Tally, judge, tally
from dmn_cli.records.network import Network

Judge = Callable[[Network, Batches, int, torch.device], Iterator[Judged]]
PASSED = 0.95  # below this a bAbI task counts as failed (Weston et al. 2015)


@dataclass(frozen=True)
class Report:
    """Accuracies are fractions of 1; `accuracy` is the mean over the tasks, each counting the same."""

    tasks: dict[str, dict[str, float | int]]
    seconds: float

    @property
    def accuracy(self) -> float:
        return sum(task["accuracy"] for task in self.tasks.values()) / len(self.tasks)

    @property
    def loss(self) -> float:
        return sum(task["loss"] for task in self.tasks.values()) / len(self.tasks)

    @property
    def questions(self) -> int:
        return int(sum(task["questions"] for task in self.tasks.values()))

    @property
    def failed(self) -> list[str]:
        """Only bAbI tasks: for others nobody has said what it takes to pass."""
        return [name for name, task in self.tasks.items() if is_babi(name) and task["accuracy"] < PASSED]

    def as_json(self) -> dict[str, Any]:
        return {
            "accuracy": self.accuracy,
            "mean_error": 1 - self.accuracy,
            "failed_tasks": self.failed,
            "tasks": self.tasks,
            "questions": self.questions,
            "seconds": self.seconds,
        }

    def below(self, required: dict[str, float]) -> list[str]:
        """What fell short, in words. required: by task name, or `mean`. Raises: UsageError for an unknown task."""
        check_names(required, self.tasks)
        short = []
        for name, score in required.items():
            reached = self.accuracy if name == "mean" else self.tasks[name]["accuracy"]
            if reached < score:
                short.append(f"{name} is {reached:.4f}, below {score}")
        return short


def check_names(required: Iterable[str], tasks: Iterable[str]) -> None:
    """Raises: UsageError for a required score that is neither a task's nor the mean."""
    known = ["mean", *tasks]
    for name in required:
        if name not in known:
            raise UsageError(f"--fail-under names {name!r}", hint=f"There are: {', '.join(known)}.")


def evaluate(
    network: Network,
    splits: Sequence[Batches],
    device: torch.device,
    *,
    batch_size: int = 512,
    on_judged: Callable[[Batches, Judged], None] = lambda batches, judged: None,
    judge: Judge = judge,
) -> Report:
    """Measures a network on one split of each data set; `on_judged` is called with every judged batch, and `judge` says
    how questions are answered. The data sets number their tasks alike, and a task that several have is measured on all
    of them together."""
    start = time.perf_counter()
    tallies = [Tally() for _ in splits[0].tasks]
    for batches in splits:
        for judged in judge(network, batches, batch_size, device):
            tally(judged, tallies)
            on_judged(batches, judged)
    tasks = {name: t.figures() for name, t in zip(splits[0].tasks, tallies, strict=True) if t.questions}
    return Report(dict(sorted(tasks.items(), key=lambda item: _natural(item[0]))), time.perf_counter() - start)


def is_babi(task: str) -> bool:
    return re.fullmatch(r"qa\d+", task) is not None


def _natural(name: str) -> tuple[str, int]:
    """qa2 comes before qa10."""
    stem = name.rstrip("0123456789")
    return stem, int(name[len(stem) :] or 0)
