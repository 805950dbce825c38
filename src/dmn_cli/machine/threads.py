"""Cores, and work done ahead by other threads: numpy and torch release the interpreter while they compute."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cores_to_use() -> int:
    """All that this process may use, unless OMP_NUM_THREADS says otherwise."""
    said = os.environ.get("OMP_NUM_THREADS", "")
    return int(said) if said.isdecimal() else cores()


def in_order(work: Callable[[T], R], items: Iterable[T], threads: int = 1) -> Iterator[R]:
    """work(item) for each item, in the order of the items, whichever of the threads finishes first.

    At most 2 × `threads` results are made ahead of the one that is taken. What `work` raises is raised when it is its
    item's turn. Closing or dropping the iterator waits only for work that has begun.
    """
    pool = ThreadPoolExecutor(threads)
    begun: deque[Future[R]] = deque()
    try:
        for item in items:
            begun.append(pool.submit(work, item))
            if len(begun) > 2 * threads:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
