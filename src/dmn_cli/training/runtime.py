"""The machine: which device, and how to make the most of it."""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress

import torch

from dmn_cli.errors import ResourceError, UsageError
from dmn_cli.model import native, products
from dmn_cli.threads import cores

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _LARGEST = -1, -3, 1 << 30  # of glibc's malloc.h; bytes
_LARGEST_OF_OLD = 1 << 25  # that glibc takes before 2.35
ONE_THREAD = 128  # the widest network whose products are too small to share
_NETWORKS = 4  # side by side; more would only wait for the interpreter


def choose_device(name: str) -> torch.device:
    """auto | cpu | cuda[:N]; auto takes the GPU where there is one.

    Raises: UsageError for another name, ResourceError for a GPU that isn't there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, _, number = name.partition(":")
    if kind not in ("cpu", "cuda") or (number and not number.isdecimal()) or (kind == "cpu" and number):
        raise UsageError(f"there is no device {name!r}", hint="Use auto, cpu, cuda or cuda:N.")
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        there = torch.cuda.device_count()
        raise ResourceError(f"there is no device {name}: {there} GPUs were found", hint="Use --device auto, or cpu.")
    return torch.device(name)


def tune(hidden: int, *, build: bool = True) -> None:
    """Makes the most of the CPU for a network of this width. build: whether this is worth a second of compiling

    One thread for a small one, unless OMP_NUM_THREADS says otherwise: on a busy machine two spend two thirds of the
    time waiting for each other (docs/log.md). Processes share its work (`parts.py`).
    """
    if hidden <= ONE_THREAD and "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(1)
    products.adapt()
    keep_memory()
    if build:
        native.build()


def keep_memory() -> None:
    """Has memory that was freed stay with the process, for the next tensors: by default glibc gives all large pieces
    back, and each step waits for the kernel to hand out empty pages anew (docs/log.md). Other libraries do as they do.
    """
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        if not mallopt(_M_MMAP_THRESHOLD, _LARGEST):
            mallopt(_M_MMAP_THRESHOLD, _LARGEST_OF_OLD)
        mallopt(_M_TRIM_THRESHOLD, _LARGEST)


def networks_at_once(device: torch.device) -> int:
    """How many threads may answer with the network side by side, so that all cores have work: those that torch leaves
    idle. OMP_NUM_THREADS bounds the cores in use here too.

    A GPU gets two, so that one prepares while the other's batch is on it.
    """
    if device.type != "cpu":
        return 2
    return max(1, min(cores_to_use() // torch.get_num_threads(), _NETWORKS))


def cores_to_use() -> int:
    """All that there are, unless OMP_NUM_THREADS says otherwise."""
    said = os.environ.get("OMP_NUM_THREADS", "")
    return int(said) if said.isdecimal() else cores()


def seed(device: torch.device, number: int) -> None:
    """Of all that is drawn from now on. torch.manual_seed does so for all kinds of devices, and takes a millisecond."""
    torch.default_generator.manual_seed(number)
    if device.type == "cuda":
        torch.cuda.manual_seed(number)


def describe(device: torch.device, processes: int = 1) -> str:
    """What a person would call it. processes: that share the work"""
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    number, workers = (processes, "process") if processes > 1 else (torch.get_num_threads(), "thread")
    plural = "" if number == 1 else "es" if workers == "process" else "s"
    slower = "" if native.library(torch.float32) else ", without C"
    return f"cpu ({number} {workers}{plural}{slower})"
