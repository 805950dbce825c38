"""A batch in parts, computed by processes that torchrun started, on one machine or several.

The process of rank 0 trains (`loop.py`); the others follow it (`follower.py`). Each has the weights, the optimiser's
state and the averaged weights, computes the parts of a batch that are dealt to it, and takes the same step once the
gradients of all parts are added up:

    dJ/dW = Σ_parts dJ_part/dW      in the order of the parts

Process r adds up slice r of it, which the others send (all-to-all), and sends the sum to all (all-gather). With one
part a process this carries what a ring all-reduce does, 2 (N-1)/N times the gradient from each; but it adds in one
order, so that the weights are the same bits whichever process computes which part, and however many there are.
"""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import MISSING, fields
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from dmn_cli.data.batches import Batches
from dmn_cli.evaluation.metrics import Judged, judge_stories
from dmn_cli.evaluation.report import Judge
from dmn_cli.machine.distributed import Gone, World, connected, world
from dmn_cli.records.batch import FACTS
from dmn_cli.records.network import Network, sparse_tables
from dmn_cli.training.averaging import Averaged
from dmn_cli.training.gradients import PartResult, summed
from dmn_cli.training.learner import Learner, Phase
from dmn_cli.training.share import dealt, job_of

JOB, STATE, STEP, JUDGE, END, QUIT = (bytes([kind]) for kind in range(6))  # what a message begins with
NEXT = struct.Struct("<dqqd???Q")  # the learning rate, the step, and the fields of a Phase


class Ranks:
    """The other processes, seen from the one that trains. Takes the place of `Helpers`."""

    def __init__(self, learner: Learner, count: int) -> None:
        """count: how many there are"""
        here = world()
        assert here is not None
        assert count == here.size - 1
        self._world, self._learner = here, learner
        self._reduction = Reduction(learner, here)
        self.ready = set(range(learner.parts)) - {*self._reduction.own}  # the parts of the others
        here.tell(JOB + json.dumps(job_of(learner)).encode())

    def tell_state(self, averaged: Averaged | None, steps: int) -> None:
        """Has the others go on from here. steps: done in all"""
        self._world.tell(STATE + packed_state(self._learner, averaged, steps))

    def ask(self, phase: Phase, step: int) -> set[int]:
        """Has the others compute a step, at the optimiser's learning rate. Returns their parts."""
        self._world.tell(STEP + NEXT.pack(self._learner.optimiser.learning_rate, step, *phase))
        return self.ready

    def summed(self, asked: Collection[int], compute: Callable[[int], PartResult]) -> PartResult:
        """The sum over all parts. compute: a part, here"""
        return self._reduction([compute(part) for part in self._reduction.own])

    def judge(self, valid: Sequence[Batches], **how: int) -> Judge:
        """Judges some of `valid` as `evaluation.metrics.judge` does, each process a part of the batches. how: names
        or thin, as `judge_stories` takes them"""

        def judged(network: Network, batches: Batches, batch_size: int, device: torch.device) -> Iterator[Judged]:
            which = next(i for i, one in enumerate(valid) if one is batches)
            self._world.tell(JUDGE + json.dumps({"which": which, "batch_size": batch_size, "how": how}).encode())
            yield from judge_share(self._world, network, batches, batch_size, how)

        return judged

    def wait(self) -> None:
        """They are ready: each operation waits for all."""

    def close(self) -> None:
        """The training is over; they wait for the next one."""
        try:
            self._world.tell(END)
        except Gone:  # which whoever trains has noticed
            return


class Reduction:
    """The sum of the results of all parts, of which each process has some."""

    def __init__(self, learner: Learner, world: World, stop: Callable[[], int] = lambda: 0) -> None:
        """stop: the signal that told this process to stop, or 0, which all then know: `World.stopping`"""
        self._world, self._stop = world, stop
        self._shares = dealt(learner.parts, world.size)
        self.own = self._shares[world.rank]
        self._most = max(map(len, self._shares))
        parameters, tables = list(learner.network.parameters()), sparse_tables(learner.network)
        self._shapes = [p.shape for p in parameters]
        self._sparse = [any(p is table for table in tables) for p in parameters]
        sizes = [0 if sparse else p.numel() for p, sparse in zip(parameters, self._sparse, strict=True)]
        self._ends = np.cumsum([0, *sizes]).tolist()
        self._slice = -(-self._ends[-1] // world.size)
        self._none = torch.zeros(max(sizes), device=world.device)
        self._flat = torch.zeros(len(self.own), world.size * self._slice, device=world.device)

    def __call__(self, results: Sequence[PartResult]) -> PartResult:
        """results: of the parts of this process. Raises: Gone"""
        losses, counts = self._notes(results)
        dense = self._dense([result.gradients for result in results])
        gradients: list[list[Tensor | None]] = [[None] * len(losses) for _ in self._shapes]  # of large tables alone
        for i, shape in enumerate(self._shapes):
            if self._sparse[i]:
                gradients[i] = self._gathered([result.gradients[i] for result in results], counts[:, i], shape)
        of_parts = zip(*gradients, strict=True)
        total = summed([PartResult([*of], loss) for of, loss in zip(of_parts, losses, strict=True)])
        for i, (shape, begin, end) in enumerate(zip(self._shapes, self._ends, self._ends[1:], strict=False)):
            if not self._sparse[i] and counts[:, i].max() >= 0:
                total.gradients[i] = dense[begin:end].view(shape)
        return PartResult(total.gradients, total.losses.to(self._world.device))

    def _notes(self, results: Sequence[PartResult]) -> tuple[Tensor, Tensor]:
        """The losses of all parts, (parts, 2), and how many rows each parameter's gradient has in each, -1 where it has
        none, (parts, parameters); and the signal by which any process is to stop."""
        notes = torch.zeros(self._most, 3 + len(self._shapes), dtype=torch.float64)
        notes[:, 0] = self._stop()
        for row, result in zip(notes, results, strict=False):
            row[1:3] = result.losses
            row[3:] = torch.tensor([-1 if g is None else g._nnz() if g.is_sparse else 0 for g in result.gradients])
        found = self._world.exchange(notes)
        self._world.stopping = int(found[:, :, 0].max())
        rows = torch.cat([of[: len(share)] for of, share in zip(found, self._shares, strict=True)])
        return rows[:, 1:3], rows[:, 3:].long()

    def _dense(self, gradients: Sequence[Sequence[Tensor | None]]) -> Tensor:
        """Those that aren't sparse, end to end."""
        size, slice_ = self._world.size, self._slice
        for row, of in zip(self._flat, gradients, strict=True):
            pieces = [
                self._none[: end - begin] if g is None else g.flatten()
                for g, begin, end in zip(of, self._ends, self._ends[1:], strict=False)
                if end > begin
            ]
            torch.cat(pieces, out=row[: self._ends[-1]])
        to_each = self._flat.view(len(self.own), size, slice_).transpose(0, 1).contiguous()
        parts = self._flat.new_empty(sum(map(len, self._shares)), slice_)
        whole = self._flat.new_empty(size, slice_)
        with connected():
            sizes = [len(share) * slice_ for share in self._shares]
            dist.all_to_all_single(parts.flatten(), to_each.flatten(), sizes, [len(self.own) * slice_] * size)
            mine = parts[0] + parts[1]
            for part in parts[2:]:
                mine += part
            dist.all_gather([*whole], mine)
        return whole.flatten()

    def _gathered(self, gradients: Sequence[Tensor | None], counts: Tensor, shape: torch.Size) -> list[Tensor | None]:
        """The sparse gradients of one parameter in all parts. counts: (parts,) how many rows each has; -1: none"""
        most, width = int(counts.max()), shape[1]
        rows = torch.zeros(self._most, max(0, most), dtype=torch.int64, device=self._world.device)
        values = torch.zeros(self._most, max(0, most), width, device=self._world.device)
        for place, gradient in enumerate(gradients):
            if gradient is not None:
                rows[place, : gradient._nnz()] = gradient.indices()[0]
                values[place, : gradient._nnz()] = gradient.values()
        all_rows, all_values = (torch.stack([of] * self._world.size) for of in (rows, values))
        with connected():
            dist.all_gather([*all_rows], rows)
            dist.all_gather([*all_values], values)
        found: list[Tensor | None] = []
        for rank, share in enumerate(self._shares):
            for place, part in enumerate(share):
                count = int(counts[part])
                found.append(
                    None
                    if count < 0
                    else torch.sparse_coo_tensor(
                        all_rows[rank, place, None, :count],
                        all_values[rank, place, :count],
                        shape,
                        is_coalesced=True,
                        check_invariants=False,
                    )
                )
        return found


def packed_state(learner: Learner, averaged: Averaged | None, steps: int) -> bytes:
    """What `set_state` takes: the weights, the optimiser's state, the averaged weights and how many steps are done."""
    buffer = io.BytesIO()
    mean = averaged.mean if averaged else []
    torch.save([learner.network.state_dict(), learner.optimiser.state_dict(), mean, steps], buffer)
    return buffer.getvalue()


def set_state(learner: Learner, averaged: Averaged | None, state: bytes) -> int:
    """Returns how many steps are done."""
    values: Any = torch.load(io.BytesIO(state), map_location=learner.device, weights_only=True)
    network, optimiser, mean, steps = values
    learner.network.load_state_dict(network)
    learner.optimiser.load_state_dict(optimiser)
    if averaged:
        averaged.load(mean)
    return int(steps)


def judge_share(
    here: World, network: Network, batches: Batches, batch_size: int, how: dict[str, int]
) -> Iterator[Judged]:
    """Judges every size-th batch, beginning with that of this process's rank. The first process gets all of them, in
    their order; the others nothing."""
    plan = batches.plan(batch_size, facts=FACTS)
    for first in range(0, len(plan), here.size):
        place, message = first + here.rank, b""
        if place < len(plan):
            names, thin = how.get("names"), how.get("thin")
            message = _packed(judge_stories(network, batches, plan[place], here.device, names=names, thin=thin))
        yield from (_unpacked(one) for one in here.collect(message) if one)


_ARRAYS = [field.name for field in fields(Judged) if field.default is MISSING]


def _packed(judged: Judged) -> bytes:
    buffer = io.BytesIO()
    for name in _ARRAYS:
        np.save(buffer, getattr(judged, name), allow_pickle=False)
    return buffer.getvalue()


def _unpacked(message: bytes) -> Judged:
    buffer = io.BytesIO(message)
    return Judged(*(np.load(buffer, allow_pickle=False) for _ in _ARRAYS))
