"""Times of several things, measured in turns so that whatever else the machine does affects them alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import torch

Work = Callable[[], object]


def seconds_of(work: Work, device: torch.device) -> float:
    """Of one run, including all that it leaves for the device to do."""
    _wait(device)
    start = time.perf_counter()
    work()
    _wait(device)
    return time.perf_counter() - start


def take_turns(works: Mapping[str, Work], device: torch.device, seconds: float, rounds: int = 3) -> dict[str, float]:
    """The best time of each, in seconds. In a round each runs once, in this order; there are at least so many rounds,
    and as many as fit into `seconds`. One round goes before them to warm up."""
    for work in works.values():
        seconds_of(work, device)
    best = dict.fromkeys(works, float("inf"))
    end = time.perf_counter() + seconds
    while rounds > 0 or time.perf_counter() < end:
        for name, work in works.items():
            best[name] = min(best[name], seconds_of(work, device))
        rounds -= 1
    return best


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
