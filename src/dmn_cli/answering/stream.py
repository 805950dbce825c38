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
from itertools import accumulate, islice, takewhile
from multiprocessing import Pipe
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import orjson

from dmn_cli.answering.asked import Asked
from dmn_cli.answering.pictures import named
from dmn_cli.answering.predictor import Predictor
from dmn_cli.errors import DataError, DmnError
from dmn_cli.machine.device import networks_at_once
from dmn_cli.machine.processes import Advance, can_fork, forked
from dmn_cli.notation import LONGEST_LINE, is_unicode, json_line, load_object

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

AT_ONCE = 4096  # lines answered together, at most
FEW = 64  # lines: fewer are answered sooner here than by another process
_TOGETHER = 1 << 22  # bytes of the lines that are answered together, but for one that is longer
L = TypeVar("L")  # a line
R = TypeVar("R")  # what is answered to it
_LIKE = '{"story": [...], "question": "..."}'


class Lines(NamedTuple, Generic[L]):
    """Consecutive lines."""

    number: int  # of the first one, from 1
    lines: list[L]
    full: bool = False  # as many as are answered together


Answering = Callable[[Predictor, Lines[L]], list[R]]
"""Answers some lines."""


def answers(
    predictor: Predictor,
    lines: Iterable[list[bytes]],
    *,
    at_once: int = AT_ONCE,
    few: int = FEW,
    processes: int | None = None,
) -> Iterator[list[bytes]]:
    """Yields the answers to the lines that had arrived, batch by batch; one line of JSON, in UTF-8, for each line.

    A line is {"id"?, "story": [fact, …] | text, "question": text}, or has "image": a file or a data: URL in place of
    the story, where the model was taught about pictures; the question may be missing where the model knows but one. A
    bad line is answered by {"id", "error"}. Where the predictor is brief, so are the answers.

    lines, at_once, few, processes: as `in_order` takes them.
    """
    return in_order(predictor, lines, _answered, size=len, at_once=at_once, few=few, processes=processes)


def in_order(
    predictor: Predictor,
    lines: Iterable[list[L]],
    answered: Answering[L, R],
    *,
    size: Callable[[L], int],
    at_once: int = AT_ONCE,
    few: int = FEW,
    processes: int | None = None,
) -> Iterator[list[R]]:
    """Yields what is `answered` to the lines that had arrived, batch by batch.

    lines: some at a time, as they come; they may be anything that can be sent to another process; size: of a line, in
    bytes or so; at_once: lines answered together, at most; few: fewer lines than this never go to another process;
    processes: how many others may help, by default as many as there are cores for.
    """
    if processes is None:
        processes = networks_at_once(predictor.device) if predictor.device.type == "cpu" else 1
    to_start = processes if processes > 1 and can_fork() else 0
    arriving = _Arriving(lines, size, at_once)
    idle: deque[_Process[L, R]] = deque()
    begun: deque[_Process[L, R] | list[R]] = deque()
    with ExitStack() as stack:
        while True:
            arrived = arriving.take(wait=not begun)
            if to_start and arrived.full:  # more than can be answered here
                idle.extend(_Process(predictor, answered, stack) for _ in range(to_start))
                to_start = 0
            if arrived.lines and idle and (arrived.full or len(arrived.lines) >= few):
                process = idle.popleft()
                process.begin(arrived)
                begun.append(process)
            elif arrived.lines:
                begun.append(answered(predictor, arrived))
            elif not begun:
                break
            if not arrived.lines or not idle:
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

    def begin(self, lines: Lines[L]) -> None:
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
    """Lines, read by a thread that is up to about twice as far ahead as lines are answered together."""

    def __init__(self, lines: Iterable[list[L]], size: Callable[[L], int], at_once: int) -> None:
        self.error: BaseException | None = None  # that ended the lines
        self._size, self._at_once = size, at_once
        self._lines: deque[L] = deque()
        self._bytes = 0  # of these
        self._number = 1  # of the first
        self._ended = False
        self._changed = threading.Condition()
        threading.Thread(target=self._read, args=(lines,), daemon=True).start()

    def _read(self, lines: Iterable[list[L]]) -> None:
        try:
            for some in lines:
                size = sum(map(self._size, some))
                with self._changed:
                    self._lines.extend(some)
                    self._bytes += size
                    self._changed.notify()
                    self._changed.wait_for(self._may_read_on)
        except BaseException as error:
            self.error = error
        with self._changed:
            self._ended = True
            self._changed.notify()

    def _may_read_on(self) -> bool:
        return len(self._lines) < 2 * self._at_once and self._bytes < 2 * _TOGETHER

    def take(self, *, wait: bool) -> Lines[L]:
        """The lines that have arrived and can be answered together. With `wait` there is at least one, or they have
        ended."""
        with self._changed:
            if wait:
                self._changed.wait_for(lambda: self._lines or self._ended)
            number = self._number
            count = min(self._at_once, len(self._lines))
            if self._bytes > _TOGETHER:
                ends = accumulate(map(self._size, islice(self._lines, count)))
                count = sum(1 for _ in takewhile(_TOGETHER.__ge__, ends)) or min(1, count)
            taken = [self._lines.popleft() for _ in range(count)]
            self._number += count
            self._bytes -= sum(map(self._size, taken))
            full = len(taken) == self._at_once or bool(self._lines)
            self._changed.notify()
        return Lines(number, taken, full)


def _answered(predictor: Predictor, lines: Lines[bytes]) -> list[bytes]:
    results: list[dict[str, Any]] = []
    places: list[int] = []
    asked: list[Asked] = []
    for place, line in enumerate(lines.lines):
        record: dict[str, Any] = {}
        try:
            record = _record(line)
            asked.append(_asked(predictor, record))
            places.append(place)
            results.append({"id": record["id"]} if "id" in record else {})
        except DataError as error:
            message = f"line {lines.number + place}: {error.message}"
            results.append({"id": record.get("id"), "error": message})
    for place, answer in zip(places, predictor.answer_encoded(asked), strict=True):
        results[place] |= answer.brief_as_json() if predictor.brief else answer.as_json()
    return [*map(_written, results)]


def _record(line: bytes) -> dict[str, Any]:
    """Raises: DataError where it isn't one, or has an `id` that can't be given back."""
    try:
        record = orjson.loads(line) if len(line) <= LONGEST_LINE else None
        if isinstance(record, dict) and not isinstance(record.get("id"), float | list | dict):
            return record
    except orjson.JSONDecodeError:
        pass  # what Python takes for JSON, and how it says what is wrong, stays; so do numbers of any size in `id`
    record = load_object(line, _LIKE)
    try:
        json.dumps(record.get("id"), ensure_ascii=False, allow_nan=False).encode()  # NaN and 1e400 are no JSON
    except (ValueError, RecursionError) as error:
        raise DataError('"id" holds what JSON in UTF-8 can\'t represent') from error
    return record


def _written(result: dict[str, Any]) -> bytes:
    """A line of JSON."""
    try:
        return orjson.dumps(result, option=orjson.OPT_APPEND_NEWLINE)
    except orjson.JSONEncodeError:  # an `id` beyond 64 bits, or nested deeply
        return json_line(result)


def _asked(predictor: Predictor, record: dict[str, Any]) -> Asked:
    """Facts and question. Raises: DataError where the record has none, or what UTF-8 can't represent."""
    story, question = record.get("story"), record.get("question", predictor.model.question)
    if predictor.model.sizes.pictures or "image" in record:
        return _asked_about_picture(predictor, record.get("image"), question)
    if isinstance(story, list) and (known := predictor.encoder.recalled(story, question)):
        return known
    if not isinstance(question, str):
        raise DataError('"question" is not a text')
    if not isinstance(story, str | list) or not all(isinstance(fact, str) for fact in story):
        raise DataError('"story" is neither a text nor a list of texts')
    if not is_unicode("".join((question, *story))):
        raise DataError("holds text that UTF-8 can't represent (half a surrogate pair)")
    return predictor.encoder.asked(story, question)


def _asked_about_picture(predictor: Predictor, image: Any, question: Any) -> Asked:
    """Raises: DataError"""
    if not predictor.model.sizes.pictures:
        raise DataError('has an "image", and the model answers questions about text')
    if not isinstance(question, str) or not is_unicode(question):
        raise DataError('"question" is not a text')
    if not isinstance(image, str) or not is_unicode(image):
        raise DataError('"image" is neither the name of a file nor a data: URL')
    try:
        return predictor.encoder.asked(named(image), question)
    except DmnError as error:
        raise DataError(str(error)) from error
