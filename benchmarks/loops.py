"""The two ways to run a GatedGRU, called alike: how it is called stands here alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from dmn_cli.model.gated_gru import GatedGRU


def hot(gru: GatedGRU, x: Tensor, gates: Tensor | None) -> Tensor:
    """All states of rows of one length. x: (rows, steps, inputs); gates: (rows, steps)"""
    return gru(gru.project(x), _lengths(x), gates)


def plain(gru: GatedGRU, x: Tensor, gates: Tensor | None) -> Tensor:
    """The same by the plain loop."""
    return gru.reference(gru.project(x), _lengths(x), gates)


def _lengths(x: Tensor) -> Tensor:
    return torch.full((x.shape[0],), x.shape[1], device=x.device)


@contextmanager
def plain_loops() -> Iterator[None]:
    """All networks run their recurrences by the plain loop."""
    forward = GatedGRU.forward
    GatedGRU.forward = GatedGRU.reference
    try:
        yield
    finally:
        GatedGRU.forward = forward
