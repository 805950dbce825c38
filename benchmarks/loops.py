"""The two ways to run a GatedGRU, called alike.

What it is compared with runs as in any torch program: without our choice of the library that multiplies.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch
from torch import Tensor

from benchmarks.floors import choose_library, library
from dmn_cli.model.gated_gru import GatedGRU
from dmn_cli.records.packing import Packing, Pointers


def hot(gru: GatedGRU, x: Tensor, gates: Tensor | None) -> Tensor:
    """All states of rows of one length, packed. x: (rows, steps, inputs); gates: (rows, steps)"""
    packed = x.transpose(0, 1).flatten(0, 1)
    return gru(gru.project(packed), _packing(*x.shape[:2], x.device), None if gates is None else gates.t().flatten())


def plain(gru: GatedGRU, x: Tensor, gates: Tensor | None) -> Tensor:
    """The same by the plain loop, (rows, steps, hidden)."""
    return gru.reference(gru.project(x), torch.full((x.shape[0],), x.shape[1], device=x.device), gates)


@cache
def _packing(rows: int, steps: int, device: torch.device) -> Packing:
    """It comes with the batch, so making it isn't part of the loop."""
    return Packing.of(torch.full((rows,), steps)).to(device)


@contextmanager
def usual_products() -> Iterator[None]:
    """Meanwhile torch chooses by itself which library multiplies (`dmn_cli/kernels/products.py`)."""
    ours = library()
    choose_library("none")
    try:
        yield
    finally:
        choose_library(ours)


@contextmanager
def plain_loops() -> Iterator[None]:
    """Meanwhile all networks compute their recurrences by the plain loop."""

    def run(
        self: GatedGRU,
        x: Tensor,
        packing: Packing,
        gates: Tensor | None = None,
        *,
        start: Tensor | None = None,
        taken: Pointers | None = None,
        last: bool = False,
    ) -> Tensor:
        x = x if taken is None else taken.look_up(x)
        padded = None if gates is None else packing.unpack(gates)
        states = packing.pack(self.reference(packing.unpack(x), torch.bincount(packing.row), padded, start=start))
        return states.index_select(0, packing.last) if last else states

    fast = GatedGRU.forward
    GatedGRU.forward = run
    try:
        with usual_products():
            yield
    finally:
        GatedGRU.forward = fast
