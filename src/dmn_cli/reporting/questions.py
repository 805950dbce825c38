"""The questions that a page has room for: which they are, and what there is to see of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np

from dmn_cli.data.batches import Batches
from dmn_cli.evaluation.metrics import Judged
from dmn_cli.evaluation.reasons import reasons
from dmn_cli.records.regions import PictureForm
from dmn_cli.records.text import Example, Form

WRONG, OTHER_REASON, RIGHT = range(3)


class Without(Protocol):
    """What is answered where some facts are left out, as `answering.answer.Without`."""

    @property
    def facts(self) -> tuple[int, ...]: ...
    @property
    def answer(self) -> str: ...
    @property
    def confidence(self) -> float: ...


class Needs(Protocol):
    """As `answering.answer.Needs`."""

    @property
    def changing(self) -> Sequence[Without]: ...


class Seen(Protocol):
    """A picture, as `answering.pictures.Picture`."""

    @property
    def form(self) -> PictureForm: ...
    @property
    def array(self) -> np.ndarray: ...
    @property
    def regions(self) -> Sequence[int]: ...


class Answered(Protocol):
    """An answer to a question, as `answering.answer.Answer`."""

    @property
    def text(self) -> str: ...
    @property
    def confidence(self) -> float: ...
    @property
    def gates(self) -> list[list[float]]: ...
    @property
    def passes(self) -> list[list[float]]: ...
    @property
    def read(self) -> list[int]: ...
    @property
    def by_fact(self) -> list[str] | None: ...
    @property
    def picture(self) -> Seen | None: ...
    @property
    def needs(self) -> Needs | None: ...


Ask = Callable[[Sequence[tuple[Sequence[str] | np.ndarray, str]]], Sequence[Answered]]
"""Answers (facts or picture, question) pairs, in their order."""


class Shown(NamedTuple):
    """One question of a page."""

    example: Example
    story: tuple[int, int]  # which it is: the number of its data set, and its own in there
    outcome: int  # WRONG, OTHER_REASON or RIGHT
    answer: Answered
    words: bool  # its facts are the words of a text


@dataclass
class Collected:
    """What an evaluation says of every question: a few numbers for each."""

    _parts: list[tuple[np.ndarray, ...]] = field(default_factory=list)
    _splits: list[Batches] = field(default_factory=list)

    def add(self, batches: Batches, judged: Judged) -> None:
        if not any(batches is known for known in self._splits):
            self._splits.append(batches)
        which = next(n for n, known in enumerate(self._splits) if batches is known)
        right = judged.right == judged.answers
        known, other = judged.supports > 0, judged.supports > judged.hits
        if judged.needs is not None and judged.supporting is not None:
            known = judged.supporting.any(axis=1) & ~judged.per_fact
            other = known & ~reasons(judged.needs, judged.supporting)[0]
        outcome = np.where(right, np.where(other, OTHER_REASON, RIGHT), WRONG)
        split = np.full(len(judged.rows), which)
        self._parts.append((split, judged.rows, outcome, judged.confidence.astype(np.float64), known))

    def _columns(self) -> tuple[np.ndarray, ...]:
        """Split, row, outcome, confidence, and whether the supporting facts are known, (questions,) each, in the order
        of the data sets."""
        columns = [np.concatenate(column) for column in zip(*self._parts, strict=True)]
        order = np.lexsort((columns[1], columns[0]))
        return tuple(column[order] for column in columns)

    @property
    def confidence(self) -> np.ndarray:
        """(questions,)"""
        return self._columns()[3]

    @property
    def right(self) -> np.ndarray:
        """(questions,) bool"""
        return self._columns()[2] != WRONG

    @property
    def reasons(self) -> dict[str, int] | None:
        """How many questions with known supporting facts are right for the right reason, for another, and wrong; None:
        none are known. The reason is right if the answer needs supporting facts and no others (`evaluation.reasons`)
        or, where it isn't known what it needs, if all of them were read."""
        _, _, outcome, _, known = self._columns()
        known = outcome[known]
        counts = {"right": RIGHT, "other": OTHER_REASON, "wrong": WRONG}
        return {name: int((known == which).sum()) for name, which in counts.items()} if len(known) else None

    def choose(self, most: int) -> list[int]:
        """At most so many questions, by their places among all: mistakes, the surest first, have half of the room, and
        answers for another reason a quarter; the others are spread evenly. What one doesn't need the others get."""
        _, _, outcome, confidence, _ = self._columns()
        surest = np.argsort(-confidence, kind="stable")
        wrong, other, right = (surest[outcome[surest] == which] for which in (WRONG, OTHER_REASON, RIGHT))
        spread = np.sort(right)
        for_right = min(len(right), max(most // 4, most - len(wrong) - len(other)))
        for_other = min(len(other), max(most // 4, most - for_right - len(wrong)))
        wrong = wrong[: most - for_right - for_other]
        spread = spread[np.linspace(0, len(spread) - 1, for_right).astype(int)] if for_right else spread[:0]
        return [*wrong.tolist(), *other[:for_other].tolist(), *spread.tolist()]

    def shown(self, most: int, ask: Ask) -> list[Shown]:
        """The questions of a page with their answers, in the order of `choose`."""
        split, row, outcome, _, _ = self._columns()
        chosen = self.choose(most)
        read: dict[int, Example] = {}
        for which, batches in enumerate(self._splits):
            places = [place for place in chosen if split[place] == which]
            read |= zip(places, batches.data.examples(batches.split, row[places]), strict=True)
        examples = [read[place] for place in chosen]
        stories = [(int(split[n]), int(self._splits[split[n]].split.story_of(row[n]))) for n in chosen]
        told = [self._told(int(split[place]), int(row[place]), read[place]) for place in chosen]
        answers = ask([(story, example.question) for story, example in zip(told, examples, strict=True)])
        forms = [self._splits[split[place]].data.forms for place in chosen]
        return [
            Shown(example, story, int(outcome[place]), answer, form.get(example.question, Form()).facts_are_words)
            for place, example, story, answer, form in zip(chosen, examples, stories, answers, forms, strict=True)
        ]

    def _told(self, which: int, row: int, example: Example) -> list[str] | np.ndarray:
        """The story of a question, or its picture."""
        batches = self._splits[which]
        picture, form = batches.data.picture(batches.split, row), batches.data.picture_form
        return example.facts if picture is None or form is None else form.laid_out(picture)


def as_json(shown: Sequence[Shown], room: int) -> dict[str, Any]:
    """What the page's script reads; as many questions as there is room for, in bytes.

    Texts are numbered, and stories are lists of such numbers; a question sees the first `n` facts of its story. Gates
    are of each pass (fact, percent, fact, percent, …), without those that are nearly shut.
    """
    from dmn_cli.notation import to_json

    texts: dict[str, int] = {}
    stories: dict[tuple[int, int], list[int]] = {}
    numbers: dict[tuple[int, int], int] = {}
    questions: list[dict[str, Any]] = []
    used = 0
    for one in shown:
        new = [fact for fact in dict.fromkeys(one.example.facts) if fact not in texts]
        used += sum(len(to_json(fact).encode()) + 1 for fact in new)
        facts = [texts.setdefault(fact, len(texts)) for fact in one.example.facts]
        known = stories.get(one.story, [])
        if len(facts) > len(known):
            stories[one.story] = facts
            used += 5 * (len(facts) - len(known))
        number = numbers.setdefault(one.story, len(numbers))
        questions.append(_question(one, number))
        used += len(to_json(questions[-1]).encode()) + 1
        if used > room:
            questions.pop()
            break
    return {"texts": list(texts), "stories": [stories[story] for story in numbers], "questions": questions}


def _question(one: Shown, story: int) -> dict[str, Any]:
    from dmn_cli.data.words.vocabulary import answer_text

    tags = one.answer.by_fact
    return {
        "task": one.example.task,
        "question": one.example.question,
        "right": answer_text(one.example.answer, per_fact=tags is not None),
        "answer": one.answer.text,
        "confidence": round(one.answer.confidence, 4),
        "outcome": one.outcome,
        "story": story,
        "n": len(one.example.facts),
        "support": one.example.support,
        "read": one.answer.read,
        "gates": [_open(row) for row in one.answer.gates],
        **({"needs": _needs(one.answer.needs)} if one.answer.needs else {}),
        **({"words": 1} if one.words else {}),
        **({"tags": tags, "right_tags": list(one.example.answer)} if tags is not None else {}),
    }


def _open(gates: Sequence[float]) -> list[int]:
    percent = [(fact, round(100 * gate)) for fact, gate in enumerate(gates)]
    return [number for fact, gate in percent if gate for number in (fact, gate)]


def _needs(needs: Needs) -> list[list[Any]]:
    """Facts, the answer without them, and its confidence."""
    return [[list(one.facts), one.answer, round(one.confidence, 4)] for one in needs.changing]
