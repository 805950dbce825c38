"""JSON lines in, JSON lines out: one answer a line, in order, each as soon as possible.

The lines that have arrived are answered together; nothing waits for more to come. So a file goes through in large
batches, a program at the other end of a pipe gets each answer before it asks the next question, and an endless stream
needs no more memory than a short one. Where lines come faster than they are answered, other processes answer some: half
of the work is done in Python, which threads can't share.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from functools import partial
from multiprocessing import Pipe
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from dmn_cli.answering.predictor import Predictor
from dmn_cli.errors import DataError
from dmn_cli.files import json_line, load_object
from dmn_cli.machine.device import networks_at_once
from dmn_cli.machine.processes import Advance, can_fork, forked

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

AT_ONCE = 1024  # lines answered together, at most
FEW = 64  # lines: fewer are answered sooner here than by another process
L = TypeVar("L")  # a line
R = TypeVar("R")  # what is answered to it
Answering = Callable[[Predictor, list[tuple[int, L]]], list[R]]
"""Answers some lines, each with its number, from 1."""
_Result = dict[str, Any]


def answers(
    predictor: Predictor,
    lines: Iterable[bytes],
    *,
    at_once: int = AT_ONCE,
    few: int = FEW,
    processes: int | None = None,
) -> Iterator[list[bytes]]:
    """Yields the answers to the lines that had arrived, batch by batch; one line of JSON, in UTF-8, for each line.

    A line is {"id"?, "story": [fact, …] | text, "question": text}; the question may be missing where the model knows
    but one. A bad line is answered by {"id", "error"}.

    at_once, few, processes: as `in_order` takes them.
    """
    return in_order(predictor, lines, _answered, at_once=at_once, few=few, processes=processes)


def in_order(
    predictor: Predictor,
    lines: Iterable[L],
    answered: Answering[L, R],
    *,
    at_once: int = AT_ONCE,
    few: int = FEW,
    processes: int | None = None,
) -> Iterator[list[R]]:
    """Yields what is `answered` to the lines that had arrived, batch by batch. Lines may be anything that can be sent
    to another process.

    at_once: lines answered together, at most; few: fewer lines than this never go to another process; processes: how
    many others may help, by default as many as there are cores for.
    """
    if processes is None:
        processes = networks_at_once(predictor.device) if predictor.device.type == "cpu" else 1
    to_start = processes if processes > 1 and can_fork() else 0
    arriving = _Arriving(lines, at_once)
    idle: deque[_Process[L, R]] = deque()
    begun: deque[_Process[L, R] | list[R]] = deque()
    with ExitStack() as stack:
        while True:
            arrived = arriving.take(wait=not begun)
            if to_start and len(arrived) == at_once:  # more than can be answered here
                idle.extend(_Process(predictor, answered, stack) for _ in range(to_start))
                to_start = 0
            if arrived and idle and len(arrived) >= few:
                process = idle.popleft()
                process.begin(arrived)
                begun.append(process)
            elif arrived:
                begun.append(answered(predictor, arrived))
            elif not begun:
                break
            if not arrived or not idle:
                oldest = begun.popleft()
                if isinstance(oldest, _Process):
                    idle.append(oldest)
                    oldest = oldest.end()
                yield oldest
    if arriving.error:
        raise arriving.error


class _Process(Generic[L, R]):
    """Another process with the same model. It takes new lines once its answers to the last ones were fetched."""

    def __init__(self, predictor: Predictor, answered: Answering[L, R], stack: ExitStack) -> None:
        receiver, self._sender = Pipe(duplex=False)
        make = partial(_answered_in_turn, predictor, answered, receiver, self._sender)
        self._results = stack.enter_context(forked([make]))(lambda progress: None)
        receiver.close()
        stack.callback(self._sender.close)

    def begin(self, lines: list[tuple[int, L]]) -> None:
        with suppress(BrokenPipeError):  # it has died: `end` will say so
            self._sender.send(lines)

    def end(self) -> list[R]:
        return next(self._results) or []


def _answered_in_turn(
    predictor: Predictor,
    answered: Answering[L, R],
    receiver: Connection[Any, Any],
    sender: Connection[Any, Any],
    advance: Advance,
) -> Iterator[list[R]]:
    """In the other process: answers what it receives until the one that asks has gone."""
    sender.close()  # this process's copy would keep the pipe open
    while True:
        try:
            lines = receiver.recv()
        except EOFError:
            return
        yield answered(predictor, lines)


class _Arriving(Generic[L]):
    """Lines, read by a thread that is up to 2 `at_once` of them ahead."""

    def __init__(self, lines: Iterable[L], at_once: int) -> None:
        self.error: BaseException | None = None  # that ended the lines
        self._at_once = at_once
        self._lines: list[tuple[int, L]] = []
        self._ended = False
        self._changed = threading.Condition()
        threading.Thread(target=self._read, args=(lines,), daemon=True).start()

    def _read(self, lines: Iterable[L]) -> None:
        most = 2 * self._at_once
        try:
            for numbered in enumerate(lines, start=1):
                with self._changed:
                    self._lines.append(numbered)
                    self._changed.notify()
                    if len(self._lines) == most:
                        self._changed.wait_for(lambda: len(self._lines) < most)
        except BaseException as error:
            self.error = error
        with self._changed:
            self._ended = True
            self._changed.notify()

    def take(self, *, wait: bool) -> list[tuple[int, L]]:
        """The numbered lines that have arrived, in order, at most `at_once`. With `wait` there is at least one, or
        they have ended."""
        with self._changed:
            if wait:
                self._changed.wait_for(lambda: self._lines or self._ended)
            taken, self._lines = self._lines[: self._at_once], self._lines[self._at_once :]
            self._changed.notify()
        return taken


def _answered(predictor: Predictor, lines: list[tuple[int, bytes]]) -> list[bytes]:
    """The answers to some numbered lines."""
    results: list[_Result] = []
    places: list[int] = []
    asked: list[tuple[list[str], str]] = []
    for place, (number, line) in enumerate(lines):
        record: _Result = {}
        try:
            record = load_object(line, '{"story": [...], "question": "..."}')
            asked.append(_question(predictor, record))
            places.append(place)
            results.append({"id": record["id"]} if "id" in record else {})
        except DataError as error:
            results.append({"id": record.get("id"), "error": f"line {number}: {error.message}"})
    for place, answer in zip(places, predictor.answer_all(asked), strict=True):
        results[place].update(answer.as_json())
    return [json_line(result) for result in results]


def _question(predictor: Predictor, record: _Result) -> tuple[list[str], str]:
    """Facts and question. Raises: DataError where the record has none, or what UTF-8 can't represent."""
    story, question = record.get("story"), record.get("question", predictor.model.question)
    if not isinstance(question, str):
        raise DataError('"question" is not a text')
    if not isinstance(story, str | list) or not all(isinstance(fact, str) for fact in story):
        raise DataError('"story" is neither a text nor a list of texts')
    try:
        "".join((question, *story)).encode()
        if isinstance(record.get("id"), str | list | dict):
            json.dumps(record["id"], ensure_ascii=False).encode()
    except (UnicodeEncodeError, RecursionError) as error:
        raise DataError("holds text that UTF-8 can't represent (half a surrogate pair)") from error
    facts = predictor.encoder.story(story, question)
    for text in (*facts, question):
        predictor.encoder.encode(text)
    if not facts:
        raise DataError("the story is empty")
    return facts, question
