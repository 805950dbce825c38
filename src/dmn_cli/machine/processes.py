"""Iterators that run ahead in processes of their own, on the other cores."""

from __future__ import annotations

import copy
import gc
import os
import signal
import sys
import traceback
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, NoReturn, TypeVar

from dmn_cli.errors import ResourceError
from dmn_cli.machine.parent import end_with_parent
from dmn_cli.machine.signals import without_ctrl_c
from dmn_cli.machine.threads import cores

S = TypeVar("S")
T = TypeVar("T")
Advance = Callable[[int], None]
"""Takes the progress that was made since the last call."""
Make = Callable[[Advance], Iterable[T]]

_PROCESSES = 8  # at most: a single process must keep up with taking what they make


@contextmanager
def ahead(makes: Sequence[Make[T]], processes: int | None = None) -> Iterator[Callable[[Advance], Iterator[T]]]:
    """Yields the items that several sources make, in turns: one of each source that has not ended, over and over.

    Forked processes make them: as many as there are cores, or `processes`. The items and their order don't depend on
    how many. Each process is one item ahead, and waits until that is taken. No process outlives the block, or outlives
    this process by more than a second. With 0, or where processes can't be forked safely, this process makes all items.

    The first error that any of them raises is raised here, as it is. Raises: ResourceError where a process is killed.
    """
    if processes is None:
        processes = min(cores(), _PROCESSES)
    processes = min(processes, len(makes)) if can_fork() else 0
    with ExitStack() as stack:
        if processes:
            parts = [stack.enter_context(forked(makes[i::processes])) for i in range(processes)]
        else:
            parts = [lambda advance: _in_turn(makes, advance)]

        def made(advance: Advance) -> Iterator[T]:
            coming = [part(advance) for part in parts]
            turns = deque(i % len(coming) for i in range(len(makes)))
            while turns:
                item = next(coming[turns[0]])
                if item is None:
                    turns.popleft()
                else:
                    yield item
                    turns.rotate(-1)

        yield made


def shared(work: Callable[[S], T], items: Sequence[S], processes: int) -> Iterator[T]:
    """work(item) for each item, in the order of the items, by so many forked processes. Raises: as `ahead` does"""
    makes = [partial(_of_each, work, items[first::processes]) for first in range(processes)]
    with ahead(makes, processes) as made:
        yield from made(lambda n: None)


def _of_each(work: Callable[[S], T], items: Sequence[S], advance: Advance) -> Iterator[T]:
    return map(work, items)


def can_fork() -> bool:
    """False on macOS, whose system libraries may break in a forked process."""
    return sys.platform == "linux"


def _in_turn(makes: Sequence[Make[T]], advance: Advance) -> Iterator[T | None]:
    """One item of each source in turn; None where a source has just ended."""
    sources = deque(iter(make(advance)) for make in makes)
    while sources:
        item = next(sources[0], None)
        if item is None:
            sources.popleft()
        yield item
        if item is not None:
            sources.rotate(-1)


@contextmanager
def forked(makes: Sequence[Make[T]]) -> Iterator[Callable[[Advance], Iterator[T | None]]]:
    """Runs `_in_turn` in another process."""
    receiver, sender = Pipe(duplex=False)
    parent = os.getpid()
    with without_ctrl_c():
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", DeprecationWarning
            )  # about threads: the new process uses none of their locks
            process = os.fork()
        if process == 0:
            receiver.close()
            _run(makes, sender, parent)
    sender.close()
    try:
        yield lambda advance: _received(receiver, advance)
    finally:
        receiver.close()
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)


def _received(receiver: Connection[Any, Any], advance: Advance) -> Iterator[Any]:
    while True:
        try:
            progress, item = receiver.recv()
        except EOFError:
            message = "a process that was helping was killed"
            raise ResourceError(message, hint="Perhaps memory ran out.") from None
        advance(progress)
        if isinstance(item, BaseException):
            raise item
        yield item


def _run(makes: Sequence[Make[Any]], sender: Connection[Any, Any], parent: int) -> NoReturn:
    """The other process: sends (progress since the last item, item or error), and then exits in any case."""
    end_with_parent(parent)
    progress = 0

    def advance(n: int) -> None:
        nonlocal progress
        progress += n

    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        gc.freeze()  # or collecting would touch existing objects, and so copy their memory
        try:
            for item in _in_turn(makes, advance):
                sender.send((progress, item))
                progress = 0
        except BaseException as error:
            _send_error(error, progress, sender)
    finally:
        os._exit(0)  # without what the first process does when it exits


def _send_error(error: BaseException, progress: int, sender: Connection[Any, Any]) -> None:
    """Sends an error with its traceback as a note; or its text alone, if the error can't be pickled."""
    error.add_note("".join(traceback.format_exception(error)))
    try:
        copy.copy(error)  # fails where unpickling would
        sender.send((progress, error))
    except Exception:
        sender.send((progress, RuntimeError(f"{type(error).__name__}: {error}")))
