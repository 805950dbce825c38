"""Holding stories out for validation."""

from collections.abc import Iterable, Iterator

import hypothesis.strategies as st
import pytest
from hypothesis import example, given, settings

from dmn_cli.data.formats.splits import hold_out, seems_held_out, split_in_name
from dmn_cli.records.text import Question, Story


def told(count: int) -> list[Story]:
    return [Story("qa1", (f"Fact {n}.",), (Question("What?", 1, (str(n),)),)) for n in range(count)]


def training(stories: Iterable[Story]) -> Iterator[tuple[str, Story]]:
    return (("train", story) for story in stories)


@pytest.mark.parametrize(
    ("split", "names"),
    [
        ("train", "train.txt TRAIN.jsonl en_ewt-ud-train.conllu training.txt train-v1.1.jsonl train/part0.txt"),
        (
            "valid",
            "dev.txt Dev.jsonl val.jsonl trec.valid.txt eval.jsonl validate.jsonl devSet.txt dev2.txt VAL/b a.testa",
        ),
        ("test", "test.txt Test.jsonl TEST.jsonl test1.jsonl my_test.jsonl.gz testset.txt myTest.txt TestData2.txt"),
        ("test", "data/test/part-00.jsonl train/test.txt x.test esp.testb"),
        (
            None,
            "contest.txt latest.jsonl device.txt value.txt evaluated.txt mine.jsonl traineé.txt tests-of-trains/a.txt",
        ),
    ],
)
def test_the_split_in_a_name(split: str | None, names: str) -> None:
    assert [split_in_name(name) for name in names.split()] == [split] * len(names.split())


def test_names_that_may_be_meant_for_a_test() -> None:
    names = ("contest.txt", "mine.jsonl", "pytest.jsonl", "test.jsonl", "heldout.txt", "a/unevaluated.txt")
    assert [seems_held_out(name) for name in names] == [True, False, True, False, True, True]


@settings(deadline=None)
@given(st.integers(0, 60), st.integers(0, 2**63), st.integers(2, 12))
@example(2, 1, 10)
def test_one_story_of_each_block_is_held_out_and_nothing_is_lost(count: int, seed: int, every: int) -> None:
    stories = told(count)
    pairs = list(hold_out(training(stories), seed, every))
    assert [story for _, story in pairs] == stories
    held = [split == "valid" for split, _ in pairs]
    assert {split for split, _ in pairs} <= {"train", "valid"}
    full = count - count % every
    assert all(sum(held[start : start + every]) == 1 for start in range(0, full, every))
    assert sum(held[full:]) <= 1
    if count >= 2:
        assert any(held)
        assert not all(held)
    assert list(hold_out(training(stories), seed, every)) == pairs


def test_one_story_alone_is_trained_on() -> None:
    assert [split for split, _ in hold_out(training(told(1)), seed=1)] == ["train"]
    assert list(hold_out([], seed=1)) == []


def test_the_seed_decides_and_every_place_has_its_turn() -> None:
    def places(seed: int) -> list[int]:
        return [n for n, (split, _) in enumerate(hold_out(training(told(200)), seed)) if split == "valid"]

    assert places(1) != places(2)
    assert {place % 10 for seed in range(20) for place in places(seed)} == set(range(10))


def test_the_last_part_block_has_the_same_chance() -> None:
    """Of 15 stories, each of the last five is held out in a tenth of all seeds, not in a fifth."""
    seeds = 400
    held = sum(split == "valid" for seed in range(seeds) for split, _ in list(hold_out(training(told(15)), seed))[10:])
    assert 0.35 < held / seeds < 0.65


def test_stories_flow_through_a_block_at_a_time() -> None:
    taken: list[int] = []

    def stream() -> list[Story]:
        return told(1000)

    def watched():
        for n, story in enumerate(stream()):
            taken.append(n)
            yield story

    next(hold_out(training(watched()), seed=1))
    assert len(taken) == 10


def test_other_splits_pass_through() -> None:
    pairs = [("test" if n % 3 else "train", story) for n, story in enumerate(told(90))]
    held = list(hold_out(pairs, seed=1))
    assert [pair for pair in held if pair[0] == "test"] == [pair for pair in pairs if pair[0] == "test"]
    assert [pair for pair in held if pair[0] != "test"] == list(hold_out(pairs[::3], seed=1))
