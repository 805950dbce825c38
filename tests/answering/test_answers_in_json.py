"""What asking says in JSON has the keys and types that are promised, whatever the question is."""

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import Dmn
from pydantic import ValidationError
from schemas import Answered, AnsweredLine, Predicted, RefusedLine

GOLDEN = Path(__file__).parents[1] / "golden"
DATA, MODEL = GOLDEN / "data-1", GOLDEN / "model-1"  # answers questions about sentences, and tags words

WHERE: dict[str, Any] = {"story": ["Mary is in the attic .", "John is here ."], "question": "Where is Mary ?"}
TAGS: dict[str, Any] = {"story": "the dog saw a cat", "question": "What are the tags ?"}
KEYS = {"answer", "confidence", "gates", "facts", "read", "unknown_words"}


@pytest.fixture
def told(tmp_path: Path) -> dict[str, Path]:
    """The stories as files."""
    files = {"where": tmp_path / "where.txt", "tags": tmp_path / "tags.txt"}
    files["where"].write_text("\n".join(WHERE["story"]), encoding="utf-8")
    files["tags"].write_text(TAGS["story"], encoding="utf-8")
    return files


def test_one_question(dmn: Dmn, told: dict[str, Path]) -> None:
    said = dmn("ask", MODEL, "--story", told["where"], "--question", WHERE["question"], "--json")
    document = Answered.model_validate_json(said.out)
    assert document.model_fields_set == KEYS
    assert document.answer == "attic"
    assert document.unknown_words == ["here"]
    assert len(document.gates) == 2


def test_one_question_with_an_answer_for_each_fact(dmn: Dmn, told: dict[str, Path]) -> None:
    said = dmn("ask", MODEL, "--story", told["tags"], "--question", TAGS["question"], "--json")
    document = Answered.model_validate_json(said.out)
    assert document.model_fields_set == KEYS | {"answers"}
    assert document.answers == ["DET", "NOUN", "VERB", "DET", "NOUN"]
    assert document.answer == " ".join(document.answers)


def test_a_stream(dmn: Dmn) -> None:
    records = [{"id": [1, "a"], **WHERE}, {"id": None, **TAGS}, WHERE, {"id": 4}, {}]
    lines = "".join(json.dumps(record) + "\n" for record in records) + "no JSON\n"
    where, tags, without_id, *refused = dmn("ask", MODEL, "--batch", "-", stdin=lines.encode()).out.splitlines()
    assert AnsweredLine.model_validate_json(where).model_fields_set == KEYS | {"id"}
    assert AnsweredLine.model_validate_json(where).id == [1, "a"]
    assert AnsweredLine.model_validate_json(tags).model_fields_set == KEYS | {"id", "answers"}
    assert AnsweredLine.model_validate_json(without_id).model_fields_set == KEYS
    assert [RefusedLine.model_validate_json(line).id for line in refused] == [4, None, None]


def test_the_prompt(dmn: Dmn) -> None:
    typed = "\n".join([*WHERE["story"], WHERE["question"], "/why", "/story", TAGS["question"], "no story yet?"])
    *answers, last = dmn("ask", MODEL, "--json", stdin=typed.encode()).out.splitlines()
    assert [Answered.model_validate_json(line).answer for line in answers[:2]] == ["attic", "attic"]
    assert Answered.model_validate_json(answers[2]).model_fields_set == KEYS | {"answers"}
    assert Answered.model_validate_json(last).unknown_words


def test_predictions(dmn: Dmn, tmp_path: Path) -> None:
    written = tmp_path / "predictions.jsonl"
    assert dmn("eval", MODEL, DATA, "--split", "train", "--predictions", written).code == 0
    lines = [Predicted.model_validate_json(line) for line in written.read_text(encoding="utf-8").splitlines()]
    assert {line.task for line in lines} == {"where", "tags"}
    assert sorted(line.id for line in lines) == list(range(len(lines)))


@pytest.mark.parametrize(
    "wrong",
    [
        {"gates": [[0.5]]},
        {"gates": [[1.5, 0.5]]},
        {"gates": None},
        {"read": [2]},
        {"read": [1, 0]},
        {"facts": []},
        {"answers": ["one"]},
        {"confidence": "high"},
        {"extra": 1},
        {"answer": None},
        {"best": "attic"},
    ],
    ids=str,
)
def test_the_schema_sees_what_is_wrong(wrong: dict[str, Any]) -> None:
    right: dict[str, Any] = {"answer": "attic", "confidence": 0.5, "gates": [[0.5, 1.0]], "facts": ["a", "b"]}
    right |= {"read": [0, 1], "unknown_words": []}
    Answered.model_validate(right)
    with pytest.raises(ValidationError):
        Answered.model_validate({**right, **wrong})
