"""A story that is being told: facts that are added, changed, moved and taken back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from dmn_cli.errors import UsageError


class _Change(NamedTuple):
    """Facts from `start` on became others."""

    start: int
    before: list[str]
    after: list[str]
    undone: str  # what is said when it is taken back
    question: str | None = None  # what was asked of the story before, where this is another one


class Story:
    """The facts so far. Facts are numbered from 1, as a person counts them."""

    def __init__(self) -> None:
        self.facts: list[str] = []
        self.question = ""  # what was last asked of this story
        self.changed_at = 0  # the position where the last change began
        self._changes: list[_Change] = []

    def add(self, facts: Sequence[str]) -> None:
        for fact in facts:
            self._change(len(self.facts), 0, [fact], f"Took back: {fact}")

    def fact(self, number: int) -> str:
        """Raises: UsageError where there is no fact of this number."""
        return self.facts[self._place(number)]

    def edit(self, number: int, fact: str) -> None:
        """Raises as `fact`."""
        self._change(self._place(number), 1, [fact], f"Fact {number} is again: {self.fact(number)}")

    def leave_out(self, number: int) -> str:
        """Takes a fact out, and returns it. Raises as `fact`."""
        fact = self.fact(number)
        self._change(self._place(number), 1, [], f"Put back: {fact}")
        return fact

    def move(self, number: int, to: int) -> None:
        """Has a fact be number `to`. Raises as `fact`."""
        source, target = self._place(number), self._place(to)
        start, end = min(source, target), max(source, target) + 1
        moved = self.facts[start:end]
        moved.insert(target - start, moved.pop(source - start))
        self._change(start, end - start, moved, f"Moved back: {self.facts[source]}")

    def replace(self, facts: Sequence[str]) -> None:
        """Has it be another story, of which nothing was asked yet."""
        self._change(0, len(self.facts), list(facts), "The story is again the one before.", self.question)
        self.question = ""

    def undo(self) -> str:
        """Takes the last change back, and says which; nothing where there is none."""
        if not self._changes:
            return ""
        last = self._changes.pop()
        self.facts[last.start : last.start + len(last.after)] = last.before
        self.changed_at = last.start
        if last.question is not None:
            self.question = last.question
        return last.undone

    def clear(self) -> None:
        """Forgets everything, what can be undone too."""
        self.facts, self.question, self._changes = [], "", []

    def _change(self, start: int, count: int, after: list[str], undone: str, question: str | None = None) -> None:
        self._changes.append(_Change(start, self.facts[start : start + count], after, undone, question))
        self.facts[start : start + count] = after
        self.changed_at = start

    def _place(self, number: int) -> int:
        if not 1 <= number <= len(self.facts):
            raise UsageError(f"There is no fact {number}. The story has {facts_of(len(self.facts))}.")
        return number - 1


def facts_of(number: int) -> str:
    return "1 fact" if number == 1 else f"{number} facts"
