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
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, NoReturn, TypeVar

from dmn_cli.errors import ResourceError
from dmn_cli.machine.threads import cores

T = TypeVar("T")
Advance = Callable[[int], None]
"""Takes the progress that was made since the last call."""
Make = Callable[[Advance], Iterable[T]]

_PROCESSES = 8  # at most: what is made must be taken by one


@contextmanager
def ahead(makes: Sequence[Make[T]], processes: int | None = None) -> Iterator[Callable[[Advance], Iterator[T]]]:
    """What several sources make, taken in turn: one item of each that has not ended, and again.

    They are made in forked processes, as many as there are cores, or `processes`; the items and their order don't
    depend on how many. A process is one item ahead, and waits until that is taken. None outlives the block, nor this
    process by more than an item. With 0, and where a process can't be forked safely, all is made here.

    The first error that any of them comes upon is raised as it is. Raises: ResourceError where a process is killed
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


def can_fork() -> bool:
    """Not on macOS, whose own libraries may break in a forked process."""
    return sys.platform == "linux"


def _in_turn(makes: Sequence[Make[T]], advance: Advance) -> Iterator[T | None]:
    """One item of each; None where one has just ended."""
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
    """`_in_turn` in another process."""
    receiver, sender = Pipe(duplex=False)
    # Ctrl-C reaches all processes, and is for this one to handle: the other must not see it for a moment
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of threads: nothing that they hold is used there
            process = os.fork()
        if process == 0:
            receiver.close()
            _run(makes, sender)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
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
            message = "a process that helped was killed"
            raise ResourceError(message, hint="Perhaps memory ran out.") from None
        advance(progress)
        if isinstance(item, BaseException):
            raise item
        yield item


def _run(makes: Sequence[Make[Any]], sender: Connection[Any, Any]) -> NoReturn:
    """The other process: sends (progress since the last, item or error), and is gone, come what may."""
    progress = 0

    def advance(n: int) -> None:
        nonlocal progress
        progress += n

    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        gc.freeze()  # what there is already is left alone, and so its memory remains shared
        try:
            for item in _in_turn(makes, advance):
                sender.send((progress, item))
                progress = 0
        except BaseException as error:
            _send_error(error, progress, sender)
    finally:
        os._exit(0)  # without all that the first process will do at its own end


def _send_error(error: BaseException, progress: int, sender: Connection[Any, Any]) -> None:
    """With its traceback as a note; its text alone where the error can't travel."""
    error.add_note("".join(traceback.format_exception(error)))
    try:
        copy.copy(error)  # as it will be made at the other end
        sender.send((progress, error))
    except Exception:
        sender.send((progress, RuntimeError(f"{type(error).__name__}: {error}")))
