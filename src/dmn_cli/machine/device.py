"""The machine: which device, and how to make the most of it."""

from __future__ import annotations

import ctypes
from contextlib import suppress

import torch

from dmn_cli.errors import ResourceError, UsageError
from dmn_cli.machine.threads import cores_to_use
from dmn_cli.wording import plural

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _LARGEST = -1, -3, 1 << 30  # of glibc's malloc.h; bytes
_LARGEST_BEFORE_2_35 = 1 << 25  # the most that older versions of glibc take
NETWORKS = 4  # side by side; more would only wait for the interpreter


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
        raise ResourceError(
            f"there is no device {name}: {plural(there, 'GPU')} found", hint="Use --device auto, or cpu."
        )
    return torch.device(name)


def keep_memory() -> None:
    """Keeps freed memory with the process, for the next tensors: by default glibc gives large pieces back at once, and
    each step waits for the kernel to hand out zeroed pages again (docs/log.md). Without glibc nothing changes.
    """
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        if not mallopt(_M_MMAP_THRESHOLD, _LARGEST):
            mallopt(_M_MMAP_THRESHOLD, _LARGEST_BEFORE_2_35)
        mallopt(_M_TRIM_THRESHOLD, _LARGEST)


def networks_at_once(device: torch.device) -> int:
    """How many networks may compute side by side, so that the cores that torch leaves idle have work too, within
    OMP_NUM_THREADS.

    A GPU gets two, so that one prepares a batch while the other's is on it.
    """
    if device.type != "cpu":
        return 2
    return max(1, min(cores_to_use() // torch.get_num_threads(), NETWORKS))


def seed(device: torch.device, number: int) -> None:
    """Seeds all that is drawn from now on. (torch.manual_seed does so on all devices, and takes a millisecond.)"""
    torch.default_generator.manual_seed(number)
    if device.type == "cuda":
        torch.cuda.manual_seed(number)


def describe(device: torch.device, processes: int = 1, *, compiled: bool = True) -> str:
    """The device in words. processes: how many share the work; compiled: whether the kernels in C are in use"""
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    threads = torch.get_num_threads()
    workers = plural(threads, "thread") if processes == 1 else plural(processes, "process", nouns="processes")
    return f"cpu ({workers}{'' if compiled else ', without C'})"
