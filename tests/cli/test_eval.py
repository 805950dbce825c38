"""dmn eval: what it says of a model, and which data sets it refuses."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import cut_in_half, filled_in, flip_a_byte, seen
from conftest import Dmn, fails, strict_json


def test_json_of_eval(dmn: Dmn, run: Path, world: Path) -> None:
    result = dmn("eval", run, world, "--json", "--quiet")
    assert (result.code, result.err) == (0, "")
    document = result.document
    assert {"accuracy", "mean_error", "tasks", "questions", "seconds"} <= document.keys()
    assert 0.8 <= document["accuracy"] <= 1
    assert document["mean_error"] == pytest.approx(1 - document["accuracy"])
    assert document["questions"] == document["tasks"]["qa1"]["questions"] == 50
    assert {"accuracy", "questions", "loss"} <= document["tasks"]["qa1"].keys()
    assert dmn("eval", run / "model", world, "--json").document["accuracy"] == document["accuracy"]


def test_a_shell_pipeline_gets_plain_text(dmn: Dmn, run: Path, world: Path) -> None:
    result = dmn("eval", run, world)
    assert result.code == 0
    assert "\x1b" not in result.out
    assert re.search(r"^qa1 +50 +\d+\.\d %", result.out, re.MULTILINE)
    assert "mean error" in result.out


def test_eval_on_a_terminal_is_a_table(dmn: Dmn, run: Path, world: Path) -> None:
    result = dmn("eval", run, world, terminal=True)
    assert result.code == 0
    assert re.search(r"\n─+\n+qa1 +50 +\d+\.\d %", seen(result))
    assert dmn("eval", run, world, "--json", terminal=True).document["questions"] == 50


def test_predictions_are_one_line_a_question_and_can_be_asked_again(
    dmn: Dmn, run: Path, world: Path, tmp_path: Path
) -> None:
    written = tmp_path / "predictions.jsonl"
    report = dmn("eval", run, world, "--predictions", written, "--batch-size", 16, "--json").document
    predictions = [strict_json(line) for line in written.read_text().splitlines()]
    assert sorted(line["id"] for line in predictions) == list(range(50))
    assert sum(line["correct"] for line in predictions) == round(50 * report["accuracy"])
    assert all(line["correct"] == (line["answer"] == line["prediction"]) for line in predictions)
    again = dmn("ask", run, "--batch", written)
    assert [(line["id"], line["answer"]) for line in again.lines] == [
        (line["id"], line["prediction"]) for line in predictions
    ]
    assert [line["read"] for line in again.lines] == [line["read"] for line in predictions]


def test_a_score_that_is_not_reached(dmn: Dmn, run: Path, damaged: Path) -> None:
    assert dmn("eval", run, damaged, "--fail-under", "mean=0.5", "--fail-under", "qa1=0.5").code == 0
    other = damaged.with_name("other")
    assert dmn("prepare", "story", "--tasks", 3, "--questions", 50, "--out", other).code == 0
    result = dmn("eval", run, other, "--fail-under", "qa3=0.99", "--json")
    assert result.code == 1
    assert result.document["accuracy"] < 0.99
    assert result.err.startswith("error: qa3 is ")


def test_answers_that_the_model_does_not_know(dmn: Dmn, run: Path, tmp_path: Path) -> None:
    """They are wrong and said, and the loss is of the others. A task's name may have a = in it."""
    told = {"story": ["Mary went to the kitchen."], "question": "Where is Mary?", "task": "a=b"}
    found = []
    for name, answers in {"known": ["kitchen"], "both": ["kitchen", "kitchen Utopia", "Utopia"]}.items():
        text, data = tmp_path / f"{name}.jsonl", tmp_path / name
        stories = [{**told, "answer": "kitchen"}, *({**told, "answer": a, "split": "test"} for a in answers)]
        text.write_text("".join(json.dumps(story) + "\n" for story in stories))
        prepared = dmn("prepare", "jsonl", text, "--out", data)
        assert prepared.code == 0, prepared.err
        assert dmn("eval", run, data, "--fail-under", "a=b=0.3").code == 0
        found.append(dmn("eval", run, data, "--json").document["tasks"]["a=b"])
    known, both = found
    assert "unknown_answers" not in known
    assert (both["questions"], both["unknown_answers"], both["accuracy"]) == (3, 2, pytest.approx(1 / 3))
    assert both["loss"] == pytest.approx(known["loss"])
    assert "\n2 right answers with a word that the model doesn't know\n" in dmn("eval", run, tmp_path / "both").out


def test_an_unknown_score_is_refused_before_the_work(
    dmn: Dmn, run: Path, world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dmn_cli.evaluation.report.evaluate", lambda *args, **options: pytest.fail("it worked first"))
    written = tmp_path / "predictions.jsonl"
    fails(dmn("eval", run, world, "--fail-under", "qa7=0.5", "--predictions", written), 2, "qa7")
    assert not written.exists()


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("eval RUN WORLD WORLD/../data", "is the same data set as"),
        ("eval RUN WORLD --split dev", "test, valid and train"),
        ("eval RUN WORLD --fail-under mean", "NAME=SCORE"),
        ("eval RUN WORLD --fail-under mean=95", "fraction"),
        ("eval RUN WORLD --fail-under qa7=0.5", "There are: mean, qa1."),
    ],
)
def test_a_mistake_on_the_command_line(dmn: Dmn, run: Path, world: Path, command: str, said: str) -> None:
    fails(dmn(*filled_in(command, RUN=run, WORLD=world)), 2, said)


def test_a_model_that_is_not_there(dmn: Dmn, world: Path, tmp_path: Path) -> None:
    fails(dmn("eval", tmp_path, world), 4, str(tmp_path), "dmn train")


def test_data_that_is_not_there(dmn: Dmn, run: Path, tmp_path: Path) -> None:
    fails(dmn("eval", run, tmp_path / "nowhere"), 3, "nowhere", "dmn prepare")


@pytest.mark.parametrize("name", ["dataset.json", "vocabulary.json", "sentences.arrow", "test.arrow"])
@pytest.mark.parametrize("damage", [cut_in_half, Path.unlink, lambda path: path.write_bytes(b"")])
def test_a_data_set_with_a_damaged_file(
    dmn: Dmn, run: Path, damaged: Path, name: str, damage: Callable[[Path], object]
) -> None:
    damage(damaged / name)
    fails(dmn("eval", run, damaged), 3, str(damaged / name))


@pytest.mark.parametrize(
    "text", ['{"format_version": 1}', '{"format_version": 1e999}', '{"format_version": "one"}', "[]", "{}", "é"]
)
@pytest.mark.parametrize("name", ["dataset.json", "vocabulary.json"])
def test_a_data_set_with_other_json(dmn: Dmn, run: Path, damaged: Path, name: str, text: str) -> None:
    (damaged / name).write_bytes(text.encode("latin-1"))
    fails(dmn("eval", run, damaged), 3, str(damaged))


@pytest.mark.parametrize("name", ["dataset.json", "vocabulary.json", "test.arrow"])
def test_a_data_set_with_a_folder_in_place_of_a_file(dmn: Dmn, run: Path, damaged: Path, name: str) -> None:
    (damaged / name).unlink()
    (damaged / name).mkdir()
    fails(dmn("eval", run, damaged), 3, str(damaged / name))


@pytest.mark.parametrize("name", ["sentences.arrow", "test.arrow"])
def test_a_data_set_with_flipped_bytes(dmn: Dmn, run: Path, damaged: Path, name: str) -> None:
    """It is refused, unless the flipped byte is one that nobody reads. Wrong figures never pass for right ones."""
    whole, right = (damaged / name).read_bytes(), dmn("eval", run, damaged, "--json").document["tasks"]
    for at in range(len(whole) // 16, len(whole), len(whole) // 8):
        (damaged / name).write_bytes(whole)
        flip_a_byte(damaged / name, at)
        result = dmn("eval", run, damaged, "--json")
        if result.code:
            fails(result, 3, str(damaged))
        else:
            assert result.document["tasks"] == right


def test_a_newer_data_set(dmn: Dmn, run: Path, damaged: Path) -> None:
    summary = json.loads((damaged / "dataset.json").read_text())
    (damaged / "dataset.json").write_text(json.dumps(summary | {"format_version": 99}))
    fails(dmn("eval", run, damaged), 3, "99", "upgrade")


def test_a_device_that_is_not_there(dmn: Dmn, run: Path, world: Path) -> None:
    fails(dmn("eval", run, world, "--device", "cuda:99"), 5, "cuda:99", "cpu")


def test_processes_measure_the_same(dmn: Dmn, run: Path, world: Path, tmp_path: Path) -> None:
    """To the last bit and in the same order, also where names are bound that the model doesn't know."""
    told = [
        {"story": [f"{name} went to the {place}.", "John went to the hall."], "question": f"Where is {name}?"}
        | {"answer": place}
        for name in ("Mary", "Pelle", "Aino")
        for place in ("kitchen", "garden", "office", "bathroom")
    ]
    text, others = tmp_path / "told.jsonl", tmp_path / "others"
    text.write_text("".join(json.dumps(line) + "\n" for line in told), encoding="utf-8")
    prepared = dmn("prepare", "jsonl", text, "--out", others)
    assert prepared.code == 0, prepared.err
    found = []
    for processes in ([], ["--processes", 3]):
        predictions = tmp_path / f"{len(processes)}.jsonl"
        options = ["--split", "train", "--batch-size", 32, "--device", "cpu", "--predictions", predictions, *processes]
        result = dmn("eval", run, world, others, "--json", *options)
        assert result.code == 0, result.err
        found.append((result.document | {"seconds": 0}, predictions.read_text(encoding="utf-8")))
    assert found[0] == found[1]
    assert "Pelle" in found[0][1]
