"""The learning rate: how far a step goes.

cosine    falls from the first to the final rate along half a cosine, over all epochs
halved    stays for `halve_after` epochs, and then halves after every `halve_every`
solved    rises in the first steps, stays, and falls along half a cosine in a few epochs, once it is time
"""

from __future__ import annotations

import math

from dmn_cli.settings.schema import TrainingSettings
from dmn_cli.training.checkpoint import Checkpoint

FALL = 5  # epochs
_RISE = 100  # steps


def rate(settings: TrainingSettings, state: Checkpoint, steps: int) -> float:
    """Of the step that comes next. steps: of its epoch"""
    return _scheduled(settings, state, steps) * 0.5**state.lowered


def _scheduled(settings: TrainingSettings, state: Checkpoint, steps: int) -> float:
    if settings.schedule == "cosine":
        return _fallen(settings, (state.epoch - 1) / max(1, settings.epochs - 1))
    if settings.schedule == "halved":
        return settings.learning_rate * 0.5 ** (max(0, state.epoch - 1 - settings.halve_after) // settings.halve_every)
    if state.falls_from is None or state.epoch < state.falls_from:
        return settings.learning_rate * min(1.0, (state.steps + 1) / _RISE)
    return _fallen(settings, (state.epoch - state.falls_from + state.step / steps) / FALL)


def _fallen(settings: TrainingSettings, done: float) -> float:
    low, high = settings.final_learning_rate, settings.learning_rate
    return low + (high - low) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
