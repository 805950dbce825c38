"""dmn info: what a run, a model, a data set or a text is; nothing that is damaged passes for whole."""

import json
import shutil
from pathlib import Path

import pytest
from commands import cut_in_half, flip_a_byte
from conftest import Dmn, fails
from schemas import InfoOfModel, InfoOfRun, NoModelYet

from dmn_cli.artifact import directory
from dmn_cli.data.store.reader import DataSet
from dmn_cli.reporting.info import differences

GOLDEN = Path(__file__).parents[1] / "golden"


def test_a_run(dmn: Dmn, run: Path, world: Path) -> None:
    about = InfoOfRun.model_validate_json(dmn("info", run, "--json").out)
    assert {key: one.value for key, one in about.changed.items()} == {
        "model.hidden": 32,
        "model.dropout": 0,
        "training.batch_size": 128,
        "training.steps": 50,
        "training.learning_rate": 0.01,
        "training.gate_supervision": "ordered",
        "training.epochs": 10,
    }
    assert about.changed["model.hidden"].preset == 80
    [data] = about.data
    assert (Path(data.path), data.fingerprint, data.state) == (world, DataSet(world).fingerprint, "unchanged")
    last = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    assert about.training
    assert (about.training.epochs, about.training.seconds) == (last["epoch"], last["seconds"])
    assert isinstance(about.model, InfoOfModel)
    metrics = json.loads((run / "model" / "metrics.json").read_text())
    assert about.training.best.accuracy == metrics["accuracy"] == about.model.validation["accuracy"]


def test_a_model_counts_what_its_network_has(dmn: Dmn, model: Path) -> None:
    about = InfoOfModel.model_validate_json(dmn("info", model, "--json").out)
    loaded = directory.load(model)
    assert about.weights == sum(weight.numel() for weight in loaded.network.state_dict().values())
    assert about.bytes == sum(file.stat().st_size for file in model.iterdir())
    assert about.tasks == ["qa1"]
    assert sorted(name for kind in about.names for name in kind.known if name in ("mary", "garden")) == [
        "garden",
        "mary",
    ]
    spares = sum(kind.spares for kind in about.names)
    assert about.words == len(loaded.vocabulary.words) - 2 - spares
    assert about.answers == 6  # the rooms


def test_what_a_person_reads_fits_80_columns(dmn: Dmn, run: Path, world: Path) -> None:
    shown = dmn("info", run).out
    for line in (
        "preset      dmn-plus",
        "changed     model.hidden = 32 (preset: 80)",
        "tasks       qa1",
        "words       by spacy, language en, lower case",
    ):
        assert line in shown.splitlines()
    assert f"{world} ({DataSet(world).fingerprint})" in " ".join(shown.split())
    assert max(len(line) for line in shown.replace(str(world), "DATA").replace(str(run), "RUN").splitlines()) <= 80


def test_a_data_set(dmn: Dmn, world: Path) -> None:
    about = dmn("info", world, "--json").document
    assert (about["kind"], about["tasks"], about["fingerprint"]) == ("data", ["qa1"], DataSet(world).fingerprint)
    assert about["splits"]["train"]["questions"] == 450
    assert "format_version" not in about
    assert "\nfingerprint  " in dmn("info", world).out


def test_a_text(dmn: Dmn, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("The dog barks. The cat sleeps.\n", encoding="utf-8")
    assert dmn("prepare", "text", tmp_path / "text.txt", "--out", tmp_path / "text").code == 0
    about = dmn("info", tmp_path / "text", "--json").document
    assert (about["kind"], about["sentences"], about["words"]) == ("text", 2, 8)
    assert "8 words" in dmn("info", tmp_path / "text").out


def test_all_golden_models_can_be_told(dmn: Dmn) -> None:
    for model in GOLDEN.glob("model-*"):
        about = InfoOfModel.model_validate_json(dmn("info", model, "--json").out)
        assert about.networks == directory.load(model).ensemble


def test_a_run_whose_data_went_or_changed(dmn: Dmn, run: Path, world: Path, tmp_path: Path) -> None:
    copied, data = Path(shutil.copytree(run, tmp_path / "run")), tmp_path / "data"
    record = json.loads((copied / "data.json").read_text())
    record["data"][0]["path"] = str(data)
    (copied / "data.json").write_text(json.dumps(record))
    assert dmn("info", copied, "--json").document["data"][0]["state"] == "gone"
    assert "; not there any more)" in dmn("info", copied).out
    shutil.copytree(world, data)
    with (data / "vocabulary.json").open("a") as file:
        file.write("\n")
    assert dmn("info", copied, "--json").document["data"][0]["state"] == "changed"


def test_a_run_that_has_no_model_yet(dmn: Dmn, run: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(run, tmp_path / "run"))
    shutil.rmtree(copied / "model")
    (copied / "metrics.jsonl").write_text("")
    about = InfoOfRun.model_validate_json(dmn("info", copied, "--json").out)
    assert isinstance(about.model, NoModelYet)
    assert about.training is None
    assert "validation is still to come" in dmn("info", copied).out


def test_a_run_of_several_seeds(dmn: Dmn, world: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    trained = dmn(
        "train",
        world,
        "--out",
        run,
        "--seeds",
        "1,2",
        "--epochs",
        1,
        "--set=model.hidden=8",
        "--set=training.steps=1",
        "--json",
    )
    about = InfoOfRun.model_validate_json(dmn("info", run, "--json").out)
    assert about.seeds
    assert about.seeds["mean"] == trained.document["mean"]
    shown = dmn("info", run).out
    assert f"mean {100 * trained.document['mean']:.2f} % ± " in shown


@pytest.mark.parametrize("name", ["model.safetensors", "vocabulary.json", "rules.json"])
def test_a_damaged_model(dmn: Dmn, model: Path, name: str) -> None:
    flip_a_byte(model / name, 20)
    fails(dmn("info", model), 4, "is damaged", name)


@pytest.mark.parametrize("name", ["config.json", "metrics.json"])
def test_a_model_with_a_file_cut_off(dmn: Dmn, model: Path, name: str) -> None:
    cut_in_half(model / name)
    fails(dmn("info", model, "--json"), 4, "damaged")


def test_damaged_data(dmn: Dmn, damaged: Path) -> None:
    flip_a_byte(damaged / "test.arrow", 500)
    fails(dmn("info", damaged), 3, "is damaged", "test.arrow")
    (damaged / "test.arrow").unlink()
    fails(dmn("info", damaged), 3, "is missing", "test.arrow")


def test_what_is_neither(dmn: Dmn, tmp_path: Path) -> None:
    fails(dmn("info", tmp_path), 2, "neither a run nor a model nor a data set")
    fails(dmn("info", tmp_path / "nothing", "--json"), 2, "there is no such run or data set")


def test_only_what_differs_is_told() -> None:
    usual = {"preset": "x", "model": {"passes": 3, "gates": "auto"}}
    found = differences({"preset": "y", "model": {"passes": 3, "gates": "softmax", "new": 1}}, usual)
    assert found == {
        "model.gates": {"value": "softmax", "preset": "auto"},
        "model.new": {"value": 1, "preset": None},
    }
