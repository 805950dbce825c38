"""The search for symmetries: what it finds in the twenty families, what it claims of none, and how it counts."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from renamed import agreement, data_set, without_support

from dmn_cli.data.formats.story_world import FAMILIES, stories
from dmn_cli.data.store.reader import DataSet
from dmn_cli.data.symmetries import Symmetries
from dmn_cli.data.symmetries.counting import by_story, distinct_rows, found_in, looked_up, together
from dmn_cli.data.symmetries.files import as_json, from_json
from dmn_cli.data.symmetries.findings import Findings, look
from dmn_cli.data.symmetries.tables import Lacking
from dmn_cli.records.text import Question, Story

PEOPLE = "daniel john mary sandra"
OTHERS = {"qa5": "bill fred jeff mary", "qa10": "bill fred julie mary", "qa14": "bill fred julie mary"}
ROOMS = "bathroom bedroom garden hallway kitchen office"
TOWN = "bedroom cinema kitchen office park school"
THINGS = "apple football milk"
SHAPES, BOXES = "blue square,pink rectangle,red sphere,red square,triangle,yellow square", "chest container suitcase"
NORTH_SOUTH, WEST_EAST = ("north south",), ("east west",)
EXPECTED: dict[str, tuple[set[str], set[tuple[str, ...]]]] = {
    "qa1": ({PEOPLE, ROOMS}, set()),
    "qa2": ({PEOPLE, ROOMS, THINGS}, set()),
    "qa3": ({PEOPLE, ROOMS, THINGS}, set()),
    "qa4": ({ROOMS}, {("north south",), ("east west",)}),
    "qa5": ({OTHERS["qa5"], THINGS}, set()),
    "qa6": ({PEOPLE, ROOMS}, set()),
    "qa7": ({PEOPLE, THINGS}, set()),
    "qa8": ({PEOPLE, THINGS}, set()),
    "qa9": ({PEOPLE, ROOMS}, set()),
    "qa10": ({OTHERS["qa10"], TOWN}, set()),
    "qa11": ({ROOMS}, {("mary sandra",), ("daniel john",)}),
    "qa12": ({PEOPLE, ROOMS}, set()),
    "qa13": ({PEOPLE, ROOMS}, set()),
    "qa14": ({OTHERS["qa14"], TOWN}, set()),
    "qa15": ({"emily gertrude jessica winona", "cat/cats mouse/mice sheep/sheep wolf/wolves"}, set()),
    "qa16": ({"bernhard brian greg julius lily", "frog lion rhino swan", "gray green white yellow"}, set()),
    "qa17": (
        {SHAPES},
        {("above below",), ("left right",)},
    ),
    "qa18": ({"box,box of chocolates,chest,chocolate,container,suitcase"}, set()),
    "qa19": ({ROOMS}, {("n s", "north south"), ("e w", "east west")}),
    "qa20": (
        {"antoine jason sumit yann"},
        {("apple milk", "hungry thirsty"), ("bedroom garden", "bored tired", "football pajamas")},
    ),
}


@pytest.fixture(scope="module")
def families(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    told = [story for task in FAMILIES for story in stories(task, 1000, 1, "train")]
    return data_set(tmp_path_factory.mktemp("families") / "data", told)


@pytest.fixture(scope="module")
def found(families: DataSet) -> dict[str, Symmetries]:
    return look(families).symmetries


def written(names: list[str]) -> str:
    return ("," if any(" " in name for name in names) else " ").join(sorted(names))


@pytest.mark.parametrize("task", FAMILIES)
def test_the_names_of_each_family_are_found(task: str, found: dict[str, Symmetries]) -> None:
    """And of the swaps those that don't follow from others."""
    classes = {written(["/".join(entity) for entity in entities]) for entities in found[task].classes}
    swaps = {tuple(sorted(" ".join(sorted(pair)) for pair in swap)) for swap in found[task].swaps}
    assert classes == EXPECTED[task][0]
    assert swaps >= EXPECTED[task][1]
    assert len(swaps) <= len(EXPECTED[task][1]) + 1


@pytest.mark.parametrize("task", FAMILIES)
def test_stories_mean_what_they_meant(task: str, found: dict[str, Symmetries]) -> None:
    told = list(stories(task, 200, 7, "train"))
    assert agreement(told, found[task], np.random.default_rng(0)) == 1


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    """Stories whose supporting facts nobody knows."""
    told = [story for task in FAMILIES for story in stories(task, 900, 3, "train")]
    return data_set(tmp_path_factory.mktemp("bare") / "data", map(without_support, told))


@pytest.fixture(scope="module")
def by_answers(bare: DataSet) -> Findings:
    return look(bare)


@pytest.mark.parametrize("task", FAMILIES)
def test_answers_alone_tell_what_names_are(task: str, by_answers: Findings) -> None:
    """Whole stories mean what they meant, and the people are found also where only facts have them."""
    told, found = list(stories(task, 200, 7, "train")), by_answers.symmetries[task]
    assert agreement(told, found, np.random.default_rng(0)) == 1
    classes = {written(["/".join(entity) for entity in each]) for each in found.classes}
    people = {names for names in EXPECTED[task][0] if {"mary", "emily", "lily", "yann"} & {*names.split()}}
    assert people <= classes <= {BOXES}.union(*(expected for expected, _ in EXPECTED.values()))


def test_names_tell_what_answers_rest_on(bare: DataSet, by_answers: Findings) -> None:
    """Where a story says who is where, who has what and what is next to what; not where pronouns stand for people, or
    nothing is to be known. What is found is nearly always what the story world says."""
    assert {*by_answers.supports} == {f"qa{n}" for n in range(1, 21) if n not in (11, 13)}
    split = bare.split("train")
    supports = by_answers.all_supports(split)
    rows = np.split(supports.values, supports.offsets[1:-1])
    tasks = [bare.tasks[task] for task in np.repeat(split.task, split.questions.lengths)]
    told = (q.support for task in FAMILIES for story in stories(task, 900, 3, "train") for q in story.questions)
    right: dict[str, list[bool]] = {}
    for task, row, support in zip(tasks, rows, told, strict=True):
        if task in by_answers.supports:
            alike = set.issubset if task == "qa20" else set.__eq__  # of a motive, all that somebody does is found
            right.setdefault(task, []).append(alike({*support}, {*row.tolist()}))
        else:
            assert not len(row)
    shares = {task: sum(each) / len(each) for task, each in right.items()}
    assert shares.pop("qa18") > 0.3  # of several ways to tell what fits, the story world has another
    assert min(shares.values()) > 0.8
    assert sorted(shares.values())[3] > 0.95


@pytest.mark.parametrize("questions", [150, 300, 600])
def test_of_few_stories_nothing_is_claimed_that_isnt_so(tmp_path: Path, questions: int) -> None:
    """Times of day, points of the compass, and mice without a mouse look like names for long."""
    tasks = ("qa14", "qa15", "qa19")
    told = [story for task in tasks for story in stories(task, questions, 5, "train")]
    found = look(data_set(tmp_path / "data", map(without_support, told))).symmetries
    for task in tasks:
        assert agreement(list(stories(task, 100, 7, "train")), found[task], np.random.default_rng(0)) == 1


def test_nothing_is_claimed_where_names_matter(tmp_path: Path) -> None:
    """Only Mary is ever hungry; and of a few stories nothing is known."""
    draw = np.random.default_rng(0)
    people, rooms = ["Mary", "John", "Sandra", "Daniel"], ["garden", "kitchen", "office", "hallway"]

    def story() -> Story:
        who, where = people[draw.integers(4)], rooms[draw.integers(4)]
        answer = "kitchen" if who == "Mary" else where
        question = Question(f"Where will {who} be?", 1, (answer,), (0,))
        return Story("fixed", (f"{who} went to the {where}.",), (question,))

    data = data_set(tmp_path / "data", [story() for _ in range(600)])
    names = {form for members in look(data).symmetries["fixed"].classes for entity in members for form in entity}
    assert "mary" not in names
    assert "kitchen" not in names
    few = data_set(tmp_path / "few", list(stories("qa1", 50, 1, "train")))
    assert look(few).symmetries == {"qa1": Symmetries()}


def test_a_name_is_in_one_class_alone(tmp_path: Path) -> None:
    """As in Hindi, where some rooms have another form after "to" and some don't, and all may change places."""
    draw = np.random.default_rng(0)
    people = ["Mary", "John", "Sandra"]
    rooms = {"bagicha": "bagichey", "galiyara": "galiyarey", "gusalkhana": "gusalkhaney"}
    rooms |= {room: room for room in ("daftar", "rasoi", "sayanakaksh")}

    def story() -> Story:
        (who, other), (there, dark) = draw.choice(people, 2, replace=False), draw.choice([*rooms], 2)
        facts = (f"{who} went to {rooms[there]}.", f"{other} saw that {dark} is dark.")
        return Story("rooms", facts, (Question(f"Where is {who}?", 2, (str(there),), (0,)),))

    found = look(data_set(tmp_path / "data", [story() for _ in range(2000)])).symmetries["rooms"]
    assert from_json(as_json(found), "") == found
    assert [{*entities} for entities in found.classes] == [{(who.lower(),) for who in people}, {*rooms.items()}]


@given(arrays(np.int64, (3, 20), elements=st.integers(0, 9)), arrays(np.int64, 20, elements=st.integers(0, 5)))
def test_keys_are_counted_once_for_each_story(keys: np.ndarray, story: np.ndarray) -> None:
    expected: dict[int, set[int]] = {}
    for row in keys.tolist():
        for key, number in zip(row, story.tolist(), strict=True):
            expected.setdefault(key, set()).add(number)
    for largest in (9, 1 << 40):
        found, counts = by_story(keys, story, largest)
        assert dict(zip(found.tolist(), counts.tolist(), strict=True)) == {k: len(s) for k, s in expected.items()}
        assert found.tolist() == sorted(found.tolist())
    of = np.arange(20)[::-1]
    assert [x.tolist() for x in by_story(keys[:, ::-1], story, 9, of)] == [x.tolist() for x in by_story(keys, story, 9)]


@given(st.lists(st.integers(0, 4), max_size=12))
def test_pairs_within_groups(groups: list[int]) -> None:
    groups.sort()
    later, earlier = together(np.array(groups, np.int64))
    expected = [(j, i) for j in range(len(groups)) for i in range(j) if groups[i] == groups[j]]
    assert [*zip(later.tolist(), earlier.tolist(), strict=True)] == expected


@given(arrays(np.int64, (15, 3), elements=st.integers(-1, 2)))
def test_rows_are_told_apart(table: np.ndarray) -> None:
    first, of = distinct_rows(table)
    assert (table[first][of] == table).all()
    assert len(first) == len({tuple(row) for row in table.tolist()})


def test_what_is_looked_up_is_what_belongs_to_a_key() -> None:
    known, keys = np.array([1, 3, 7]), np.array([0, 1, 2, 3, 7, 9])
    assert looked_up(known, np.array([5.0, 6.0, 8.0]), keys).tolist() == [0, 5, 0, 6, 8, 0]
    assert found_in(known, keys).tolist() == [False, True, False, True, True, False]
    assert found_in(known[:0], keys).tolist() == [False] * 6


def test_how_much_chance_explains() -> None:
    """Twenty of one and none of its image is no chance; one is."""
    nothing = np.zeros(3)
    assert not Lacking.of(np.array([20.0, 20.0, 20.0]), nothing, 0.5).possible
    assert Lacking.of(np.array([1.0, 1.0, 1.0]), nothing, 0.5).possible
    assert Lacking.of(np.array([20.0, 20.0, 20.0]), np.array([19.0, 21.0, 20.0]), 0.5).telling
    assert not Lacking.of(np.array([1.0, 1.0, 1.0]), nothing, 0.5).telling
