"""What the figures of an epoch decide: whether the next one reads otherwise, whether the learning rate falls, whether
the training begins anew from other weights, and whether it ends.

With the schedule "solved", an epoch's loss of the answers says so, or that an accuracy or a loss is stuck; what takes
too long is done all the same, in time for the end. With "cosine" only the end is decided.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from dmn_cli.settings.schema import TrainingSettings
from dmn_cli.training.checkpoint import Checkpoint
from dmn_cli.training.schedule import FALL
from dmn_cli.wording import plural

_LEARNT, _SOLVED = 0.1, 0.05  # an epoch's loss of the answers from which on spares take part; the learning rate falls
READ = 0.3  # an epoch's loss of the gates from which on these are free to read in any order
_PATIENCE = 6  # epochs without a more accurate validation after which it falls too
_NEAR, _RIGHT = 0.9, 0.98  # of each task's validation likewise, where all tasks come together
_BITS = 64
_NOTHING = 0.001  # losses of an epoch below which there is nothing to learn, if its validation is right throughout
_PLATEAU, _LOWER = 15, 0.97  # epochs without a loss of so much of the lowest one, after which it is begun anew


def last_epoch(settings: TrainingSettings, state: Checkpoint) -> int:
    """The one that a training ends with at the latest, as far as is known by now."""
    falls_from = state.falls_from
    return settings.epochs if falls_from is None else min(settings.epochs, falls_from + FALL - 1)


def learnt(accuracies: Sequence[float]) -> int:
    """Which of the first tasks are: bit i of task i, as many as helpers are told of."""
    return sum(1 << task for task, accuracy in enumerate(accuracies[:_BITS]) if accuracy >= _RIGHT)


def look_ahead(
    settings: TrainingSettings, state: Checkpoint, loss: float, accuracy: float, lowest: float | None = None
) -> None:
    """Decides whether spares take part from the next epoch on, or else whether the learning rate falls.

    loss: of the answers, in this epoch; accuracy: the mean of the validation as it is and with other names; lowest: of
    the tasks that come together, whose mean loss may be small though one is as it was at first
    """
    near, right = (loss < _LEARNT, loss < _SOLVED) if lowest is None else (lowest >= _NEAR, lowest >= _RIGHT)
    if accuracy > state.highest[1]:
        state.highest = state.epoch, accuracy
    stuck = state.epoch - state.highest[0]
    if state.spares_from is None:
        if near or stuck >= settings.patience or state.epoch >= 0.6 * settings.epochs:
            state.spares_from, state.highest, state.learnt = state.epoch + 1, (state.epoch, 0.0), 0
    elif state.falls_from is None and (right or stuck >= _PATIENCE or state.epoch >= settings.epochs - FALL):
        state.falls_from = state.epoch + 1


def may_thin(settings: TrainingSettings, state: Checkpoint, gate_loss: float) -> bool:
    """Whether to find out if answers stay right where facts are left out: once spares take part or, where names stay,
    once supporting facts are read. gate_loss: of this epoch"""
    if settings.schedule == "solved":
        return settings.thinning != "never" and state.spares_from is not None
    return settings.thinning == "always" and gate_loss < READ


def leads_nowhere(settings: TrainingSettings, state: Checkpoint, loss: float) -> bool:
    """Whether the loss of this attempt has stayed on a plateau for long, with as long left for another attempt."""
    if loss < _LOWER * state.lowest[1]:
        state.lowest = state.epoch, loss
    stayed = settings.schedule == "solved" and state.spares_from is None and loss > _LEARNT
    return stayed and state.epoch - state.lowest[0] >= _PLATEAU and state.epoch <= settings.epochs / 2


def reason_to_end(settings: TrainingSettings, state: Checkpoint, losses: Sequence[float]) -> str | None:
    """In words; None: there is none yet. losses: of this epoch's answers, gates and validation"""
    assert state.best is not None
    if settings.schedule == "solved":
        if state.falls_from and state.epoch >= state.falls_from + FALL - 1:
            return "the training answers are learnt"
        patient = math.inf
    else:
        patient = settings.patience
        if state.flawless and max(losses) < _NOTHING:
            return "nothing is left to learn"
    if state.flawless >= settings.flawless:
        return f"the last {state.flawless} validation questions were all answered right"
    if state.answers_from and state.epoch - max(state.best["epoch"], state.answers_from - 1) >= patient:
        return f"{plural(settings.patience, 'epoch')} without a better validation"
    if state.epoch >= settings.epochs:
        return f"{plural(settings.epochs, 'epoch')} {'is' if settings.epochs == 1 else 'are'} done"
    return None
