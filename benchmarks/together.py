"""Processes that train together as under torchrun, in a benchmark."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from dmn_cli.machine.distributed import join
from dmn_cli.training.distributed import QUIT
from dmn_cli.training.follower import follow

CPU = torch.device("cpu")


@contextmanager
def joined(data: Path, count: int) -> Iterator[None]:
    """Here this process is the first of `count`. data: what will be trained on"""
    with tempfile.TemporaryDirectory() as folder:

        def store() -> Any:
            return dist.FileStore(f"{folder}/store", count)  # type: ignore[reportPrivateImportUsage]

        others = []
        for rank in range(1, count):
            other = os.fork()
            if other == 0:
                code = 1
                try:
                    code = follow(join(CPU, store(), rank, count), [data], lambda: False)
                finally:
                    os._exit(code)
            others.append(other)
        here = join(CPU, store(), 0, count)
        try:
            yield
            here.tell(QUIT + bytes([0]))
        finally:
            here.leave()
            for other in others:
                os.waitpid(other, 0)
