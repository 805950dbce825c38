"""dmn train --restarts and --ensemble: seeds from one on, of which the best is kept, or all as one model."""

import json
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from commands import QUESTION
from conftest import Dmn, Result, fails
from schemas import AnsweredLine, Evaluated, SeedsTrained
from test_train_seeds import BROKEN_OFF, OPTIONS, model, without_seconds

from dmn_cli.artifact import directory
from dmn_cli.errors import ModelError
from dmn_cli.model.ensemble import Ensemble


@pytest.fixture(scope="module")
def restarts(dmn: Dmn, world: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """Two seeds, of which the best is kept, and what was printed."""
    run = tmp_path_factory.mktemp("restarts") / "run"
    result = dmn("train", world, "--out", run, "--restarts", 2, "--seed", 0, *OPTIONS, "--json")
    assert result.code == 0, result.err
    return run, result


@pytest.fixture(scope="module")
def ensemble(dmn: Dmn, world: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """Both of them as one, and what was printed."""
    run = tmp_path_factory.mktemp("ensemble") / "run"
    result = dmn("train", world, "--out", run, "--ensemble", 2, "--seed", 0, *OPTIONS, "--json")
    assert result.code == 0, result.err
    return run, result


def test_restarts_are_seeds_from_one_on(dmn: Dmn, world: Path, restarts: tuple[Path, Result], tmp_path: Path) -> None:
    run, result = restarts
    said = SeedsTrained.model_validate_json(result.out)
    assert [one.seed for one in said.seeds] == [0, 1]
    seeds = tmp_path / "run"
    assert dmn("train", world, "--out", seeds, "--seeds", "0-1", *OPTIONS).code == 0
    for name in ("config.toml", "seeds.json"):
        one, other = ((folder / name).read_text() for folder in (run, seeds))
        assert one == other if name == "config.toml" else without_seconds(one) == without_seconds(other)
    assert model(run) == model(seeds) == model(run / f"seed-{said.best.seed}")


def test_the_model_has_all_networks(dmn: Dmn, world: Path, ensemble: tuple[Path, Result]) -> None:
    run, result = ensemble
    said = SeedsTrained.model_validate_json(result.out)
    assert said.ensemble
    network = directory.load(run).network
    assert isinstance(network, Ensemble)
    for seed, member in enumerate(network.members):
        alone = directory.load(run / f"seed-{seed}").network.state_dict()
        assert all((weights == alone[name]).all() for name, weights in member.state_dict().items())
    config = json.loads((run / "model" / "config.json").read_text())
    assert (config["format_version"], config["ensemble"]) == (2, 2)
    card = (run / "model" / "README.md").read_text()
    assert "2 Dynamic Memory Networks that answer as one" in card
    assert "about 2 times as long" in card
    valid = Evaluated.model_validate_json(dmn("eval", run, world, "--split", "valid", "--json").out)
    assert valid.accuracy == said.ensemble.accuracy
    assert valid.tasks["qa1"].loss == pytest.approx(said.ensemble.loss, rel=1e-5)


def test_it_is_asked_as_one_network_is(dmn: Dmn, ensemble: tuple[Path, Result], story: Path) -> None:
    run, _ = ensemble
    asked = ("--story", story, "--question", QUESTION)
    answer, *members = (
        dmn("ask", folder, *asked, "--json").document for folder in (run, run / "seed-0", run / "seed-1")
    )
    for fact, gates in enumerate(zip(*answer["gates"], strict=True)):
        for t, gate in enumerate(gates):
            mean = sum(member["gates"][t][fact] for member in members) / 2
            assert gate == pytest.approx(mean, abs=1e-5)
    why = dmn("ask", run, *asked, "--why").out
    assert re.search(rf"went to the kitchen\. .* {answer['gates'][0][0]:.2f}", why)
    golden = (run / "model" / "golden.jsonl").read_text()
    said = dmn("ask", run, "--batch", "-", stdin=golden.encode())
    for line, was in zip(said.out.splitlines(), map(json.loads, golden.splitlines()), strict=True):
        now = AnsweredLine.model_validate_json(line)
        assert (now.id, now.answer) == (was["id"], was["answer"])
        assert now.confidence == pytest.approx(was["confidence"], abs=1e-5)


def test_what_a_person_is_told(dmn: Dmn, world: Path, ensemble: tuple[Path, Result]) -> None:
    run, result = ensemble
    told = dmn("train", world, "--out", run, "--resume", "--quiet").out
    accuracy = 100 * result.document["ensemble"]["accuracy"]
    assert f"has all 2 networks: {accuracy:.2f} % of validation, and about 2 times as long to answer." in " ".join(
        told.split()
    )


def test_a_killed_one_goes_on_to_the_same_model(
    dmn: Dmn, world: Path, ensemble: tuple[Path, Result], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    words = ["train", world, "--out", run, "--ensemble", 2, "--seed", 0, *OPTIONS]
    program = [sys.executable, "-c", BROKEN_OFF, *map(str, (int(signal.SIGKILL), *words))]
    assert subprocess.run(program, check=False, capture_output=True).returncode == -signal.SIGKILL
    fails(dmn("eval", run, world), 4, "still in training")
    assert dmn("train", "--out", run, "--resume").code == 0  # with the data that it began with
    assert model(run) == model(ensemble[0])
    record, uninterrupted = ((folder / "seeds.json").read_text() for folder in (run, ensemble[0]))
    assert without_seconds(record) == without_seconds(uninterrupted)


def test_what_is_kept_can_be_changed(
    dmn: Dmn, world: Path, restarts: tuple[Path, Result], ensemble: tuple[Path, Result], tmp_path: Path
) -> None:
    """Nothing is trained for that."""
    run = Path(shutil.copytree(restarts[0], tmp_path / "run"))
    result = dmn("train", world, "--out", run, "--resume", "--ensemble", 2, "--json")
    assert result.document["ensemble"] == ensemble[1].document["ensemble"]
    assert model(run) == model(ensemble[0])
    result = dmn("train", world, "--out", run, "--resume", "--restarts", 2, "--json")
    assert "ensemble" not in result.document
    assert model(run) == model(restarts[0])
    result = dmn("train", world, "--out", run, "--resume", "--restarts", 3, "--json")
    assert [one["seed"] for one in result.document["seeds"]] == [0, 1, 2]
    assert result.document["seeds"][:2] == restarts[1].document["seeds"]


@pytest.mark.parametrize("networks", [0, -1, 3, 10**12, "2", True, None])
def test_another_number_of_networks_is_damage(ensemble: tuple[Path, Result], tmp_path: Path, networks: object) -> None:
    folder = Path(shutil.copytree(ensemble[0] / "model", tmp_path / "model"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"ensemble": networks}))
    with pytest.raises(ModelError, match="damaged"):
        directory.load(folder)
