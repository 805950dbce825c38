"""Stories, questions and answers as text: what formats read and a data set holds.

formats → Story → store → Batch → network → answers
"""

from __future__ import annotations

from typing import NamedTuple


class Question(NamedTuple):
    """One question about the facts that precede it."""

    text: str
    position: int  # it sees facts[:position]
    answer: tuple[str, ...]
    support: tuple[int, ...] = ()  # positions of the supporting facts in reading order; empty: unknown
    each: bool = False  # the answer has a word for each fact that is seen, as tags have


class Story(NamedTuple):
    """Facts in order, and the questions asked along the way."""

    task: str
    facts: tuple[str, ...]
    questions: tuple[Question, ...]
    words: bool = False  # the facts are the words of a text, and not its sentences


class Form(NamedTuple):
    """What the wording of a question says about its facts and its answer."""

    words: bool = False  # Story.words
    each: bool = False  # Question.each


class Example(NamedTuple):
    """One question with what it sees, as text."""

    task: str
    facts: list[str]
    question: str
    answer: list[str]
    support: list[int]
