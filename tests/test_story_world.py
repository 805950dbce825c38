"""The story world against an oracle that reads nothing but the text."""

import re
from collections.abc import Iterable
from itertools import chain, islice
from pathlib import Path

import pytest

from dmn_cli.data.formats.babi import find
from dmn_cli.data.formats.story_world import FAMILIES, stories
from dmn_cli.records import Question, Story

ARCHIVE = Path(__file__).parents[2] / "shared" / "data" / "babi" / "tasks_1-20_v1-2.tar.gz"
MOVE = re.compile(r"(\w+) (?:moved|went|journeyed|travelled|went back) to the (\w+)\.")
TAKE = re.compile(r"(\w+) (?:took|got|grabbed|picked up) the (\w+)(?: there)?\.")
LEAVE = re.compile(r"(\w+) (?:left|dropped|discarded|put down) the (\w+)(?: there)?\.")
WHERE_IS = re.compile(r"Where is (?:the )?(\w+)\?")
WHERE_WAS = re.compile(r"Where was the (\w+) before the (\w+)\?")


class Oracle:
    """Follows a story by its text: who is where, who has what, and the places that each thing has been at."""

    def __init__(self, facts: Iterable[str]) -> None:
        self.place: dict[str, str] = {}
        self.carrier: dict[str, str] = {}
        self.trail: dict[str, list[str]] = {}
        for fact in facts:
            self.read(fact)

    def read(self, fact: str) -> None:
        if match := MOVE.fullmatch(fact):
            who, self.place[match[1]] = match[1], match[2]
            for thing in [thing for thing, carrier in self.carrier.items() if carrier == who]:
                self.seen(thing, who)
        elif match := TAKE.fullmatch(fact):
            self.carrier[match[2]] = match[1]
            self.seen(match[2], match[1])
        elif match := LEAVE.fullmatch(fact):
            self.seen(match[2], match[1])
            self.carrier.pop(match[2], None)
        else:
            raise AssertionError(f"not a fact of this world: {fact!r}")

    def seen(self, thing: str, who: str) -> None:
        trail = self.trail.setdefault(thing, [])
        if who in self.place and self.place[who] not in trail[-1:]:
            trail.append(self.place[who])

    def answer(self, question: str) -> str | None:
        if match := WHERE_WAS.fullmatch(question):
            trail = self.trail.get(match[1], [])
            came = [i for i in range(1, len(trail)) if trail[i] == match[2]]
            return trail[came[-1] - 1] if came else None
        match = WHERE_IS.fullmatch(question)
        assert match, question
        return self.place.get(match[1]) or next(iter(self.trail.get(match[1], [])[-1:]), None)


def agreement(told: Iterable[Story]) -> tuple[int, int]:
    """Of how many questions the oracle gives the answer."""
    right = [
        (Oracle(story.facts[: question.position]).answer(question.text),) == question.answer
        for story in told
        for question in story.questions
    ]
    return sum(right), len(right)


@pytest.mark.skipif(not ARCHIVE.is_file(), reason=f"the bAbI archive is not at {ARCHIVE}")
def test_the_oracle_itself_answers_the_real_babi() -> None:
    with find([ARCHIVE], "en", ["qa1", "qa2", "qa3"]) as files:
        for file in files.files:
            right, asked = agreement(file.stories())
            assert asked == 1000
            assert right >= 999, file.name


@pytest.mark.parametrize("task", FAMILIES)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_oracle_gives_every_answer(task: str, seed: int) -> None:
    assert agreement(stories(task, 1000, seed, "train")) == (1000, 1000)


def asked(task: str, count: int = 1000, seed: int = 5) -> list[tuple[Story, Question]]:
    return [(story, question) for story in stories(task, count, seed, "train") for question in story.questions]


@pytest.mark.parametrize("task", ["qa1", "qa2"])
def test_the_supporting_facts_suffice(task: str) -> None:
    """Read alone, in the order of the text, they give the answer."""
    for story, question in asked(task):
        supporting = [story.facts[i] for i in sorted(question.support)]
        assert (Oracle(supporting).answer(question.text),) == question.answer


def test_the_supporting_facts_suffice_for_the_place_before() -> None:
    """A fact of the thing, then who brought it to the place asked about, then who brought it to the answer."""
    for story, question in asked("qa3"):
        handled, came, before = (story.facts[i] for i in question.support)
        match = WHERE_WAS.fullmatch(question.text)
        about, arrived, left = (
            TAKE.fullmatch(handled) or LEAVE.fullmatch(handled),
            MOVE.fullmatch(came),
            MOVE.fullmatch(before),
        )
        assert match
        assert about
        assert arrived
        assert left
        assert about[2] == match[1]
        assert about[1] == arrived[1]
        assert arrived[2] == match[2]
        assert (left[2],) == question.answer


@pytest.mark.parametrize("task", FAMILIES)
def test_no_supporting_fact_can_be_spared(task: str) -> None:
    """As many as the family's number says, all different; without any one of them the answer can't be told."""
    for story, question in asked(task, 200):
        supporting = sorted(question.support)
        assert len(set(supporting)) == int(task[-1])
        if task != "qa3":  # there, the third fact may be somebody else's
            for spared in supporting:
                rest = [story.facts[i] for i in supporting if i != spared]
                assert Oracle(rest).answer(question.text) is None


@pytest.mark.parametrize("task", FAMILIES)
def test_positions_and_supports_are_sound(task: str) -> None:
    """Questions come in order after at least one fact; no fact that supports lies ahead."""
    for story in stories(task, 500, 1, "train"):
        positions = [question.position for question in story.questions]
        assert positions == sorted(set(positions))
        assert positions[0] >= 1
        assert positions[-1] == len(story.facts)
        assert all(0 <= i < question.position for question in story.questions for i in question.support)
        assert story.task == task


@pytest.mark.parametrize("task", FAMILIES)
@pytest.mark.parametrize("count", [0, 1, 4, 5, 6, 103])
def test_there_are_exactly_as_many_questions_as_asked_for(task: str, count: int) -> None:
    told = list(stories(task, count, 1, "train"))
    assert sum(len(story.questions) for story in told) == count
    assert all(len(story.questions) == 5 for story in told[:-1])


@pytest.mark.parametrize("task", FAMILIES)
def test_seed_split_and_task_decide_everything(task: str) -> None:
    first = list(stories(task, 50, 1, "train"))
    assert list(stories(task, 50, 1, "train")) == first
    for seed, split in ((2, "train"), (1, "test")):
        assert not set(first) & set(stories(task, 50, seed, split))
    facts = {story.facts for story in first}
    assert all(not facts & {s.facts for s in stories(t, 50, 1, "train")} for t in FAMILIES if t != task)


def test_a_longer_run_begins_like_a_shorter_one() -> None:
    assert list(islice(stories("qa2", 1000, 1, "train"), 10)) == list(stories("qa2", 50, 1, "train"))


@pytest.mark.parametrize("task", FAMILIES)
def test_answers_are_spread_over_all_places(task: str) -> None:
    """No place is the answer to more than a quarter of the questions, so that guessing does not pay."""
    answers = list(chain.from_iterable(question.answer for _, question in asked(task)))
    assert len(set(answers)) == 6
    assert max(answers.count(place) for place in set(answers)) < len(answers) / 4
