"""Processes that train together as under torchrun, in a benchmark."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from dmn_cli.machine.distributed import join
from dmn_cli.training.distributed import QUIT
from dmn_cli.training.follower import follow

CPU = torch.device("cpu")


@contextmanager
def joined(data: Path, count: int, *, told_to_stop: int = 0, code: int = 0) -> Iterator[None]:
    """Here this process is the first of `count`, which the others follow. data: what will be trained on; told_to_stop:
    one of them, from the beginning; code: what they are told to exit with"""
    with tempfile.TemporaryDirectory() as folder:

        def store() -> Any:
            return dist.FileStore(f"{folder}/store", count)  # type: ignore[reportPrivateImportUsage]

        others = []
        for rank in range(1, count):
            other = os.fork()
            told = signal.SIGTERM if rank == told_to_stop else 0
            if other == 0:
                ended = 1
                try:
                    ended = follow(join(CPU, store(), rank, count), [data], partial(int, told))
                finally:
                    os._exit(ended)
            others.append(other)
        here = join(CPU, store(), 0, count)
        try:
            yield
            here.tell(QUIT + bytes([code]))
        finally:
            here.leave()
            codes = [os.waitstatus_to_exitcode(os.waitpid(other, 0)[1]) for other in others]
        assert codes == [code] * (count - 1)
