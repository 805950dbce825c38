"""Training: reproducible, resumable to the same weights, and honest about its best."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from helpers import Whitespace

from dmn_cli.answering.predictor import Predictor
from dmn_cli.artifact import directory as model_directory
from dmn_cli.data.formats import story_world
from dmn_cli.data.formats.splits import hold_out
from dmn_cli.data.store import writer
from dmn_cli.data.store.reader import DataSet
from dmn_cli.errors import Diverged, ModelError, UsageError
from dmn_cli.evaluation.calibration import fit_temperature
from dmn_cli.records.text import Question, Story
from dmn_cli.settings.load import load
from dmn_cli.settings.schema import Settings
from dmn_cli.training import checkpoint
from dmn_cli.training.events import Epoch, Event, Finished, Stopped
from dmn_cli.training.loop import Training

CPU = torch.device("cpu")


class Apart(Whitespace):
    """spaCy's words of these stories, in no time."""

    spec = {"kind": "spacy", "language": "en", "lowercase": True}  # noqa: RUF012

    def __call__(self, text: str) -> list[str]:
        return text.lower().replace(".", " .").replace("?", " ?").split()


def told(questions: int, seed: int) -> Iterator[tuple[str, Story]]:
    return hold_out((("train", story) for story in story_world.stories("qa1", questions, seed, "train")), 1)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    out = tmp_path_factory.mktemp("training") / "data"
    writer.write(out, told(200, seed=1), Apart(), {})
    return DataSet(out)


def settings(**training: object) -> Settings:
    quick = {"epochs": 4, "steps": 1, "batch_size": 16, "flawless": 10**9, **training}
    model = {"hidden": 8, "dropout": 0.2}
    overrides = [(f"model.{k}", v) for k, v in model.items()] + [(f"training.{k}", v) for k, v in quick.items()]
    return load("dmn-plus", overrides=overrides)


def train(data: DataSet, run: Path, *, stop: Callable[[], bool] = lambda: False, **training: object) -> list[Event]:
    job = Training([data], run, settings(**training), CPU)
    job.begin()
    return list(job.events(stop))


def weights(run: Path) -> dict[str, torch.Tensor]:
    return checkpoint.load(checkpoint.found(run)[0], CPU).network


def assert_equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    for name in one:
        assert torch.equal(one[name], other[name]), name


def test_the_same_seed_gives_the_same_weights(data: DataSet, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        train(data, tmp_path / name, epochs=2, seed=seed)
    assert_equal(weights(tmp_path / "a"), weights(tmp_path / "b"))
    name = "word_vectors.E.weight"
    assert not torch.equal(weights(tmp_path / "a")[name], weights(tmp_path / "c")[name])


@pytest.mark.parametrize("stopped_after", [1, 11, 12, 25])
def test_a_stopped_training_resumes_to_the_same_weights(data: DataSet, tmp_path: Path, stopped_after: int) -> None:
    """Wherever it stops: in the middle of an epoch, at its last step, between two."""
    whole = train(data, tmp_path / "whole")
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked == stopped_after

    events = train(data, tmp_path / "stopped", stop=stop)
    assert isinstance(events[-1], Stopped)
    job = Training([data], tmp_path / "stopped", settings(), CPU)
    torch.manual_seed(12345)  # whatever else drew random numbers in the meantime
    job.resume()
    resumed = list(job.events())
    assert_equal(weights(tmp_path / "whole"), weights(tmp_path / "stopped"))
    assert isinstance(whole[-1], Finished)
    assert isinstance(resumed[-1], Finished)
    assert whole[-1].best == resumed[-1].best
    kept = [
        {file.name: file.read_bytes() for file in (tmp_path / run / "model").iterdir()} for run in ("whole", "stopped")
    ]
    assert [name for name in kept[0] | kept[1] if kept[0].get(name) != kept[1].get(name)] == []
    texts = [(tmp_path / run / "metrics.jsonl").read_text() for run in ("whole", "stopped")]
    logs = [[json.loads(line) for line in text.splitlines()] for text in texts]
    for log in logs:
        for line in log:
            assert 0 <= line.pop("waiting") < 1
            del line["seconds"]
    assert logs[0] == logs[1]


def test_the_model_kept_has_a_temperature_and_the_one_in_training_has_none(data: DataSet, tmp_path: Path) -> None:
    """It is fitted on the validation, whose figures in the model are those with it."""
    job = Training([data], tmp_path / "run", settings(epochs=2, learning_rate=0.01), CPU)
    job.begin()
    list(job.events())
    assert job.learner.network.temperature == 1
    model = model_directory.load(tmp_path / "run")
    assert model.network.temperature != 1
    fitted = fit_temperature(model.network, len(model.vocabulary.answers), job.validation.batches, CPU)
    assert fitted == pytest.approx(model.network.temperature, rel=1e-3)
    metrics = json.loads((tmp_path / "run" / "model" / "metrics.json").read_text())
    assert metrics["calibration"]["temperature"] == model.network.temperature
    golden = (tmp_path / "run" / "model" / "golden.jsonl").read_text().splitlines()
    again = Predictor(tmp_path / "run").answer_all([(one["story"], one["question"]) for one in map(json.loads, golden)])
    assert [answer.confidence for answer in again] == pytest.approx(
        [json.loads(line)["confidence"] for line in golden], abs=1e-4
    )


def test_a_killed_training_resumes_to_the_same_weights(data: DataSet, tmp_path: Path) -> None:
    """kill -9, in a process of its own."""
    options = ["--epochs", "10", "--quiet"]
    options += ["--set=model.hidden=8", "--set=training.batch_size=16", "--set=training.steps=1"]

    def command(run: str, *extra: str) -> list[str]:
        return [sys.executable, "-m", "dmn_cli", "train", str(data.path), "--out", str(tmp_path / run), *extra]

    subprocess.run(command("whole", *options), check=True, capture_output=True)
    process = subprocess.Popen(command("killed", *options), stdout=subprocess.DEVNULL)
    log = tmp_path / "killed" / "metrics.jsonl"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (log.exists() and log.read_text().count("\n") >= 2):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    subprocess.run(command("killed", "--resume", "--quiet"), check=True, capture_output=True)
    assert_equal(weights(tmp_path / "whole"), weights(tmp_path / "killed"))
    assert len(log.read_text().splitlines()) == 10


def test_a_finished_training_goes_on_for_longer(data: DataSet, tmp_path: Path) -> None:
    train(data, tmp_path / "run", epochs=2)
    with pytest.raises(UsageError, match="the training is over: 2 epochs are done"):
        Training([data], tmp_path / "run", settings(epochs=2), CPU).resume()
    job = Training([data], tmp_path / "run", settings(epochs=3), CPU)
    job.resume()
    events = list(job.events())
    assert [event.epoch for event in events if isinstance(event, Epoch)] == [3]


def test_resuming_needs_the_same_data_and_a_sound_checkpoint(data: DataSet, tmp_path: Path) -> None:
    train(data, tmp_path / "run", epochs=1)
    writer.write(tmp_path / "other", told(100, seed=2), Apart(), {})
    with pytest.raises(UsageError, match="other data"):
        Training([DataSet(tmp_path / "other")], tmp_path / "run", settings(epochs=2), CPU).resume()
    [path] = checkpoint.found(tmp_path / "run")
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ModelError, match="damaged"):
        Training([data], tmp_path / "run", settings(epochs=2), CPU).resume()


def test_the_best_model_is_kept_and_not_the_last(data: DataSet, tmp_path: Path) -> None:
    """The saved model scores what its epoch scored, and differs from the last epoch's weights."""
    job = Training([data], tmp_path / "run", settings(epochs=6, learning_rate=0.03), CPU)
    job.begin()
    events = []
    for event in job.events():
        events.append(event)
        if isinstance(event, Epoch) and event.epoch >= 3:
            job.learner.network.requires_grad_(False)
            for weight in job.learner.network.parameters():
                weight.normal_(std=10)
            job.learner.network.requires_grad_(True)
    epochs = [event for event in events if isinstance(event, Epoch)]
    best = max(epochs, key=lambda e: (e.validation.accuracy, -e.validation.loss))
    assert best.epoch <= 3
    finished = events[-1]
    assert isinstance(finished, Finished)
    assert (finished.best["epoch"], finished.epochs) == (best.epoch, 6)
    metrics = json.loads((tmp_path / "run" / "model" / "metrics.json").read_text())
    assert metrics["accuracy"] == best.validation.accuracy
    kept, last = model_directory.load(tmp_path / "run").network.state_dict(), weights(tmp_path / "run")
    assert not torch.equal(kept["word_vectors.E.weight"], last["word_vectors.E.weight"])


def test_it_stops_early(data: DataSet, tmp_path: Path) -> None:
    stuck = train(data, tmp_path / "stuck", epochs=50, learning_rate=1e-30, final_learning_rate=1e-30, patience=2)
    assert isinstance(stuck[-1], Finished)
    assert (stuck[-1].reason, stuck[-1].epochs) == ("2 epochs without a better validation", 3)
    easy = (Story("yes", (f"it is {i}",), (Question("is it so ?", 1, ("yes",)),)) for i in range(200))
    writer.write(tmp_path / "easy", hold_out((("train", story) for story in easy), 1), Apart(), {})
    done = train(DataSet(tmp_path / "easy"), tmp_path / "flawless", epochs=60, flawless=40, learning_rate=0.003)
    assert isinstance(done[-1], Finished)
    assert (done[-1].reason, done[-1].epochs) == ("the last 40 validation questions were all answered right", 2)
    done = train(DataSet(tmp_path / "easy"), tmp_path / "learnt", epochs=60, steps=20, learning_rate=0.01)
    epochs = [max(one.loss, one.validation.loss) < 0.001 for one in done if isinstance(one, Epoch)]
    assert isinstance(done[-1], Finished)
    assert done[-1].reason == "nothing is left to learn"
    assert epochs == [*[False] * (done[-1].epochs - 1), True]


def test_gate_supervision_teaches_the_gates(data: DataSet, tmp_path: Path) -> None:
    """With α alone (β = 0) the gates are learnt and the answers are not; without it gates are left alone."""
    taught = train(data, tmp_path / "gates", epochs=12, answers_from_epoch=100, learning_rate=0.01, batch_size=8)
    gates = [event.gate_loss for event in taught if isinstance(event, Epoch)]
    answers = [event.loss for event in taught if isinstance(event, Epoch)]
    assert gates[-1] < 0.5 * gates[0]
    assert answers[-1] > 0.9 * answers[0]
    off = train(data, tmp_path / "off", epochs=1, gate_supervision="off")
    assert all(event.gate_loss == 0 for event in off if isinstance(event, Epoch))


@pytest.mark.parametrize(("supervision", "forced"), [("ordered", [True, False]), ("any-pass", [False, False])])
def test_teacher_forcing_lasts_for_so_many_epochs(
    data: DataSet, tmp_path: Path, supervision: str, forced: list[bool]
) -> None:
    """Of those in which the gates are taught the order that is given."""
    job = Training([data], tmp_path / "run", settings(epochs=2, teacher_forcing=1, gate_supervision=supervision), CPU)
    network, seen = job.learner.network, set[tuple[int, bool]]()
    network.register_forward_pre_hook(lambda *_: seen.add((job.state.epoch, network.teacher_forcing)))
    job.begin()
    list(job.events(lambda: False))
    assert seen == {(1, forced[0]), (2, forced[1])}


def test_the_gate_loss_reaches_every_module_that_reads(data: DataSet, tmp_path: Path) -> None:
    job = Training([data], tmp_path / "run", settings(), CPU)
    batch = job.learner.train[0].batch(job.learner.train[0].plan(16)[0])
    gates = job.learner.network.losses(batch, "any-pass").gates
    assert gates is not None
    gates.sum().backward()
    modules = dict(job.learner.network.named_children())
    for name in ("word_vectors", "input_module", "question_module"):
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in modules[name].parameters())


def test_a_training_that_diverges_says_so_and_keeps_what_it_had(data: DataSet, tmp_path: Path) -> None:
    job = Training([data], tmp_path / "run", settings(epochs=3), CPU)
    job.begin()
    events = job.events()
    while not isinstance(next(events), Epoch):
        pass
    saved = weights(tmp_path / "run")
    assert job.learner.network.word_table
    job.learner.network.word_table.weight.data[2:] = float("nan")
    with pytest.raises(Diverged, match="epoch 2, step 1 is not a number"):
        list(events)
    assert_equal(weights(tmp_path / "run"), saved)
