"""What the readers share."""

import re
from collections.abc import Callable, Iterable


def read(sentence: str, *forms: re.Pattern[str]) -> tuple[re.Pattern[str], tuple[str, ...]]:
    """The form that a sentence has, which must be one of these, and its words."""
    for form in forms:
        if match := form.fullmatch(sentence):
            return form, match.groups()
    raise AssertionError(f"not of this family: {sentence!r}")


def reachable(start: str, steps: Callable[[str], Iterable[str]]) -> set[str]:
    """All that can be reached from a start by steps, the start included."""
    found, todo = {start}, [start]
    while todo:
        new = set(steps(todo.pop())) - found
        found |= new
        todo += new
    return found
