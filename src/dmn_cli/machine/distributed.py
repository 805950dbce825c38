"""Processes of one command, on one machine or on several, which find each other by what torchrun tells them.

The first one, of rank 0, runs the command. It tells the others what to do (`tell`, `hear`), and gets from them what
they have found (`collect`). What they compute together goes through the collective operations of torch.distributed
itself: gloo between CPUs, NCCL between GPUs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.rendezvous import rendezvous

from dmn_cli.errors import ResourceError
from dmn_cli.machine.meeting import meet

_STEP = timedelta(minutes=10)  # within which all take part in an operation that one has begun
_COMMAND = timedelta(days=7)  # within which the first process tells what is next: it may be busy by itself for long
_SHORT = 256  # bytes of a message that need no second broadcast
_LENGTH = 8  # of these, bytes


class World:
    """All processes, seen from one of them."""

    def __init__(self, device: torch.device, store: Any, rank: int, size: int) -> None:
        backend = "nccl" if device.type == "cuda" else "gloo"
        with connected():
            ours = meet(store, rank, size, _STEP.total_seconds())
            dist.init_process_group(backend, timeout=_STEP, store=ours, rank=rank, world_size=size)
            self._told: Any = dist.new_group(backend="gloo", timeout=_COMMAND)
        self.rank, self.size, self.device = rank, size, device
        self.stopping = 0  # as `stopping` says

    def tell(self, message: bytes) -> None:
        """To all others, who `hear` it."""
        head, rest = message[: _SHORT - _LENGTH], message[_SHORT - _LENGTH :]
        self._broadcast(bytearray(len(message).to_bytes(_LENGTH) + head.ljust(_SHORT - _LENGTH)))
        if rest:
            self._broadcast(bytearray(rest))

    def hear(self) -> bytes:
        """What the first process tells next."""
        buffer = bytearray(_SHORT)
        self._broadcast(buffer)
        length = int.from_bytes(buffer[:_LENGTH])
        rest = bytearray(max(0, length - (_SHORT - _LENGTH)))
        if rest:
            self._broadcast(rest)
        return bytes((buffer[_LENGTH:] + rest)[:length])

    def _broadcast(self, buffer: bytearray) -> None:
        with connected():
            dist.broadcast(torch.frombuffer(buffer, dtype=torch.uint8), 0, self._told)

    def collect(self, message: bytes) -> list[bytes]:
        """The messages of all, in the order of their ranks, to the first process; to the others nothing."""
        sizes = self.exchange(torch.tensor([len(message)])).flatten().tolist()
        with connected():
            if self.rank:
                if message:
                    dist.send(torch.frombuffer(bytearray(message), dtype=torch.uint8), 0, self._told)
                return []
            found = [message]
            for rank, size in enumerate(sizes[1:], start=1):
                buffer = torch.empty(size, dtype=torch.uint8)
                if size:
                    dist.recv(buffer, rank, self._told)
                found.append(buffer.numpy().tobytes())
        return found

    def exchange(self, figures: Tensor) -> Tensor:
        """What each process has, to all of them. figures: (…) on the CPU, of the same shape everywhere → (size, …)"""
        found = figures.new_empty(self.size, *figures.shape)
        with connected():
            dist.all_gather([*found], figures.contiguous(), self._told)
        return found

    def leave(self) -> None:
        global _world
        _world = None
        with suppress(RuntimeError):
            dist.destroy_process_group()


_world: World | None = None


def join(device: torch.device, store: Any = None, rank: int = 0, size: int = 1) -> World:
    """Waits for the processes that torchrun has started. device: what this one computes on; store, rank, size: where it
    isn't torchrun that says them, a torch.distributed.Store and this one's place

    Raises: ResourceError where they can't be reached.
    """
    global _world
    if store is None:
        with connected():
            store, rank, size = next(rendezvous("env://", timeout=_STEP))
    _world = World(device, store, rank, size)
    return _world


def world() -> World | None:
    """The processes that this one has joined, if there is more than this one."""
    return _world if _world and _world.size > 1 else None


def stopping() -> int:
    """The signal that told any of the processes to stop, as of the last step that they took together; 0: none."""
    return _world.stopping if _world else 0


def local_rank() -> int:
    """Which of the processes on its machine this one is."""
    return int(os.environ.get("LOCAL_RANK", "0"))


@contextmanager
def connected() -> Iterator[None]:
    """Raises: ResourceError where another process can't be reached within"""
    try:
        yield
    except (RuntimeError, TimeoutError) as error:  # gloo knows no others
        raise Gone(
            "another process of this command has gone, or can't be reached",
            hint="torchrun --max-restarts N starts all of them again.",
        ) from error


class Gone(ResourceError):
    """Another process has."""
