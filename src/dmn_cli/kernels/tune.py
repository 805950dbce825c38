"""Chooses what the kernels compute with, before the first batch: threads, libraries and compiled code."""

from __future__ import annotations

import os
from typing import Any

import torch

from dmn_cli.kernels import c_library, products
from dmn_cli.machine.device import NETWORKS, keep_memory
from dmn_cli.machine.threads import cores

ONE_THREAD = 128  # the widest network whose products are too small to share


def tune(hidden: int, *, answering: bool = False, build: bool = True) -> None:
    """Makes the most of the CPU for a network of this width. answering: whether it only answers; build: whether it is
    worth a second or two of compiling

    A small network gets one thread, unless OMP_NUM_THREADS says otherwise: on a busy machine two spend two thirds of
    their time waiting for each other (docs/log.md). Processes share the work instead. Networks that only answer work
    side by side, so that each needs but its share of the cores.
    """
    if "OMP_NUM_THREADS" not in os.environ:
        if hidden <= ONE_THREAD:
            torch.set_num_threads(1)
        elif answering:
            torch.set_num_threads(max(1, cores() // NETWORKS))
    products.adapt()
    keep_memory()
    if build:
        from dmn_cli.kernels import c_build

        c_build.build()


def compiled() -> bool:
    """Whether the kernels in C are there for the type that networks compute with."""
    return c_library.library(torch.float32) is not None


def computing(device: torch.device) -> dict[str, Any]:
    """What the last bits of a result depend on, beside what it is computed from."""
    if device.type != "cpu":
        return {"device": torch.cuda.get_device_name(device), "torch": torch.__version__}
    return {
        "device": "cpu",
        "threads": torch.get_num_threads(),
        "kernels": c_library.fingerprint(torch.float32) or "torch's",
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "torch": torch.__version__,
    }
