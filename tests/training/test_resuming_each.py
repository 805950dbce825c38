"""Every preset: a training that stopped after an epoch and goes on ends as one that never stopped, bit for bit."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Dmn
from test_training import assert_equal

from dmn_cli.data.store.reader import DataSet
from dmn_cli.settings.load import load, presets
from dmn_cli.training.checkpoint import found
from dmn_cli.training.checkpoint import load as load_checkpoint
from dmn_cli.training.loop import Training

CPU = torch.device("cpu")
LEARNS_FROM = {
    **dict.fromkeys(("text", "bi-lstm", "sentence-cnn", "dcnn"), "texts"),
    **dict.fromkeys(("tree-lstm", "rntn", "mv-rnn", "drnn"), "trees"),
    "dmn-image": "pictures",
}  # all others from stories
SMALL = {"model.hidden": 8, "training.epochs": 2, "training.batch_size": 8, "training.steps": 3}
ALSO: dict[str, dict[str, Any]] = {
    "dcnn": {"model.maps": [2, 2]},
    "dmn": {"training.answers_from_epoch": 2},  # what changes between the epochs
    "dmn-image": {"model.channels": 4, "training.batch_size": 100},
    "memn2n": {"model.linear_start": 1},  # so does that
    "sentence-cnn": {"model.maps": 3, "model.channels": "multichannel"},  # of which one is never trained
}


@pytest.fixture(scope="module")
def data(dmn: Dmn, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a data set of each kind."""
    folder = tmp_path_factory.mktemp("data")
    said = [f"({n} (2 {thing}) ({n} (2 is) ({n} {n})))" for thing in ("it", "she") for n in range(5)]
    (folder / "treebank").mkdir()
    for split in ("train", "dev", "test"):
        (folder / "treebank" / f"{split}.txt").write_text("\n".join(said), encoding="utf-8")
    text = {"question": "which ?", "task": "two"}
    asked = [text | {"story": [f"{a} {b}"], "answer": a} for a in "xy" for b in "abcd"]
    lines = [json.dumps(one | {"split": split}) for split in ("train", "valid") for one in asked]
    (folder / "texts.jsonl").write_text("\n".join(lines), encoding="utf-8")
    for name, *words in (
        ("stories", "story", "--tasks", 1, "--questions", 30),
        ("texts", "jsonl", folder / "texts.jsonl"),
        ("trees", "sst", folder / "treebank", "--trees"),
        ("pictures", "image", "--make", "sort-of-clevr", "--pictures", 20, "--grid", 2),
    ):
        prepared = dmn("prepare", *words, "--out", folder / name, "--quiet")
        assert prepared.code == 0, prepared.err
    return folder


@pytest.mark.parametrize("preset", presets())
def test_it_ends_as_if_it_had_never_stopped(data: Path, preset: str, tmp_path: Path) -> None:
    settings = load(preset, overrides=[*(SMALL | ALSO.get(preset, {})).items()])

    def training(run: Path) -> Training:
        return Training([DataSet(data / LEARNS_FROM.get(preset, "stories"))], run, settings, CPU)

    whole = tmp_path / "whole"
    job = training(whole)
    job.begin()
    list(job.events())
    stopped = Path(shutil.copytree(whole, tmp_path / "stopped"))
    found(stopped)[0].unlink()
    job = training(stopped)
    job.resume()
    assert job.state.epoch == 2
    list(job.events())
    one, other = (load_checkpoint(found(run)[0], CPU) for run in (stopped, whole))
    assert_equal(one.network, other.network)
    assert (one.best, one.steps) == (other.best, other.steps)
    assert (stopped / "model/model.safetensors").read_bytes() == (whole / "model/model.safetensors").read_bytes()
