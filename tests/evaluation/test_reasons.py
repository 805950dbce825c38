"""Which facts answers need, whether gates say so, and which answers are right for the right reason."""

import numpy as np
import pytest
import torch
from helpers import Asked, batch, network
from hypothesis import given, settings
from hypothesis import strategies as st

from dmn_cli.evaluation.metrics import judge_batch
from dmn_cli.evaluation.needs import needs_of
from dmn_cli.evaluation.reasons import Reasons, faithfulness, reasons
from dmn_cli.model.ensemble import Ensemble
from dmn_cli.records.batch import Batch
from dmn_cli.records.left_out import LeftOut, Needs
from dmn_cli.records.network import Answered, Losses, Network

CPU = torch.device("cpu")
NEEDED = 7  # a word


class Pointing(Network):
    """Answers 1 where any fact that a question sees has the word 7, else 2; its gates are open there alone."""

    def losses(self, batch: Batch, supervision: str | None) -> Losses:
        raise NotImplementedError

    def answer(self, batch: Batch, *, with_loss: bool = False) -> Answered:
        real = torch.arange(batch.story.shape[1]) < batch.facts_seen.unsqueeze(1)
        has = (batch.sentences == NEEDED).any(dim=1)[batch.story[batch.story_of]] & real
        words = torch.where(has.any(dim=1), 1, 2).unsqueeze(1)
        chance = torch.full((len(batch),), 0.75)
        return Answered(words, chance, has.unsqueeze(1).float(), chance if with_loss else None)


def needed(stories: list[list[list[int]]], at_once: int = 512) -> list[list[tuple[int, ...]]]:
    asked = batch([(story, [5], [1], []) for story in stories])
    net = Pointing()
    found = needs_of(net, CPU, at_once, asked, net.answer(asked))
    return [found.needed(question) for question in range(len(stories))]


THIRD = [[2], [3], [NEEDED, 4], [5], [6, 8]]


def test_where_the_third_fact_alone_matters_it_is_the_one() -> None:
    assert needed([THIRD]) == [[(2,)]]


@given(st.permutations(range(5)), st.integers(1, 12))
@settings(max_examples=20, deadline=None)
def test_neither_the_order_of_the_facts_nor_the_batch_decides(order: list[int], at_once: int) -> None:
    shuffled = [THIRD[fact] for fact in order]
    assert needed([shuffled, THIRD, THIRD[:2]], at_once) == [[(order.index(2),)], [(2,)], []]


def test_of_two_facts_either_of_which_would_do_both_are_needed() -> None:
    assert needed([[[2], [NEEDED], [3], [4, NEEDED]]]) == [[(1, 3)]]


def test_a_fact_that_is_found_nowhere_is_not_needed() -> None:
    assert needed([[[2], [3], [4]]]) == [[]]


facts = st.lists(st.lists(st.integers(2, 11), min_size=1, max_size=3), min_size=1, max_size=5)


@given(st.lists(facts, min_size=1, max_size=4), st.integers(1, 6))
@settings(max_examples=15, deadline=None)
def test_it_is_as_asking_the_shortened_stories_one_by_one(told: list[list[list[int]]], at_once: int) -> None:
    """By several networks that answer as one."""
    net = Ensemble([network("dmn", seed) for seed in range(2)])
    asked = batch([(story, [3, 4], [1], []) for story in told])
    answered = net.answer(asked)
    found = needs_of(net, CPU, at_once, asked, answered)
    for question, out, changed in zip(
        found.left.question.tolist(), found.left.positions(), found.changed.tolist(), strict=True
    ):
        story = [fact for at, fact in enumerate(told[question]) if at not in out]
        alone = net.answer(batch([(story, [3, 4], [1], [])])).words[0].tolist()
        whole = answered.words[question].tolist()
        longest = max(len(alone), len(whole))
        padded = [words + [0] * (longest - len(words)) for words in (alone, whole)]
        assert changed == (padded[0] != padded[1])
    assert len(found.left) >= sum(len(story) for story in told if len(story) > 1)


def test_where_each_fact_is_answered_none_is_left_out() -> None:
    asked: list[Asked] = [([[2], [3], [4]], [5], (1, 2, 3), []), ([[2], [3]], [6], [1], [0])]
    net = network("dmn", per_fact=True)
    found = needs_of(net, CPU, 512, batch(asked), net.answer(batch(asked)))
    assert {*found.left.question.tolist()} == {1}


def test_a_set_in_another_order_is_the_same_answer() -> None:
    """A network that tells the facts it sees in their order, and only the first two."""

    class Telling(Pointing):
        def answer(self, batch: Batch, *, with_loss: bool = False) -> Answered:
            words = torch.tensor([[1, 2], [2, 1]])[batch.facts_seen % 2]
            return super().answer(batch)._replace(words=words)

    asked = batch([([[2], [3], [4]], [5], [1, 2], []), ([[2], [3], [4]], [5], [1, 2], [])])
    sets = Batch(**{**vars(asked), "any_order": torch.tensor([True, False])})
    net = Telling()
    found = needs_of(net, CPU, 512, sets, net.answer(sets))
    assert [found.needed(question) for question in range(2)] == [[], [(0,), (1,), (2,)]]


def found_needs(chance: list[float], needed: list[int]) -> Needs:
    """Of one question, each of whose facts was left out."""
    at = np.arange(len(chance))
    left = LeftOut(np.zeros(len(chance), np.int64), np.column_stack([at, np.full_like(at, -1)]))
    return Needs(left, np.isin(at, needed), np.array([chance]))


@pytest.mark.parametrize(
    ("chance", "needed", "expected"),
    [
        ([0.1, 0.9, 0.2], [1], 1.0),
        ([0.1, 0.9, 0.2], [0], 0.0),
        ([0.1, 0.9, 0.2], [2], 0.5),
        ([0.4, 0.4, 0.4], [0], 0.5),
        ([0.9, 0.1, 0.5, 0.9], [0, 2], 0.625),
    ],
)
def test_faithfulness_is_the_chance_that_a_needed_fact_has_the_higher_gate(
    chance: list[float], needed: list[int], expected: float
) -> None:
    assert faithfulness(found_needs(chance, needed)).tolist() == [expected]


@pytest.mark.parametrize("needed", [[], [0, 1]])
def test_where_facts_are_of_one_kind_there_is_nothing_to_rank(needed: list[int]) -> None:
    assert np.isnan(faithfulness(found_needs([0.1, 0.9], needed))).all()


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.booleans()), min_size=1, max_size=8))
def test_faithfulness_is_the_area_under_the_roc_curve(facts: list[tuple[float, bool]]) -> None:
    """By the definition: of every pair of a needed fact and another."""
    chance, needed = zip(*facts, strict=True)
    compared = [(a > b) + (a == b) / 2 for a, which in facts if which for b, other in facts if not other]
    [auc] = faithfulness(found_needs([*chance], [at for at, which in enumerate(needed) if which]))
    if compared:
        assert auc == pytest.approx(sum(compared) / len(compared))
    else:
        assert np.isnan(auc)


RIGHT, OTHER, NONE = 0, 1, 2


@pytest.mark.parametrize(
    ("without", "supports", "expected"),
    [
        ([(1, -1)], [1], RIGHT),
        ([(1, -1)], [1, 2], RIGHT),
        ([(1, -1), (0, -1)], [1], OTHER),
        ([(0, -1)], [1], OTHER),
        ([(0, 1)], [1], RIGHT),
        ([(0, 1), (0, 2)], [1], OTHER),
        ([], [1], NONE),
        ([(3, -1)], [0], OTHER),
    ],
)
def test_an_answer_is_right_for_the_right_reason_if_it_needs_what_supports_it(
    without: list[tuple[int, int]], supports: list[int], expected: int
) -> None:
    facts = np.array(without, np.int64).reshape(-1, 2)
    needs = Needs(LeftOut(np.zeros(len(facts), np.int64), facts), np.ones(len(facts), bool), np.zeros((1, 4)))
    supporting = np.isin(np.arange(4), supports)[np.newaxis]
    assert reasons(needs, supporting)[:, 0].tolist() == [which == expected for which in (RIGHT, OTHER, NONE)]


def test_figures_are_shares_of_the_questions_whose_support_is_known() -> None:
    """Right and needing fact 2; right, but another fact supports it; wrong; right, with no support known; needing
    nothing."""
    nothing = [[2], [3], [4]]
    asked: list[Asked] = [
        (THIRD, [5], [1], [2]),
        (THIRD, [5], [1], [0]),
        (THIRD, [5], [3], [2]),
        (THIRD, [5], [1], []),
        (nothing, [5], [2], [0]),
    ]
    net = Pointing()

    def find(told: Batch, answered: Answered) -> Needs:
        return needs_of(net, CPU, 3, told, answered)

    judged = judge_batch(net, batch(asked), np.arange(5), CPU, find_needs=find)
    added = Reasons(2)
    added.add(judged)
    added.add(judged)
    figures = {"faithfulness": 1.0, "right_reason": 0.25, "other_reason": 0.25, "no_reason": 0.25}
    assert added.figures(0) == figures
    assert added.figures(1) == {}


def test_without_being_asked_for_nothing_is_left_out() -> None:
    judged = judge_batch(Pointing(), batch([(THIRD, [5], [1], [2])]), np.arange(1), CPU)
    assert judged.needs is None
    added = Reasons(1)
    added.add(judged)
    assert added.figures(0) == {}
