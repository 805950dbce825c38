"""What a process that computes some parts of each batch has to know, and how it computes them.

It is told of the training in JSON, opens the data by itself, and gets its weights from the process that began.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import torch

from dmn_cli.data.joint import Joint
from dmn_cli.data.store.reader import DataSet
from dmn_cli.kernels.tune import compiled, tune
from dmn_cli.settings.load import as_dict, from_dict
from dmn_cli.training.gradients import PartResult
from dmn_cli.training.learner import Learner, Phase, Portion
from dmn_cli.training.start import Start


def dealt(parts: int, processes: int) -> list[range]:
    """Which parts each process computes: neighbours, as many as the others' or one less, the first the fewest, since it
    does other things too."""
    ends = [n * parts // processes for n in range(processes + 1)]
    return [range(first, end) for first, end in pairwise(ends)]


def job_of(learner: Learner) -> dict[str, Any]:
    """What another process makes the same learner from, but for the weights."""
    return {
        "settings": as_dict(learner.settings),
        "fingerprint": learner.joint.fingerprint,
        "more_words": list(learner.joint.more_words),
        "vector_size": learner.joint.vector_size,
        "start": learner.start.words if learner.start else None,
        "compiled": compiled(),  # as here: who computes a part must not change a bit
    }


def learner_of(job: dict[str, Any], data: Sequence[DataSet], device: torch.device) -> Learner:
    """The learner that a job is of. Raises: as `Joint.of` does"""
    settings = from_dict(job["settings"])  # decided
    if not job["compiled"]:
        os.environ["DMN_NATIVE"] = "0"
    tune(settings.model.hidden)
    more_words, size = job["more_words"], job["vector_size"]
    joint = Joint.of(data, symmetries=settings.training.symmetries, more_words=more_words, vector_size=size)
    start = None if job["start"] is None else Start.named(job["start"], size or settings.model.hidden)
    return Learner(joint, settings, device, start=start)


class Share:
    """Some parts of each batch."""

    def __init__(self, learner: Learner, parts: range) -> None:
        self._learner, self.parts = learner, parts
        self._coming: Iterator[list[Portion]] = iter(())
        self._made: list[Portion] | None = None
        self._made_for: tuple[Phase, int] | None = None

    def results(self, phase: Phase, step: int) -> Iterator[PartResult]:
        """Those of a step, part by part."""
        if (phase, step) != self._made_for:
            self._coming = self._learner.portions(self.parts, phase, step)
            self._made = next(self._coming)
        assert self._made is not None
        for portion in self._made:
            yield self._learner.compute(portion, phase)
        self._made_for, self._made = (phase, step + 1), None

    def look_ahead(self) -> None:
        """Makes the parts of the next batch, while others are busy."""
        self._made = next(self._coming, None)
