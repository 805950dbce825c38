"""What the modules of a network hand to each other, and what can be read from it: tensors and pure functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor

    from dmn_cli.records.packing import Packing


class Facts(NamedTuple):
    """What the input module hands over: one vector for each fact that a question sees, without padding."""

    vectors: Tensor  # (packed, hidden)
    packing: Packing  # of (questions, facts)


class Episode(NamedTuple):
    """What the episodic memory hands over."""

    memory: Tensor  # (questions, hidden) m^T
    gates: Tensor  # (questions, passes, facts) g_i^t
    stop: Tensor | None  # (questions, passes) the gate on the end-of-passes fact, where the model has one
    running: Tensor  # (questions, passes) how much of pass t took place: 1, or less once a stop gate opened


class Output(NamedTuple):
    """What the Dynamic Memory Network computes for a batch in training."""

    logits: Tensor  # (questions, steps, answers)
    episode: Episode


def effective_gates(episode: Episode) -> Tensor:
    """The gates as they counted: 0 in a pass that the end of passes has closed. (questions, passes, facts)"""
    return episode.gates * episode.running.unsqueeze(2)


def read_chance(gates: Tensor) -> Tensor:
    """The chance of each fact to be let through in some pass: 1 - Π_t (1 - g^t). (questions, passes, facts) →
    (questions, facts)"""
    return 1 - (1 - gates).prod(dim=1)


def facts_read(gates: Tensor) -> Tensor:
    """Which facts the network read: those that some pass let through with a chance of at least a half. (questions,
    passes, facts) → (questions, facts)"""
    return read_chance(gates) >= 0.5
