"""Steps down the mean loss of a batch of each task."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Dmn

from dmn_cli.data.joint import Joint
from dmn_cli.data.store.reader import DataSet
from dmn_cli.settings.load import load
from dmn_cli.settings.schema import Settings
from dmn_cli.training.checkpoint import Checkpoint
from dmn_cli.training.decide import decide
from dmn_cli.training.events import Epoch, Stopped
from dmn_cli.training.gradients import summed
from dmn_cli.training.learner import USUAL, Learner
from dmn_cli.training.loop import Training
from dmn_cli.training.sampling import PlannedStep, plan
from dmn_cli.training.suits import taught
from dmn_cli.training.turns import learnt, look_ahead

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def three(dmn: Dmn, tmp_path_factory: pytest.TempPathFactory) -> list[DataSet]:
    """Two tasks in one data set, whose stories are long and short, and one in another."""
    folder = tmp_path_factory.mktemp("three")
    for name, tasks in (("two", "2,1"), ("one", "6")):
        told = dmn("prepare", "story", "--tasks", tasks, "--questions", "300", "--out", folder / name)
        assert told.code == 0, told.err
    return [DataSet(folder / "two"), DataSet(folder / "one")]


def quick(**training: Any) -> Settings:
    keys = {"sampling": "together", "epochs": 4, "steps": 8, "batch_size": 32, "learning_rate": 0.01, **training}
    of_training = [(f"training.{key}", value) for key, value in keys.items()]
    return load(overrides=[("model.hidden", 8), ("model.dropout", 0.0), *of_training])


def tasks_of(step: PlannedStep) -> list[int]:
    """As the model numbers them. Each batch has one."""
    numbers = [batches.task_ids[np.unique(batches.split.task[stories])] for batches, stories in step]
    assert all(len(of_batch) == 1 for of_batch in numbers)
    return [int(of_batch[0]) for of_batch in numbers]


def test_every_step_has_a_batch_of_each_task(three: list[DataSet]) -> None:
    """Each is read whole, before it is read again, and as many questions are asked of each, but where they see much."""
    joint = Joint.of(three)
    settings = decide(quick(steps=40), joint).settings.training
    steps = plan(joint.train, settings, 1)
    assert len(steps) == 40
    assert all(tasks_of(step) == [0, 1, 2] for step in steps)
    for batches in joint.train:
        read = np.concatenate([stories for step in steps for own, stories in step if own is batches])
        times = np.bincount(read, minlength=batches.split.stories)
        for task in range(len(batches.data.tasks)):
            of_task = times[batches.split.task == task]
            assert of_task.max() - of_task.min() <= 1
    asked = np.array([[batches.asked(stories)[0] for batches, stories in step] for step in steps])
    mean = dict(zip(joint.tasks, asked.mean(axis=0), strict=True))
    assert 22 <= mean["qa1"] <= 40
    assert mean["qa2"] < 20  # whose stories are long
    assert [[own.tolist() for _, own in step] for step in steps] == [
        [own.tolist() for _, own in step] for step in plan(joint.train, settings, 1)
    ]


def test_an_epoch_has_as_many_steps_as_a_task_has_batches(three: list[DataSet]) -> None:
    joint = Joint.of(three)
    settings = decide(quick(steps=1, batch_size=9), joint).settings.training
    questions = sum(len(batches.split) for batches in joint.train)
    assert questions / 9 / 3 <= len(plan(joint.train, settings, 1)) <= 2 * questions / 9 / 3


@pytest.fixture(scope="module")
def texts(dmn: Dmn, tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    """Forty texts, of which nothing says what an answer rests on."""
    folder = tmp_path_factory.mktemp("texts")
    lines = [{"story": [f"it is {n} {n % 7}"], "question": "How is it?", "answer": f"{n % 2}"} for n in range(40)]
    split = [line | {"split": split} for line in lines for split in ("train", "valid")]
    (folder / "texts.jsonl").write_text("".join(json.dumps(line) + "\n" for line in split))
    prepared = dmn("prepare", "jsonl", folder / "texts.jsonl", "--out", folder / "texts")
    assert prepared.code == 0, prepared.err
    return DataSet(folder / "texts")


def test_texts_are_not_read_hundreds_of_times_beside_stories(three: list[DataSet], texts: DataSet) -> None:
    """Eight times in all."""
    joint = Joint.of([*three, texts])
    settings = decide(quick(steps=40, epochs=2), joint).settings.training
    steps = [step for epoch in (1, 2) for step in plan(joint.train, settings, epoch)]
    assert len(steps) == 80
    assert all(tasks_of(step) == [0, 1, 2, 3] for step in steps)
    asked = np.array([[batches.asked(stories)[0] for batches, stories in step] for step in steps]).sum(axis=0)
    of_texts = joint.tasks.index(texts.tasks[0])
    assert asked[of_texts] == 8 * 40
    assert asked[0] > 80 * 22
    alone = Joint.of([texts])
    steps = plan(alone.train, decide(quick(steps=40), alone).settings.training, 1)
    assert sum(len(stories) for step in steps for _, stories in step) > 40 * 15  # it decides by itself how often
    assert taught(joint) == {"qa1", "qa2", "qa6"}
    assert taught(alone) == set(texts.tasks)


def test_what_is_learnt_comes_seldom(three: list[DataSet]) -> None:
    joint = Joint.of(three)
    settings = decide(quick(steps=40), joint).settings.training
    steps = [tasks_of(step) for step in plan(joint.train, settings, 1, seldom=0b101)]
    times = np.bincount(np.concatenate(steps))
    assert times.tolist() == [10, 40, 10]
    assert max(map(len, steps)) == 2  # the two don't come together, so that steps are of a length
    assert all(tasks_of(step) == [0, 1, 2] for step in plan(joint.train, settings, 1, seldom=0b111))


def test_the_gradient_of_each_batch_is_clipped(three: list[DataSet]) -> None:
    """So that the noise of one doesn't drown what another has to learn; that of a step of one batch isn't."""
    joint = Joint.of(three)
    learner = Learner(joint, quick(parts=1, steps=1, clip_each=0.01), CPU, processes=1)

    def norm(step: PlannedStep) -> float:
        gradients = learner.compute(learner.portion(step, USUAL, 0, 0), USUAL).gradients
        return float(torch.nn.utils.get_total_norm([g.to_dense() for g in gradients if g is not None]))

    step = learner.plan(USUAL)[0]
    assert norm(step) <= 0.0101
    assert norm([step[0], step[0]]) == pytest.approx(0.01, rel=0.01)
    assert all(norm([one]) > 0.1 for one in step)


@pytest.mark.parametrize("parts", [1, 2, 3, 5])
def test_the_gradient_is_the_mean_over_the_batches(three: list[DataSet], parts: int) -> None:
    """In float64, with the losses; of each batch alone, or dealt out to parts whole; with more parts than batches each
    is cut."""
    joint = Joint.of(three)
    learner = Learner(joint, quick(parts=parts, steps=1, clip_each=0.0), CPU, processes=1)
    alone = Learner(joint, quick(parts=1, steps=1), CPU, processes=1)
    for one in (learner, alone):
        one.network.double()
        one.network.load_state_dict(alone.network.state_dict())
    step = learner.plan(USUAL)[0]
    portions = [learner.portion(step, USUAL, 0, part) for part in range(parts)]
    if parts <= 3:
        assert sum(len(portion.pieces) for portion in portions) == 3
        assert max(len(portion.pieces) for portion in portions) <= math.ceil(3 / parts)
    whole = summed([learner.compute(portion, USUAL) for portion in portions])
    each = [alone.compute(alone.portion([one], USUAL, 0, 0), USUAL) for one in step]
    torch.testing.assert_close(whole.losses, torch.stack([one.losses for one in each]).mean(dim=0))
    columns = zip(whole.gradients, *(one.gradients for one in each), strict=True)
    for found, *of_batches in columns:
        there = [g.to_dense() for g in of_batches if g is not None]
        if found is None:
            assert not there
        else:
            torch.testing.assert_close(found.to_dense(), sum(there[1:], there[0]) / 3)


def test_gates_are_reported_of_those_that_are_told_of_them(three: list[DataSet], dmn: Dmn, tmp_path: Path) -> None:
    """A task without supporting facts leaves the loss of the gates of the others as it is."""
    told = ("prepare", "story", "--tasks", "4", "--questions", "100", "--format", "babi", "--out", tmp_path / "text")
    bare = ("prepare", "babi", tmp_path / "text", "--tasks", "4", "--no-supports", "--supports", "given")
    assert dmn(*told).code == 0
    assert dmn(*bare, "--out", tmp_path / "bare").code == 0
    joint = Joint.of([three[1], DataSet(tmp_path / "bare")])
    learner = Learner(joint, quick(parts=1, steps=1, batch_size=16), CPU, processes=1)
    step = learner.plan(USUAL)[0]
    assert [batches.asked(stories)[1] > 0 for batches, stories in step] == [True, False]
    both = learner.compute(learner.portion(step, USUAL, 0, 0), USUAL).losses
    first, second = (learner.compute(learner.portion([one], USUAL, 0, 0), USUAL).losses for one in step)
    torch.testing.assert_close(both, torch.stack([(first[0] + second[0]) / 2, first[1]]))


def test_a_training_that_was_stopped_ends_with_the_same_weights(three: list[DataSet], tmp_path: Path) -> None:
    """In the middle of an epoch, and where some tasks come seldom."""
    weights = []
    for name in ("whole", "stopped"):
        job = Training(three, tmp_path / name, quick(first_questions=100, parts=2), CPU, processes=1)
        job.begin()
        job.state.learnt = 0b10
        if name == "stopped":
            steps = 0

            def stop() -> bool:
                nonlocal steps
                steps += 1
                return steps == 5

            *_, last = job.events(stop)
            assert isinstance(last, Stopped)
            assert job.state.learnt == 0b10
            job = Training(three, tmp_path / name, quick(first_questions=100, parts=2), CPU, processes=1)
            job.resume()
            assert job.state.learnt == 0b10
        assert any(isinstance(event, Epoch) for event in job.events())
        weights.append([parameter.detach().clone() for parameter in job.learner.network.parameters()])
    for one, other in zip(*weights, strict=True):
        assert torch.equal(one, other)


def test_helpers_know_what_comes_seldom(three: list[DataSet], tmp_path: Path) -> None:
    """Two processes end with the weights of one."""
    weights = []
    for processes in (1, 2):
        job = Training(three, tmp_path / f"{processes}", quick(epochs=1, parts=2), CPU, processes=processes)
        job.begin()
        job.state.learnt = 0b1
        list(job.events())
        weights.append([parameter.detach().clone() for parameter in job.learner.network.parameters()])
    for one, other in zip(*weights, strict=True):
        assert torch.equal(one, other)


# --- when all is learnt


def test_tasks_are_learnt_one_by_one() -> None:
    assert learnt([1.0, 0.9, 0.98, 0.5]) == 0b101


def test_no_task_is_left_behind(three: list[DataSet]) -> None:
    """A small mean loss isn't enough, where one of several tasks may be as it was at first."""
    settings = decide(load(), Joint.of(three, symmetries=True)).settings.training
    assert settings.sampling == "together"
    state = Checkpoint(answers_from=1, data="", learnt=0b011)
    look_ahead(settings, state, 0.001, 0.9, lowest=0.7)
    assert state.spares_from is None
    look_ahead(settings, state, 0.3, 0.9, lowest=0.95)
    assert (state.spares_from, state.learnt) == (2, 0)
    state.epoch = 5
    look_ahead(settings, state, 0.001, 0.9, lowest=0.95)
    assert state.falls_from is None
    look_ahead(settings, state, 0.2, 0.9, lowest=0.99)
    assert state.falls_from == 6
    alone = Checkpoint(answers_from=1, data="")
    look_ahead(settings, alone, 0.05, 0.9)
    assert alone.spares_from == 2


def test_a_task_without_validation_holds_nothing_up(dmn: Dmn, tmp_path: Path) -> None:
    """It is never known to be learnt, and the others are."""
    told = {name: [f"{name} {n % 4} is red" for n in range(8)] for name in ("ball", "box")}
    lines = [
        {"task": name, "split": split, "story": [fact], "question": f"What is the {name}?", "answer": "red"}
        for name, facts in told.items()
        for fact in facts
        for split in (("train", "valid") if name == "ball" else ("train",))
    ]
    (tmp_path / "told.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    prepared = dmn("prepare", "jsonl", tmp_path / "told.jsonl", "--out", tmp_path / "data")
    assert prepared.code == 0, prepared.err
    settings = quick(schedule="solved", gate_supervision="off", epochs=2, parts=1, patience=9)
    job = Training([DataSet(tmp_path / "data")], tmp_path / "run", settings, CPU, processes=1)
    job.begin()
    list(job.events())
    assert job.learner.joint.tasks == ["ball", "box"]
    assert job.state.learnt & 0b10 == 0


def test_it_is_decided_where_several_tasks_have_names_that_change(three: list[DataSet]) -> None:
    changing = decide(load(), Joint.of(three, symmetries=True))
    assert changing.said["training.sampling"] == "together"
    assert changing.settings.training.batch_size == 512
    assert decide(load(), Joint.of(three)).said["training.sampling"] == "proportional"
    assert decide(load(), Joint.of(three[1:], symmetries=True)).said["training.sampling"] == "proportional"
