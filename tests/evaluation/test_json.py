"""What training and evaluation say in JSON has the keys and types that are promised, whatever the task is."""

import json
from pathlib import Path

import pytest
from conftest import Dmn
from pydantic import ValidationError
from schemas import EpochLine, Evaluated, Task, Trained

DATA = Path(__file__).parents[1] / "golden" / "data-1"  # with supporting facts, and with tags


@pytest.fixture(scope="module")
def trained(dmn: Dmn, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A run, and what was printed."""
    run = tmp_path_factory.mktemp("json") / "run"
    options = ("--epochs", 2, "--set=model.hidden=8", "--set=training.steps=1", "--device", "cpu", "--json")
    return run, dmn("train", DATA, "--out", run, *options).out


def test_train(trained: tuple[Path, str]) -> None:
    run, said = trained
    document = Trained.model_validate_json(said)
    assert (document.run, document.model) == (str(run), str(run / "model"))
    assert document.epochs == 2
    lines = [EpochLine.model_validate_json(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [line.epoch for line in lines] == [1, 2]
    assert [line.valid_accuracy for line in lines if line.best][-1] == document.best.accuracy


@pytest.mark.parametrize("split", ["train", "valid", "test"])
def test_eval(dmn: Dmn, trained: tuple[Path, str], split: str) -> None:
    run, _ = trained
    document = Evaluated.model_validate_json(dmn("eval", run, DATA, "--split", split, "--json").out)
    assert (document.model, document.data, document.split) == (str(run), str(DATA), split)
    assert document.tasks.keys() == {"tags", "where"}
    plain = {"accuracy", "questions", "loss", "ece", "ece_uncalibrated", "macro_f1", "classes", "confusions"}
    assert document.tasks["tags"].model_fields_set == {*plain, "answers", "exact"}
    assert document.tasks["where"].model_fields_set == {*plain, "gate_precision", "gate_recall"}
    assert sum(one.questions for one in document.calibration.bins) == document.questions
    for task in document.tasks.values():
        assert task.classes
        asked = sum(one.count for one in task.classes)
        wrong = sum(one.count for one in task.confusions or [])
        assert asked == (task.answers if task.answers > 1 else task.questions)
        assert 1 - wrong / asked == pytest.approx(task.accuracy)
    assert document.questions == sum(task.questions for task in document.tasks.values())
    assert document.accuracy + document.mean_error == pytest.approx(1)


@pytest.mark.parametrize("wrong", ['{"accuracy": "1"}', '{"accuracy": 1.5}', '{"accuracy": null}', '{"extra": 1}'])
def test_a_schema_sees_what_is_wrong(wrong: str) -> None:
    right = {"accuracy": 0.5, "questions": 2, "loss": 0.1, "ece": 0.1, "ece_uncalibrated": 0.2}
    Task.model_validate(right)
    with pytest.raises(ValidationError):
        Task.model_validate({**right, **json.loads(wrong)})
