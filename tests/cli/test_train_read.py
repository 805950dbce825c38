"""dmn train --read and --start-from, as a user writes them."""

import json
import os
import re
import shlex
import signal
import time
from pathlib import Path

import pytest
import torch
from commands import filled_in
from conftest import Dmn, Process, Result, fails

from dmn_cli.training.start import Start

SMALL = ("--set=model.hidden=8", "--set=model.sentence=gru", "--epochs=1", "--set=training.steps=1", "--device=cpu")


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("text") / "plain.txt"
    names = ("mary", "john", "sandra", "daniel")
    lines = (f"{names[i % 4]} went to the {('market', 'river')[i % 3 == 0]} .\n" for i in range(3000))
    path.write_text("".join(lines))
    return path


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory, dmn: Dmn) -> Path:
    """Another data set."""
    out = tmp_path_factory.mktemp("data") / "other"
    assert dmn("prepare", "story", "--tasks", "6", "--questions", "200", "--out", out, "--quiet").code == 0
    return out


def test_it_reads_and_another_training_starts_from_it(dmn: Dmn, world: Path, text: Path, tmp_path: Path) -> None:
    result = dmn("train", world, "--out", tmp_path / "run", "--read", text, "--extra-words", 1, *SMALL, "--json")
    assert result.code == 0, result.err
    assert re.search(r"^reading 17,\d+ words, ", result.err, re.MULTILINE)
    assert re.search(r"perplexity \d+\.\d held out", result.err)
    model = json.loads((tmp_path / "run" / "model" / "config.json").read_text())
    assert [(one["name"], one["words"]) for one in model["read"]] == [("plain.txt", 18_000)]
    words = json.loads((tmp_path / "run" / "model" / "vocabulary.json").read_text())["words"]
    assert "market" in words
    assert "river" not in words, "one extra word was asked for, and the market is mentioned more often"
    [line] = (tmp_path / "run" / "reading.jsonl").read_text().splitlines()
    assert json.loads(line)["perplexity"] < 60

    again = dmn("train", world, "--out", tmp_path / "new", "--start-from", tmp_path / "run", *SMALL)
    assert again.code == 0, again.err
    assert re.search(r"begins with the vectors of \d+ words, input module, question module", again.err)
    assert json.loads((tmp_path / "new" / "model" / "config.json").read_text())["read"] == model["read"]
    assert dmn("eval", tmp_path / "new", world).code == 0
    learnt, taken = (Start.load(tmp_path / name) for name in ("run", "new"))
    assert learnt
    assert taken
    assert torch.equal(taken.vectors, learnt.vectors), "what was read, without what the run was then trained on"

    trained = dmn("train", world, "--out", tmp_path / "third", "--start-from", tmp_path / "run" / "model", *SMALL)
    assert trained.code == 0, trained.err
    of_model = Start.load(tmp_path / "third")
    assert of_model
    assert not torch.equal(of_model.vectors, learnt.vectors)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_reading_goes_on_as_it_said(
    dmn: Dmn, dmn_process: Process, world: Path, other: Path, text: Path, tmp_path: Path, number: signal.Signals
) -> None:
    run = tmp_path / "run"
    long = ("--set=reading.epochs=40", "--set=reading.words=512")
    process = dmn_process("train", world, "--out", run, "--read", text, *SMALL, *long)
    assert process.stderr
    while not (said := process.stderr.readline()).startswith(b"reading"):
        assert said, "it ended before it read"
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    fails(Result(process.returncode, out.decode(), err.decode()), 128 + number, "words were read; everything is saved")
    [command] = re.findall("Continue with: (.*)", err.decode())
    _, *words = shlex.split(command)
    before = {path.name: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    fails(dmn("train", other, "--out", run, "--resume"), 2, "trained on other data", "other is new")
    fails(dmn("train", world, other, "--out", run, "--resume"), 2, "trained on other data", "other is new")
    assert {path.name: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    config = (run / "config.toml").read_text()
    assert "[reading]\nepochs = 40" in config
    (run / "config.toml").write_text(config.replace("words = 512", "words = 4096"))
    fails(dmn(*words), 2, "the settings have changed since: reading.words was 512, is 4096")
    (run / "config.toml").write_text(config)
    result = dmn(*words)
    assert result.code == 0, result.err
    assert re.search(r"resuming at word [\d,]+", result.err)
    assert (run / "model" / "config.json").is_file()


def test_what_a_reading_is_resumed_with_stays(
    dmn: Dmn, dmn_process: Process, world: Path, text: Path, tmp_path: Path
) -> None:
    """How many epochs it shall have then, though it is stopped again before the first of them."""
    run, long = tmp_path / "run", ("--set=reading.epochs=40", "--set=reading.words=512")
    for options in (("--read", text, *SMALL, *long), ("--resume", "--epochs", 2)):
        process = dmn_process("train", world, "--out", run, *options)
        assert process.stderr
        while not (said := process.stderr.readline()).startswith(b"reading"):
            assert said, "it ended before it read"
        process.terminate()
        process.communicate(timeout=60)
        assert process.returncode == 143
    assert "[training]\nepochs = 2\n" in (run / "config.toml").read_text()


def test_a_text_that_cannot_be_read_leaves_no_run(dmn: Dmn, world: Path, text: Path, tmp_path: Path) -> None:
    run, wrong = tmp_path / "run", tmp_path / "wrong.txt"
    for content, *said in (
        (b"caf\xe9\n", "wrong.txt:1", "UTF-8"),
        (b"", "fewer than two sentences"),
        (b"xyzzy xyzzy\n" * 99, "wrong.txt", "no word that the model knows", "--extra-words"),
    ):
        wrong.write_bytes(content)
        fails(dmn("train", world, "--out", run, "--read", wrong, "--extra-words", 0, *SMALL), 3, *said)
        assert not run.exists()
    os.mkfifo(tmp_path / "pipe")
    for path, said in ((tmp_path / "pipe", "is a pipe"), (Path("/dev/null"), "is no file")):
        fails(dmn("train", world, "--out", run, "--read", path, *SMALL), 2, said)
    assert not run.exists()
    assert dmn("train", world, "--out", run, "--read", text, *SMALL).code == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_texts_are_split(
    dmn_process: Process, world: Path, tmp_path: Path, number: signal.Signals
) -> None:
    (tmp_path / "long.txt").write_text("Mary went to the market with John and Sandra .\n" * 100_000)
    run = tmp_path / "run"
    process = dmn_process("train", world, "--out", run, "--read", tmp_path / "long.txt", *SMALL)
    while not [*run.glob(".text.*")]:
        assert process.poll() is None, "it ended before it split texts"
        time.sleep(0.01)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    fails(Result(process.returncode, out.decode(), err.decode()), 128 + number, "while texts were split", "--resume")
    assert not [*run.glob(".text.*")]
    assert not (run / ".lock").exists()


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ("train WORLD --out NEW --read TEXT", 2, "--set model.sentence=gru"),
        ("train WORLD --out NEW --read NOWHERE --set model.sentence=gru", 2, "there is no such file"),
        ("train WORLD --out NEW --extra-words 5", 2, "--read"),
        ("train WORLD --out NEW --read TEXT --seeds 1-3", 2, "--start-from RUN --seeds"),
        ("train WORLD --out NEW --read TEXT --tune 10k-questions", 2, "can't be given together"),
        ("train WORLD --out NEW --start-from NOWHERE", 4, "there is no model"),
        ("train WORLD --out NEW --start-from RUN --set model.hidden=8", 2, "--set model.hidden=32"),
        ("train WORLD --out RUN --resume --read TEXT", 2, "--resume continues with the run's own settings"),
        ("train WORLD --out NEW --set reading.epoch=3", 2, "Did you mean reading.epochs?"),
        ("train WORLD --out NEW --set reading.epochs=0", 2, "reading.epochs"),
    ],
)
def test_a_mistake_on_the_command_line(
    dmn: Dmn, run: Path, world: Path, text: Path, tmp_path: Path, command: str, code: int, said: str
) -> None:
    new = tmp_path / "NEW"
    words = filled_in(command, RUN=run, WORLD=world, NEW=new, TEXT=text, NOWHERE=tmp_path / "nowhere")
    fails(dmn(*words), code, said)
    assert not new.exists()


def test_a_text_is_prepared_once_for_many_trainings(dmn: Dmn, world: Path, text: Path, tmp_path: Path) -> None:
    made = dmn("prepare", "text", text, "--out", tmp_path / "text", "--json")
    assert made.code == 0, made.err
    assert made.document == {"text": str(tmp_path / "text"), "words": 18_000, "sentences": 3000, "distinct": 10}
    result = dmn("train", world, "--out", tmp_path / "run", "--read", tmp_path / "text", *SMALL)
    assert result.code == 0, result.err
    assert not (tmp_path / "run" / "text").exists()
    [one] = json.loads((tmp_path / "run" / "model" / "config.json").read_text())["read"]
    assert (one["name"], one["words"]) == ("plain.txt", 18_000)
    fails(dmn("prepare", "text", text, "--out", tmp_path / "text"), 2, "--force")
    assert dmn("prepare", "text", text, "--out", tmp_path / "text", "--force", "--case", "keep").code == 0
    refused = dmn("train", world, "--out", tmp_path / "other", "--read", tmp_path / "text", *SMALL)
    fails(refused, 2, "another tokenizer", "--case")
    fails(dmn("prepare", "text", text, "--out", tmp_path / "p", "--tokenizer", "sentencepiece"), 2, "tokenizer.model")
    fails(dmn("prepare", "text", tmp_path / "none", "--out", tmp_path / "p"), 2, "no such text")


def test_several_seeds_start_from_a_model_but_not_from_an_ensemble(
    dmn: Dmn, world: Path, run: Path, tmp_path: Path
) -> None:
    usual = ("--epochs=1", "--set=model.hidden=32", "--set=training.steps=1", "--device=cpu")
    made = dmn("train", world, "--out", tmp_path / "two", "--start-from", run, "--ensemble", 2, *usual)
    assert made.code == 0, made.err
    for name in ("two", "two/seed-1", "two/seed-2"):
        assert (tmp_path / name / "checkpoints" / "start.safetensors").is_file(), name
    alone = dmn("train", world, "--out", tmp_path / "two" / "seed-2", "--resume", "--epochs", 2)
    assert alone.code == 0, alone.err
    assert dmn("train", world, "--out", tmp_path / "two", "--resume", "--ensemble", 2).code == 0
    fails(dmn("train", world, "--out", tmp_path / "new", "--start-from", tmp_path / "two", *usual), 2, "seed-1")
