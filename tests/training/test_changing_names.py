"""Training under changed names: decided from the data, the same after a stop, and it learns what it is told."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Dmn, fails
from helpers import network

from dmn_cli.artifact import directory
from dmn_cli.data.joint import Joint
from dmn_cli.data.store.reader import DataSet
from dmn_cli.data.symmetries.spares import is_spare
from dmn_cli.evaluation.metrics import Judged, judge
from dmn_cli.evaluation.report import evaluate
from dmn_cli.settings.load import load
from dmn_cli.settings.schema import AUTO
from dmn_cli.training import checkpoint, loop, validation
from dmn_cli.training.averaging import Averaged
from dmn_cli.training.decide import decide
from dmn_cli.training.events import Epoch, Stopped
from dmn_cli.training.learner import Phase, Portion
from dmn_cli.training.loop import Training
from dmn_cli.training.sampling import PlannedStep, plan

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def walks(dmn: Dmn, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("walks") / "data"
    assert dmn("prepare", "story", "--tasks", 1, "--questions", 400, "--out", out).code == 0
    return out


def quick(**training: Any) -> list[tuple[str, Any]]:
    keys = {"epochs": 8, "steps": 10, "batch_size": 32, "learning_rate": 0.01, "parts": 2}
    keys |= {"first_questions": 100, **training}
    return [("model.hidden", 8), *((f"training.{key}", value) for key, value in keys.items())]


def test_what_is_auto_is_decided_from_the_training_data(walks: Path, dmn: Dmn, tmp_path: Path) -> None:
    changing = Joint.of([DataSet(walks)], symmetries=True)
    plain = Joint.of([DataSet(walks)])
    settings, said = decide(load(), changing)
    assert settings.training.schedule == said["training.schedule"] == "solved"
    assert settings.training.gate_supervision == "ordered"
    assert settings.model.model_dump()["dropout"] == 0
    assert said["model.passes"] == 3
    assert 64 <= settings.training.batch_size <= 512
    assert settings.training.first_questions == 1000
    settings, said = decide(load(), plain)
    assert settings.training.schedule == "cosine"
    assert (settings.training.batch_size, settings.training.learning_rate, settings.training.epochs) == (32, 0.001, 60)
    assert (settings.training.steps, settings.training.averaging) == (100, 0.998)
    assert settings.model.model_dump()["dropout"] == 0.3
    assert settings.training.first_questions == 0
    assert AUTO not in settings.model_dump_json()


def test_many_stories_of_few_sentences_need_no_noise(dmn: Dmn, tmp_path: Path) -> None:
    """Where names stay; of many sentences, each seen a few times, it is as it was."""

    def decided(*options: object) -> tuple[Any, ...]:
        out = tmp_path / str(len(list(tmp_path.iterdir())))
        assert dmn("prepare", "story", "--tasks", 1, "--questions", 4000, "--out", out, *options).code == 0
        settings, _ = decide(load(), Joint.of([DataSet(out)]))
        return settings.model.model_dump()["dropout"], settings.training.l2, settings.training.averaging

    assert decided() == (0.0, 0.0001, 0.998)
    assert decided("--people", 40, "--places", 40) == (0.1, 0.0, 0.0)


def test_what_is_counted_is_read_in_one_pass(dmn: Dmn, tmp_path: Path) -> None:
    """Where questions rest on more facts than passes can read one by one, and gates may be let be several."""
    assert dmn("prepare", "story", "--tasks", 7, "--questions", 400, "--out", tmp_path).code == 0
    counts = Joint.of([DataSet(tmp_path)], symmetries=True)

    def form(**given: Any) -> tuple[Any, Any]:
        model = decide(load(overrides=[(f"model.{key}", value) for key, value in given.items()]), counts).settings.model
        return model.model_dump()["gates"], model.model_dump()["passes"]

    assert form() == ("sigmoid", 1)
    assert form(passes=2) == ("sigmoid", 2)
    assert form(gates="softmax") == ("softmax", 3)
    assert decide(load(), Joint.of([DataSet(tmp_path)])).said["model.passes"] == 3


def test_what_is_said_wins_and_nothing_of_the_paper_is_decided(walks: Path) -> None:
    joint = Joint.of([DataSet(walks)], symmetries=True)
    settings, said = decide(load(overrides=quick(schedule="cosine")), joint)
    assert settings.training.schedule == "cosine"
    assert not {"training.schedule", "training.epochs", "training.batch_size"} & said.keys()
    settings, said = decide(load("dmn"), joint)
    assert settings.model_dump() == load("dmn").model_dump()
    assert said == {}


def test_a_run_keeps_auto_and_its_model_and_checkpoint_what_it_came_to(dmn: Dmn, walks: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    result = dmn("train", walks, "--out", run, "--epochs", 1, "--set", "model.hidden=8", "--set", "training.steps=2")
    assert result.code == 0, result.err
    assert "decided: gates softmax, passes 3, dropout 0.0, batch_size" in result.err
    assert tomllib.loads((run / "config.toml").read_text())["training"]["batch_size"] == AUTO
    assert checkpoint.load(checkpoint.found(run)[0], CPU).decided["training.schedule"] == "solved"
    assert directory.load(run).settings.model_dump()["gates"] == "softmax"
    fails(
        dmn("train", walks, "--out", tmp_path / "b", "--set", "training.batch_size=few"),
        2,
        "training.batch_size",
        "auto",
    )
    fails(dmn("train", walks, "--out", tmp_path / "b", "--set", "training.clip=auto"), 2, "training.clip")


def test_it_begins_with_few_questions_of_each_task_whose_names_change(dmn: Dmn, walks: Path, tmp_path: Path) -> None:
    """Evenly from all of them, and with all stories of other tasks; small data are read several times in an epoch."""
    assert dmn("prepare", "story", "--tasks", 2, "--symmetries", "off", "--questions", 200, "--out", tmp_path).code == 0
    joint = Joint.of([DataSet(walks), DataSet(tmp_path)], symmetries=True)
    changing, plain = joint.train
    settings = load(overrides=quick(first_questions=100, sampling="proportional")).training

    def stories(*, few: bool) -> list[set[int]]:
        planned = plan(joint.train, settings, 1, few=few)
        assert len(planned) >= settings.steps
        read = [batch for step in planned for batch in step]
        return [{n for own, some in read if own is batches for n in some.tolist()} for batches in joint.train]

    everything = [set(range(batches.split.stories)) for batches in joint.train]
    assert stories(few=False) == everything
    few, rest = stories(few=True)
    assert 90 <= changing.split.questions.lengths[sorted(few)].sum() <= 110
    gaps = np.diff([-1, *sorted(few), changing.split.stories])
    assert gaps.max() <= 2 * changing.split.stories / len(few)
    assert rest == everything[1]
    assert plain.few(1) is None
    assert changing.few(len(changing.split)) is None


def test_all_stories_take_part_once_spares_do(walks: Path, tmp_path: Path) -> None:
    job = Training([DataSet(walks)], tmp_path / "run", load(overrides=quick()), CPU, processes=1)
    few = job.learner.train[0].few(100)
    assert few is not None
    seen: dict[bool, set[int]] = {False: set(), True: set()}
    portion = job.learner.portion

    def watched(planned: PlannedStep, phase: Phase, step: int, part: int) -> Portion:
        seen[phase.spares].update(*(stories.tolist() for _, stories in planned))
        return portion(planned, phase, step, part)

    job.learner.portion = watched
    job.begin()
    list(job.events())
    assert seen[False] == set(few.tolist())
    assert seen[True] == set(range(job.learner.train[0].split.stories))


@pytest.mark.parametrize(("enough", "copies", "thinned"), [(1000, 4, 8), (130, 3, 3), (1, 1, 1)])
def test_a_large_validation_is_read_under_other_names_less_often(
    walks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, enough: int, copies: int, thinned: int
) -> None:
    ways: list[dict[str, Any]] = []

    def watched(*args: Any, **how: Any) -> Iterator[Judged]:
        ways.append(how)
        return judge(*args, **how)

    monkeypatch.setattr(loop, "judge", watched)
    monkeypatch.setattr(validation, "_ENOUGH", enough)
    job = Training([DataSet(walks)], tmp_path / "run", load(overrides=quick(epochs=1, steps=1)), CPU, processes=1)
    assert sum(len(batches.split) for batches in job.validation.batches) == 40
    job.begin()
    list(job.events())
    assert ways[: 1 + copies] == [{}, *({"names": seed} for seed in range(copies))]
    assert ways[1 + copies :] == [{"thin": seed} for seed in range(thinned)]


@pytest.fixture(scope="module")
def whole(walks: Path, tmp_path_factory: pytest.TempPathFactory) -> Training:
    """One that nothing stopped, under other names, spares and a falling rate."""
    run = tmp_path_factory.mktemp("whole") / "run"
    training = Training([DataSet(walks)], run, load(overrides=quick()), CPU, processes=1)
    training.begin()
    epochs = [event for event in training.events() if isinstance(event, Epoch)]
    assert [e.changed is not None for e in epochs] == [True] * len(epochs)
    assert training.state.spares_from is not None
    assert training.state.falls_from is not None
    assert training.state.thin_from is not None
    return training


@pytest.mark.parametrize("stopped_after", [7, 20, 45, 71])
def test_stopped_under_changed_names_it_resumes_to_the_same_weights(
    walks: Path, whole: Training, tmp_path: Path, stopped_after: int
) -> None:
    """Names, spares, the averaged weights, the falling rate and what was decided go on as they would have."""
    settings = load(overrides=quick())
    asked = iter(range(1, 10**6))
    stopped = Training([DataSet(walks)], tmp_path / "stopped", settings, CPU, processes=1)
    stopped.begin()
    assert isinstance(list(stopped.events(lambda: next(asked) == stopped_after))[-1], Stopped)
    rest = Training([DataSet(walks)], tmp_path / "stopped", settings, CPU, processes=1)
    torch.manual_seed(99)
    rest.resume()
    list(rest.events())
    for one, other in zip(whole.learner.network.parameters(), rest.learner.network.parameters(), strict=True):
        assert torch.equal(one, other)
    assert whole.averaged
    assert rest.averaged
    assert all(map(torch.equal, whole.averaged.mean, rest.averaged.mean))
    assert whole.state.best == rest.state.best
    models = [(run / "model" / "model.safetensors").read_bytes() for run in (whole.run.path, tmp_path / "stopped")]
    assert models[0] == models[1]


def test_the_model_has_spares_and_the_sentences_that_names_stand_in(walks: Path, tmp_path: Path) -> None:
    job = Training([DataSet(walks)], tmp_path / "run", load(overrides=quick(epochs=1, steps=2)), CPU)
    job.begin()
    list(job.events())
    model = directory.load(tmp_path / "run")
    assert len(model.names.kinds) == 2
    words = set(model.vocabulary.words.items)
    assert {form for kind in model.names.kinds for spare in kind.spares for form in spare} == set(
        filter(is_spare, words)
    )
    assert any(form[0].startswith("\t") and form[-1] == "." for form in model.names.forms)
    config = json.loads((tmp_path / "run" / "model" / "config.json").read_text())
    assert set(config["names"]["symmetries"]) == {"qa1"}


def test_without_symmetries_nothing_is_added(dmn: Dmn, walks: Path, tmp_path: Path) -> None:
    off = [("training.symmetries", False)]
    job = Training([DataSet(walks)], tmp_path / "run", load(overrides=quick(epochs=1) + off), CPU)
    assert not any(map(is_spare, job.learner.model.vocabulary.words.items))
    assert not job.learner.model.names
    data = tmp_path / "off"
    assert dmn("prepare", "story", "--tasks", 1, "--questions", 400, "--out", data, "--symmetries", "off").code == 0
    assert DataSet(data).summary["symmetries"] == {}


def test_symmetries_of_ones_own(dmn: Dmn, walks: Path, tmp_path: Path) -> None:
    """What `auto` wrote, corrected, is read back; what makes no sense is said where it stands."""
    told = (walks / "symmetries.toml").read_text()
    mine = tmp_path / "mine.toml"
    mine.write_text('[qa1]\nclasses = [["mary", "john"]]\n')
    options = ("prepare", "story", "--tasks", 1, "--questions", 400, "--symmetries", mine)
    result = dmn(*options, "--out", tmp_path / "mine")
    assert result.code == 0, result.err
    assert DataSet(tmp_path / "mine").summary["symmetries"]["qa1"]["classes"] == [[["mary"], ["john"]]]
    mine.write_text(told)
    assert dmn(*options, "--out", tmp_path / "again").code == 0
    assert DataSet(tmp_path / "again").summary["symmetries"] == DataSet(walks).summary["symmetries"]
    for text, *says in (
        ("[qa1", "is not TOML"),
        ('[qa2]\nclasses = [["mary", "john"]]\n', "there is no task 'qa2'", "qa1"),
        ('[qa1]\nclasses = [["mary", "nobody"]]\n', "'nobody' doesn't occur"),
        ('[qa1]\nclasses = [["mary", "mary"]]\n', "twice"),
    ):
        mine.write_text(text)
        fails(dmn(*options, "--out", tmp_path / "no"), 2, *says)
        assert not (tmp_path / "no").exists()
    fails(dmn(*options[:-1], tmp_path / "none.toml", "--out", tmp_path / "no"), 2, "can't be read")


def test_averaged_weights_are_a_running_mean() -> None:
    net = network("dmn-plus").float()
    averaged = Averaged(net, 0.9)
    (weight, *_), (mean, *_) = list(net.parameters()), averaged.mean
    expected = weight.detach().double().clone()
    for n in range(30):
        with torch.no_grad():
            weight += torch.randn_like(weight)
        averaged.update(n)
        kept = min(0.9, (n + 1) / (n + 10))
        expected = kept * expected + (1 - kept) * weight.detach().double()
    torch.testing.assert_close(mean.double(), expected, rtol=1e-4, atol=1e-5)
    own = weight.detach().clone()
    with averaged.in_use():
        assert torch.equal(weight, mean)
    assert torch.equal(weight, own)


def test_facts_are_left_out_where_answers_stay_as_good(walks: Path, dmn: Dmn, tmp_path: Path) -> None:
    def may_thin(data: Path, accuracy: float, **training: Any) -> bool:
        began = Training([DataSet(data)], tmp_path / "none", load(overrides=quick(**training)), CPU, processes=1)
        whole = evaluate(began.learner.network, began.validation.batches, CPU)
        whole.tasks["qa1"]["accuracy"] = accuracy
        return began.validation.as_good_thinned(whole)

    assert may_thin(walks, 0.0)
    assert not may_thin(walks, 1.0)  # which an untrained network's answers to thinned stories are far from
    assert not may_thin(walks, 0.0, gate_supervision="off")
    assert may_thin(walks, 0.0, symmetries=False)
    assert may_thin(walks, 0.0, thinning="changing")
    assert not may_thin(walks, 0.0, symmetries=False, thinning="changing")


def test_a_training_that_leads_nowhere_begins_anew_the_same_after_a_stop(walks: Path, tmp_path: Path) -> None:
    def job(name: str) -> Training:
        keys = quick(epochs=36, steps=2, learning_rate=1e-9, final_learning_rate=1e-10)
        return Training([DataSet(walks)], tmp_path / name, load(overrides=keys), CPU, processes=1)

    whole, stopped, resumed = job("whole"), job("stopped"), job("stopped")
    first = [parameter.detach().clone() for parameter in whole.learner.network.parameters()]
    whole.begin()
    epochs = [event for event in whole.events() if isinstance(event, Epoch)]
    assert [event.epoch for event in epochs if event.anew] == [16]
    assert [event.as_json().get("anew", False) for event in epochs] == [event.epoch == 16 for event in epochs]
    assert whole.state.attempt == 1
    for before, after in zip(first, whole.learner.network.parameters(), strict=True):
        assert before.dim() == 1 or not torch.allclose(before, after, atol=1e-3)  # biases begin at zero again
    stopped.begin()
    assert isinstance(list(stopped.events(lambda: stopped.state.epoch == 18))[-1], Stopped)
    assert stopped.state.attempt == 1
    resumed.resume()
    list(resumed.events())
    for one, other in zip(whole.learner.network.parameters(), resumed.learner.network.parameters(), strict=True):
        assert torch.equal(one, other)
