"""JSON lines in, JSON lines out: as many, in order, each as soon as it can be.

What has already arrived is answered as one batch; nothing waits for more to come. So a file goes through in large
batches, a program at the other end of a pipe gets each answer before it asks on, and an endless stream needs no more
memory than a short one.
"""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Any

from dmn_cli.answering.predictor import Predictor
from dmn_cli.errors import DataError
from dmn_cli.files import load_object

_BATCH = 256
_Line = tuple[int, str | bytes]


def answers(predictor: Predictor, lines: Iterable[str | bytes]) -> Iterator[list[dict[str, Any]]]:
    """Yields the answers to the lines that had arrived, time after time; one object for each line.

    A line is {"id"?, "story": [fact, …] | text, "question": text}. A bad one is answered by {"id", "error"}.
    """
    for arrived in _as_they_arrive(lines):
        yield _answer(predictor, arrived)


def _as_they_arrive(lines: Iterable[str | bytes]) -> Iterator[list[_Line]]:
    """Lists of at most _BATCH numbered lines, never empty, never waiting once there is one."""
    waiting: queue.Queue[_Line | BaseException | None] = queue.Queue(maxsize=4 * _BATCH)

    def read() -> None:
        try:
            for numbered in enumerate(lines, start=1):
                waiting.put(numbered)
            waiting.put(None)
        except BaseException as error:
            waiting.put(error)

    threading.Thread(target=read, daemon=True).start()
    item = waiting.get()
    while isinstance(item, tuple):
        arrived: list[_Line] = []
        while isinstance(item, tuple):
            arrived.append(item)
            if len(arrived) == _BATCH or waiting.empty():
                break
            item = waiting.get()
        yield arrived
        if isinstance(item, tuple):
            item = waiting.get()
    if item is not None:
        raise item


def _answer(predictor: Predictor, lines: list[_Line]) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = []
    asked: list[tuple[int, list[str], str]] = []  # with the place among the results
    for place, (number, line) in enumerate(lines):
        record: dict[str, Any] = {}
        try:
            record = load_object(line, '{"story": [...], "question": "..."}')
            _check(record)
            question = record["question"]
            facts = predictor.story(record["story"], question)
            for text in (*facts, question):
                predictor.encode(text)
            if not facts:
                raise DataError("the story is empty")
            asked.append((place, facts, question))
            results.append({"id": record["id"]} if "id" in record else {})
        except DataError as error:
            results.append({"id": record.get("id"), "error": f"line {number}: {error.message}"})
    for (place, _, _), answer in zip(asked, predictor.answer_all([(f, q) for _, f, q in asked]), strict=True):
        results[place].update(answer.as_json())
    return results


def _check(record: dict[str, Any]) -> None:
    try:
        json.dumps(record, ensure_ascii=False).encode()
    except (UnicodeEncodeError, RecursionError) as error:
        raise DataError("holds text that UTF-8 can't spell (half a surrogate pair)") from error
    story, question = record.get("story"), record.get("question")
    if not isinstance(question, str):
        raise DataError('"question" is not a text')
    if not isinstance(story, str) and not (isinstance(story, list) and all(isinstance(fact, str) for fact in story)):
        raise DataError('"story" is neither a text nor a list of texts')
