"""Losses and gradients that are not numbers: which batch they were of, and what follows (`training.non_finite`).

stop    the training ends with an error; the last checkpoint is from before
skip    the batch is left out, and the learning rate is halved from then on

Either way non_finite.jsonl of the run has the batch's questions, with the numbers of their stories and their texts.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import Tensor

from dmn_cli.errors import Diverged
from dmn_cli.files import append_line
from dmn_cli.notation import json_line
from dmn_cli.settings.schema import TrainingSettings
from dmn_cli.training.checkpoint import Checkpoint
from dmn_cli.training.run import NON_FINITE
from dmn_cli.training.sampling import PlannedStep

_MOST_IN_A_ROW = 10  # batches that are skipped: if there are more, it is the weights that are to blame


class Watch:
    """Looks at the losses of an epoch's steps: at once, or where that would have a GPU waited for, now and then."""

    def __init__(self, run: Path, settings: TrainingSettings, state: Checkpoint, *, at_once: bool) -> None:
        self._run, self._settings, self._state = run, settings, state
        self._at_once = at_once or settings.non_finite == "skip"
        self._unseen: list[tuple[int, PlannedStep, Tensor]] = []

    def counts(self, step: int, planned: PlannedStep, losses: Tensor) -> bool:
        """Whether the losses of a step may be added up. losses: (2,), not finite where its gradient wasn't

        Raises: Diverged
        """
        self._unseen.append((step, planned, losses))
        finite = self.check() if self._at_once else True
        if self._at_once and finite:
            self._state.skipped_in_a_row = 0
        return finite

    def check(self) -> bool:
        """Whether all that wasn't looked at yet was finite. Raises: Diverged"""
        unseen, self._unseen = self._unseen, []
        if not unseen or bool(torch.stack([losses for *_, losses in unseen]).isfinite().all()):
            return True
        step, planned, _ = next(one for one in unseen if not bool(one[2].isfinite().all()))
        self._write(step, planned)
        self._raise_or_skip(step)
        return False

    def _write(self, step: int, planned: PlannedStep) -> None:
        for batches, stories in planned:
            examples = batches.data.examples(batches.split, batches.question_rows(stories))
            numbers = stories.repeat(batches.split.questions.lengths[stories])
            for number, example in zip(numbers.tolist(), examples, strict=True):
                place = {"epoch": self._state.epoch, "step": step + 1, "data": str(batches.data.path)}
                asked = {"story": example.facts, "question": example.question}
                append_line(self._run / NON_FINITE, json_line({**place, "story_id": number, **asked}))

    def _raise_or_skip(self, step: int) -> None:
        state, where = self._state, f"epoch {self._state.epoch}, step {step + 1}"
        if self._settings.non_finite == "stop" or state.skipped_in_a_row >= _MOST_IN_A_ROW:
            raise Diverged(
                f"the loss of {where} is not a number",
                where=self._run,
                hint=f"{NON_FINITE} has the questions of the batch. Train with a lower training.learning_rate or "
                "training.clip, or leave such batches out: --set training.non_finite=skip.",
            )
        state.lowered += 1
        state.skipped_in_a_row += 1
        state.totals.skipped += 1
        message = (
            f"{where}: the loss is not a number; the batch is left out, and the learning rate halved ({NON_FINITE})"
        )
        warnings.warn(message, stacklevel=2)
