"""What a network read: pure functions of its gates."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from dmn_cli.records import Episode


def effective_gates(episode: Episode) -> Tensor:
    """The gates as they counted: those of a pass that the end of passes closed are 0. (questions, passes, facts)"""
    return episode.gates * episode.running.unsqueeze(2)


def facts_read(gates: Tensor) -> Tensor:
    """Which facts the network read: those whose chance to be let through in some pass, 1 - Π_t (1 - g^t), is at least
    a half. (questions, passes, facts) → (questions, facts)"""
    return 1 - (1 - gates).prod(dim=1) >= 0.5
