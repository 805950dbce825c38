"""dmn train: what it takes, what it says, and how it is interrupted and resumed."""

import json
import re
import shlex
import signal
from pathlib import Path

import pytest
from commands import filled_in, seen
from conftest import Dmn, Process, Result, fails, until_first_epoch

SMALL = ("--set=model.hidden=8", "--set=training.steps=30")


def test_json_of_train(dmn: Dmn, world: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    sets = ("--epochs", 2, "--set=model.hidden=4", "--set=training.steps=1")
    result = dmn("train", world, "--out", out, *sets, "--json", "--quiet")
    assert (result.code, result.err) == (0, "")
    assert result.document["run"] == str(out)
    assert Path(result.document["model"], "model.safetensors").is_file()
    assert result.document["epochs"] == 2
    assert 0 <= result.document["best"]["accuracy"] <= 1


def test_progress_on_a_terminal_is_on_stderr(dmn: Dmn, tmp_path: Path) -> None:
    data, run = tmp_path / "data", tmp_path / "run"
    prepare = ("prepare", "story", "--tasks", "1", "--questions", 50, "--out", data, "--json")
    train = ("train", data, "--out", run, "--epochs", 2, "--set=model.hidden=4", "--set=training.steps=1", "--json")
    assert dmn(*prepare, terminal=True).document["tasks"] == ["qa1"]
    result = dmn(*train, terminal=True)
    assert result.document["epochs"] == 2
    assert re.search(r"^ +2 .* % +[0-9.]+", seen(result), re.MULTILINE)
    assert dmn(*train, "--force", "--quiet", terminal=True).err == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_training_goes_on_as_it_said(
    dmn: Dmn, dmn_process: Process, world: Path, tmp_path: Path, number: signal.Signals
) -> None:
    run = tmp_path / "my run"
    process = dmn_process("train", world, "--out", run, "--epochs", 4, "--device", "cpu", *SMALL)
    until_first_epoch(process)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    fails(Result(process.returncode, out.decode(), err.decode()), 128 + number, "saved")
    [command] = re.findall("Continue with: (.*)", err.decode())
    name, *words = shlex.split(command)
    assert name == "dmn"
    assert dmn(*words).code == 0
    logged = [json.loads(line)["epoch"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert logged == list(range(1, 5))


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("train WORLD --out NEW --set model.hiden=3", "Did you mean model.hidden?"),
        ("train WORLD --out NEW --set hidden=3", "Did you mean model.hidden?"),
        ("train WORLD --out NEW --set model.hidden", "KEY=VALUE"),
        ("train WORLD --out NEW --set model.hidden=0", "model.hidden"),
        ("train WORLD --out NEW --set model.hidden=wide", "model.hidden"),
        ("train WORLD --out NEW --set training.batch_size=1000000000000", "less than or equal to 1000000, or 'auto'"),
        ("train WORLD --out NEW --preset dmn-pls", "Did you mean dmn-plus?"),
        ("train WORLD --out NEW --config NEW.toml", "NEW.toml"),
        ("train WORLD --out NEW --device gpu", "cuda:N"),
        ("train WORLD --out NEW --device cuda:²", "cuda:N"),
        ("train WORLD --out NEW --resume", "no run to resume"),
        ("train WORLD --out RUN --resume --seed 2", "--resume"),
        ("train WORLD --out RUN --resume", "--epochs N, more than"),
        ("train --out RUN --resume", "--epochs N, more than"),
        ("train WORLD WORLD/../data --out NEW", "is the same data set as"),
        ("train --out NEW", "DATA is missing"),
        ("train --out NEW --resume", "no run to resume"),
        ("prepare jsonl NEW.jsonl --out NEW --tokenizer spcy", "'--tokenizer': 'spcy' is not one of 'spacy'"),
        ("train WORLD --out RUN", "Continue it with --resume"),
    ],
)
def test_a_mistake_on_the_command_line(
    dmn: Dmn, run: Path, world: Path, tmp_path: Path, command: str, said: str
) -> None:
    new = tmp_path / "NEW"
    fails(dmn(*filled_in(command, RUN=run, WORLD=world, NEW=new)), 2, said)
    assert not new.exists()


@pytest.mark.parametrize(
    "toml", ["preset = 5", "preset = ['dmn']", "model = 5", "[model]\nhidden = 'wide'", "[model]\nhiden = 3", "[", "é"]
)
def test_a_configuration_that_does_not_fit(dmn: Dmn, world: Path, tmp_path: Path, toml: str) -> None:
    config = tmp_path / "config.toml"
    config.write_bytes(toml.encode("latin-1"))
    fails(dmn("train", world, "--out", tmp_path / "run", "--config", config), 2)


def test_a_training_that_diverges(dmn: Dmn, world: Path, tmp_path: Path) -> None:
    settings = ("--epochs", 1, "--set=model.hidden=4", "--set=training.steps=1", "--set=training.learning_rate=1e30")
    run = tmp_path / "run"
    fails(dmn("train", world, "--out", run, *settings, "--json"), 5, "training.learning_rate", "non_finite.jsonl")
    asked = [json.loads(line) for line in (run / "non_finite.jsonl").read_text().splitlines()]
    assert len({(one["epoch"], one["step"]) for one in asked}) == 1  # those of one batch
    assert all(one["story"] and one["question"].startswith("Where") for one in asked)


def test_data_that_is_not_there(dmn: Dmn, tmp_path: Path) -> None:
    fails(dmn("train", tmp_path / "nowhere", "--out", tmp_path / "new"), 3, "nowhere", "dmn prepare")


def test_a_device_that_is_not_there(dmn: Dmn, world: Path, tmp_path: Path) -> None:
    fails(dmn("train", world, "--out", tmp_path / "new", "--device", "cuda:99"), 5, "cuda:99", "cpu")


@pytest.mark.usefixtures("little_memory")
def test_a_network_too_big_for_the_memory(dmn: Dmn, world: Path, tmp_path: Path) -> None:
    fails(dmn("train", world, "--out", tmp_path / "run", "--set", "model.hidden=65_536"), 5, "memory")


def test_what_a_training_says_fits_80_columns(dmn: Dmn, world: Path, tmp_path: Path) -> None:
    """Also with names that change and gates that are taught, up to its last epoch, of which there is only one."""
    result = dmn(
        "train", world, "--out", tmp_path / "run", "--epochs", 3, "--set=model.hidden=8", "--set=training.steps=1"
    )
    said = (result.err + result.out).replace(str(tmp_path), "runs").replace(str(world), "data")
    assert max(map(len, said.splitlines())) <= 80
    [header] = [line for line in said.splitlines() if line.startswith("epoch ")]
    assert header.split() == ["epoch", "time", "loss", "gates", "validation", "loss", "other", "names", "max", "left"]
    epochs = [line for line in said.splitlines() if re.match(r" +\d+ +\d+ s ", line)]
    assert [line.split()[0] for line in epochs] == ["1", "2", "3"]
    logged = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    for line, epoch in zip(epochs, logged, strict=True):
        assert f"{epoch['loss']:.4f}  {epoch['gate_loss']:.4f}" in line
        assert f"{100 * epoch['valid_accuracy']:.2f} %" in line
        assert line.endswith("best") == epoch["best"]
    assert re.search(r" % +\d+ (s|min)( +best)?$", epochs[0])  # and of the last one nothing is left
    assert not re.search(r" % +\d+ (s|min)( +best)?$", epochs[2])


def test_one_epoch_is_one_epoch(dmn: Dmn, world: Path, tmp_path: Path) -> None:
    result = dmn(
        "train", world, "--out", tmp_path / "run", "--epochs", 1, "--set=model.hidden=4", "--set=training.steps=1"
    )
    assert re.search(r"^Done after 1 epoch, \d+ s: 1 epoch is done\.$", result.out, re.MULTILINE)
    assert "1 epochs" not in result.out + result.err
