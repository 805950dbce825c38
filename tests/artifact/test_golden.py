"""A data set and a model of each format version are committed, and whatever dmn becomes, it reads them.

Those of a new version are made with `python tests/golden/make.py` and added; the others stay as they are.
"""

import json
from pathlib import Path

import pytest
from conftest import Dmn

from dmn_cli.artifact import stored
from dmn_cli.data.store import layout
from dmn_cli.data.store.reader import DataSet
from dmn_cli.records.text import Form

GOLDEN = Path(__file__).parents[1] / "golden"
MODELS = sorted(GOLDEN.glob("model-*"))
DATA = sorted(GOLDEN.glob("data-*"))


def test_todays_formats_have_one() -> None:
    assert (GOLDEN / f"data-{layout.FORMAT_VERSION}").is_dir()
    assert (GOLDEN / f"model-{stored.FORMAT_VERSION}").is_dir()


@pytest.mark.parametrize("path", DATA, ids=lambda path: path.name)
def test_a_data_set_says_what_it_said(path: Path) -> None:
    data = DataSet(path)
    example = data.example(data.split("train"), 1)
    assert example.facts == ["Mary is in the garden .", "John is in the garden ."]
    assert (example.task, example.question, example.answer) == ("where", "Where is John ?", ["garden"])
    assert example.support == [1]
    assert data.forms["What are the tags ?"] == Form(facts_are_words=True, per_fact=True)
    assert data.vocabulary.extra == ["cellar"]
    assert data.vectors
    assert data.vectors[1].tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]]


@pytest.mark.parametrize("data", DATA, ids=lambda path: path.name)
@pytest.mark.parametrize("model", MODELS, ids=lambda path: path.name)
def test_a_model_scores_what_it_scored(dmn: Dmn, model: Path, data: Path) -> None:
    recorded = json.loads((GOLDEN / model.name.replace("model-", "report-")).with_suffix(".json").read_text())
    tasks = dmn("eval", model, data, "--json").document["tasks"]
    assert tasks.keys() == recorded.keys()
    for name, figures in recorded.items():
        assert {key: tasks[name][key] for key in figures} == pytest.approx(figures, rel=1e-3)


@pytest.mark.parametrize("model", MODELS, ids=lambda path: path.name)
def test_a_model_answers_what_it_answered(dmn: Dmn, model: Path) -> None:
    recorded = [json.loads(line) for line in (model / "golden.jsonl").read_text().splitlines()]
    answers = dmn("ask", model, "--batch", model / "golden.jsonl").lines
    assert [line["answer"] for line in answers] == [line["answer"] for line in recorded]
    assert [line["confidence"] for line in answers] == pytest.approx(
        [line["confidence"] for line in recorded], abs=1e-4
    )


@pytest.mark.parametrize("model", MODELS, ids=lambda path: path.name)
def test_a_model_cuts_texts_as_it_did(dmn: Dmn, model: Path) -> None:
    """By the rules that came with it."""
    line = {"story": "Mary is in the attic . John is in the garden .", "question": "Where is Mary ?"}
    answer = dmn("ask", model, "--batch", "-", stdin=json.dumps(line).encode()).document
    assert answer["answer"] == "attic"
    assert answer["facts"] == ["Mary is in the attic .", "John is in the garden ."]
