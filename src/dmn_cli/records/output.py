"""What the modules of a network hand to each other, and what can be read off it: plain tensors and pure functions."""

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
    """What the network says of a batch."""

    logits: Tensor  # (questions, steps, answers)
    episode: Episode


def effective_gates(episode: Episode) -> Tensor:
    """The gates as they counted: those of a pass that the end of passes closed are 0. (questions, passes, facts)"""
    return episode.gates * episode.running.unsqueeze(2)


def facts_read(gates: Tensor) -> Tensor:
    """Which facts the network read: those whose chance to be let through in some pass, 1 - Π_t (1 - g^t), is at least
    a half. (questions, passes, facts) → (questions, facts)"""
    return 1 - (1 - gates).prod(dim=1) >= 0.5
