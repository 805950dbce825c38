"""dmn train --preset memnn and memn2n, from the data to the answer."""

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import Dmn, fails

from dmn_cli.settings.load import load

EPOCHS = {"memnn": 8, "memn2n": 25}
SETTINGS: dict[str, dict[str, Any]] = {"memnn": {}, "memn2n": {"model.linear_start": 5, "training.halve_after": 5}}


@pytest.fixture(scope="module")
def runs(dmn: Dmn, world: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = {preset: tmp_path_factory.mktemp(preset) / "run" for preset in EPOCHS}
    for preset, run in made.items():
        sets = [f"--set={key}={value}" for key, value in SETTINGS[preset].items()]
        options = ("--preset", preset, "--epochs", EPOCHS[preset], "--device", "cpu", *sets)
        assert dmn("train", world, "--out", run, *options).code == 0
    return made


@pytest.mark.parametrize("preset", EPOCHS)
def test_it_learns_and_is_asked(dmn: Dmn, world: Path, runs: dict[str, Path], preset: str, story: Path) -> None:
    run = runs[preset]
    report = dmn("eval", run, world, "--json").document
    assert report["accuracy"] > 0.9
    assert report["tasks"]["qa1"]["gate_recall"] > 0.8, "it reads what supports the answer"
    assert dmn("eval", run, "--verify").code == 0
    asked = ("ask", run, "--story", story, "--question", "Where is Mary?")
    answer = dmn(*asked, "--json").document
    assert (answer["answer"], answer["read"]) == ("kitchen", [0])
    assert len(answer["gates"]) == load(preset).model.model_dump()["hops"]
    assert all(len(passes) == 2 for passes in answer["gates"])
    why = dmn(*asked, "--why").out
    assert "* Mary went to the kitchen." in why
    assert ("pass 2" in why) == (preset == "memn2n"), "memnn stops after the first, and shows no more"
    golden = run / "model" / "golden.jsonl"
    kept = [json.loads(line) for line in golden.read_text().splitlines()]
    said = dmn("ask", run, "--batch", golden, "--top", 2).lines
    assert [line["answer"] for line in said] == [line["answer"] for line in kept]
    assert all(line["top"][0]["answer"] == line["answer"] for line in said)


def test_two_answer_together(dmn: Dmn, world: Path, tmp_path: Path, story: Path) -> None:
    run = tmp_path / "run"
    options = ("--preset", "memnn", "--epochs", 1, "--ensemble", 2, "--device", "cpu")
    assert dmn("train", world, "--out", run, *options).code == 0
    answer = dmn("ask", run, "--story", story, "--question", "Where is Mary?", "--json").document
    assert answer["answer"]


def lines(path: Path, **keys: Any) -> Path:
    """Twenty questions, whose facts are words, about drinks."""
    drinks = [{"story": ["it is", drink], "question": "what ?", "answer": drink} for drink in ("tea", "rum")]
    each = [{**one, **keys, "split": split} for one in drinks for split in ["train"] * 8 + ["valid"]]
    if "each" in keys:
        each = [{**one, "answer": ["no", "yes"]} for one in each]
    path.write_text("\n".join(map(json.dumps, each)))
    return path


def test_without_supporting_facts_memnn_has_nothing_to_learn_from(dmn: Dmn, world: Path, tmp_path: Path) -> None:
    data, run = tmp_path / "data", tmp_path / "run"
    assert dmn("prepare", "jsonl", lines(tmp_path / "drinks.jsonl"), "--out", data).code == 0
    fails(dmn("train", data, "--out", run, "--preset", "memnn"), 2, str(data), "no supporting facts", "memn2n")
    off = ("--preset", "memnn", "--set", "training.gate_supervision=off")
    fails(dmn("train", world, "--out", run, *off), 2, "supporting facts alone", "gate_supervision")
    assert not run.exists()
    assert dmn("train", data, "--out", run, "--preset", "memn2n", "--epochs", 1).code == 0


@pytest.mark.parametrize("preset", EPOCHS)
def test_answers_at_each_fact_are_refused(dmn: Dmn, preset: str, tmp_path: Path) -> None:
    data, run = tmp_path / "data", tmp_path / "run"
    told = lines(tmp_path / "drinks.jsonl", each=True, support=[1])
    assert dmn("prepare", "jsonl", told, "--out", data).code == 0
    fails(dmn("train", data, "--out", run, "--preset", preset), 2, "answers a question once", "--preset text")
    assert not run.exists()
