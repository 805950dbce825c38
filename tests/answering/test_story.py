"""A story that is told and changed: what facts there are, and what taking back does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmn_cli.answering.story import Story
from dmn_cli.errors import UsageError


def told(*facts: str) -> Story:
    story = Story()
    story.add(facts)
    return story


def test_facts_are_numbered_from_one() -> None:
    story = told("A", "B", "C")
    assert [story.fact(number) for number in (1, 3)] == ["A", "C"]
    story.edit(2, "B2")
    assert story.facts == ["A", "B2", "C"]
    assert story.leave_out(1) == "A"
    assert story.facts == ["B2", "C"]


@pytest.mark.parametrize(
    ("number", "to", "expected"), [(3, 1, "CABD"), (1, 3, "BCAD"), (2, 2, "ABCD"), (4, 1, "DABC"), (1, 4, "BCDA")]
)
def test_a_fact_gets_the_number_that_it_is_moved_to(number: int, to: int, expected: str) -> None:
    story = told(*"ABCD")
    story.move(number, to)
    assert story.facts == [*expected]
    assert story.undo() == f"Moved back: {'ABCD'[number - 1]}"
    assert story.facts == [*"ABCD"]


@pytest.mark.parametrize("number", [0, 3, 99])
def test_a_fact_that_is_not_there(number: int) -> None:
    story = told("A", "B")
    for change in (story.fact, story.leave_out, lambda n: story.edit(n, "C"), lambda n: story.move(1, n)):
        with pytest.raises(UsageError, match=f"There is no fact {number}. The story has 2 facts."):
            change(number)
    assert story.facts == ["A", "B"]


def test_what_is_taken_back_is_said() -> None:
    story = told("A", "B")
    story.edit(1, "X")
    story.leave_out(2)
    story.replace(["Y"])
    said = [story.undo() for _ in range(6)]
    assert said == [
        "The story is again the one before.",
        "Put back: B",
        "Fact 1 is again: A",
        "Took back: B",
        "Took back: A",
        "",
    ]


def test_a_story_that_was_forgotten_cannot_be_taken_back() -> None:
    story = told("A")
    story.clear()
    assert story.undo() == ""
    assert story.facts == []


changes = st.lists(
    st.tuples(st.sampled_from(["add", "edit", "out", "move", "replace"]), st.integers(1, 9), st.integers(1, 9))
)


@given(changes)
def test_taking_everything_back_goes_through_every_state_before(made: list[tuple[str, int, int]]) -> None:
    story = Story()
    states = [[*story.facts]]
    for kind, number, other in made:
        there = len(story.facts)
        if kind == "add":
            story.add([f"fact {number}"])
        elif kind == "replace":
            story.replace([f"other {n}" for n in range(number)])
        elif there and kind == "edit":
            story.edit((number - 1) % there + 1, f"changed {other}")
        elif there and kind == "out":
            story.leave_out((number - 1) % there + 1)
        elif there:
            story.move((number - 1) % there + 1, (other - 1) % there + 1)
        else:
            continue
        states.append([*story.facts])
    for before in reversed(states[:-1]):
        story.undo()
        assert story.facts == before
