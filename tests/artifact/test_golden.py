"""Files of each format version are committed, and whatever dmn becomes, it reads them.

Those of a new version are made with `python tests/golden/make.py` and added; the others stay as they are.
"""

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from conftest import Dmn

from dmn_cli.data.store.reader import DataSet
from dmn_cli.records.text import Form
from dmn_cli.settings.load import load
from dmn_cli.training.seeds import Seeds
from dmn_cli.training.tuning.search import Search

SOURCE = Path(__file__).parents[2] / "src" / "dmn_cli"
GOLDEN = Path(__file__).parents[1] / "golden"
MODELS = sorted(GOLDEN.glob("model-*"))  # -text: what reads text, with the weights that it had by 2026-11-27
DATA = sorted(GOLDEN.glob("data-*"))
RUNS = sorted(path for path in GOLDEN.glob("run-*") if path.is_dir())

# Where each format is, and a golden file of each of its versions, from 1. None: dmn never reads what it wrote, or it
# was given up before there were golden files.
FORMATS = {
    "artifact/onnx/export.py": [None],
    "artifact/stored.py": ["model-1", "model-2"],
    "artifact/trained_on.py": ["run-3/data.json"],
    "data/formats/babi_files.py": [None],
    "data/store/layout.py": ["data-1"],
    "data/text/store.py": ["reading-1/text"],
    "data/words/rules.py": ["data-1/rules.json"],
    "data/words/vocabulary.py": ["data-1/vocabulary.json"],
    "training/checkpoint.py": [None, "run-2", "run-3", "run-4"],
    "training/reading.py": ["reading-1", "reading-2", "reading-3"],
    "training/seeds.py": ["seeds-1"],
    "training/start.py": ["start-1", "start-2"],
    "training/to_read.py": ["reading-1/reading.json"],
    "training/tuning/search.py": ["tune-1"],
}


def test_every_version_of_every_format_has_a_golden_file() -> None:
    versions = {}
    for path in sorted(SOURCE.rglob("*.py")):
        if match := re.search(r"^FORMAT_VERSION = (\d+)", path.read_text(encoding="utf-8"), re.MULTILINE):
            versions[path.relative_to(SOURCE).as_posix()] = int(match[1])
    assert versions == {name: len(golden) for name, golden in FORMATS.items()}
    assert not [name for golden in FORMATS.values() for name in golden if name and not (GOLDEN / name).exists()]


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
    assert answer["facts"] == ["Mary is in the attic .", "John is in the garden ."]


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.name)
def test_a_run_goes_on_to_where_it_would_have_got(dmn: Dmn, path: Path, tmp_path: Path) -> None:
    run = shutil.copytree(path, tmp_path / "run")
    result = dmn("train", GOLDEN / "data-1", "--out", run, "--resume", "--device", "cpu", "--json")
    assert result.code == 0, result.err
    recorded = json.loads(path.with_suffix(".json").read_text())
    last = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    assert {key: last[key] for key in recorded} == pytest.approx(recorded, rel=1e-3)


@pytest.mark.parametrize("name", FORMATS["training/reading.py"])
def test_a_run_goes_on_reading(dmn: Dmn, tmp_path: Path, name: str) -> None:
    run = shutil.copytree(GOLDEN / name, tmp_path / "run")
    assert dmn("info", run / "text", "--json").document["words"] == 480
    result = dmn("train", GOLDEN / "data-1", "--out", run, "--resume", "--epochs", 1, "--device", "cpu", "--json")
    assert result.code == 0, result.err
    [read] = dmn("info", run, "--json").document["model"]["read"]
    assert (read["name"], read["words"]) == ("text.txt", 480)


@pytest.mark.parametrize("name", FORMATS["training/start.py"])
def test_a_training_starts_from_what_was_read(dmn: Dmn, tmp_path: Path, name: str) -> None:
    asked = ("--set", "model.hidden=6", "--set", "model.sentence=gru", "--epochs", 1, "--device", "cpu", "--json")
    read = GOLDEN / name
    result = dmn("train", GOLDEN / "data-1", "--out", tmp_path / "run", "--start-from", read, *asked)
    assert result.code == 0, result.err
    assert "begins with the vectors of" in result.err


def test_several_trainings_know_what_came_of_them(tmp_path: Path) -> None:
    data, settings = [DataSet(GOLDEN / "data-1")], load()
    seeds = Seeds.resume(data, shutil.copytree(GOLDEN / "seeds-1", tmp_path / "seeds"), settings)
    assert (seeds.open, seeds.best.seed, seeds.worst.seed) == ([], 2, 1)
    search = Search.resume(
        data, shutil.copytree(GOLDEN / "tune-1", tmp_path / "tune"), settings, None, torch.device("cpu")
    )
    assert [trial.last.questions for trial in search.trials] == [39] * 10
