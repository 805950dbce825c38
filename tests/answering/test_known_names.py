"""Which names a sentence has, and which of them a question is about."""

import re
from pathlib import Path
from typing import Any

import pytest
from renamed import data_set

from dmn_cli.answering.known_names import KnownNames, union
from dmn_cli.data.formats.story_world import stories
from dmn_cli.data.joint import Joint
from dmn_cli.data.store.reader import DataSet
from dmn_cli.data.symmetries.files import as_json
from dmn_cli.data.symmetries.findings import look
from dmn_cli.files import write_json
from dmn_cli.records.names import NameKind, Names

PEOPLE = NameKind((("mary",), ("john",)), (("\t0.0",),))
SHAPES = NameKind((("pink rectangle",), ("rectangle",), ("red",)), (("\t1.0",),))
BEASTS = NameKind((("mouse", "mice"), ("sheep", "sheep")), (("\t2.0.0", "\t2.0.1"),))
KNOWN = KnownNames(Names((PEOPLE, SHAPES, BEASTS)))


def named(text: str) -> list[str]:
    words = text.split(" ")
    return [" ".join(words[name.start : name.end]) for name in KNOWN.named(words)]


def test_the_longest_name_that_fits_is_taken() -> None:
    assert named("is the pink rectangle above mary ?") == ["pink rectangle", "mary"]
    assert named("a rectangle is a red rectangle") == ["rectangle", "red", "rectangle"]
    assert named("the \t0.0 has \t2.0.1") == ["\t0.0", "\t2.0.1"]
    assert named("who ?") == []


def test_forms_of_one_name_are_the_same_name() -> None:
    (mouse,), (mice,), (sheep,) = (KNOWN.named([word]) for word in ("mouse", "mice", "sheep"))
    assert mouse.which == mice.which
    assert not mouse.which & sheep.which


@pytest.mark.parametrize(
    ("question", "about"),
    [
        ("is mary in the red ?", ["mary"]),
        ("what did mary give to john ?", ["mary", "john"]),
        ("is the pink rectangle to the left of the red ?", ["pink rectangle", "red"]),
        ("what is mice afraid of , mary ?", ["mice"]),
        ("who is that ?", []),
    ],
)
def test_a_question_is_about_its_first_name_and_others_of_its_kind(question: str, about: list[str]) -> None:
    words = question.split(" ")
    assert [" ".join(words[name.start : name.end]) for name in KNOWN.asked_about(words)] == about


def test_no_question_of_the_story_world_is_about_a_name_that_its_story_lacks(tmp_path: Path) -> None:
    """Though many ask whether someone is in a room that nobody went to."""
    told = [story for task in ("qa6", "qa9", "qa10") for story in stories(task, 400, 1, "train")]
    data = data_set(tmp_path / "data", told)
    write_json(data.path / "dataset.json", {**data.summary, "symmetries": search_as_json(data)})
    known = KnownNames(Joint.of([DataSet(data.path)], symmetries=True).names())
    rooms = 0
    for story in told:
        for question in story.questions:
            facts = (words_of(fact) for fact in story.facts[: question.position])
            mentioned = union(name.which for words in facts for name in known.named(words))
            asked = words_of(question.text)
            assert all(name.which & mentioned for name in known.asked_about(asked)), question.text
            rooms += any(not name.which & mentioned for name in known.named(asked))
    assert rooms > 100


def search_as_json(data: DataSet) -> dict[str, Any]:
    return {task: as_json(symmetries) for task, symmetries in look(data).symmetries.items()}


def words_of(text: str) -> list[str]:
    return re.findall(r"\w+|[^\w\s]", text.lower())
