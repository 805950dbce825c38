"""A batch in parts: the sum of the parts is the whole, whoever computes them, and whatever becomes of the helpers."""

import os
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from helpers import Whitespace, written_qa1

from dmn_cli.data.formats.splits import hold_out
from dmn_cli.data.joint import Joint
from dmn_cli.data.store import writer
from dmn_cli.data.store.reader import DataSet
from dmn_cli.errors import UsageError
from dmn_cli.kernels import c_build, c_library
from dmn_cli.records.text import Question, Story
from dmn_cli.settings.load import load
from dmn_cli.settings.schema import Settings
from dmn_cli.training.events import Epoch, Stopped
from dmn_cli.training.gradients import PartResult, summed
from dmn_cli.training.helpers import Helpers
from dmn_cli.training.learner import USUAL, Learner, Phase
from dmn_cli.training.loop import Training
from dmn_cli.training.sampling import PlannedBatch
from dmn_cli.training.share import dealt
from dmn_cli.training.shared_memory import Memory, nameless_file

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    return DataSet(written_qa1(tmp_path_factory.mktemp("parts") / "data", 200))


def quick(preset: str = "dmn-plus", *, dropout: float = 0.2, hidden: int = 8, **training: Any) -> Settings:
    changes = {"batch_size": 16, "epochs": 2, "steps": 1, **training}
    keys = {"model.hidden": hidden, "model.dropout": dropout} | {f"training.{k}": v for k, v in changes.items()}
    return load(preset, overrides=[*keys.items()])


def learner(data: DataSet, settings: Settings, **options: Any) -> Learner:
    return Learner(Joint.of([data]), settings, CPU, **options)


def weights(one: Learner) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in one.network.parameters()]


def assert_same_weights(one: Learner, other: Learner) -> None:
    for weight, same in zip(weights(one), weights(other), strict=True):
        assert torch.equal(weight, same)


@pytest.mark.parametrize("preset", ["dmn", "dmn-plus"])
def test_the_gradient_of_a_batch_is_the_sum_of_its_parts(data: DataSet, preset: str) -> None:
    """In float64, with both losses; more parts than stories leave some with nothing to do."""
    whole = learner(data, quick(preset, parts=1, dropout=0.0))
    whole.network.double()
    planned = [PlannedBatch(whole.train[0], whole.train[0].plan(16)[-1])]
    expected = whole.compute(whole.portion(planned, USUAL, 0, 0), USUAL)
    for count in (2, 3, len(planned[0].stories) + 2):
        split = learner(data, quick(preset, parts=count, dropout=0.0))
        split.network.double()
        done = [split.compute(split.portion(planned, USUAL, 0, part), USUAL) for part in range(count)]
        assert (done[0].gradients[0] is None) == (count > len(planned[0].stories))
        total = summed(done)
        torch.testing.assert_close(total.losses, expected.losses)
        for one, other in zip(total.gradients, expected.gradients, strict=True):
            torch.testing.assert_close(one, other)


def test_sparse_gradients_are_added_too() -> None:
    def sparse(rows: list[int]) -> torch.Tensor:
        return torch.ones(5, 2).mul(torch.isin(torch.arange(5), torch.tensor(rows))[:, None]).to_sparse(1).coalesce()

    losses = torch.zeros(2, dtype=torch.float64)
    total = summed([PartResult([sparse([0, 3]), None], losses), PartResult([sparse([3, 4]), torch.ones(1)], losses)])
    assert total.gradients[0] is not None
    assert total.gradients[0].is_coalesced()
    assert total.gradients[0].to_dense().tolist() == [[1, 1], [0, 0], [0, 0], [2, 2], [1, 1]]
    assert total.gradients[1] is not None
    assert total.gradients[1].tolist() == [1]


def test_what_is_put_into_shared_memory_is_taken_from_it(data: DataSet) -> None:
    """Sparse and dense gradients, and those that aren't there; and the weights are the same for both sides."""
    here, there = (learner(data, quick(seed=seed)) for seed in (1, 2))
    for one in (here, there):
        embedding: Any = one.network.get_submodule("word_vectors.E")
        embedding.sparse = True
    before = weights(here)
    mine = Memory(here.network, 1)
    with os.fdopen(os.dup(mine.file.fileno()), "r+b") as file:
        theirs = Memory(there.network, 1, file)
    for one, other, was in zip(weights(here), weights(there), before, strict=True):
        assert torch.equal(one, was)
        assert torch.equal(other, was)
    gradients: list[torch.Tensor | None] = [torch.randn_like(p) for p in there.network.parameters()]
    table = gradients[0]
    assert table is not None
    gradients[0] = (table * (torch.arange(len(table)) % 4 == 1)[:, None]).to_sparse(1).coalesce()
    gradients[3] = None
    theirs.put(0, PartResult(gradients, torch.tensor([1.5, 2.5], dtype=torch.float64)))
    taken = mine.take(0)
    assert taken.losses.tolist() == [1.5, 2.5]
    assert taken.gradients[3] is None
    for one, other in zip(taken.gradients, gradients, strict=True):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            assert torch.equal(one.to_dense(), other.to_dense())
    with torch.no_grad():
        next(iter(here.network.parameters())).add_(1.0)
    assert torch.equal(weights(there)[0], before[0] + 1.0)
    mine.file.close()


class Ready(Helpers):
    """Helps from the first step on."""

    def __init__(self, learner: Learner, count: int) -> None:
        super().__init__(learner, count)
        self.wait()
        assert len(self.processes) == count
        assert self.ready == set(range(learner.parts)) - set(dealt(learner.parts, count + 1)[0])


def trained(
    data: DataSet, run: Path, settings: Settings, processes: int = 2, helpers: type[Helpers] = Ready
) -> tuple[Learner, list[float]]:
    job = Training([data], run, settings, CPU, processes=processes, helpers=helpers)
    job.begin()
    losses = [event.loss for event in job.events() if isinstance(event, Epoch)]
    return job.learner, losses


@pytest.mark.parametrize("in_c", ["0", "1"])
def test_a_helper_changes_nothing_but_the_time(
    data: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, in_c: str
) -> None:
    monkeypatch.setenv("DMN_NATIVE", in_c)
    c_library.forget()
    request.addfinalizer(c_library.forget)
    c_build.build()
    asked: list[tuple[int, int]] = []

    class Watched(Ready):
        def ask(self, phase: Phase, step: int) -> set[int]:
            begun = super().ask(phase, step)
            assert begun == {1}
            asked.append((phase.epoch, step))
            return begun

    settings = quick(parts=2, averaging=0.9)
    alone, losses_alone = trained(data, tmp_path / "alone", settings, processes=1)
    beside, losses_beside = trained(data, tmp_path / "beside", settings, helpers=Watched)
    assert asked == [(epoch, step) for epoch in (1, 2) for step in range(len(alone.plan(USUAL._replace(epoch=epoch))))]
    assert losses_alone == losses_beside
    assert_same_weights(alone, beside)
    models = [safetensors.torch.load_file(tmp_path / run / "model/model.safetensors") for run in ("alone", "beside")]
    assert all(torch.equal(models[0][name], models[1][name]) for name in models[0])  # which are averaged


def test_parts_are_dealt_to_fewer_processes(data: DataSet, tmp_path: Path) -> None:
    """Two of five parts are computed here, three by the helper, which puts all of them into places of their own."""
    assert [[*share] for share in dealt(5, 2)] == [[0, 1], [2, 3, 4]]
    assert [[*share] for share in dealt(7, 3)] == [[0, 1], [2, 3], [4, 5, 6]]
    settings = quick(parts=5, epochs=1)
    alone, losses_alone = trained(data, tmp_path / "alone", settings, processes=1)
    beside, losses_beside = trained(data, tmp_path / "beside", settings)
    assert losses_alone == losses_beside
    assert_same_weights(alone, beside)


def test_a_helper_changes_nothing_where_there_are_many_words(tmp_path: Path) -> None:
    """Whose gradients are sparse."""
    stories = (
        Story("count", (f"this is number{i}",), (Question("Which is it?", 1, (f"{i % 3}",)),)) for i in range(9000)
    )
    writer.write(tmp_path / "data", hold_out((("train", story) for story in stories), 1), Whitespace(), {})
    data = DataSet(tmp_path / "data")
    settings = quick(parts=2, hidden=36, batch_size=2048, epochs=1)
    alone, _ = trained(data, tmp_path / "alone", settings, processes=1)
    beside, _ = trained(data, tmp_path / "beside", settings)
    assert alone.network.word_table
    assert alone.network.word_table.sparse
    assert_same_weights(alone, beside)


def test_a_helped_training_resumes_to_the_same_weights(data: DataSet, tmp_path: Path) -> None:
    def job(name: str) -> Training:
        return Training([data], tmp_path / name, quick(parts=2), CPU, processes=2, helpers=Ready)

    whole, stopped, resumed = job("whole"), job("stopped"), job("stopped")
    whole.begin()
    list(whole.events())
    stopped.begin()
    asked = iter(range(100))
    assert isinstance(list(stopped.events(lambda: next(asked) == 4))[-1], Stopped)
    resumed.resume()
    list(resumed.events())
    assert_same_weights(whole.learner, resumed.learner)


@pytest.mark.parametrize("when", ["before it is asked", "before it answers"])
def test_a_helper_that_dies_is_done_without(data: DataSet, tmp_path: Path, when: str) -> None:
    class Dying(Ready):
        asked = 0

        def ask(self, phase: Phase, step: int) -> set[int]:
            self.asked += 1
            if when == "before it is asked":
                self.die()
            return super().ask(phase, step)

        def answer(self, part: int) -> PartResult | None:
            if when == "before it answers":
                self.die()
            return super().answer(part)

        def die(self) -> None:
            if self.asked == 5 and self.processes:
                self.processes[1].kill()
                self.processes[1].wait()

    expected, _ = trained(data, tmp_path / "expected", quick(parts=2))
    with pytest.warns(UserWarning, match="has died"):
        learner, _ = trained(data, tmp_path / "run", quick(parts=2), helpers=Dying)
    assert_same_weights(learner, expected)


def test_no_helper_outlives_its_training(data: DataSet, tmp_path: Path) -> None:
    job = Training([data], tmp_path / "run", quick(parts=2), CPU, processes=2, helpers=Ready)
    job.begin()
    events = job.events()
    next(events)
    assert isinstance(job.helpers, Helpers)
    (process,) = job.helpers.processes.values()
    del events  # nobody wants any more
    assert process.poll() is not None


def test_no_helper_outlives_a_training_that_is_killed(data: DataSet) -> None:
    helpers = Ready(learner(data, quick(parts=2)), 1)
    (process,) = helpers.processes.values()
    helpers.processes.clear()  # as if this process were gone, and its end of the pipe with it
    assert process.stdin
    assert process.stdout
    process.stdin.close()
    assert process.wait(60) == 0
    process.stdout.close()
    helpers.close()


def test_without_room_in_memory_a_file_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    full = [True]

    def allocate(*args: int) -> None:
        if full.pop():
            raise OSError(28, "No space left on device")

    full.insert(0, False)
    monkeypatch.setattr(os, "posix_fallocate", allocate, raising=False)
    nameless_file(4096).close()
    assert full == []
    full[:] = [True, True]
    with pytest.raises(OSError, match="No space"):
        nameless_file(4096)


def test_parts_are_as_many_as_pay(data: DataSet) -> None:
    """Whatever the machine is: the weights depend on it."""
    assert learner(data, quick(batch_size=64, steps=1)).parts == 1
    for processes in (1, 2):
        one = learner(data, quick(batch_size=64), worth_two=100, processes=processes)
        assert (one.parts, one.processes) == (2, processes)
    with pytest.raises(UsageError, match=r"8 processes .* 2 parts.*\n.*training\.parts=8"):
        learner(data, quick(batch_size=64), worth_two=100, processes=8)
    assert learner(data, quick(batch_size=32), worth_two=100).parts == 1
    assert learner(data, quick(parts=3), worth_two=100).parts == 3
