"""A batch in parts, side by side: other processes compute the gradients of some, and this one adds them all up.

    J = Σ_parts J_part,   so   dJ/dW = Σ_parts dJ_part/dW

whoever computes them. So weights depend on how many parts there are (`training.parts`), and not on how many processes
there were to help, nor on when they were ready: what nobody has done by then is done here.

Weights and gradients lie in memory that all processes share. Through two pipes it is said which step is next, and that
it is done. Helpers are processes and not threads, since a network of this size spends much of its time in Python.
"""

from __future__ import annotations

import json
import mmap
import os
import select
import struct
import subprocess
import sys
import tempfile
import warnings
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, cast

import torch
from torch import Tensor

from dmn_cli.data.store import DataSet
from dmn_cli.model import native
from dmn_cli.settings import from_dict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dmn_cli.model import DynamicMemoryNetwork
    from dmn_cli.training.loop import Training

_ALIGNED = 64  # bytes
_NEXT = struct.Struct("<qqd")  # epoch, step, β
_READY, _DONE = b"r", b"d"


class Done(NamedTuple):
    """What one part of a batch comes to."""

    gradients: list[Tensor | None]  # of each parameter, in their order; None where it took no part
    losses: Tensor  # (2,) float64: its share of the batch's mean losses, of answers and of gates


def added(parts: Sequence[Done]) -> Done:
    """The sum, in the order of the parts. Sparse gradients are coalesced."""
    if len(parts) == 1:
        return parts[0]
    columns = zip(*(part.gradients for part in parts), strict=True)
    gradients = [_sum([g for g in column if g is not None]) for column in columns]
    return Done(gradients, torch.stack([part.losses for part in parts]).sum(dim=0))


def _sum(gradients: list[Tensor]) -> Tensor | None:
    if len(gradients) < 2:
        return gradients[0] if gradients else None
    if not gradients[0].is_sparse:
        total = gradients[0] + gradients[1]
        for gradient in gradients[2:]:
            total += gradient
        return total
    indices = torch.cat([g.indices() for g in gradients], dim=1)
    values = torch.cat([g.values() for g in gradients])
    return torch.sparse_coo_tensor(indices, values, gradients[0].shape, check_invariants=False).coalesce()


class Memory:
    """What the processes share: the weights of the network, and a place for what each helper has done."""

    def __init__(self, network: DynamicMemoryNetwork, helpers: int, file: BinaryIO | None = None) -> None:
        """Moves the weights to a new file, which has no name; or has the network use those that are in `file`.

        Raises: OSError where there is no room
        """
        parameters = list(network.parameters())
        self._end = 0
        weights = [self._piece(p.numel(), torch.float32) for p in parameters]
        places = [
            (
                [self._piece(p.numel(), torch.float32) for p in parameters],
                self._piece(len(network.word_vectors.E.weight), torch.int64),
                self._piece(1 + len(parameters), torch.int64),
                self._piece(2, torch.float64),
            )
            for _ in range(helpers)
        ]
        self.file = file or _file(self._end)
        self._bytes = mmap.mmap(self.file.fileno(), self._end)
        for parameter, piece in zip(parameters, weights, strict=True):
            there = self._at(piece).view(parameter.shape)
            if file is None:
                there.copy_(parameter.data)
            parameter.data = there
        self._shapes = [p.shape for p in parameters]
        self._places = [
            _Place([self._at(piece) for piece in gradients], *(self._at(piece) for piece in rest))
            for gradients, *rest in places
        ]

    def _piece(self, count: int, kind: torch.dtype) -> tuple[int, int, torch.dtype]:
        begin = self._end
        self._end += -(-count * kind.itemsize // _ALIGNED) * _ALIGNED
        return begin, count, kind

    def _at(self, piece: tuple[int, int, torch.dtype]) -> Tensor:
        begin, count, kind = piece
        return torch.frombuffer(self._bytes, dtype=kind, count=count, offset=begin)

    def put(self, helper: int, done: Done) -> None:
        place = self._places[helper]
        place.losses.copy_(done.losses)
        for i, (gradient, there) in enumerate(zip(done.gradients, place.gradients, strict=True)):
            place.counts[1 + i] = int(gradient is not None)
            if gradient is None:
                continue
            if gradient.is_sparse:
                place.counts[0] = len(gradient.values())
                place.rows[: len(gradient.values())] = gradient.indices()[0]
                gradient = gradient.values()
            there[: gradient.numel()] = gradient.flatten()

    def take(self, helper: int, sparse: Sequence[bool]) -> Done:
        """`sparse`: which parameters' gradients are."""
        place = self._places[helper]
        rows, *there = place.counts.tolist()
        gradients: list[Tensor | None] = []
        for gradient, shape, is_there, is_sparse in zip(place.gradients, self._shapes, there, sparse, strict=True):
            if not is_there:
                gradients.append(None)
            elif is_sparse:
                values = gradient[: rows * shape[1]].view(rows, shape[1])
                indices = place.rows[:rows].unsqueeze(0)
                gradients.append(
                    torch.sparse_coo_tensor(indices, values, shape, is_coalesced=True, check_invariants=False)
                )
            else:
                gradients.append(gradient.view(shape))
        return Done(gradients, place.losses)


def _file(size: int) -> BinaryIO:
    """In memory where there is room, else where temporary files are."""
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
    """Where a helper puts what it has done."""

    gradients: list[Tensor]  # of each parameter; the values alone of one that is sparse
    rows: Tensor  # (words,) which rows of the table these values are of
    counts: Tensor  # (1 + parameters,) how many rows, and whether each parameter has a gradient
    losses: Tensor  # (2,)


class Helpers:
    """The processes that compute parts 1, 2, … of each batch, once they are ready. Part 0 is never theirs."""

    def __init__(self, training: Training, count: int) -> None:
        table = training.network.word_vectors.E
        self._sparse = [table.sparse and parameter is table.weight for parameter in training.network.parameters()]
        self._memory = Memory(training.network, count)
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self.ready: set[int] = set()  # those that have said so
        said = {
            "settings": training.settings.model_dump(),
            "data": [str(data.path.resolve()) for data in training.data],
            "memory": self._memory.file.fileno(),
            "helpers": count,
            "native": native.library(torch.float32) is not None,  # who computes a part changes no bit
        }
        for part in range(1, count + 1):
            self._processes[part] = self._start({**said, "part": part})

    def _start(self, said: dict[str, Any]) -> subprocess.Popen[bytes]:
        """In a session of its own: Ctrl-C is for this process to handle. It ends once this one does, however that
        ends."""
        process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            pass_fds=[said["memory"]],
            start_new_session=True,
        )
        assert process.stdin
        with suppress(BrokenPipeError):  # it couldn't even start: `_listen` will see
            process.stdin.write(json.dumps(said).encode() + b"\n")
        return process

    def wait(self) -> None:
        """Until all are ready, or dead."""
        for part in list(self._processes):
            self._listen(part, None)

    def _listen(self, part: int, seconds: float | None) -> None:
        stdout = self._processes[part].stdout
        assert stdout
        if part not in self.ready and select.select([stdout], [], [], seconds)[0]:
            if stdout.read(1) == _READY:
                self.ready.add(part)
            else:
                self._gone(part)

    def ask(self, epoch: int, step: int, beta: float) -> set[int]:
        """Which parts of a batch are now being computed."""
        asked = set()
        for part, process in list(self._processes.items()):
            self._listen(part, 0)
            if part in self.ready:
                assert process.stdin
                try:
                    process.stdin.write(_NEXT.pack(epoch, step, beta))
                    asked.add(part)
                except BrokenPipeError:
                    self._gone(part)
        return asked

    def answer(self, part: int) -> Done | None:
        """What it was asked for; None where it has died over it."""
        stdout = self._processes[part].stdout
        assert stdout
        if stdout.read(1) == _DONE:
            return self._memory.take(part - 1, self._sparse)
        self._gone(part)
        return None

    def _gone(self, part: int) -> None:
        process = self._processes.pop(part)
        self.ready.discard(part)
        process.kill()
        process.communicate()
        code = process.returncode
        warnings.warn(f"a process that helped has died ({code}); training goes on without it, slower", stacklevel=2)

    def close(self) -> None:
        for process in self._processes.values():
            process.kill()
            process.communicate()
        self._processes = {}
        self._memory.file.close()


def main() -> None:
    """A helper: `Helpers` says what to do."""
    from dmn_cli.training.loop import Training
    from dmn_cli.training.runtime import tune

    asked, answers = sys.stdin.buffer, sys.stdout.buffer
    said = json.loads(asked.readline())
    settings = from_dict(said["settings"])
    if not said["native"]:
        os.environ["DMN_NATIVE"] = "0"
    tune(settings.model.hidden)
    training = Training([DataSet(Path(path)) for path in said["data"]], Path(), settings, torch.device("cpu"))
    with os.fdopen(said["memory"], "r+b") as file:
        memory = Memory(training.network, said["helpers"], file)
    answers.write(_READY)
    answers.flush()
    after, coming, portion = None, iter(()), None
    while len(message := asked.read(_NEXT.size)) == _NEXT.size:
        epoch, step, beta = _NEXT.unpack(message)
        if (epoch, step) != after:
            coming = training.portions(said["part"], epoch, step)
            portion = next(coming)
        assert portion
        memory.put(said["part"] - 1, training.compute(portion, beta))
        answers.write(_DONE)
        answers.flush()
        after, portion = (epoch, step + 1), next(coming, None)  # while the weights are being changed


if __name__ == "__main__":
    main()
