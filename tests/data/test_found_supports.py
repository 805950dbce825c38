"""What answers may rest on: the search for it, and how a data set keeps what was found."""

import json
import re
import shutil
from collections import Counter
from collections.abc import Collection, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from conftest import Dmn
from hypothesis import given
from hypothesis import strategies as st
from renamed import data_set, without_support

from dmn_cli.data.formats import jsonl
from dmn_cli.data.formats.story_world import stories
from dmn_cli.data.store.found import write
from dmn_cli.data.store.layout import Ragged
from dmn_cli.data.store.reader import DataSet
from dmn_cli.data.symmetries import Symmetries
from dmn_cli.data.symmetries.findings import look
from dmn_cli.data.symmetries.resting import latest, linking, telling
from dmn_cli.errors import DataError
from dmn_cli.files import file_digest
from dmn_cli.records.text import Story

names = st.sets(st.sampled_from("abcdef"), min_size=0, max_size=3)


def linked(facts: Sequence[Collection[str]]) -> bool:
    """Whether one gets from each fact to each other by names that they share."""
    reached, names = {0}, {*facts[0]}
    while more := {at for at, fact in enumerate(facts) if at not in reached and not names.isdisjoint(fact)}:
        reached |= more
        names.update(*(facts[at] for at in more))
    return len(reached) == len(facts)


@given(st.lists(names, max_size=7), st.lists(st.sampled_from("abcdef"), min_size=1, max_size=2, unique=True), names)
def test_the_fewest_facts_and_of_these_the_latest(facts: list[set[str]], asked: list[str], answer: set[str]) -> None:
    """As looking at all sets of facts finds them."""
    wanted = {*asked, *answer}
    ways = linking(facts, asked, answer)
    for size in (1, 2, 3):
        sets = [
            chosen
            for chosen in combinations(range(len(facts)), size)
            if wanted <= set().union(*(facts[at] for at in chosen)) and linked([facts[at] for at in chosen])
        ]
        if sets:
            assert [sorted(way) for way in ways] == sorted(
                map(list, sets), key=lambda one: (sum(one), one[::-1]), reverse=True
            )
            assert all(asked[0] in facts[way[0]] for way in ways)
            return
    assert not ways


def test_they_come_in_the_order_in_which_one_gets_there() -> None:
    facts = [{"greg", "white"}, {"lily", "green"}, {"brian", "lion"}, {"lily", "swan"}, {"greg", "lion"}]
    assert linking(facts, ["brian"], ["white"]) == [[2, 4, 0]]
    assert linking(facts, ["brian"], ["green"]) == []
    assert linking(facts, [], ["white"]) == []


def test_the_last_fact_with_what_is_asked_about() -> None:
    facts = [{"daniel", "kitchen"}, {"mary", "garden"}, {"daniel", "office"}, {"mary", "kitchen"}]
    assert latest(facts, ["daniel", "kitchen"], []) == [[2]]
    assert latest(facts, ["john"], []) == latest(facts, [], []) == []


def test_all_that_tell_of_what_is_asked_about_and_of_one_kind_of_names() -> None:
    facts = [
        {"mary", "milk"},
        {"mary", "garden"},
        {"john", "milk"},
        {"john", "milk", "mary"},
        {"mary"},
        {"mary", "hall"},
    ]
    things, people = frozenset({"milk", "apple"}), frozenset({"mary", "john"})
    assert telling(facts, ["mary"], ["milk"], kind=things, last=False) == [[0, 3]]
    assert telling(facts, ["mary"], [], kind=frozenset({"garden", "hall"}), last=True) == [[5]]
    assert telling(facts, ["mary"], [], kind=people, last=False) == [[3]]  # somebody else
    assert telling(facts, ["john", "milk"], [], kind=frozenset({"hall"}), last=True) == []
    assert telling(facts, [], ["milk"], kind=things, last=False) == []
    assert telling(facts, ["john"], [], kind=None, last=False) == [[2, 3]]
    assert telling([*facts, {"john"}], ["john"], [], kind=None, last=False) == [[2, 3, 6]]


@pytest.mark.parametrize("family", ["qa1", "qa6", "qa7", "qa8"])
def test_what_is_found_is_what_the_story_world_says(family: str, tmp_path: Path) -> None:
    """The last fact that says where somebody is; all that say what somebody got, dropped, gave and was given."""
    told = list(stories(family, 1000, 1, "train"))
    rows = look(data_set(tmp_path / "data", map(without_support, told))).supports[family]
    found = [{*row.tolist()} for row in np.split(rows.values, rows.offsets[1:-1])]
    said = [{*question.support} for story in told for question in story.questions]
    assert sum(map(set.__eq__, found, said)) >= 0.99 * len(said)


def test_a_motive_is_told_with_all_that_somebody_does(tmp_path: Path) -> None:
    """Why did Jason go to the kitchen? is answered by none of the facts that have names of one kind alone."""
    told = list(stories("qa20", 900, 1, "train"))
    rows = look(data_set(tmp_path / "data", map(without_support, told))).supports["qa20"]
    asked = [(story.facts, question) for story in told for question in story.questions]
    for (facts, question), row in zip(asked, np.split(rows.values, rows.offsets[1:-1]), strict=True):
        who = next(name for fact in facts if (name := fact.split()[0].lower()) in question.text.lower())
        about = [at for at, fact in enumerate(facts[: question.position]) if fact.lower().startswith(who)]
        assert row.tolist() == about
        assert {*question.support} <= {*about}


@pytest.mark.parametrize("family", ["qa3", "qa14", "qa16"])
def test_facts_come_in_the_order_in_which_they_are_found(family: str, tmp_path: Path) -> None:
    """As the story world has them: where the milk was before the kitchen is the last thing that one gets to know."""
    told = list(stories(family, 600, 3, "train"))
    rows = look(data_set(tmp_path / "data", map(without_support, told))).supports[family]
    found = [tuple(row.tolist()) for row in np.split(rows.values, rows.offsets[1:-1])]
    said = [question.support for story in told for question in story.questions]
    alike = [(one, other) for one, other in zip(found, said, strict=True) if {*one} == {*other} and len(one) > 1]
    assert len(alike) > 0.9 * len(said)
    assert sum(one == other for one, other in alike) >= 0.99 * len(alike)


@pytest.mark.parametrize("seed", [3, 5, 10])
def test_facts_are_read_from_the_smaller_to_the_larger(seed: int, tmp_path: Path) -> None:
    """Or all the other way round; whatever is asked: is A bigger than B, does A fit in B, yes or no."""
    told = list(stories("qa18", 900, seed, "train"))
    rows = look(data_set(tmp_path / "data", map(without_support, told))).supports["qa18"]
    facts = [story.facts for story in told for _ in story.questions]

    def names(fact: str) -> list[str]:
        """The smaller one first."""
        both = re.split(" fits inside the | is bigger than the ", fact.removeprefix("The ").removesuffix("."))
        return both[::-1] if "bigger" in fact else both

    chains = [
        [facts[question][at] for at in row]
        for question, row in enumerate(np.split(rows.values, rows.offsets[1:-1]))
        if len(row) == 2
    ]
    ways = Counter(names(first)[1] in names(second) for first, second in chains)  # one goes on from what is larger
    assert len(chains) > 300
    assert max(ways.values()) >= 0.97 * len(chains)


@pytest.mark.parametrize("family", ["qa17", "qa19"])
def test_what_isnt_smaller_or_larger_is_read_as_it_is_asked(family: str, tmp_path: Path) -> None:
    """From the question's first name on: where things are seen from two sides, and on a way."""
    told = list(stories(family, 900, 3, "train"))
    data = data_set(tmp_path / "data", map(without_support, told))
    rows = look(data).supports[family]
    asked = [
        (story.facts, question.text.lower(), row.tolist())
        for (story, question), row in zip(
            ((story, question) for story in told for question in story.questions),
            np.split(rows.values, rows.offsets[1:-1]),
            strict=True,
        )
        if len(row) == 2
    ]
    classes = look(data).symmetries[family].classes
    names = {form for entities in classes for entity in entities for form in entity}
    first = [min((name for name in names if name in text), key=text.index) for _, text, _ in asked]
    assert all(name in facts[row[0]].lower() for name, (facts, _, row) in zip(first, asked, strict=True))


def test_nothing_is_found_where_answers_rest_on_something_else(tmp_path: Path) -> None:
    """How many things somebody else has: the name after the one in the question."""
    told = list(stories("qa7", 1000, 1, "train"))
    after = {"Daniel": "Fred", "Fred": "John", "John": "Mary", "Mary": "Sandra", "Sandra": "Daniel"}

    def turned(story: Story) -> Story:
        questions = [
            question._replace(text=" ".join(after.get(word, word) for word in question.text.split()))
            for question in story.questions
        ]
        return without_support(story._replace(questions=questions))

    assert not look(data_set(tmp_path / "data", map(turned, told))).supports


@pytest.fixture(scope="module")
def chains(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Story]]:
    """Stories of qa16 that don't say what answers rest on, as JSON lines, and the same stories, which do."""
    told = list(stories("qa16", 600, 1, "train"))
    path = tmp_path_factory.mktemp("chains") / "train.jsonl"
    path.write_bytes(
        b"".join(line.encode() for story in map(without_support, told) for line in jsonl.lines("train", story))
    )
    return path, told


def test_prepare_finds_them_and_says_so(dmn: Dmn, chains: tuple[Path, list[Story]], tmp_path: Path) -> None:
    result = dmn("prepare", "jsonl", chains[0], "--out", tmp_path / "found")
    assert result.code == 0
    assert "What answers rest on isn't said. In qa16 names tell it" in result.out
    data = DataSet(tmp_path / "found")
    data.check()
    split = data.split("train")
    assert data.summary["found_supports"] == {"qa16": len(split)}
    assert data.summary["questions_with_support"] == len(split)
    assert not data.split("valid").supports.lengths.any()
    example = data.example(split, 0)
    assert len(example.support) == 3
    assert example.answer[0] in example.facts[example.support[-1]].lower()
    small = ("--epochs", 1, "--set=training.steps=1", "--set=model.hidden=8", "--quiet")
    assert dmn("train", tmp_path / "found", "--out", tmp_path / "run", *small).code == 0
    metrics = json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[0])
    assert metrics["gate_loss"] > 0


def test_prepare_leaves_it_where_only_what_is_given_counts(
    dmn: Dmn, chains: tuple[Path, list[Story]], tmp_path: Path
) -> None:
    dmn("prepare", "jsonl", chains[0], "--out", tmp_path / "given", "--supports", "given")
    data = DataSet(tmp_path / "given")
    assert "found_supports" not in data.summary
    assert not (tmp_path / "given" / "supports.arrow").exists()
    assert not data.split("train").supports.lengths.any()


def _by_size(fact: str) -> tuple[str, str]:
    """What is smaller, and what it fits in."""
    small, fits, large = fact.lower().rstrip(" .").partition(" fits inside the ")
    if not fits:
        large, _, small = small.partition(" is bigger than the ")
    return small.removeprefix("the "), large.removeprefix("the ")


def test_given_supports_are_read_in_one_direction(dmn: Dmn, tmp_path: Path) -> None:
    """From the smaller to the larger or back, in whatever order a question names the two, and whether it is so or not;
    those of other tasks, and of other splits, as they are."""
    for name, more in (("ordered", ()), ("given", ("--supports", "given"))):
        said = dmn("prepare", "story", "--tasks", "2,18", "--questions", 600, "--out", tmp_path / name, *more)
        assert ("In qa18 supporting facts are put into the order" in said.out) == (name == "ordered")
    ordered, given = (DataSet(tmp_path / name) for name in ("ordered", "given"))
    assert ordered.summary["ordered_supports"] == ["qa18"]
    assert "ordered_supports" not in given.summary
    assert ordered.summary["questions_with_support"] == given.summary["questions_with_support"]
    ordered.check()
    ways = set()
    split = ordered.split("train")
    every = np.arange(len(split))
    for one, before in zip(ordered.examples(split, every), given.examples(given.split("train"), every), strict=True):
        assert sorted(one.support) == sorted(before.support)
        if one.task == "qa2":
            assert one.support == before.support
        elif len(one.support) == 2:
            (small, large), (smaller, larger) = (_by_size(one.facts[at]) for at in one.support)
            assert small == larger or large == smaller
            ways.add(small == larger)
    assert len(ways) == 1
    for name in ("valid", "test"):
        columns = [data.split(name).supports.take(np.arange(len(data.split(name)))) for data in (ordered, given)]
        assert all((one == other).all() for one, other in zip(*columns, strict=True))


def test_names_of_several_words_with_affixes(dmn: Dmn, tmp_path: Path) -> None:
    """A pink rectangle is one also where each word has its shape and its endings after it."""
    told = map(without_support, stories("qa17", 900, 1, "train"))
    path = tmp_path / "train.jsonl"
    path.write_bytes(b"".join(line.encode() for story in told for line in jsonl.lines("train", story)))
    found = [
        dmn("prepare", "jsonl", path, "--out", tmp_path / f"{len(more)}", "--json", *more).document["found_supports"]
        for more in ([], ["--affixes"])
    ]
    assert found[0] == found[1] == {"qa17": found[0]["qa17"]}


def test_names_that_a_person_gives_link_facts_too(chains: tuple[Path, list[Story]], tmp_path: Path) -> None:
    """Also where a class has what no story has; and where there are none, nothing is found."""
    data = data_set(tmp_path / "data", map(without_support, chains[1]))
    found = look(data)
    classes = (*found.symmetries["qa16"].classes, (("pink box",), ("blue box",), ("red box",)))
    given = look(data, {"qa16": Symmetries(classes)})
    assert given.supports["qa16"].values.tolist() == found.supports["qa16"].values.tolist()
    assert look(data, {}).supports == look(data, supports=False).supports == {}


@pytest.fixture
def damaged(tmp_path: Path, chains: tuple[Path, list[Story]]) -> Path:
    """A data set with a file of what was found, which the tests write."""
    folder = tmp_path / "data"
    data_set(folder, chains[1][:20])
    return Path(shutil.copytree(folder, tmp_path / "damaged"))


@pytest.mark.parametrize(
    ("rows", "said"),
    [([[0]] * 19, "have the questions"), ([[99]] + [[0]] * 19, "has supports"), ([[-1]] + [[0]] * 19, "has supports")],
)
def test_what_was_found_leads_to_facts_that_are_seen(damaged: Path, rows: list[list[int]], said: str) -> None:
    lengths = np.array([*map(len, rows)])
    write(damaged, Ragged(np.concatenate([[0], np.cumsum(lengths)]), np.concatenate(rows)))
    summary = json.loads((damaged / "dataset.json").read_bytes())
    summary["sha256"]["supports.arrow"] = file_digest(damaged / "supports.arrow")
    (damaged / "dataset.json").write_text(json.dumps({**summary, "found_supports": {"qa16": 20}}))
    with pytest.raises(DataError, match=said) as caught:
        DataSet(damaged).split("train")
    assert caught.value.where == str(damaged / "supports.arrow")
    (damaged / "supports.arrow").unlink()
    with pytest.raises(DataError, match="is missing"):
        DataSet(damaged).split("train")
