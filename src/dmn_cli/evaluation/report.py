"""A model measured on a data set: what `dmn eval` prints, training chooses by, and a model directory keeps."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from dmn_cli.data.batches import Batches
from dmn_cli.data.words.vocabulary import Vocabulary
from dmn_cli.errors import UsageError
from dmn_cli.evaluation.abstaining import Abstaining
from dmn_cli.evaluation.calibration import BINS, Calibration, binned, expected_calibration_error
from dmn_cli.evaluation.classes import ClassCounts, Classes
from dmn_cli.evaluation.metrics import Judged, Tally, judge, tally
from dmn_cli.evaluation.reasons import Reasons
from dmn_cli.evaluation.unanswerable import UnanswerableCounts
from dmn_cli.records.network import Network

Judge = Callable[[Network, Batches, int, torch.device], Iterator[Judged]]
PASSED = 0.95  # below this a bAbI task counts as failed (Weston et al. 2015)


@dataclass(frozen=True)
class Report:
    """Accuracies are fractions of 1; `accuracy` is the mean over the tasks, each counting the same."""

    tasks: dict[str, dict[str, float | int]]
    seconds: float
    calibration: Calibration | None = None
    classes: dict[str, Classes] = field(default_factory=dict)  # of the tasks whose answers are classes
    abstaining: Abstaining | None = None  # where answers need some confidence
    unanswerable: dict[str, float] = field(default_factory=dict)  # where some questions have no answer

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
        """Its figures, which are the same each time; not how long it took."""
        return {
            "accuracy": self.accuracy,
            "mean_error": 1 - self.accuracy,
            "failed_tasks": self.failed,
            **({"calibration": self.calibration.as_json()} if self.calibration else {}),
            **({"abstaining": self.abstaining.as_json()} if self.abstaining else {}),
            **({"unanswerable": self.unanswerable} if self.unanswerable else {}),
            "tasks": {name: {**figures, **self._by_class(name)} for name, figures in self.tasks.items()},
            "questions": self.questions,
        }

    def _by_class(self, task: str) -> dict[str, Any]:
        return self.classes[task].as_json() if task in self.classes else {}

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
    vocabulary: Vocabulary | None = None,
    abstain_below: float = 0.0,
) -> Report:
    """Measures a network on one split of each data set; `on_judged` is called with every judged batch, and `judge` says
    how questions are answered. The data sets number their tasks alike, and a task that several have is measured on all
    of them together. vocabulary: the network's, where there shall be figures by class;
    abstain_below: the confidence that an answer needs, where there shall be figures of those that have it"""
    start = time.perf_counter()
    names = splits[0].tasks
    tallies = [Tally() for _ in names]
    bins = np.zeros((2, 3, len(names), BINS))  # at the network's temperature, and at 1
    counts = ClassCounts(vocabulary) if vocabulary else None
    abstaining = Abstaining(abstain_below, names) if abstain_below else None
    reasons = Reasons(len(names))
    unanswerable = UnanswerableCounts(names)
    for batches in splits:
        for judged in judge(network, batches, batch_size, device):
            tally(judged, tallies)
            exact = judged.right == judged.answers
            for which, confidence in enumerate((judged.confidence, judged.uncalibrated)):
                bins[which] += binned(confidence, exact, judged.task, len(names))
            if counts:
                counts.add(judged)
            reasons.add(judged)
            if abstaining:
                abstaining.add(judged)
            unanswerable.add(batches, judged)
            on_judged(batches, judged)
    classes = {names[task]: classes for task, classes in counts.classes().items()} if counts else {}
    errors = expected_calibration_error(bins.swapaxes(0, 1)).T.tolist()
    selective = abstaining.tasks if abstaining else {}
    unknown = unanswerable.tasks
    tasks = {}
    for task, name in sorted(enumerate(names), key=lambda of: natural(of[1])):
        if tallies[task].questions:
            ece, uncalibrated = errors[task]
            macro = {"macro_f1": classes[name].macro_f1} if name in classes else {}
            calibrated = {"ece": ece, "ece_uncalibrated": uncalibrated}
            figures = {**tallies[task].figures(), **reasons.figures(task), **macro}
            tasks[name] = {**figures, **calibrated, **selective.get(name, {}), **unknown.get(name, {})}
    calibration = Calibration(network.temperature, *bins.sum(axis=2))
    return Report(tasks, time.perf_counter() - start, calibration, classes, abstaining, unanswerable.as_json())


def is_babi(task: str) -> bool:
    return re.fullmatch(r"qa\d+", task) is not None


def natural(name: str) -> tuple[str, int, str]:
    """qa2 comes before qa10, however many digits there are."""
    stem = name.rstrip("0123456789")
    number = name[len(stem) :].lstrip("0")
    return stem, len(number), number
