"""Facts left out: only those that support nothing, and what points at facts still points at the same ones."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dmn_cli.data.thinning import Told

Question = tuple[int, list[int]]  # how many facts it sees, its supporting facts


@st.composite
def stories(draw: st.DrawFn) -> list[tuple[int, list[Question]]]:
    """For each story, how many facts it has and its questions."""
    told = []
    for _ in range(draw(st.integers(1, 5))):
        facts = draw(st.integers(1, 12))
        questions = []
        for _ in range(draw(st.integers(1, 4))):
            position = draw(st.integers(1, facts))
            questions.append((position, draw(st.lists(st.integers(0, position - 1), max_size=3))))
        told.append((facts, questions))
    return told


def as_arrays(told: list[tuple[int, list[Question]]]) -> Told:
    asked = [question for _, questions in told for question in questions]
    return Told(
        facts=np.arange(sum(facts for facts, _ in told)),  # each fact is its own number
        lengths=np.array([facts for facts, _ in told]),
        questions=np.array([len(questions) for _, questions in told]),
        positions=np.array([position for position, _ in asked]),
        supports=np.array([s for _, supports in asked for s in supports], np.int64),
        supporting=np.array([len(supports) for _, supports in asked]),
    )


@given(stories(), st.integers(0, 10**6))
def test_what_supports_an_answer_stays_and_is_pointed_at(told: list[tuple[int, list[Question]]], seed: int) -> None:
    thinned = as_arrays(told).thinned(np.random.default_rng(seed))
    left = np.split(thinned.facts, np.cumsum(thinned.lengths)[:-1])
    positions, supports, sizes = (x.tolist() for x in (thinned.positions, thinned.supports, thinned.supporting))
    first = 0
    for (facts, questions), kept in zip(told, left, strict=True):
        own = list(range(first, first + facts))
        assert [fact for fact in own if fact in kept] == kept.tolist()  # in their order, and of this story
        if any(not s for _, s in questions):
            assert kept.tolist() == own  # nobody knows what they need
        for position, supporting in questions:
            seen = positions.pop(0)
            assert kept[:seen].tolist() == [fact for fact in own[:position] if fact in kept]
            assert sizes.pop(0) == len(supporting)
            for support in supporting:
                assert kept[supports.pop(0)] == first + support
        first += facts
    assert not positions
    assert not supports


def test_much_is_left_out_and_some_stories_stay_whole() -> None:
    told = as_arrays([(20, [(20, [3])])] * 300)
    lengths = told.thinned(np.random.default_rng(0)).lengths
    assert 0.25 < (lengths == 20).mean() < 0.45
    assert lengths.mean() < 16
    assert lengths.min() < 6
