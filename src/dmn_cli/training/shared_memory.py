"""Memory that the processes of a training share: the weights, and a place for the results of each helper."""

from __future__ import annotations

import mmap
import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO, cast

import torch
from torch import Tensor

from dmn_cli.records.network import Network, sparse_tables
from dmn_cli.training.gradients import PartResult

_ALIGNED = 64  # bytes


class Memory:
    """One file, mapped by all processes. Every piece of it begins at a multiple of 64 bytes."""

    def __init__(self, network: Network, helpers: int, file: BinaryIO | None = None) -> None:
        """Moves the weights to a new file, which has no name, or has the network use those that are in `file`.

        helpers: for how many there are places. Raises: OSError where there is no room
        """
        parameters, tables = list(network.parameters()), sparse_tables(network)
        self._sparse = [any(p is table for table in tables) for p in parameters]
        self._end = 0
        weights = [self._piece(p.numel(), torch.float32) for p in parameters]
        places = [
            (
                [self._piece(p.numel(), torch.float32) for p in parameters],
                [self._piece(len(p) * s, torch.int64) for p, s in zip(parameters, self._sparse, strict=True)],
                self._piece(len(parameters), torch.int64),
                self._piece(2, torch.float64),
            )
            for _ in range(helpers)
        ]
        self.file = file or nameless_file(self._end)
        self._bytes = mmap.mmap(self.file.fileno(), self._end)
        for parameter, piece in zip(parameters, weights, strict=True):
            there = self._at(piece).view(parameter.shape)
            if file is None:
                there.copy_(parameter.data)
            parameter.data = there
        self._shapes = [p.shape for p in parameters]
        self._places = [
            _Place([*map(self._at, gradients)], [*map(self._at, rows)], self._at(counts), self._at(losses))
            for gradients, rows, counts, losses in places
        ]

    def _piece(self, count: int, kind: torch.dtype) -> tuple[int, int, torch.dtype]:
        begin = self._end
        self._end += -(-count * kind.itemsize // _ALIGNED) * _ALIGNED
        return begin, count, kind

    def _at(self, piece: tuple[int, int, torch.dtype]) -> Tensor:
        begin, count, kind = piece
        if count == 0:
            return torch.empty(0, dtype=kind)
        return torch.frombuffer(self._bytes, dtype=kind, count=count, offset=begin)

    def put(self, helper: int, result: PartResult) -> None:
        """helper: which of the places, from 0"""
        place = self._places[helper]
        place.losses.copy_(result.losses)
        for i, (gradient, there) in enumerate(zip(result.gradients, place.gradients, strict=True)):
            if gradient is None:
                place.counts[i] = -1
                continue
            if gradient.is_sparse:
                place.rows[i][: len(gradient.values())] = gradient.indices()[0]
                gradient = gradient.values()
            place.counts[i] = len(gradient)
            there[: gradient.numel()] = gradient.flatten()

    def take(self, helper: int) -> PartResult:
        """What was put there, without copying it."""
        place = self._places[helper]
        gradients: list[Tensor | None] = []
        for i, (count, shape) in enumerate(zip(place.counts.tolist(), self._shapes, strict=True)):
            gradient = place.gradients[i]
            if count < 0:
                gradients.append(None)
            elif self._sparse[i]:
                values, indices = gradient[: count * shape[1]].view(count, shape[1]), place.rows[i][None, :count]
                gradients.append(
                    torch.sparse_coo_tensor(indices, values, shape, is_coalesced=True, check_invariants=False)
                )
            else:
                gradients.append(gradient.view(shape))
        return PartResult(gradients, place.losses)


def nameless_file(size: int) -> BinaryIO:
    """A file that no other process can open: in memory where there is room, else where temporary files are."""
    for folder in ("/dev/shm", None):
        with suppress(FileNotFoundError, PermissionError):
            file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115
            try:
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(file.fileno(), 0, size)
                else:
                    file.truncate(size)
            except OSError:
                file.close()
                if folder is None:
                    raise
            else:
                return cast("BinaryIO", file)
    raise OSError("there is no folder for temporary files")


@dataclass(frozen=True)
class _Place:
    """Where a helper puts its results."""

    gradients: list[Tensor]  # of each parameter; the values alone of one that is sparse
    rows: list[Tensor]  # of each parameter, which rows these values are of; none for those that aren't sparse
    counts: Tensor  # (parameters,) the rows of each one's gradient; -1: it has none
    losses: Tensor  # (2,)
