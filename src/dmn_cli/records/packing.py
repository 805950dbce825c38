"""Rows of different lengths without their padding.

Packed, rows lie step by step, the longest row first, so that step t is one block: of the counts[t] rows that have one.

    a1 a2 a3
    b1              →    a1 c1 b1 | a2 c2 | a3        counts = [3, 2, 1]
    c1 c2

A recurrence works through it block by block; what doesn't depend on the step before, like products with weights and the
features of gates, is computed for all of it at once, and never for padding.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def move(tensor: Tensor, device: torch.device) -> Tensor:
    """To a GPU without waiting for the copy, which takes pinned memory."""
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor.to(device)


@dataclass(frozen=True)
class Packing:
    """Where everything lies. `packed` is the number of real steps of all rows."""

    counts: list[int]  # (steps,) rows that have a t-th step: the first ones of `order`
    begin: Tensor  # (steps,) where each step's block begins
    order: Tensor  # (rows,) the longest first
    longest_first: Tensor  # (rows,) the steps of each, in that order
    row: Tensor  # (packed,) whose step it is
    cell: Tensor  # (packed,) where it would be in (rows, steps), laid out row by row
    at: Tensor  # (rows, steps) the other way round: where a row's step lies; `packed` where there is none
    last: Tensor  # (rows,) where each row's last step lies
    going_on: Tensor  # (packed - rows,) where the steps lie that aren't the last of their row
    mirror: Tensor  # (packed,) where the step lies that is as far from the end of the row as this one from its start
    by_row: Tensor  # (packed,) where the steps of the first row lie, then those of the second, …
    start: Tensor  # (rows,) where each row begins in `by_row`

    @classmethod
    def of(cls, length: Tensor) -> Packing:
        """length: (rows,), on the CPU, each at least 1"""
        lengths = length.numpy()  # on arrays this small, numpy takes half of torch's time
        rows, steps = len(lengths), int(lengths.max())
        order = np.argsort(-lengths, kind="stable")
        longest_first = lengths[order]
        counts = rows - np.cumsum(np.bincount(lengths, minlength=steps + 1))[:-1]
        end = counts.cumsum()
        begin = end - counts
        packed = np.arange(end[-1])
        step = np.repeat(np.arange(steps), counts)
        place = packed - begin[step]
        row = order[place]
        cell = row * steps + step
        at = np.full(rows * steps, len(row))
        at[cell] = packed
        last = np.empty_like(order)
        last[order] = begin[longest_first - 1] + np.arange(rows)
        to_end = longest_first[place] - 1 - step
        tensor = torch.from_numpy
        return cls(
            counts=counts.tolist(),
            begin=tensor(begin),
            order=tensor(order),
            longest_first=tensor(longest_first),
            row=tensor(row),
            cell=tensor(cell),
            at=tensor(at.reshape(rows, steps)),
            last=tensor(last),
            going_on=tensor(packed[to_end > 0]),
            mirror=tensor(begin[to_end] + place),
            by_row=tensor(at[at < len(row)]),
            start=tensor(lengths.cumsum() - lengths),
        )

    @classmethod
    def even(cls, rows: int, steps: int, device: torch.device) -> Packing:
        """Of rows of the same length, made on any device."""
        row, packed = torch.arange(rows, device=device), torch.arange(rows * steps, device=device)
        by_step, by_row = packed.view(steps, rows), packed.view(rows, steps)
        at = by_step.t().contiguous()
        return cls(
            counts=[rows] * steps,
            begin=by_step[:, 0].contiguous(),
            order=row,
            longest_first=torch.full_like(row, steps),
            row=row.repeat(steps),
            cell=by_row.t().flatten(),
            at=at,
            last=by_step[-1],
            going_on=packed[:-rows],
            mirror=by_step.flip(0).flatten(),
            by_row=at.flatten(),
            start=row * steps,
        )

    def to(self, device: torch.device) -> Packing:
        return Packing(self.counts, **{f.name: move(getattr(self, f.name), device) for f in fields(self)[1:]})

    @property
    def steps(self) -> int:
        return len(self.counts)

    def pack(self, padded: Tensor) -> Tensor:
        """(rows, steps or more, …) → (packed, …)"""
        return cast("Tensor", _Pack.apply(padded, self))

    def unpack(self, packed: Tensor, fill: float = 0.0) -> Tensor:
        """(packed, …) → (rows, steps, …), padded with `fill` on the right"""
        return cast("Tensor", _Unpack.apply(packed, self, fill))

    def reverse(self, packed: Tensor) -> Tensor:
        """Reverses each row. (packed, hidden) → (packed, hidden)"""
        return cast("Tensor", _Reverse.apply(packed, self.mirror))

    def total(self, packed: Tensor) -> Tensor:
        """The sum over each row's steps. (packed, hidden) → (rows, hidden)"""
        return F.embedding_bag(self.by_row, packed, self.start, mode="sum")

    def spread(self, rows: Tensor) -> Tensor:
        """Repeats each row's vector at each of its steps. (rows, hidden) → (packed, hidden)"""
        return cast("Tensor", _Gather.apply(rows, self.row, self.by_row, self.start))


# _Pack and _Unpack are each other's gradient, and _Reverse is its own: one reads where the other writes. torch's own
# gradients would add up element by element, though no two elements meet.


class _Pack(torch.autograd.Function):
    @staticmethod
    def forward(ctx, padded, packing):
        ctx.packing, ctx.wider = packing, padded.shape[1] - packing.steps
        return padded[:, : packing.steps].flatten(0, 1).index_select(0, packing.cell)

    @staticmethod
    def backward(ctx, *gradients):
        d = _Unpack.apply(gradients[0], ctx.packing, 0.0)
        return F.pad(d, (*([0, 0] * (d.dim() - 2)), 0, ctx.wider)) if ctx.wider else d, None


class _Unpack(torch.autograd.Function):
    @staticmethod
    def forward(ctx, packed, packing, fill):
        ctx.packing = packing
        whole = packed.new_full((packing.at.numel(), *packed.shape[1:]), fill)
        return whole.index_copy_(0, packing.cell, packed).unflatten(0, packing.at.shape)

    @staticmethod
    def backward(ctx, *gradients):
        return _Pack.apply(gradients[0], ctx.packing), None, None


class _Reverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx, packed, mirror):
        ctx.mirror = mirror
        return packed.index_select(0, mirror)

    @staticmethod
    def backward(ctx, *gradients):
        return gradients[0].index_select(0, ctx.mirror), None


class _Gather(torch.autograd.Function):
    """A row may be read many times: its gradient is one sum."""

    @staticmethod
    def forward(ctx, rows, index, order, start):
        ctx.save_for_backward(order, start)
        return rows.index_select(0, index)

    @staticmethod
    def backward(ctx, *gradients):
        order, start = ctx.saved_tensors
        return _total(order, start, gradients[0]), None, None, None


def _total(order: Tensor, start: Tensor, of_each: Tensor) -> Tensor:
    return F.embedding_bag(order, of_each.contiguous(), start, mode="sum")


def in_order(numbers: np.ndarray, below: int) -> np.ndarray:
    """Where the smallest of some numbers are, then the next, …: numpy sorts 16 bits in a tenth of the time."""
    return np.argsort(numbers.astype(np.uint16) if below <= 1 << 16 else numbers, kind="stable")


def ranked(numbers: np.ndarray, below: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Their order as of `in_order`; where in it each distinct number begins; and which of the distinct ones each is."""
    order = in_order(numbers, below)
    found = numbers[order]
    first = np.append(True, found[1:] != found[:-1])[: len(found)]
    rank = np.empty(len(numbers), np.int64)
    rank[order] = np.cumsum(first) - 1
    return order, np.flatnonzero(first), rank


@dataclass(frozen=True)
class Pointers:
    """n pointers at the rows of a table; kept sorted too, so that the gradient of a row is one sum."""

    index: Tensor  # (n,) the row that each points at
    order: Tensor  # (n,) those that point at the first row, then those at the second, …
    start: Tensor  # (rows,) where those of each row begin in `order`

    @classmethod
    def of(cls, index: Tensor, rows: int) -> Pointers:
        """index: (n,), on the CPU; rows: of the table"""
        counts = torch.bincount(index, minlength=rows)
        return cls(index, torch.from_numpy(in_order(index.numpy(), rows)), counts.cumsum(0) - counts)

    def to(self, device: torch.device) -> Pointers:
        return Pointers(**parts_moved(self, device))

    def look_up(self, table: Tensor) -> Tensor:
        """(rows, hidden) → (n, hidden)"""
        return cast("Tensor", _Gather.apply(table, self.index, self.order, self.start))

    def total(self, of_each: Tensor) -> Tensor:
        """The sum over the pointers at each row: the gradient of `look_up`. (n, hidden) → (rows, hidden)"""
        return _total(self.order, self.start, of_each)


def parts_moved(whole: Any, device: torch.device) -> dict[str, Any]:
    """The fields of a dataclass of tensors and the like, each moved to a device."""
    parts = {f.name: getattr(whole, f.name) for f in fields(whole)}
    return {n: move(part, device) if isinstance(part, Tensor) else part.to(device) for n, part in parts.items()}
