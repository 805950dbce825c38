"""Signals: who is told of them, when, and who never is."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

ENDING = (signal.SIGINT, signal.SIGTERM)  # Ctrl-C, and what asks a process to end


@contextmanager
def handled(handle: Callable[[int, object], None], numbers: Iterable[int] = ENDING) -> Iterator[None]:
    """Here `handle` is told of some signals, with the frame that was running. In the main thread alone"""
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


@contextmanager
def without_ctrl_c() -> Iterator[None]:
    """Ctrl-C reaches all processes but is for this one to handle: those that are started here never see it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def undisturbed() -> Iterator[None]:
    """The same; and a signal to this process waits until the other has been started. Anywhere but in the main thread of
    a POSIX system nothing changes."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "pthread_sigmask"):
        yield
        return
    came: list[int] = []
    try:
        with handled(lambda number, _: came.append(number)), without_ctrl_c():
            yield
    finally:
        for number in came:
            signal.raise_signal(number)
