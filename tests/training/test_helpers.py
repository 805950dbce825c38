"""A batch in parts: the sum of the parts is the whole, whoever computes them, and whatever becomes of the helpers."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import Whitespace

from dmn_cli.data.formats import story_world
from dmn_cli.data.formats.splits import hold_out
from dmn_cli.data.store import writer
from dmn_cli.data.store.reader import DataSet
from dmn_cli.kernels import c_library as native
from dmn_cli.settings.load import load
from dmn_cli.training import helpers as parts
from dmn_cli.training import loop
from dmn_cli.training.events import Epoch, Stopped
from dmn_cli.training.gradients import Done, added
from dmn_cli.training.helpers import Helpers
from dmn_cli.training.loop import Training
from dmn_cli.training.sampling import PlannedBatch
from dmn_cli.training.shared_memory import Memory

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    out = tmp_path_factory.mktemp("parts") / "data"
    stories = (("train", story) for story in story_world.stories("qa1", 200, 1, "train"))
    writer.write(out, hold_out(stories, 1), Whitespace(), {})
    return DataSet(out)


def training(data: DataSet, run: Path, preset: str = "dmn-plus", **settings: Any) -> Training:
    quick = {"model.hidden": 8, "model.dropout": 0.2, "training.batch_size": 16, "training.epochs": 2}
    changes = {f"training.{key}": value for key, value in settings.items() if key != "dropout"}
    if "dropout" in settings:
        changes["model.dropout"] = settings["dropout"]
    return Training([data], run, load(preset, overrides=[*(quick | changes).items()]), CPU)


def weights(one: Training) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in one.learner.network.parameters()]


@pytest.mark.parametrize("preset", ["dmn", "dmn-plus"])
def test_the_gradient_of_a_batch_is_the_sum_of_its_parts(data: DataSet, tmp_path: Path, preset: str) -> None:
    """In float64, with both losses; more parts than stories leave some with nothing to do."""
    whole = training(data, tmp_path, preset, parts=1, dropout=0.0)
    whole.learner.network.double()
    planned = PlannedBatch(whole.learner.train[0], whole.learner.train[0].plan(16)[-1])
    expected = whole.learner.compute(whole.learner.portion(planned, 1, 0, 0), 1.0)
    for count in (2, 3, len(planned.stories) + 2):
        split = training(data, tmp_path, preset, parts=count, dropout=0.0)
        split.learner.network.double()
        done = [split.learner.compute(split.learner.portion(planned, 1, 0, part), 1.0) for part in range(count)]
        assert (done[0].gradients[0] is None) == (count > len(planned.stories))
        total = added(done)
        torch.testing.assert_close(total.losses, expected.losses)
        for one, other in zip(total.gradients, expected.gradients, strict=True):
            torch.testing.assert_close(one, other)


def test_sparse_gradients_are_added_too() -> None:
    def sparse(rows: list[int]) -> torch.Tensor:
        return torch.ones(5, 2).mul(torch.isin(torch.arange(5), torch.tensor(rows))[:, None]).to_sparse(1).coalesce()

    losses = torch.zeros(2, dtype=torch.float64)
    total = added([Done([sparse([0, 3]), None], losses), Done([sparse([3, 4]), torch.ones(1)], losses)])
    assert total.gradients[0] is not None
    assert total.gradients[0].is_coalesced()
    assert total.gradients[0].to_dense().tolist() == [[1, 1], [0, 0], [0, 0], [2, 2], [1, 1]]
    assert total.gradients[1] is not None
    assert total.gradients[1].tolist() == [1]


def test_what_is_put_into_shared_memory_is_taken_from_it(data: DataSet, tmp_path: Path) -> None:
    """Sparse and dense gradients, and those that aren't there; and the weights are the same for both sides."""
    here, there = (training(data, tmp_path, seed=seed) for seed in (1, 2))
    before = weights(here)
    mine = Memory(here.learner.network, 1)
    with os.fdopen(os.dup(mine.file.fileno()), "r+b") as file:
        theirs = Memory(there.learner.network, 1, file)
    for one, other, was in zip(
        here.learner.network.parameters(), there.learner.network.parameters(), before, strict=True
    ):
        assert torch.equal(one, was)
        assert torch.equal(other, was)
    gradients: list[torch.Tensor | None] = [torch.randn_like(p) for p in there.learner.network.parameters()]
    table = gradients[0]
    assert table is not None
    gradients[0] = (table * (torch.arange(len(table)) % 4 == 1)[:, None]).to_sparse(1).coalesce()
    gradients[3] = None
    theirs.put(0, Done(gradients, torch.tensor([1.5, 2.5], dtype=torch.float64)))
    taken = mine.take(0, [i == 0 for i in range(len(gradients))])
    assert taken.losses.tolist() == [1.5, 2.5]
    assert taken.gradients[3] is None
    for one, other in zip(taken.gradients, gradients, strict=True):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert torch.equal(one.to_dense(), other.to_dense())
    with torch.no_grad():
        next(iter(here.learner.network.parameters())).add_(1.0)
    assert torch.equal(next(iter(there.learner.network.parameters())), before[0] + 1.0)
    mine.file.close()


@pytest.fixture
def helped(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if there were two cores; and the helper is ready before the first step."""

    class Waiting(Helpers):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            self.wait()
            assert self.ready == {1}

    monkeypatch.setattr(loop, "networks_at_once", lambda device: 2)
    monkeypatch.setattr(loop, "Helpers", Waiting)


def trained(data: DataSet, run: Path, **settings: Any) -> tuple[Training, list[float]]:
    job = training(data, run, parts=2, **settings)
    job.begin()
    losses = [event.loss for event in job.events() if isinstance(event, Epoch)]
    return job, losses


@pytest.mark.parametrize("in_c", ["0", "1"])
def test_a_helper_changes_nothing_but_the_time(
    data: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, in_c: str
) -> None:
    monkeypatch.setenv("DMN_NATIVE", in_c)
    native.forget()
    request.addfinalizer(native.forget)
    native.build()
    monkeypatch.setattr(loop, "networks_at_once", lambda device: 1)
    alone, losses_alone = trained(data, tmp_path / "alone")
    asked: list[tuple[int, int]] = []
    request.getfixturevalue("helped")
    ask = Helpers.ask

    def watched(self: Helpers, epoch: int, step: int, beta: float) -> set[int]:
        begun = ask(self, epoch, step, beta)
        assert begun == {1}
        asked.append((epoch, step))
        return begun

    monkeypatch.setattr(Helpers, "ask", watched)
    beside, losses_beside = trained(data, tmp_path / "beside")
    assert len(asked) == sum(len(alone.train[0].plan(16)) for _ in range(2))
    assert losses_alone == losses_beside
    for one, other in zip(weights(alone), weights(beside), strict=True):
        assert torch.equal(one, other)


@pytest.mark.usefixtures("helped")
def test_a_helped_training_resumes_to_the_same_weights(data: DataSet, tmp_path: Path) -> None:
    whole, _ = trained(data, tmp_path / "whole")
    asked = iter(range(100))
    job = training(data, tmp_path / "stopped", parts=2)
    job.begin()
    assert isinstance(list(job.events(lambda: next(asked) == 4))[-1], Stopped)
    again = training(data, tmp_path / "stopped", parts=2)
    again.resume()
    list(again.events())
    for one, other in zip(weights(whole), weights(again), strict=True):
        assert torch.equal(one, other)


@pytest.mark.usefixtures("helped")
def test_a_helper_that_dies_is_done_without(data: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it is asked, and over what it was asked for."""
    expected, _ = trained(data, tmp_path / "expected")
    for when in ("ask", "answer"):
        run = getattr(Helpers, when)
        calls: Iterator[int] = iter(range(1000))

        def dying(self: Helpers, *args: Any, run: Any = run, calls: Iterator[int] = calls) -> Any:
            if next(calls) == 5:
                self._processes[1].kill()
                self._processes[1].wait()
            return run(self, *args)

        with monkeypatch.context() as patch:
            patch.setattr(Helpers, when, dying)
            with pytest.warns(UserWarning, match="has died"):
                job, _ = trained(data, tmp_path / when)
        for one, other in zip(weights(job), weights(expected), strict=True):
            assert torch.equal(one, other)


@pytest.mark.usefixtures("helped")
def test_no_helper_outlives_its_training(data: DataSet, tmp_path: Path) -> None:
    job = training(data, tmp_path / "run", parts=2)
    job.begin()
    events = job.events()
    next(events)
    assert job.helpers
    (process,) = job.helpers._processes.values()
    del events  # nobody wants any more
    assert process.poll() is not None
    job.help(1)
    assert job.helpers
    (process,) = job.helpers._processes.values()
    job.helpers._processes.clear()  # as if this process were gone, and its end of the pipe with it
    assert process.stdin
    assert process.stdout
    process.stdin.close()
    assert process.wait(60) == 0
    process.stdout.close()
    job.help(0)


def test_without_room_in_memory_a_file_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    full = [True]

    def allocate(*args: int) -> None:
        if full.pop():
            raise OSError(28, "No space left on device")

    full.insert(0, False)
    monkeypatch.setattr(os, "posix_fallocate", allocate, raising=False)
    parts._file(4096).close()
    assert full == []
    full[:] = [True, True]
    with pytest.raises(OSError, match="No space"):
        parts._file(4096)


def test_parts_are_as_many_as_pay(data: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the machine is: the weights depend on it."""
    assert training(data, tmp_path).parts == 1
    monkeypatch.setattr(loop, "_WORTH_TWO", 100)
    for cores in (1, 2, 8):
        monkeypatch.setattr(loop, "networks_at_once", lambda device, cores=cores: cores)
        job = training(data, tmp_path, batch_size=64)
        assert (job.learner.parts, job.learner.processes) == (2, min(cores, 2))
    assert training(data, tmp_path, batch_size=32).parts == 1
    assert training(data, tmp_path, parts=3).parts == 3
