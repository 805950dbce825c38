"""How a story is told: in rounds of facts and questions, as in bAbI, or with a given length."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from dmn_cli.data.formats.story_world.dice import Dice
from dmn_cli.data.formats.story_world.names import Name
from dmn_cli.records.text import Question

WINDOW = 5  # bAbI asks about what the last facts say: so many of them


class Untellable(Exception):
    """There is no such story, or nothing can be asked about it."""


class Tale(NamedTuple):
    facts: list[str]
    questions: list[Question]


@dataclass(frozen=True, slots=True)
class Setting:
    """What a story is made from."""

    dice: Dice
    people: tuple[Name, ...]
    places: tuple[str, ...]
    things: tuple[str, ...]
    length: int | None  # facts; None: as in bAbI
    questions: int  # at most

    @property
    def window(self) -> int:
        """How many of the last facts can be asked about: in a story with a given length, all of them."""
        return self.length or WINDOW

    def some_people(self, count: int) -> list[str]:
        """The names of so many people. Raises: Untellable"""
        if not 1 <= count <= len(self.people):
            raise Untellable
        people = self.people if count == len(self.people) else self.dice.shuffled(self.people)[:count]
        return [person.name for person in people]


def in_rounds(
    setting: Setting, facts: list[str], tell: Callable[[int], None], ask: Callable[[], Iterator[Question]]
) -> Tale:
    """Two facts, a question if one can be asked, and so on. With a given length, all questions come at the end.

    `tell(n)` adds n facts, n = 1 or 2. `ask()` yields what could be asked now, in random order.

    Raises: Untellable
    """
    questions: list[Question] = []
    if setting.length is None:
        while len(questions) < setting.questions:
            tell(2)
            questions.extend(islice(ask(), 1))
    else:
        while len(facts) < setting.length:
            tell(min(2, setting.length - len(facts)))
        questions.extend(different(ask(), setting.questions))
    return Tale(facts, questions)


def different(questions: Iterator[Question], count: int) -> list[Question]:
    """The first so many questions with different texts.

    Raises: Untellable where there are none.
    """
    seen: dict[str, Question] = {}
    for question in questions:
        seen.setdefault(question.text, question)
        if len(seen) == count:
            break
    if not seen:
        raise Untellable
    return list(seen.values())
