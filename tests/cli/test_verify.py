"""dmn eval --verify: whether a model still answers as when it was saved. And what names a model: its hash."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Dmn, fails
from schemas import Evaluated, InfoOfModel, Verified

from dmn_cli.artifact import directory, stored
from dmn_cli.data.store.reader import DataSet


@pytest.fixture
def model(run: Path, tmp_path: Path) -> Path:
    """A copy, to be changed."""
    return Path(shutil.copytree(run / "model", tmp_path / "model"))


def with_golden(model: Path, change: Callable[[list[dict[str, Any]]], object]) -> None:
    """Changes the golden questions, and has the model know the new ones as its own."""
    path = model / "golden.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    change(lines)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    config = json.loads((model / "config.json").read_text())
    config["sha256"]["golden.jsonl"] = hashlib.sha256(path.read_bytes()).hexdigest()
    (model / "config.json").write_text(json.dumps(config))


def test_a_model_answers_as_when_it_was_saved(dmn: Dmn, run: Path) -> None:
    found = Verified.model_validate_json(dmn("eval", run, "--verify", "--json").out)
    assert (found.questions, found.differing, found.tolerance) == (8, [], 0.001)
    assert found.largest_difference < 1e-5
    result = dmn("eval", run / "model", "--verify")
    assert (result.code, result.err, result.out.count("\n")) == (0, "", 1)
    assert result.out.startswith("8 golden questions answered as when the model was saved")
    assert "8 golden" in dmn("eval", "demo", "--verify").out


def test_another_answer_is_found(dmn: Dmn, model: Path) -> None:
    with_golden(model, lambda lines: lines[2].update(answer="cellar"))
    fails(dmn("eval", model, "--verify"), 1, "1 of 8 golden questions", "number 3", "and not 'cellar'")
    result = dmn("eval", model, "--verify", "--json")
    assert result.code == 1
    [differs] = Verified.model_validate_json(result.out).differing
    assert (differs["number"], differs["was"]) == (3, "cellar")


@pytest.mark.parametrize(("by", "code"), [(5e-4, 0), (-5e-4, 0), (2e-3, 1), (-2e-3, 1), (float("nan"), 1)])
def test_a_confidence_differs_by_so_much(dmn: Dmn, model: Path, by: float, code: int) -> None:
    with_golden(model, lambda lines: lines[0].update(confidence=lines[0]["confidence"] + by))
    assert dmn("eval", model, "--verify").code == code


def test_other_weights_are_found(dmn: Dmn, model: Path) -> None:
    """Even where all files are as they were saved."""
    loaded = directory.load(model)
    weights = loaded.network.state_dict()
    loaded.network.load_state_dict({name: 0.5 * weight for name, weight in weights.items()})
    golden = [json.loads(line) for line in (model / "golden.jsonl").read_text().splitlines()]
    directory.save(model, loaded, json.loads((model / "metrics.json").read_text()), golden)
    fails(dmn("eval", model, "--verify"), 1, "8 of 8 golden questions")


@pytest.mark.parametrize("text", ["", "{}", "[1]", "é", "{", '{"story": [], "question": "", "answer": ""}'])
def test_golden_questions_that_are_none(dmn: Dmn, model: Path, text: str) -> None:
    (model / "golden.jsonl").write_bytes(text.encode("latin-1"))
    fails(dmn("eval", model, "--verify"), 4, "golden.jsonl: is damaged: it isn't the file that was saved")
    config = json.loads((model / "config.json").read_text())
    del config["sha256"]["golden.jsonl"]  # as in a model of before
    (model / "config.json").write_text(json.dumps(config))
    fails(dmn("eval", model, "--verify"), 4, "golden questions")
    (model / "golden.jsonl").unlink()
    fails(dmn("eval", model, "--verify"), 4, "has no golden questions", "DATA")


@pytest.mark.parametrize(
    "options",
    [["--fail-under", "mean=0.5"], ["--why"], ["--abstain-below", 0.5], ["--predictions", "p.jsonl"], ["DATA"]],
)
def test_it_needs_no_data_and_takes_none(dmn: Dmn, run: Path, options: list[object]) -> None:
    fails(dmn("eval", run, "--verify", *options), 2, f"{options[0]} is for a data set")


def test_eval_needs_data_or_verify(dmn: Dmn, run: Path) -> None:
    fails(dmn("eval", run), 2, "DATA", "--verify")


def test_figures_say_what_they_come_from(dmn: Dmn, run: Path, world: Path) -> None:
    measured = Evaluated.model_validate_json(dmn("eval", run, world, "--json").out)
    about = InfoOfModel.model_validate_json(dmn("info", run / "model", "--json").out)
    assert measured.model_sha256 == about.model_sha256
    assert measured.seed == about.seed == 1
    assert measured.data_fingerprints == [DataSet(world).fingerprint]
    doctor = dmn("doctor", "--json").document
    assert (measured.versions.dmn, measured.versions.python) == (doctor["dmn"], doctor["python"])
    assert measured.versions.torch == doctor["packages"]["torch"]


def test_a_hash_names_a_model(dmn: Dmn, model: Path) -> None:
    """It is that of config.json, which has those of all other files but the card."""
    [line] = [line for line in dmn("info", model).out.splitlines() if line.startswith("hash ")]
    assert line.split() == ["hash", hashlib.sha256((model / "config.json").read_bytes()).hexdigest()]
    listed = json.loads((model / "config.json").read_text())["sha256"]
    assert {*listed, "config.json", "README.md"} == {path.name for path in model.iterdir()}
    for name, digest in listed.items():
        assert digest == hashlib.sha256((model / name).read_bytes()).hexdigest()
    moved = model.rename(model.with_name("moved"))
    (moved / "README.md").write_text("Our model.")
    assert stored.digest(moved) == line.split()[1]


@pytest.mark.parametrize("name", ["metrics.json", "golden.jsonl"])
def test_figures_that_were_changed_are_found(dmn: Dmn, model: Path, name: str) -> None:
    (model / name).write_text((model / name).read_text().replace("0", "1", 1))
    fails(dmn("info", model), 4, name, "isn't the file that was saved")
    story = ["--story", "-", "--question", "Where is Mary?"]
    assert dmn("ask", model, *story, stdin=b"Mary is in the garden.\n").code == 0  # which needs neither


@pytest.mark.parametrize("seed", ["1", 1.5, True, [None], {}])
def test_a_seed_that_is_none_is_damage(dmn: Dmn, model: Path, seed: object) -> None:
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps({**config, "seed": seed}))
    fails(dmn("eval", model, "--verify"), 4, "damaged")
