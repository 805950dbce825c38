"""What a model has right, question by question, to be compared with what another has.

It comes from a file that `dmn eval --predictions` wrote, or from a model as it is evaluated. Questions are matched by
task, story, question and right answer, whatever their order; one that is there several times, as often as it is there.
A question is right or wrong as a whole, tags too.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from dmn_cli.data.batches import Batches
from dmn_cli.data.words.vocabulary import Vocabulary
from dmn_cli.errors import DataError
from dmn_cli.evaluation.metrics import Judged
from dmn_cli.evaluation.predictions import given_answer, right_answer
from dmn_cli.evaluation.report import natural
from dmn_cli.notation import load_object

_LIKE = '{"task": "qa1", "story": ["…"], "question": "…", "answer": "…", "prediction": "…", "correct": true}'
_TYPES = {"task": str, "story": list, "question": str, "answer": str, "prediction": str, "correct": bool}
_HASHED = 16  # bytes
_AT_ONCE = 4096  # questions that are read together


class Wrong(NamedTuple):
    """A question that was answered wrongly."""

    story: list[str]
    answer: str  # the right one
    prediction: str


class Predictions:
    """What a model answered, question by question. Texts are kept of the wrong ones alone, which are few."""

    def __init__(self, name: str) -> None:
        self.name = name  # for a person: the file or the model
        self.tasks: list[str] = []
        self.questions: list[str] = []
        self.keys: list[bytes] = []  # hashes: of task, story and question, then of the right answer
        self.right = np.zeros(0, bool)  # (questions,)
        self.wrong: dict[int, Wrong] = {}

    def ask(self, task: str, story: Sequence[str], question: str, answer: str) -> None:
        self.tasks.append(task)
        self.questions.append(question)
        self.keys.append(_hashed([task, *story, question]) + _hashed(answer))

    @classmethod
    def read(cls, name: str, lines: Iterable[bytes]) -> Predictions:
        """From lines that `dmn eval --predictions` wrote. Raises: DataError, which names the line"""
        found, right = cls(name), []
        known: dict[str, str] = {}  # one text for all that are alike
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                record = _checked(load_object(line, _LIKE))
            except DataError as error:
                hint = "dmn eval MODEL DATA --predictions FILE writes such lines."
                raise DataError(error.message, where=f"{name}:{number}", hint=hint) from error
            task, question = (known.setdefault(record[key], record[key]) for key in ("task", "question"))
            found.ask(task, record["story"], question, record["answer"])
            if not record["correct"]:
                found.wrong[len(right)] = Wrong(record["story"], record["answer"], record["prediction"])
            right.append(record["correct"])
        if not right:
            raise DataError("has no predictions", where=name)
        found.right = np.array(right)
        return found


def _checked(record: dict[str, Any]) -> dict[str, Any]:
    """Raises: DataError where a key is missing or of another type"""
    for key, kind in _TYPES.items():
        if type(record.get(key)) is not kind:
            raise DataError(f'has no "{key}" as in {_LIKE}')
    if not all(isinstance(fact, str) for fact in record["story"]):
        raise DataError('has a "story" that isn\'t a list of texts')
    return record


def _hashed(value: Any) -> bytes:
    return hashlib.blake2b(json.dumps(value).encode(), digest_size=_HASHED).digest()


class Marking:
    """The predictions of a model, filled in as it is evaluated: `evaluate` calls it with every judged batch."""

    def __init__(self, name: str, splits: Sequence[Batches], vocabulary: Vocabulary) -> None:
        """splits: what it will be evaluated on; vocabulary: the model's"""
        self.predictions, self._vocabulary = Predictions(name), vocabulary
        self._first: dict[int, int] = {}  # the place of a split's first question
        for batches in splits:
            self._first[id(batches)] = len(self.predictions.keys)
            for first in range(0, len(batches.split), _AT_ONCE):
                rows = np.arange(first, min(first + _AT_ONCE, len(batches.split)))
                for example in batches.data.examples(batches.split, rows):
                    answer = right_answer(batches, example)
                    self.predictions.ask(example.task, example.facts, example.question, answer)
        self.predictions.right = np.zeros(len(self.predictions.keys), bool)

    def __call__(self, batches: Batches, judged: Judged) -> None:
        right = judged.right == judged.answers
        places = self._first[id(batches)] + judged.rows
        self.predictions.right[places] = right
        wrong = np.flatnonzero(~right)
        for i, example in zip(wrong.tolist(), batches.data.examples(batches.split, judged.rows[wrong]), strict=True):
            prediction = given_answer(batches, example, judged, i, self._vocabulary)
            answer = right_answer(batches, example)
            self.predictions.wrong[int(places[i])] = Wrong(example.facts, answer, prediction)


def matched(a: Predictions, b: Predictions) -> np.ndarray:
    """The place in `b` of each question of `a`. (questions,)

    Raises: DataError where one has questions that the other doesn't have, or not as often; it says how many, and which
    """
    places: dict[bytes, deque[int]] = defaultdict(deque)
    for place, key in enumerate(b.keys):
        places[key].append(place)
    found = np.full(len(a.keys), -1)
    for i, key in enumerate(a.keys):
        if places[key]:
            found[i] = places[key].popleft()
    only_a, only_b = np.flatnonzero(found < 0).tolist(), sorted(place for left in places.values() for place in left)
    if not only_a and not only_b:
        return found
    other_answer = len({a.keys[i][:_HASHED] for i in only_a} & {b.keys[i][:_HASHED] for i in only_b})
    told = [_not_in(one, of, other) for one, of, other in ((a, only_a, b), (b, only_b, a)) if of]
    raise DataError(
        "; ".join(told),
        hint=f"{other_answer:,} of them have another right answer there."
        if other_answer
        else "Both must be of the same split of the same data.",
    )


def _not_in(predictions: Predictions, places: list[int], other: Predictions) -> str:
    """1 of the 50 questions of a.jsonl isn't in b.jsonl (qa1: 1), the first of them "Where is Mary?" """
    tasks = Counter(predictions.tasks[i] for i in places)
    by_task = ", ".join(f"{name}: {tasks[name]:,}" for name in sorted(tasks, key=natural))
    return (
        f"{len(places):,} of the {len(predictions.keys):,} questions of {predictions.name} "
        f"{'is' if len(places) == 1 else 'are'} not in {other.name} ({by_task}), "
        f"the first: {predictions.questions[places[0]]}"
    )
