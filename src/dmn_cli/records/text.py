"""Stories, questions and answers as text: what formats read and a data set holds.

formats → Story → store → Batch → network → answers
"""

from __future__ import annotations

from typing import Any, NamedTuple

WORD, NO_LABEL = -2, -1  # what a word of a tree says of a node, where it closes none; where that has no label


class Question(NamedTuple):
    """One question about the facts that precede it."""

    text: str
    position: int  # it sees facts[:position]
    answer: tuple[str, ...]
    support: tuple[int, ...] = ()  # positions of the supporting facts in reading order; empty: unknown
    per_fact: bool = False  # the answer has a word for each fact that is seen, as tags have
    any_order: bool = False  # the answer is a set of words


class Story(NamedTuple):
    """Facts in order, and the questions asked along the way."""

    task: str
    facts: tuple[str, ...]
    questions: tuple[Question, ...]
    facts_are_words: bool = False  # of a text, and not its sentences


class Form(NamedTuple):
    """What the wording of a question says about its facts and its answer."""

    facts_are_words: bool = False  # as of Story
    per_fact: bool = False  # as of Question
    any_order: bool = False  # as of Question

    def as_json(self) -> dict[str, bool]:
        return {"words": self.facts_are_words, "each": self.per_fact, **({"set": True} if self.any_order else {})}

    @classmethod
    def from_json(cls, value: dict[str, bool]) -> Form:
        """Raises: KeyError, TypeError where it isn't what `as_json` gives."""
        return cls(value["words"], value["each"], value.get("set", False))


class TableForm(NamedTuple):
    """What of a table is read, and how several labels are told apart, so that a model can be asked with another one."""

    input: tuple[str, ...]  # the columns with the text
    separator: str | None = None  # between several labels; None: a cell has one

    def as_json(self) -> dict[str, Any]:
        return {"input": list(self.input), **({"separator": self.separator} if self.separator else {})}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> TableForm:
        """Raises: KeyError, TypeError where it isn't what `as_json` gives."""
        columns, separator = value["input"], value.get("separator")
        if not (columns and all(isinstance(name, str) for name in columns) and isinstance(separator, str | None)):
            raise TypeError("table")
        return cls(tuple(columns), separator)


class Example(NamedTuple):
    """One question with what it sees, as text."""

    task: str
    facts: list[str]
    question: str
    answer: list[str]
    support: list[int]
