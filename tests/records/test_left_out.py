"""Which facts are left out, and that a shortened story in a batch is the story without them."""

import numpy as np
import pytest
import torch
from helpers import Asked, batch, network
from hypothesis import given, settings
from hypothesis import strategies as st

from dmn_cli.model.ensemble import Ensemble
from dmn_cli.records.batch import Batch
from dmn_cli.records.left_out import PAIRED, SINGLES, LeftOut, search, singles, without


def unchanging(left: LeftOut) -> np.ndarray:
    return np.zeros(len(left), bool)


def test_each_fact_and_then_each_pair() -> None:
    chance = np.full((1, 4), 0.5)
    found = search(chance, np.array([3]), unchanging)
    assert found.left.positions() == [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2)]
    assert not found.changed.any()
    assert found.needed(0) == []


def test_pairs_only_where_no_fact_alone_changes_the_answer() -> None:
    """Of three questions, the answer to the first needs fact 1, and to the second facts 0 and 2, of which either would
    do; the third's needs nothing."""

    def changes(left: LeftOut) -> np.ndarray:
        needed = {0: [(1,)], 1: [(0, 2)], 2: []}
        rows = zip(left.question.tolist(), left.positions(), strict=True)
        return np.array([facts in needed[question] for question, facts in rows])

    found = search(np.zeros((3, 3)), np.array([3, 3, 3]), changes)
    assert [found.needed(question) for question in range(3)] == [[(1,)], [(0, 2)], []]
    paired = found.left.question[~found.alone]
    assert paired.tolist() == [1, 1, 1, 2, 2, 2]


@pytest.mark.parametrize(("facts", "expected"), [(1, []), (2, [(0,), (1,)])])
def test_no_story_is_left_without_a_fact(facts: int, expected: list[tuple[int, ...]]) -> None:
    assert search(np.zeros((1, 2)), np.array([facts]), unchanging).left.positions() == expected


def test_of_a_long_story_those_with_the_highest_chance() -> None:
    random = np.random.default_rng(1)
    chance = np.stack([random.permutation(100) / 100, np.zeros(100)])
    found = search(chance, np.array([100, 100]), unchanging)
    highest = np.argsort(-chance[0])
    assert found.left.facts[found.alone & (found.left.question == 0), 0].tolist() == sorted(highest[:SINGLES].tolist())
    pairs = found.left.facts[~found.alone & (found.left.question == 0)]
    assert len(pairs) == PAIRED * (PAIRED - 1) / 2
    assert {*pairs.flatten().tolist()} == {*highest[:PAIRED].tolist()}
    equal = found.left.facts[found.alone & (found.left.question == 1), 0]
    assert equal.tolist() == list(range(SINGLES))


def test_the_order_of_the_facts_decides_nothing() -> None:
    chance = np.random.default_rng(2).random((1, 80))
    order = np.random.default_rng(3).permutation(80)
    seen = np.array([80])
    plain, shuffled = (singles(of, seen).facts[:, 0] for of in (chance, chance[:, order]))
    assert {*order[shuffled].tolist()} == {*plain.tolist()}


facts = st.lists(st.lists(st.integers(2, 11), min_size=1, max_size=4), min_size=2, max_size=6)
stories = st.lists(facts, min_size=1, max_size=4)


@pytest.mark.parametrize("preset", ["dmn", "dmn-plus", "text"])
@given(told=stories, random=st.randoms(use_true_random=False))
@settings(max_examples=10, deadline=None)
def test_a_shortened_story_is_the_story_without_its_facts(preset: str, told: list[list[list[int]]], random) -> None:
    asked: list[Asked] = [(story, [3, 4], [1], []) for story in told]
    whole = batch(asked, extra_facts=1)
    net = network(preset)
    for model in (net, Ensemble([net, network(preset, 1)])):
        left = [sorted(random.sample(range(len(story)), random.randint(1, min(2, len(story) - 1)))) for story in told]
        rows = LeftOut(np.arange(len(told)), np.array([(*out, -1)[:2] for out in left]))
        together = model.answer(without(whole, rows))
        assert together.gates is not None
        for row, (story, out) in enumerate(zip(told, left, strict=True)):
            alone = model.answer(batch([([fact for i, fact in enumerate(story) if i not in out], [3, 4], [1], [])]))
            assert alone.gates is not None
            assert together.words[row].tolist()[: alone.words.shape[1]] == alone.words[0].tolist()
            torch.testing.assert_close(together.confidence[row], alone.confidence[0])
            torch.testing.assert_close(together.gates[row, :, : alone.gates.shape[2]], alone.gates[0])


def test_what_a_batch_says_of_each_question_stays() -> None:
    """What spares stand for, sets, affixes, and the story that two questions share."""
    whole = batch([([[2], [3, 4], [5]], [6], [1], [0]), ([[7], [8]], [9], [2], [1])])
    shared = Batch(
        **{
            **vars(whole),
            "story_of": torch.tensor([0, 0]),
            "facts_seen": torch.tensor([3, 2]),
            "barred": torch.tensor([[False, True], [True, False]]),
            "any_order": torch.tensor([True, False]),
            "affix": torch.tensor([[False, False], [False, True], [False, False], [False, False], [False, False]]),
        }
    )
    short = without(shared, LeftOut(np.array([1, 0]), np.array([[0, -1], [0, 2]])))
    assert short.facts_seen.tolist() == short.story_length.tolist() == [1, 1]
    assert short.sentences[short.story].tolist() == [[[3, 4]], [[3, 4]]]
    assert short.barred is not None
    assert short.barred.tolist() == [[True, False], [False, True]]
    assert short.any_order is not None
    assert short.any_order.tolist() == [False, True]
    assert short.affix is not None
    assert short.affix[short.story].tolist() == [[[False, True]], [[False, True]]]
    assert short.question_sentences[short.question].tolist() == [[9], [6]]


def test_facts_that_are_vectors_are_left_out_too() -> None:
    whole = batch([([[2], [3], [4]], [6], [1], [])])
    pictures = Batch(**{**vars(whole), "vectors": torch.arange(6.0).view(3, 2)})
    short = without(pictures, LeftOut(np.array([0]), np.array([[1, -1]])))
    assert short.vectors is not None
    assert short.vectors[short.story].tolist() == [[[0.0, 1.0], [4.0, 5.0]]]
