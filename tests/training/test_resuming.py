"""Resuming: from whatever a killed process left, with the data and the settings of before, and nothing in silence."""

import json
import math
import shutil
from pathlib import Path

import pytest
import torch
from test_training import CPU, Apart, assert_equal, settings, told, train, weights
from test_training import data as data

from dmn_cli.data.store import writer
from dmn_cli.data.store.reader import DataSet
from dmn_cli.errors import Diverged, ModelError, UsageError
from dmn_cli.training import checkpoint, saved
from dmn_cli.training.events import Epoch, Event, Finished, Stopped
from dmn_cli.training.learner import USUAL
from dmn_cli.training.loop import Training


@pytest.fixture(scope="module")
def whole(data: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two epochs, which nothing interrupted. Its two checkpoints are those after each of them."""
    run = tmp_path_factory.mktemp("whole") / "run"
    train(data, run, epochs=2)
    return run


@pytest.fixture
def stopped(data: DataSet, whole: Path, tmp_path: Path) -> Path:
    """The same, as it was after its first epoch."""
    run = Path(shutil.copytree(whole, tmp_path / "stopped"))
    checkpoint.found(run)[0].unlink()
    return run


def resumed(data: DataSet, run: Path, **training: object) -> tuple[Training, list[Event]]:
    job = Training([data], run, settings(**{"epochs": 2, **training}), CPU)
    job.resume()
    return job, list(job.events())


def logged(run: Path) -> list[int]:
    return [json.loads(line)["epoch"] for line in (run / "metrics.jsonl").read_text().splitlines()]


def damage(path: Path) -> None:
    """One bit in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_damaged_checkpoint_falls_back_to_the_one_before(data: DataSet, whole: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(whole, tmp_path / "run"))
    newest, before = checkpoint.found(run)
    damage(newest)
    job, events = resumed(data, run)
    assert job.remarks == [f"{newest} is damaged: going on from the one before, {before.name}"]
    assert [event.epoch for event in events if isinstance(event, Epoch)] == [2]
    assert_equal(weights(run), weights(whole))
    assert logged(run) == [1, 2]
    for path in checkpoint.found(run):
        damage(path)
    with pytest.raises(ModelError, match="damaged"):
        resumed(data, run)


def test_a_damaged_checkpoint_of_later_steps_is_not_the_newest_for_ever(
    data: DataSet, whole: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(whole, tmp_path / "run"))
    damage(checkpoint.found(run)[0])
    job = Training([data], run, settings(epochs=2), CPU)
    job.resume()
    assert isinstance(list(job.events(lambda: True))[-1], Stopped)
    assert checkpoint.last(run, CPU)[1] == []


def test_checkpoints_of_an_older_dmn_are_read_and_those_of_a_newer_are_not(
    data: DataSet,
    whole: Path,
    stopped: Path,
) -> None:
    """Version 3 was one file, of torch's format."""
    [path] = checkpoint.found(stopped)
    state = checkpoint.load(path, CPU)
    new = {"settings", "computed_by", "lowered", "skipped_in_a_row", "totals"}
    values = {key: value for key, value in vars(state).items() if key not in new}
    totals = [*state.totals.losses, float(state.totals.supervised)]
    path.unlink()
    old = stopped / "checkpoints" / "last.pt"
    torch.save({"format_version": 3, "totals": totals, **values}, old)
    resumed(data, Path(shutil.copytree(stopped, stopped.with_name("old"))))
    assert_equal(weights(stopped.with_name("old")), weights(whole))
    torch.save({"format_version": 1, "totals": totals, **values}, old)
    with pytest.raises(ModelError, match="of an older dmn"):
        resumed(data, stopped)
    saved.save(path, 99, {})
    with pytest.raises(ModelError, match="reads up to 4"):
        resumed(data, stopped)


def test_settings_that_have_changed_are_refused(data: DataSet, stopped: Path) -> None:
    with pytest.raises(
        UsageError, match=r"changed since: training\.batch_size was 16, is 8; training\.clip was 5\.0, is 1"
    ):
        resumed(data, stopped, batch_size=8, clip=1.0)


def test_data_that_have_changed_are_refused(data: DataSet, stopped: Path, tmp_path: Path) -> None:
    writer.write(tmp_path / "data", told(100, seed=2), Apart(), {})
    writer.write(tmp_path / "other", told(100, seed=2), Apart(), {})
    with pytest.raises(UsageError, match="trained on other data: data has changed"):
        resumed(DataSet(tmp_path / "data"), stopped)
    with pytest.raises(UsageError, match="data was not given, other is new"):
        resumed(DataSet(tmp_path / "other"), stopped)
    shutil.rmtree(stopped / "checkpoints")
    with pytest.raises(UsageError, match="data was not given"):
        resumed(DataSet(tmp_path / "other"), stopped)


def test_a_run_killed_before_its_first_checkpoint_begins(data: DataSet, whole: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    Training([data], run, settings(epochs=2), CPU).begin()
    (run / "metrics.jsonl").write_text('{"epoch": 1}\n{"epo')  # it was killed after this
    (run / "checkpoints").mkdir()
    (run / "checkpoints" / f".step-000000012.safetensors.{2**22 + 1}.tmp").write_bytes(b"half")
    resumed(data, run)
    assert_equal(weights(run), weights(whole))
    assert logged(run) == [1, 2]
    assert {path.name for path in (run / "checkpoints").iterdir()} == {path.name for path in checkpoint.found(whole)}


def test_a_finished_run_is_over_and_extended_the_same_way_each_time(data: DataSet, whole: Path, tmp_path: Path) -> None:
    runs = [Path(shutil.copytree(whole, tmp_path / name)) for name in ("one", "other")]
    with pytest.raises(UsageError, match="the training is over: 2 epochs are done") as raised:
        resumed(data, runs[0])
    assert raised.value.hint is not None
    assert "--epochs N, more than 2" in raised.value.hint
    job, events = resumed(data, runs[0], epochs=4)
    assert [event.epoch for event in events if isinstance(event, Epoch)] == [3, 4]
    [remark] = job.remarks
    assert remark.startswith("4 epochs instead of 2: the learning rate falls over all of them, so it rises again, from")
    half = Training([data], runs[1], settings(epochs=4), CPU)
    half.resume()
    going = half.events()
    while not isinstance(next(going), Epoch):
        pass
    del going  # as if it were killed: what --resume alone then does is in config.toml
    assert "epochs = 4" in (runs[1] / "config.toml").read_text()
    again, _ = resumed(data, runs[1], epochs=4)
    assert again.remarks == []
    assert_equal(weights(runs[0]), weights(runs[1]))
    with pytest.raises(UsageError, match="the training is over"):
        resumed(data, runs[1], epochs=3)


def test_fewer_epochs_than_have_begun_are_refused(data: DataSet, stopped: Path) -> None:
    with pytest.raises(UsageError, match="epoch 2 has begun, so it can't end after 1 epoch"):
        resumed(data, stopped, epochs=1)


def test_what_computed_otherwise_before_is_said(data: DataSet, stopped: Path) -> None:
    [path] = checkpoint.found(stopped)
    state = checkpoint.load(path, CPU)
    state.computed_by |= {"threads": 7, "kernels": "C of another compiler"}
    checkpoint.save(stopped, state, keep=1)
    [remark] = resumed(data, stopped)[0].remarks
    assert remark.startswith("computed with threads 7, kernels C of another compiler before, with threads 1, kernels ")
    assert "last bits" in remark


def test_checkpoints_come_by_time_and_the_last_few_are_kept(data: DataSet, tmp_path: Path) -> None:
    events = train(data, tmp_path / "run", epochs=1, save_minutes=0.0, checkpoints=3)
    assert isinstance(events[-1], Finished)
    steps = [checkpoint.load(path, CPU).step for path in checkpoint.found(tmp_path / "run")]
    assert steps == [steps[0], steps[0] - 1, steps[0] - 2]


def with_a_gradient_that_is_no_number(monkeypatch: pytest.MonkeyPatch, *steps: int) -> None:
    compute, n = Training.step, iter(range(10**6))

    def spoilt(self: Training, *given: object) -> torch.Tensor:
        if next(n) in steps:
            parameter = next(iter(self.learner.network.parameters()))
            hook = parameter.register_hook(lambda gradient: gradient * math.inf)
            try:
                return compute(self, *given)  # type: ignore[arg-type]
            finally:
                hook.remove()
        return compute(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(Training, "step", spoilt)


def test_a_gradient_that_is_no_number_stops_before_any_weight_is_spoilt(
    data: DataSet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with_a_gradient_that_is_no_number(monkeypatch, 2)
    job = Training([data], tmp_path / "run", settings(), CPU)
    job.begin()
    with pytest.raises(Diverged, match="epoch 1, step 3 is not a number"):
        list(job.events())
    assert all(weight.isfinite().all() for weight in job.learner.network.parameters())
    lines = [json.loads(line) for line in (tmp_path / "run" / "non_finite.jsonl").read_text().splitlines()]
    [(_, stories)] = job.learner.plan(USUAL)[2]
    assert sorted({line["story_id"] for line in lines}) == sorted(stories.tolist())
    assert {(line["epoch"], line["step"], line["data"]) for line in lines} == {(1, 3, str(data.path))}
    assert all(line["question"].startswith("Where is") for line in lines)


def test_batches_whose_loss_is_no_number_can_be_left_out(
    data: DataSet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with_a_gradient_that_is_no_number(monkeypatch, 2, 5)
    job = Training([data], tmp_path / "run", settings(epochs=1, non_finite="skip"), CPU)
    job.begin()
    with pytest.warns(UserWarning, match="the batch is left out, and the learning rate halved"):
        [*_, epoch, finished] = job.events()
    assert isinstance(finished, Finished)
    assert isinstance(epoch, Epoch)
    assert epoch.learning_rate == pytest.approx(job.settings.training.learning_rate / 4)
    assert math.isfinite(epoch.loss)
    assert (job.state.lowered, job.state.skipped_in_a_row) == (2, 0)
    with_a_gradient_that_is_no_number(monkeypatch, *range(100))
    job = Training([data], tmp_path / "other", settings(epochs=3, non_finite="skip"), CPU)
    job.begin()
    with pytest.warns(UserWarning, match="left out"), pytest.raises(Diverged):
        list(job.events())


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("step", "third"),
        ("network", {"input_module.b": 1.0}),
        ("network", {"input_module.b": torch.ones(3)}),
        ("optimiser", {"state": []}),
        ("totals", {"losses": ["?"]}),
        ("best", {"epoch": 1, "accuracy": 0.5}),
        ("best", {"epoch": 1, "accuracy": 0.5, "loss": "low"}),
        ("best", {"epoch": 1, "accuracy": 0.5, "loss": 1.0, "score": 0.5}),
        ("best", {"epoch": 1, "accuracy": 0.5, "loss": 1.0, "score": [0.5]}),
        ("unheard_of", 1),
    ],
)
def test_a_checkpoint_of_other_types_is_damaged(data: DataSet, stopped: Path, key: str, value: object) -> None:
    """Whole, and with the right digest: it was made to mislead."""
    [path] = checkpoint.found(stopped)
    state = checkpoint.load(path, CPU)
    values = {**vars(state), "totals": vars(state.totals), key: value}
    saved.save(path, checkpoint.FORMAT_VERSION, values)
    with pytest.raises(ModelError, match="damaged"):
        resumed(data, stopped)
