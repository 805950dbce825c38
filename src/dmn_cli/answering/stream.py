"""JSON lines in, JSON lines out: as many, in order, each as soon as it can be.

What has already arrived is answered together; nothing waits for more to come. So a file goes through in large batches,
a program at the other end of a pipe gets each answer before it asks on, and an endless stream needs no more memory than
a short one. While the network answers, in threads of its own, the next lines are read and the last answers written.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

from dmn_cli.answering.predictor import Asked, Computed, Predictor
from dmn_cli.errors import DataError
from dmn_cli.files import load_object
from dmn_cli.training.runtime import networks_at_once

_LINES = 1024  # that are answered together, at most
_Line = tuple[int, bytes]
_Result = dict[str, Any]


def answers(predictor: Predictor, lines: Iterable[bytes]) -> Iterator[list[_Result]]:
    """Yields the answers to the lines that had arrived, time after time; one object for each line.

    A line is {"id"?, "story": [fact, …] | text, "question": text}. A bad one is answered by {"id", "error"}.
    """
    arriving = _Arriving(lines)
    threads = networks_at_once(predictor.device)
    pool = ThreadPoolExecutor(threads)
    begun: deque[_Begun] = deque()
    try:
        while True:
            arrived = arriving.take(wait=not begun)
            if arrived:
                begun.append(_begin(predictor, arrived, pool))
            if begun and (not arrived or len(begun) > threads):
                yield _end(predictor, begun.popleft())
            elif not arrived:
                break
    finally:
        pool.shutdown(cancel_futures=True)
    if arriving.error:
        raise arriving.error


class _Arriving:
    """Lines, read by a thread that is some of them ahead."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self.error: BaseException | None = None  # that ended the lines
        self._lines: list[_Line] = []
        self._ended = False
        self._changed = threading.Condition()
        threading.Thread(target=self._read, args=(lines,), daemon=True).start()

    def _read(self, lines: Iterable[bytes]) -> None:
        try:
            for numbered in enumerate(lines, start=1):
                with self._changed:
                    self._lines.append(numbered)
                    self._changed.notify()
                    if len(self._lines) == 2 * _LINES:
                        self._changed.wait_for(lambda: len(self._lines) < 2 * _LINES)
        except BaseException as error:
            self.error = error
        with self._changed:
            self._ended = True
            self._changed.notify()

    def take(self, *, wait: bool) -> list[_Line]:
        """The numbered lines that are there, in their order, at most _LINES. With `wait` there is one at least, or they
        have ended."""
        with self._changed:
            if wait:
                self._changed.wait_for(lambda: self._lines or self._ended)
            taken, self._lines = self._lines[:_LINES], self._lines[_LINES:]
            self._changed.notify()
        return taken


class _Begun(NamedTuple):
    """Lines that the network is at work on."""

    results: list[_Result]  # one a line; they lack the answers
    places: list[int]  # of the lines that hold a question, among all
    asked: list[tuple[list[str], str]]
    batches: list[Asked]
    computed: list[Future[Computed]]


def _begin(predictor: Predictor, lines: list[_Line], pool: ThreadPoolExecutor) -> _Begun:
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
    batches = predictor.batches(asked)
    return _Begun(results, places, asked, batches, [pool.submit(predictor.compute, part.batch) for part in batches])


def _end(predictor: Predictor, begun: _Begun) -> list[_Result]:
    computed = [future.result() for future in begun.computed]
    said = predictor.said(begun.asked, begun.batches, computed)
    for place, answer in zip(begun.places, said, strict=True):
        begun.results[place].update(answer.as_json())
    return begun.results


def _question(predictor: Predictor, record: _Result) -> tuple[list[str], str]:
    """Facts and question. Raises: DataError where the record has none, or what can't be written again."""
    story, question = record.get("story"), record.get("question")
    if not isinstance(question, str):
        raise DataError('"question" is not a text')
    if not isinstance(story, str | list) or not all(isinstance(fact, str) for fact in story):
        raise DataError('"story" is neither a text nor a list of texts')
    try:
        "".join((question, *story)).encode()
        if isinstance(record.get("id"), str | list | dict):
            json.dumps(record["id"], ensure_ascii=False).encode()
    except (UnicodeEncodeError, RecursionError) as error:
        raise DataError("holds text that UTF-8 can't spell (half a surrogate pair)") from error
    facts = predictor.story(story, question)
    for text in (*facts, question):
        predictor.encode(text)
    if not facts:
        raise DataError("the story is empty")
    return facts, question
