"""The story world against independent readers, and against the published files that it is to be at home with."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from itertools import islice

import pytest
from helpers import BABI, needs
from oracles import ORACLES

from dmn_cli.data.formats.babi import lines, parse
from dmn_cli.data.formats.babi_files import TITLES, find
from dmn_cli.data.formats.story_world import FAMILIES, Dials, check, names, stories
from dmn_cli.data.formats.story_world.dice import Dice
from dmn_cli.errors import UsageError
from dmn_cli.records.text import Question, Story

STRANGERS = set(names.STRANGERS)
HELD_OUT = {name.name: name.pronoun for name in names.HELD_OUT}
every_family = pytest.mark.parametrize("task", FAMILIES)

SINGLE = ("qa1", "qa4", "qa5", "qa6", "qa9", "qa10", "qa12", "qa20")
SUPPORTS = dict.fromkeys(FAMILIES, 2) | dict.fromkeys(SINGLE, 1) | {"qa3": 3, "qa16": 3}  # how many; qa7, qa8: any
# Stories longer and shorter than usual, as far as the usual people and places allow.
LENGTHS = dict.fromkeys(FAMILIES, (8, 30)) | {
    "qa4": (1, 5),
    "qa14": (5, 12),
    "qa15": (5, 8),
    "qa16": (4, 9),
    "qa17": (2, 5),
    "qa18": (4, 30),
    "qa19": (2, 5),
    "qa20": (4, 9),
}


@cache
def babi() -> dict[tuple[str, str], list[Story]]:
    """The published stories by task and split; qa3, whose 10k training file is hard to get, from the 1k set."""
    told: dict[tuple[str, str], list[Story]] = {}
    for variant, tasks in (("en", ["qa3"]), ("en-10k", [task for task in FAMILIES if task != "qa3"])):
        with find([BABI], variant, tasks) as files:
            for file in files.files:
                told[file.task, file.split] = list(file.stories())
    return told


@cache
def world(task: str, questions: int = 10_000) -> list[Story]:
    return list(stories(task, questions, 3, "train"))


def questions(told: Iterable[Story]) -> Iterator[tuple[Story, Question]]:
    return ((story, question) for story in told for question in story.questions)


def agreement(told: Iterable[Story]) -> float:
    right = [
        ORACLES[story.task](story.facts[: question.position], question.text) == question.answer
        for story, question in questions(told)
    ]
    assert right
    return sum(right) / len(right)


@needs(BABI)
@every_family
def test_the_oracles_answer_the_published_test_files(task: str) -> None:
    """qa5's own labels are wrong for 2 questions of 1,000."""
    assert agreement(babi()[task, "test"]) == (0.998 if task == "qa5" else 1)


@every_family
def test_the_oracles_answer_our_stories(task: str) -> None:
    assert len(list(questions(world(task)))) == 10_000
    assert agreement(world(task)) == 1


@every_family
def test_the_supporting_facts_suffice_and_none_can_be_spared(task: str) -> None:
    """In qa11 and qa13 the first of them is needed for whom it names."""
    for story, question in islice(questions(world(task)), 2000):
        support = sorted(question.support)
        assert len(set(support)) == len(support)
        assert task in ("qa7", "qa8") or len(support) == SUPPORTS[task]
        assert ORACLES[task]([story.facts[i] for i in support], question.text) == question.answer
        for spared in support:
            rest = [story.facts[i] for i in support if i != spared]
            assert ORACLES[task](rest, question.text) != question.answer


@needs(BABI)
@every_family
def test_the_language_is_that_of_the_published_files(task: str) -> None:
    """Sentence for sentence, question for question; but nobody of ours is "either in the park or the park"."""
    theirs, ours = babi()[task, "train"], world(task)
    sentences = {fact for story in theirs for fact in story.facts if not is_twice_the_same(fact)}
    assert {fact for story in ours for fact in story.facts} >= sentences
    if task != "qa3":  # 1,000 questions don't use up all sentences
        assert {fact for story in ours for fact in story.facts} == sentences
        assert {q.text for _, q in questions(ours)} == {q.text for _, q in questions(theirs)}


def is_twice_the_same(fact: str) -> bool:
    words = fact.rstrip(".").split()
    return "either" in words and words[5] == words[8]


def distance(ours: Iterable[object], theirs: Iterable[object]) -> float:
    """Between two distributions, 0 to 1 (total variation)."""
    a, b = Counter(ours), Counter(theirs)
    return sum(abs(a[x] / a.total() - b[x] / b.total()) for x in a | b) / 2


@needs(BABI)
@every_family
def test_stories_are_as_long_and_answers_as_frequent_as_in_the_published_files(task: str) -> None:
    """The bound is a little more than two samples of one distribution differ by; qa3 has only 1,000 to compare with."""
    theirs = babi()[task, "train"]
    ours = world(task)
    bound = 0.12 if task == "qa3" else 0.04
    assert distance((q.answer for _, q in questions(ours)), (q.answer for _, q in questions(theirs))) < bound
    assert distance((q.text for _, q in questions(ours)), (q.text for _, q in questions(theirs))) < 2.5 * bound
    lengths = [[len(story.facts) // 8 for story in told] for told in (ours, theirs)]
    assert distance(*lengths) < (0.2 if task == "qa3" else bound)
    assert (
        distance((len(q.support) for _, q in questions(ours)), (len(q.support) for _, q in questions(theirs))) < bound
    )
    for which in range(3):

        def ages(told: Iterable[Story], which: int = which) -> list[int]:
            """How long ago a supporting fact was told, in the order in which they are listed."""
            return [(q.position - q.support[which]) // 2 for _, q in questions(told) if len(q.support) > which]

        if ages(theirs) and task != "qa18":  # there, of a fact told twice, either can be named
            assert distance(ages(ours), ages(theirs)) < bound


@every_family
@pytest.mark.parametrize("seed", [0, 1])
def test_positions_and_supports_are_sound(task: str, seed: int) -> None:
    """Questions come in order after at least one fact; no fact that supports lies ahead; nothing follows the last."""
    for story in stories(task, 500, seed, "train"):
        positions = [question.position for question in story.questions]
        assert positions == sorted(positions)
        assert positions[0] >= 1
        assert positions[-1] == len(story.facts)
        assert all(0 <= i < question.position for question in story.questions for i in question.support)
        assert story.task == task


@every_family
@pytest.mark.parametrize("count", [0, 1, 4, 103])
def test_there_are_exactly_as_many_questions_as_asked_for(task: str, count: int) -> None:
    told = list(stories(task, count, 1, "train"))
    assert sum(len(story.questions) for story in told) == count
    assert all(story.questions for story in told)


@every_family
def test_seed_and_split_decide_everything(task: str) -> None:
    first = list(stories(task, 50, 1, "train"))
    assert list(stories(task, 50, 1, "train")) == first
    assert list(stories(task, 50, 2, "train")) != first
    assert list(stories(task, 50, 1, "test")) != first


@every_family
def test_a_longer_run_begins_like_a_shorter_one(task: str) -> None:
    short = list(stories(task, 60, 1, "train"))
    assert list(islice(stories(task, 10**9, 1, "train"), len(short) - 1)) == short[:-1]


def test_the_bytes_are_the_same_on_every_machine() -> None:
    """Of all families together, as text. What changes this changes what every seed stands for: say so in CHANGELOG."""
    digest = hashlib.sha256()
    for task in FAMILIES:
        for story in stories(task, 500, 7, "train"):
            digest.update("".join(lines(story)).encode())
    assert digest.hexdigest() == "3caefa85e9c8d6acf3a99dc406af2924e42a2d6d6b7a489b05530c405d725d00"


@every_family
def test_what_is_written_as_babi_text_reads_back(task: str) -> None:
    told = list(stories(task, 200, 4, "train"))
    text = "".join(line for story in told for line in lines(story)).encode()
    assert list(parse(text.splitlines(keepends=True), task, "-")) == told


def test_titles_are_those_of_the_published_files() -> None:
    assert list(TITLES) == list(FAMILIES)
    assert TITLES["qa15"] == "basic-deduction"


@every_family
def test_stories_of_a_given_length(task: str) -> None:
    """Every length is told, all questions come at the end, each only once, and the oracle answers them."""
    least, most = LENGTHS[task]
    told = list(stories(task, 1000, 1, "train", Dials(facts=(least, most))))
    assert {len(story.facts) for story in told} == set(range(least, most + 1))
    assert agreement(told) == 1
    for story in told:
        assert {question.position for question in story.questions} == {len(story.facts)}
        if task not in ("qa15", "qa17", "qa18"):
            assert len({question.text for question in story.questions}) == len(story.questions)


def test_a_long_story_can_ask_about_its_beginning() -> None:
    told = stories("qa1", 200, 1, "train", Dials(facts=(200, 200), people=50))
    assert max(q.position - q.support[0] for _, q in questions(told)) > 100


@every_family
def test_distractors_are_about_others_and_change_nothing(task: str) -> None:
    """Without the strangers, the same stories are left, and the same facts support the answers."""
    told = list(stories(task, 200, 1, "train", Dials(distractors=6)))
    assert any(len(story.facts) - len(own(story)) == 6 for story in told)
    for story, question in questions(told):
        assert STRANGERS.isdisjoint(question.text.rstrip("?").split())
        assert all(story.facts[i].split()[0] not in STRANGERS for i in question.support)
        facts = own(story, question.position)
        assert ORACLES[task](facts, question.text) == question.answer
        for fact, after in zip(story.facts, story.facts[1:], strict=False):
            if after.split()[0] in ("Then", "Afterwards", "After", "Following"):
                assert fact.split()[0] not in STRANGERS


def own(story: Story, position: int | None = None) -> list[str]:
    return [fact for fact in story.facts[:position] if fact.split()[0] not in STRANGERS]


@pytest.mark.parametrize("task", [task for task, family in FAMILIES.items() if family.people])
def test_held_out_names_are_in_no_training_story(task: str) -> None:
    dials = Dials(held_out_names=True, people=5)
    cast = FAMILIES[task].people
    assert cast

    def said(split: str) -> set[str]:
        told = stories(task, 500, 1, split, dials)
        return {word.rstrip(".") for story in told for fact in story.facts for word in fact.split()}

    assert said("train").isdisjoint(HELD_OUT)
    assert len(said("test") & set(HELD_OUT)) > 5
    assert said("test").isdisjoint(name.name for name in cast.names)
    if task == "qa11":
        for story in stories(task, 500, 1, "test", dials):
            for named, then in zip(story.facts[::2], story.facts[1::2], strict=True):
                assert f" {HELD_OUT[named.split()[0]]} " in then


def dial(name: str, count: int) -> Dials:
    return replace(Dials(), **{name: count})


def test_no_name_is_two_peoples() -> None:
    casts = [family.people.names for family in FAMILIES.values() if family.people]
    told = {name.name for cast in casts for name in cast}
    assert all(len(set(cast)) == len(cast) for cast in casts)
    assert told.isdisjoint(HELD_OUT)
    assert STRANGERS.isdisjoint(told | set(HELD_OUT))


@every_family
@pytest.mark.parametrize("name", ["people", "places", "things"])
def test_as_many_people_places_and_things_as_asked_for(task: str, name: str) -> None:
    """Nobody and nothing else occurs, and most of them do."""
    cast = getattr(FAMILIES[task], name)
    if cast is None:
        with pytest.raises(UsageError, match=f"--{name}"):
            check([task], dial(name, 5))
        return
    everyone = [getattr(per_fact, "name", per_fact) for per_fact in cast.names]
    named = re.compile(r"\b(" + "|".join(sorted(everyone, key=len, reverse=True)) + r")\b")
    for count in (cast.least, cast.least + 1, len(everyone)):
        dials = dial(name, count)
        check([task], dials)
        told = stories(task, 400, 1, "train", dials)
        found = {per_fact for story in told for fact in story.facts for per_fact in named.findall(fact)}
        assert found <= set(everyone[:count])
        assert len(found) > 0.7 * count
    for count in (cast.least - 1, len(cast.names) + 1):
        with pytest.raises(UsageError, match=f"--{name} {count}: {task} takes {cast.least} to {len(cast.names)}"):
            check([task], dial(name, count))


@pytest.mark.parametrize(
    ("task", "length"), [("qa3", 2), ("qa4", 6), ("qa14", 17), ("qa15", 4), ("qa16", 11), ("qa20", 13)]
)
def test_lengths_that_cant_be_told(task: str, length: int) -> None:
    with pytest.raises(UsageError, match=f"{task} can't be told in {length} facts with"):
        check([task], Dials(facts=(length, length)))


def test_dice_fall_alike_for_a_seed_and_fairly() -> None:
    assert [Dice(1, "a").between(1, 6) for _ in range(3)] == [Dice(1, "a").between(1, 6)] * 3
    dice = Dice("fair")
    throws = Counter(dice.between(1, 6) for _ in range(6000))
    assert set(throws) == set(range(1, 7))
    assert all(850 < n < 1150 for n in throws.values())
    orders = Counter(tuple(dice.shuffled("abc")) for _ in range(6000))
    assert len(orders) == 6
    assert all(850 < n < 1150 for n in orders.values())
    cycles = Counter(tuple(dice.rotated(range(4))) for _ in range(6000))
    assert len(cycles) == 6
    assert all(850 < n < 1150 for n in cycles.values())
    assert all(order[i] != i for order in cycles for i in range(4))
