"""Several processes train as one does: the same losses and the same weights, with no part left out or counted twice."""

import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import Whitespace, written_qa1

from benchmarks.together import joined
from dmn_cli.data.formats.splits import hold_out
from dmn_cli.data.store import writer
from dmn_cli.data.store.reader import DataSet
from dmn_cli.machine import distributed
from dmn_cli.records.network import sparse_tables
from dmn_cli.records.text import Question, Story
from dmn_cli.settings.load import load
from dmn_cli.settings.schema import Settings
from dmn_cli.training.events import Epoch, Stopped
from dmn_cli.training.learner import Learner
from dmn_cli.training.loop import Training

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written_qa1(tmp_path_factory.mktemp("ranks") / "data", 150)


def quick(*, hidden: int = 8, **training: Any) -> Settings:
    changes = {"batch_size": 16, "epochs": 2, "steps": 1, "parts": 3, **training}
    keys = {"model.hidden": hidden} | {f"training.{key}": value for key, value in changes.items()}
    return load("dmn-plus", overrides=[*keys.items()])


def trained(data: Path, run: Path, settings: Settings) -> tuple[Training, list[dict[str, Any]]]:
    job = Training([DataSet(data)], run, settings, CPU, processes=None if distributed.world() else 1)
    job.begin()
    return job, [measured(event) for event in job.events() if isinstance(event, Epoch)]


def measured(epoch: Epoch) -> dict[str, Any]:
    """All that an epoch says but for what depends on the clock."""
    figures = epoch.as_json()
    figures["tasks"] = epoch.validation.tasks
    return {key: value for key, value in figures.items() if key not in ("seconds", "waiting")}


def assert_same_weights(one: Learner, other: Learner) -> None:
    for weight, same in zip(one.network.parameters(), other.network.parameters(), strict=True):
        assert torch.equal(weight, same)


@pytest.mark.parametrize("averaging", [0.0, 0.9])
def test_two_and_three_processes_train_as_one(data: Path, tmp_path: Path, averaging: float) -> None:
    """The same bits in weights, losses and validation: parts are added in one order, and dropout is drawn by part."""
    settings = quick(averaging=averaging)
    alone, epochs = trained(data, tmp_path / "1", settings)
    assert len(epochs) == 2
    for count in (2, 3):
        with joined(data, count, code=7):
            together, same = trained(data, tmp_path / f"{count}", settings)
        assert same == epochs
        assert_same_weights(alone.learner, together.learner)


def test_a_large_table_is_added_up_too(data: Path, tmp_path: Path) -> None:
    """Whose gradients are sparse; and several trainings in a row, as --seeds has them."""
    stories = (
        Story("count", (f"this is number{i}",), (Question("Which is it?", 1, (f"{i % 3}",)),)) for i in range(9000)
    )
    writer.write(tmp_path / "data", hold_out((("train", story) for story in stories), 1), Whitespace(), {})
    settings = quick(parts=3, hidden=36, batch_size=2048, epochs=1)
    alone, epochs = trained(tmp_path / "data", tmp_path / "1", settings)
    assert sparse_tables(alone.learner.network)
    with joined(tmp_path / "data", 2, code=7):
        for run in ("2", "3"):
            together, same = trained(tmp_path / "data", tmp_path / run, settings)
            assert same == epochs
            assert_same_weights(alone.learner, together.learner)


def test_a_run_goes_on_with_any_number_of_processes(data: Path, tmp_path: Path) -> None:
    """Begun by one, stopped because another process was told to, and ended by one again."""
    settings = quick(averaging=0.9)
    whole, _ = trained(data, tmp_path / "whole", settings)

    def job() -> Training:
        return Training([DataSet(data)], tmp_path / "run", settings, CPU, processes=None if distributed.world() else 1)

    first = job()
    first.begin()
    steps = iter(range(100))
    assert isinstance([*first.events(lambda: next(steps) == 4)][-1], Stopped)
    with joined(data, 2, told_to_stop=1, code=7):
        second = job()
        second.resume()
        assert [*second.events(lambda: distributed.stopping() > 0)] == [Stopped(1, 6)]
        assert distributed.stopping() == signal.SIGTERM, "as which the first process ends too"
    last = job()
    last.resume()
    assert [event.epoch for event in last.events() if isinstance(event, Epoch)] == [1, 2]
    assert_same_weights(whole.learner, last.learner)
