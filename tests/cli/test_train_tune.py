"""dmn train --tune: the same trials whatever interrupts them, and what is said of them."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from commands import QUESTION, filled_in, seen
from conftest import Dmn, Result, fails
from schemas import StageLine, Tuned
from test_train_seeds import assert_same_weights, model, without_seconds

OPTIONS = ("--epochs", 3, "--device", "cpu", "--set", "model.hidden=8", "--set", "training.steps=1")
BUDGET = "8k-questions"  # an epoch has 450


@pytest.fixture(scope="module")
def whole(dmn: Dmn, world: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """A search that nothing interrupted, and what was printed."""
    run = tmp_path_factory.mktemp("tune") / "run"
    result = dmn("train", world, "--out", run, "--tune", BUDGET, *OPTIONS, "--json")
    assert result.code == 0, result.err
    return run, result


@pytest.fixture
def copied(whole: tuple[Path, Result], tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole[0], tmp_path / "run"))


def lines(run: Path) -> list[StageLine]:
    return [StageLine.model_validate_json(line) for line in (run / "trials.jsonl").read_text().splitlines()]


def assert_same_search(one: Path, other: Path) -> None:
    for name in ("trials.jsonl", "tune.json", "tuned.toml"):
        a, b = ((folder / name).read_text() for folder in (one, other))
        if name == "tuned.toml":
            assert a == b
        elif name == "tune.json":
            assert without_seconds(a) == without_seconds(b)
        else:
            assert [*map(without_seconds, a.splitlines())] == [*map(without_seconds, b.splitlines())]
    assert model(one) == model(other)
    trials = sorted(folder.name for folder in one.glob("trial-*"))
    assert trials == sorted(folder.name for folder in other.glob("trial-*"))
    for trial in trials:
        assert_same_weights(one / trial, other / trial)


def test_what_is_recorded_and_said(whole: tuple[Path, Result]) -> None:
    run, result = whole
    said, stages = Tuned.model_validate_json(result.out), lines(run)
    last = {stage.trial: stage for stage in stages}
    assert sorted(last) == list(range(said.trials))
    assert said.questions == sum(stage.questions for stage in last.values()) <= 8000
    assert {stage.epochs for stage in stages} == {1, 3}
    best = last[said.best.trial]
    assert best.best
    assert (best.epochs, best.best.accuracy) == (3, said.best.accuracy)
    assert best.finished == last[0].finished == "3 epochs are done"
    assert said.best.score == max(stage.best.score for stage in last.values() if stage.best and stage.epochs == 3)
    assert said.changed == {key: value for key, value in best.values.items() if value != last[0].values[key]}
    assert (said.gain is None) == (said.best.trial == 0)
    assert all(stage.values["training.learning_rate"] for stage in stages)
    assert not any("model.hidden" in stage.values for stage in stages), "it was given"
    assert model(run) == model(run / f"trial-{said.best.trial}")


def test_info_and_report_are_of_the_best_trial(
    dmn: Dmn, whole: tuple[Path, Result], copied: Path, world: Path, tmp_path: Path
) -> None:
    said = Tuned.model_validate_json(whole[1].out)
    best = said.best.trial
    about = dmn("info", copied, "--json").document
    found = {key: one["value"] for key, one in about["changed"].items()}
    assert {key: found[key] for key in said.changed} == said.changed
    assert f"the best is {best}" in dmn("info", copied).out
    page = tmp_path / "page.html"
    assert dmn("report", copied, world, "--out", page).code == 0
    assert f"Of several trials this is the best one, {best}." in page.read_text()
    shutil.rmtree(copied / f"trial-{best}")  # its epochs are gone, its settings aren't
    assert dmn("report", copied, world, "--out", page, "--force").code == 0
    assert "Of several trials" not in page.read_text()


def test_trial_0_is_the_training_without_tuning(
    dmn: Dmn, world: Path, whole: tuple[Path, Result], tmp_path: Path
) -> None:
    alone = tmp_path / "alone"
    assert dmn("train", world, "--out", alone, *OPTIONS).code == 0
    assert_same_weights(whole[0] / "trial-0", alone)


def test_the_settings_that_are_found_make_that_model(
    dmn: Dmn, world: Path, whole: tuple[Path, Result], tmp_path: Path
) -> None:
    run, result = whole
    again = tmp_path / "again"
    trained = dmn("train", world, "--out", again, "--config", run / "tuned.toml", "--device", "cpu", "--json")
    assert trained.code == 0, trained.err
    assert_same_weights(run / f"trial-{result.document['best']['trial']}", again)
    text = (run / "tuned.toml").read_text()
    for key in result.document["changed"]:
        table, _, name = key.partition(".")
        lines = text.partition(f"[{table}]\n")[2].partition("\n[")[0].splitlines()
        [line] = [line for line in lines if line.startswith(f"{name} = ")]
        assert line.endswith("in trial 0")
    assert f"Found by dmn train --tune {BUDGET}" in text


def test_the_model_is_used_as_any(dmn: Dmn, world: Path, whole: tuple[Path, Result], story: Path) -> None:
    report = dmn("eval", whole[0], world, "--split", "valid", "--json").document
    assert report["accuracy"] == whole[1].document["best"]["accuracy"]
    assert dmn("ask", whole[0], "--story", story, "--question", QUESTION).code == 0


# dmn that sends itself a signal in a trial's epoch: before its second step, or once the epoch is saved
BROKEN_OFF = """
import os, sys
from dmn_cli.cli.app import main
from dmn_cli.training.loop import Training
number, name, epoch, when = int(sys.argv.pop(1)), sys.argv.pop(1), int(sys.argv.pop(1)), sys.argv.pop(1)
def signalled(function, at):
    def call(self, *rest):
        here = when == at and (self.run.path.name, self.state.epoch) == (name, epoch)
        if at == "step" and here and self.state.step == 1:
            os.kill(os.getpid(), number)
        result = function(self, *rest)
        if at == "saved" and here:
            os.kill(os.getpid(), number)
        return result
    return call
Training.step = signalled(Training.step, "step")
Training._end_epoch = signalled(Training._end_epoch, "saved")
main()
"""


@pytest.mark.parametrize(
    ("number", "trial", "epoch", "when"),
    [
        (signal.SIGKILL, "trial-0", 1, "step"),
        (signal.SIGKILL, "trial-2", 1, "step"),
        (signal.SIGKILL, "trial-0", 3, "saved"),  # saved, and in no line yet
        (signal.SIGINT, "trial-3", 1, "step"),
    ],
    ids=str,
)
def test_a_search_that_was_broken_off_goes_on_to_the_same_end(
    dmn: Dmn,
    world: Path,
    whole: tuple[Path, Result],
    tmp_path: Path,
    number: signal.Signals,
    trial: str,
    epoch: int,
    when: str,
) -> None:
    run = tmp_path / "run"
    words = ["train", world, "--out", run, "--tune", BUDGET, *OPTIONS]
    program = [sys.executable, "-c", BROKEN_OFF, *map(str, (int(number), trial, epoch, when, *words))]
    done = subprocess.run(program, check=False, capture_output=True, text=True, encoding="utf-8")
    if number == signal.SIGINT:
        fails(Result(done.returncode, done.stdout, done.stderr), 130, f"{trial}, at epoch".replace("-", " "), "saved")
        assert f"--out {run} --resume" in done.stderr
    else:
        assert done.returncode == -number, done.stderr
    result = dmn("train", world, "--out", run, "--resume", "--json")
    assert result.code == 0, result.err
    assert_same_search(run, whole[0])


def test_a_line_that_was_cut_is_written_again(dmn: Dmn, world: Path, whole: tuple[Path, Result], copied: Path) -> None:
    """Nothing is trained for that: the trial's checkpoint has it."""
    record = (copied / "trials.jsonl").read_bytes()
    (copied / "trials.jsonl").write_bytes(record[:-20])
    result = dmn("train", world, "--out", copied, "--resume", "--quiet", "--json")
    assert (result.code, result.err) == (0, "")
    assert_same_search(copied, whole[0])
    assert (copied / "trials.jsonl").read_bytes() == record


def test_the_budget_can_be_raised(dmn: Dmn, world: Path, whole: tuple[Path, Result], copied: Path) -> None:
    before = (copied / "trials.jsonl").read_bytes()
    result = dmn("train", world, "--out", copied, "--resume", "--tune", "10k-questions", "--json")
    assert result.code == 0, result.err
    assert (copied / "trials.jsonl").read_bytes().startswith(before)
    assert 8000 < Tuned.model_validate_json(result.out).questions <= 10_000


def test_a_trial_that_leads_nowhere_is_given_up(
    dmn: Dmn, world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dmn_cli.training.loop import Training

    step = Training.step

    def diverged(self: Training, *given: Any) -> torch.Tensor:
        return step(self, *given) * (float("nan") if self.run.path.name == "trial-1" else 1.0)

    monkeypatch.setattr(Training, "step", diverged)
    run = tmp_path / "run"
    result = dmn("train", world, "--out", run, "--tune", "2k-questions", *OPTIONS)
    assert result.code == 0, result.err
    assert "is not a number" in result.err
    assert "1 given up" in result.out
    [failed] = [line for line in lines(run) if line.trial == 1]
    assert (failed.best, failed.epochs, failed.questions) == (None, 1, 450)
    monkeypatch.undo()
    assert dmn("train", world, "--out", run, "--resume", "--quiet").out == result.out


def test_a_budget_of_time(dmn: Dmn, world: Path, tmp_path: Path) -> None:
    """It ends, and can go on; no trial is trained twice."""
    run = tmp_path / "run"
    result = dmn("train", world, "--out", run, "--tune", "3s", *OPTIONS, "--json")
    assert result.code == 0, result.err
    said = Tuned.model_validate_json(result.out)
    assert said.seconds < 6
    result = dmn("train", world, "--out", run, "--resume", "--tune", "5s", "--json")
    assert result.code == 0, result.err
    assert Tuned.model_validate_json(result.out).questions >= said.questions
    trained = [(stage.trial, stage.epochs) for stage in lines(run)]
    assert len(trained) == len(set(trained))


def test_too_little_time_is_said_early(dmn: Dmn, world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dmn_cli.training.loop import Training

    step = Training.step

    def slow(self: Training, *rest: Any) -> object:
        time.sleep(0.1)
        return step(self, *rest)

    monkeypatch.setattr(Training, "step", slow)
    options = ("--set", "model.hidden=8", "--set", "training.steps=300", "--device", "cpu")
    began = time.perf_counter()
    fails(dmn("train", world, "--out", tmp_path / "run", "--tune", "20s", *options), 2, "which takes about", "several")
    assert time.perf_counter() - began < 20
    result = dmn("train", world, "--out", tmp_path / "other", "--tune", "1s", *options)
    fails(result, 2, "1s was over before one epoch was", "--resume --tune")


def test_what_a_person_sees(dmn: Dmn, world: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    result = dmn("train", world, "--out", run, "--tune", "1000-questions", *OPTIONS, terminal=True)
    assert result.code == 0, result.err
    shown = seen(result)
    assert "training.learning_rate: 0.0003 to 0.02 (" in shown
    assert re.search(r"^1,000 questions of training, less", shown, re.MULTILINE)
    assert re.search(r"trial   0  epoch     1  validation .* best   55 % left$", shown, re.MULTILINE)
    assert "trial 1: passes " in shown
    assert f"{run / 'tuned.toml'} has its settings." in result.out
    assert "trained for 1 of 3 epochs" in result.out
    assert f"Next: dmn train {world} --config {run / 'tuned.toml'} --out RUN" in result.out


EVERYTHING = (
    "--set model.passes=1 --set model.dropout=0 --set training.batch_size=16 --set training.learning_rate=0.01 "
    "--set training.averaging=0 --set training.l2=0 --set model.hidden=8 --set model.recurrent_dropout=0"
)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("train WORLD --out NEW --tune much", "is not a budget"),
        ("train WORLD --out NEW --tune 100-questions --epochs 3 --set training.steps=1", "less than one epoch"),
        ("train WORLD --out NEW --tune 100-questions --epochs 3 --set training.steps=1", ": 450 questions"),
        ("train WORLD --out NEW --tune 0s", "not a budget"),
        ("train WORLD --out NEW --tune 20m --seeds 1-2", "can't be given together"),
        ("train WORLD --out NEW --tune 20m --resume", "no run to resume"),
        (f"train WORLD --out NEW --tune 20m {EVERYTHING}", "no setting left to look for"),
        ("train WORLD --out RUN --tune 20m --resume", "one seed"),
        ("train WORLD --out TUNED --tune 20m", "--force"),
        ("train WORLD --out TUNED --resume --epochs 9", "--tune"),
        ("train WORLD --out TUNED --resume --seeds 1-2", "that was made with --tune"),
    ],
)
def test_a_mistake_on_the_command_line(
    dmn: Dmn, run: Path, world: Path, whole: tuple[Path, Result], tmp_path: Path, command: str, said: str
) -> None:
    new = tmp_path / "new"
    fails(dmn(*filled_in(command, RUN=run, WORLD=world, NEW=new, TUNED=whole[0])), 2, said)
    assert not new.exists()


def test_damage_is_named(dmn: Dmn, world: Path, copied: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    assert dmn("prepare", "story", "--tasks", 1, "--questions", 20, "--out", other).code == 0
    fails(dmn("train", other, "--out", copied, "--resume"), 2, "other data")
    record = (copied / "trials.jsonl").read_text()
    for damaged, says in (
        ("{}\n", "trials.jsonl:1"),
        (record.replace('"score"', '"points"'), "trials.jsonl:1"),
        (record.replace('"trial": 1', '"trial": 9'), "not a trial"),
    ):
        (copied / "trials.jsonl").write_text(damaged)
        fails(dmn("train", world, "--out", copied, "--resume"), 4, says)
    document = json.loads((copied / "tune.json").read_text())
    for changed in ({"budget": 5}, {"keys": 5}, {"format_version": 2}):
        (copied / "tune.json").write_text(json.dumps(document | changed))
        fails(dmn("train", world, "--out", copied, "--resume"), 4, "tune.json")
