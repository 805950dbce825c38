"""Stories → chunks of integers: the first half of writing a data set, the half that needs no tokenizer.

A chunk has ids of its own for its sentences, answers and tasks, in the order in which they first occur. So it can be
made without knowing what came before it, in another process too, and is small enough to be sent back cheaply.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import count
from typing import NamedTuple

import numpy as np

from dmn_cli.data.store.layout import SPLITS, Ragged
from dmn_cli.errors import DataError
from dmn_cli.records.text import Form, Story

STORIES = 8192
NUMBERS = 1 << 20


class Chunk(NamedTuple):
    """Consecutive stories. All arrays are int32."""

    sentences: list[str]  # the distinct ones, facts and questions
    answers: list[tuple[str, ...]]  # the distinct ones
    tasks: list[str]  # the distinct ones
    split: np.ndarray  # (stories,) positions in SPLITS
    task: np.ndarray  # (stories,) positions in `tasks`
    facts: Ragged  # of each story: positions in `sentences`
    questions: Ragged  # of each story: positions in `sentences`
    position: np.ndarray  # (questions,) how many facts it sees
    answer: np.ndarray  # (questions,) positions in `answers`
    support: Ragged  # of each question
    forms: dict[str, Form]  # of all questions whose form isn't the usual one, and of some others


def chunks(
    stories: Iterable[tuple[str, Story]], *, max_stories: int = STORIES, max_numbers: int = NUMBERS
) -> Iterator[Chunk]:
    """The same stories. Where chunks end depends on nothing but the stories.

    A chunk ends with the story that fills it: its `max_stories`-th, or the one with which it has `max_numbers` facts
    and questions.
    """
    growing = _Growing()
    for split, story in stories:
        growing.add(split, story)
        if len(growing.split) >= max_stories or len(growing.facts) + len(growing.questions) >= max_numbers:
            yield growing.chunk()
            growing = _Growing()
    if growing.split:
        yield growing.chunk()


class _Growing:
    """A chunk that stories are added to. `…_ends`: where the rows of a Ragged end."""

    def __init__(self) -> None:
        self.sentences: dict[str, int] = defaultdict(count().__next__)
        self.answers: dict[tuple[str, ...], int] = defaultdict(count().__next__)
        self.tasks: dict[str, int] = defaultdict(count().__next__)
        self.split: list[int] = []
        self.task: list[int] = []
        self.facts: list[int] = []
        self.fact_ends = [0]
        self.questions: list[int] = []
        self.question_ends = [0]
        self.position: list[int] = []
        self.answer: list[int] = []
        self.support: list[int] = []
        self.support_ends = [0]
        self.forms: dict[str, Form] = {}

    def add(self, split: str, story: Story) -> None:
        sentences, answers, support, support_ends = self.sentences, self.answers, self.support, self.support_ends
        self.split.append(SPLITS.index(split))
        self.task.append(self.tasks[story.task])
        self.facts.extend(map(sentences.__getitem__, story.facts))
        self.fact_ends.append(len(self.facts))
        for question in story.questions:
            if self.forms or story.facts_are_words or question.per_fact or question.any_order:
                form = Form(story.facts_are_words, question.per_fact, question.any_order)
                note_form(self.forms, question.text, form)
            self.questions.append(sentences[question.text])
            self.position.append(question.position)
            self.answer.append(answers[question.answer])
            support.extend(question.support)
            support_ends.append(len(support))
        self.question_ends.append(len(self.questions))

    def chunk(self) -> Chunk:
        return Chunk(
            sentences=list(self.sentences),
            answers=list(self.answers),
            tasks=list(self.tasks),
            split=_array(self.split),
            task=_array(self.task),
            facts=Ragged(_array(self.fact_ends), _array(self.facts)),
            questions=Ragged(_array(self.question_ends), _array(self.questions)),
            position=_array(self.position),
            answer=_array(self.answer),
            support=Ragged(_array(self.support_ends), _array(self.support)),
            forms=self.forms,
        )


def _array(values: list[int]) -> np.ndarray:
    return np.array(values, dtype=np.int32)


def note_form(forms: dict[str, Form], question: str, form: Form) -> None:
    """Notes the form of a question. A wording must always have the same one: that is how a model tells forms apart. (A
    question that came up while all forms were the usual one is checked only when it comes up again.)

    Raises: DataError
    """
    if form != forms.setdefault(question, form):
        raise DataError(
            f"the question {question!r} has two forms: it is asked about words and about sentences, answered both "
            "once and at each fact, or with a list and with a set",
            hint="Word the two questions differently.",
        )
