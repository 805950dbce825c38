"""dmn report: a page of a run, with or without its data, and what it refuses."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Dmn, fails

from dmn_cli.evaluation.abstaining import coverage_curve


@pytest.fixture
def moved(run: Path, tmp_path: Path) -> Path:
    """A run whose data are gone."""
    copied = Path(shutil.copytree(run, tmp_path / "run"))
    record = json.loads((copied / "data.json").read_text())
    record["data"][0]["path"] = str(tmp_path / "gone")
    (copied / "data.json").write_text(json.dumps(record))
    return copied


def data_of(page: Path) -> dict[str, Any]:
    [found] = re.findall(r'<script type="application/json" id="questions-data">(.*?)</script>', page.read_text())
    return json.loads(found)


def test_the_page_has_the_figures_and_questions_of_the_evaluation(
    dmn: Dmn, run: Path, world: Path, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    result = dmn("report", run, "--out", page, "--json", "--quiet")
    assert (result.code, result.err) == (0, "")
    measured = dmn("eval", run, world, "--json").document
    document = result.document
    assert document["accuracy"] == measured["accuracy"]
    assert document["questions"] == document["listed"] == measured["questions"]
    assert document["bytes"] == len(page.read_bytes())
    questions = data_of(page)["questions"]
    assert sum(question["outcome"] == 0 for question in questions) == round(
        (1 - measured["accuracy"]) * measured["questions"]
    )
    assert f"{100 * measured['accuracy']:.2f} %" in page.read_text()


def test_mistakes_come_first_and_the_number_of_questions_is_kept(
    dmn: Dmn, run: Path, world: Path, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    assert dmn("report", run, world, "--split", "train", "--questions", 20, "--out", page).code == 0
    data = data_of(page)
    assert len(data["questions"]) == 20
    outcomes = [question["outcome"] for question in data["questions"]]
    assert outcomes == sorted(outcomes)
    for question in data["questions"]:
        assert question["n"] <= len(data["stories"][question["story"]])


def test_with_why_the_right_reason_is_that_of_the_evaluation(dmn: Dmn, run: Path, world: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert dmn("report", run, world, "--why", "--split", "valid", "--out", page).code == 0
    task = dmn("eval", run, world, "--why", "--split", "valid", "--json").document["tasks"]["qa1"]
    questions = data_of(page)["questions"]
    for_right = [question for question in questions if question["outcome"] == 2]
    assert len(for_right) / len(questions) == pytest.approx(task["right_reason"])
    for question in for_right:
        assert all(set(facts) & set(question["support"]) for facts, _, _ in question["needs"])
        assert all(answer != question["answer"] for _, answer, _ in question["needs"])


def test_texts_that_are_long_leave_fewer_questions(dmn: Dmn, tmp_path: Path) -> None:
    """So that the page stays below a megabyte."""
    lines = [
        {"story": [f"{n} {'word ' * 300}" for n in range(row, row + 4)], "question": "Which?", "answer": f"{row % 2}"}
        for row in range(0, 4000, 4)
    ]
    text = "".join(json.dumps({**line, "split": "valid"}) + "\n" for line in lines)
    text += "".join(json.dumps({**line, "split": "train"}) + "\n" for line in lines[:8])
    (tmp_path / "long.jsonl").write_text(text)
    data, run, page = tmp_path / "data", tmp_path / "run", tmp_path / "page.html"
    assert dmn("prepare", "jsonl", tmp_path / "long.jsonl", "--out", data, "--tokenizer", "whitespace").code == 0
    small = ("--epochs", 1, "--set=model.hidden=8", "--set=training.steps=1", "--device", "cpu")
    assert dmn("train", data, "--out", run, *small).code == 0
    document = dmn("report", run, "--split", "valid", "--out", page, "--json").document
    assert (document["questions"], document["bytes"] < 1_000_000) == (1000, True)
    assert 100 < document["listed"] < 200
    assert f"{document['listed']:,} of 1,000 are on this page" in page.read_text()


@pytest.mark.parametrize("what", ["run", "model"])
def test_without_its_data_the_page_has_the_validation(dmn: Dmn, moved: Path, tmp_path: Path, what: str) -> None:
    page = tmp_path / "page.html"
    if what == "model":
        shutil.move(moved / "model", tmp_path / "model")
        shutil.rmtree(moved)
    result = dmn("report", moved if what == "run" else tmp_path / "model", "--out", page)
    assert result.code == 0
    assert "the page has settings, curves and the validation alone" in result.err
    text = page.read_text()
    assert 'id="tasks"' in text
    assert ('id="curves"' in text) == (what == "run")
    assert 'id="questions"' not in text


def test_what_differs_from_the_preset_comes_first(dmn: Dmn, moved: Path, tmp_path: Path) -> None:
    assert dmn("report", moved, "--out", tmp_path / "page.html", "--quiet").code == 0
    settings = (tmp_path / "page.html").read_text().partition('id="settings"')[2].partition("<details")[0]
    keys = re.findall(r'<th scope="row">([\w.]+)</th>', settings)
    assert {"model.hidden", "training.batch_size", "training.learning_rate", "training.epochs"} <= set(keys)
    assert "model.passes" not in keys


def test_of_several_seeds_the_curves_are_those_of_the_best(dmn: Dmn, run: Path, world: Path, tmp_path: Path) -> None:
    several, page = tmp_path / "several", tmp_path / "page.html"
    shutil.copytree(run, several / "seed-7")
    for name in ("model", "config.toml", "data.json"):
        shutil.move(several / "seed-7" / name, several / name)
    (several / "seeds.json").write_text('{"format_version": 1, "best": {"seed": 7}}')
    assert dmn("report", several, world, "--out", page).code == 0
    assert "this is the best one, 7" in page.read_text()
    (several / "seeds.json").write_text('{"format_version": 1}')
    fails(dmn("report", several, world, "--out", tmp_path / "other.html"), 4, "seeds.json", "damaged")


def test_nothing_is_written_where_something_is_wrong(dmn: Dmn, run: Path, world: Path, tmp_path: Path) -> None:
    page, there = tmp_path / "page.html", tmp_path / "there.html"
    there.write_text("mine")
    fails(dmn("report", run, "--out", there), 2, "exists already")
    fails(dmn("report", tmp_path / "nowhere", "--out", page), 4, "no model")
    fails(dmn("report", run, tmp_path / "nowhere", "--out", page), 3, "no such data set")
    fails(dmn("report", run, world, "--split", "tests", "--out", page), 2, "no split")
    fails(dmn("report", run, "--out", there / "page.html"), 2, "folder can't be made")
    assert [path.name for path in tmp_path.iterdir()] == ["there.html"]
    assert there.read_text() == "mine"


def test_damaged_metrics_are_told(dmn: Dmn, model: Path, tmp_path: Path) -> None:
    (model / "metrics.json").write_text('{"tasks": {"qa1": {}}}')
    fails(dmn("report", model, "--out", tmp_path / "page.html", "--quiet"), 4, "metrics.json", "damaged")


def test_coverage_counts_the_surest_answers() -> None:
    confidence, right = np.array([0.9, 0.5, 0.8, 0.8]), np.array([True, False, True, False])
    points = coverage_curve(confidence, right)
    assert [(p["below"], p["coverage"]) for p in points] == [(0.9, 0.25), (0.8, 0.75), (0.5, 1.0)]
    assert [p["selective_accuracy"] for p in points] == pytest.approx([1, 2 / 3, 0.5])


@pytest.mark.parametrize("name", ["config.toml", "metrics.jsonl", "model/config.json", "model/golden.jsonl"])
def test_a_page_takes_the_place_of_no_file_that_a_model_needs(dmn: Dmn, moved: Path, name: str) -> None:
    before = (moved / name).read_bytes()
    fails(dmn("report", moved, "--out", moved / name, "--force"), 2, name, "a part of a run, a model or a data set")
    assert (moved / name).read_bytes() == before
    (moved / "page.html").write_text("an older one")
    assert dmn("report", moved, "--out", moved / "page.html", "--force").code == 0
