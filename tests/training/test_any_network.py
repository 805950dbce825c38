"""A second network is trained, saved, evaluated, asked and resumed by the same commands: nothing knows only the DMN."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from conftest import Dmn, fails
from pydantic import Field
from torch import Tensor, nn

from dmn_cli.artifact import directory
from dmn_cli.data.joint import Joint
from dmn_cli.data.store.reader import DataSet
from dmn_cli.errors import UsageError
from dmn_cli.model.word_vectors import WordVectors
from dmn_cli.records.batch import END, Batch
from dmn_cli.records.network import Answered, Losses, Network, Sizes
from dmn_cli.settings.load import load, to_toml
from dmn_cli.settings.networks import NETWORKS, Kind
from dmn_cli.settings.schema import NetworkSettings
from dmn_cli.training.checkpoint import Checkpoint, found
from dmn_cli.training.checkpoint import load as load_checkpoint
from dmn_cli.training.events import Stopped
from dmn_cli.training.gradients import summed
from dmn_cli.training.learner import USUAL, Learner
from dmn_cli.training.loop import Training

CPU = torch.device("cpu")
KEYS = {"hidden": 16, "question_weight": 0.5}


class MeanSettings(NetworkSettings):
    question_weight: float = Field(ge=0)


class MeanOfWords(Network):
    """The mean of the facts' word vectors, and that of the question's, → each word of the answer. It has no gates."""

    def __init__(self, sizes: Sizes, hidden: int, question_weight: float) -> None:
        super().__init__()
        self.question_weight = question_weight
        self.table = WordVectors(sizes.words, sizes.word_size, hidden)
        self.answers = nn.Linear(hidden, sizes.max_answer_steps * sizes.answers)
        self.steps = sizes.max_answer_steps

    @property
    def word_table(self) -> WordVectors:
        return self.table

    def mean(self, sentences: Tensor) -> Tensor:
        """(sentences, words) → (sentences, hidden)"""
        real = (sentences != 0).unsqueeze(2)
        return (self.table(sentences) * real).sum(dim=1) / real.sum(dim=1)

    def forward(self, batch: Batch) -> Tensor:
        """(questions, steps, answers)"""
        facts = self.mean(batch.sentences)[batch.story[batch.story_of]]  # (questions, facts, hidden)
        seen = torch.arange(facts.shape[1]) < batch.facts_seen.unsqueeze(1)
        mean = (facts * seen.unsqueeze(2)).sum(dim=1) / batch.facts_seen.unsqueeze(1)
        mean = mean + self.question_weight * self.mean(batch.question_sentences)[batch.question]
        return self.answers(mean).unflatten(1, (self.steps, -1))

    def losses(self, batch: Batch, supervision: str | None) -> Losses:
        assert supervision is None
        return Losses(self.loss(self(batch), batch), None)

    def loss(self, logits: Tensor, batch: Batch) -> Tensor:
        right = batch.answer[:, : self.steps]
        logits = logits[:, : right.shape[1]]
        return F.cross_entropy(logits.transpose(1, 2), right, ignore_index=-1, reduction="none").sum(dim=1)

    @torch.no_grad()
    def answer(self, batch: Batch, *, with_loss: bool = False) -> Answered:
        logits = self(batch)
        chance, words = logits.softmax(dim=2).max(dim=2)
        ended = ((words == END).cumsum(dim=1) - (words == END).long()) > 0  # before this step
        loss = self.loss(logits, batch) if with_loss else None
        return Answered(words.masked_fill(ended, END), chance.masked_fill(ended, 1.0).prod(dim=1), None, loss)


@pytest.fixture(autouse=True)
def _mean(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is chosen by its name, as any network will be."""

    def build(settings: MeanSettings, sizes: Sizes) -> MeanOfWords:
        return MeanOfWords(sizes, settings.hidden, settings.question_weight)

    monkeypatch.setitem(NETWORKS, "mean", Kind("mean of words", MeanSettings, build))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "mean.toml"
    path.write_text(
        """
        [model]
        network = "mean"
        hidden = 16
        question_weight = 0.5

        [training]
        epochs = 3
        batch_size = 32
        learning_rate = 0.02
        """
    )
    return path


def test_it_is_trained_evaluated_and_asked(dmn: Dmn, world: Path, config: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    trained = dmn("train", world, "--out", run, "--config", config, "--device", "cpu", "--json")
    assert trained.code == 0, trained.err
    assert trained.document["best"]["accuracy"] > 0
    assert 'network = "mean"\nhidden = 16\nquestion_weight = 0.5' in (run / "config.toml").read_text()
    saved = json.loads((run / "model" / "config.json").read_text())
    assert saved["model"] == {"network": "mean", **KEYS}
    assert (run / "model" / "README.md").read_text().startswith("# A mean of words")

    lines = tmp_path / "predictions.jsonl"
    report = dmn("eval", run, world, "--json", "--predictions", lines).document
    assert report["accuracy"] > 1 / 6, "better than chance"
    plain = {"accuracy", "questions", "loss", "ece", "ece_uncalibrated", "macro_f1", "classes", "confusions"}
    assert report["tasks"]["qa1"].keys() == plain, "it has no gates"
    assert report["calibration"]["temperature"] == 1, "nor logits that a temperature could be fitted to"
    predictions = [json.loads(line) for line in lines.read_text().splitlines()]
    assert len(predictions) == report["questions"]
    assert sum(line["correct"] for line in predictions) == pytest.approx(report["accuracy"] * len(predictions))
    assert all(line["read"] == [] for line in predictions)

    story = tmp_path / "story.txt"
    story.write_text("Mary went to the kitchen. John went to the garden.")
    asked = ("ask", run, "--story", story, "--question", "Where is John?")
    answer = dmn(*asked, "--json").document
    assert answer["answer"]
    assert (answer["gates"], answer["read"]) == ([], [])
    why = dmn(*asked, "--why")
    assert why.code == 0, why.err
    assert "John went to the garden." in why.out
    golden = [json.loads(line) for line in (run / "model" / "golden.jsonl").read_text().splitlines()]
    again = dmn("ask", run, "--batch", run / "model" / "golden.jsonl").lines
    assert [(line["answer"], line["confidence"]) for line in again] == [
        (line["answer"], pytest.approx(line["confidence"], abs=1e-5)) for line in golden
    ]


def test_it_resumes_to_the_same_weights(dmn: Dmn, world: Path, config: Path, tmp_path: Path) -> None:
    def checkpoint(run: Path) -> Checkpoint:
        return load_checkpoint(found(run)[0], CPU)

    job = Training([DataSet(world)], tmp_path / "stopped", load(config=config), CPU)
    job.begin()
    steps = iter(range(20))
    assert isinstance(list(job.events(lambda: next(steps, None) is None))[-1], Stopped)
    assert dmn("train", world, "--out", tmp_path / "stopped", "--resume", "--device", "cpu").code == 0
    assert dmn("train", world, "--out", tmp_path / "whole", "--config", config, "--device", "cpu").code == 0
    stopped, whole = checkpoint(tmp_path / "stopped"), checkpoint(tmp_path / "whole")
    assert stopped.best == whole.best
    for name, weight in whole.network.items():
        assert torch.equal(weight, stopped.network[name]), name


def test_answers_are_learnt_from_the_start_whatever_gates_would_be_taught_first(world: Path, config: Path) -> None:
    """The preset dmn trains the answers from epoch 40 on."""
    learner = Learner(Joint.of([DataSet(world)]), load("dmn", config), CPU)
    assert learner.supervision is None


def test_a_batch_of_it_in_parts_is_the_whole(world: Path, config: Path) -> None:
    done = []
    for parts in (1, 2):
        learner = Learner(Joint.of([DataSet(world)]), load(config=config, overrides=[("training.parts", parts)]), CPU)
        planned = learner.plan(USUAL)[0]
        done.append(summed([learner.compute(learner.portion(planned, USUAL, 0, part), USUAL) for part in range(parts)]))
    for one, other in zip(done[0].gradients, done[1].gradients, strict=True):
        torch.testing.assert_close(one, other)


def test_it_takes_word_vectors_from_outside(dmn: Dmn, config: Path, tmp_path: Path) -> None:
    (tmp_path / "vectors.txt").write_text("tea 1 2 3\nrum 3 1 2\nit 1 1 1\n")
    lines = [{"story": [f"it is {drink}"], "question": "what ?", "answer": drink} for drink in ("tea", "rum")]
    splits = [{**line, "split": split} for line in lines for split in ["train"] * 8 + ["valid"]]
    (tmp_path / "drinks.jsonl").write_text("\n".join(map(json.dumps, splits)))
    made = ("prepare", "jsonl", tmp_path / "drinks.jsonl", "--vectors", tmp_path / "vectors.txt")
    assert dmn(*made, "--out", tmp_path / "data", "--quiet").code == 0
    options = ("--config", config, "--freeze-vectors", "--device", "cpu", "--quiet")
    trained = dmn("train", tmp_path / "data", "--out", tmp_path / "run", *options)
    assert trained.code == 0, trained.err
    model = directory.load(tmp_path / "run")
    assert model.sizes.word_size == 3
    assert model.network.word_table
    table, ids = model.network.word_table.weight, model.vocabulary.words.ids
    torch.testing.assert_close(table[ids["tea"]] * 3, table[ids["rum"]][[1, 2, 0]] * 3)


# --- how it is chosen


def chosen(config: Path | None = None, **keys: Any) -> dict[str, Any]:
    model = load(config=config, overrides=[(f"model.{key}", value) for key, value in keys.items()]).model
    return model.model_dump()


def test_it_is_chosen_by_a_file_or_by_single_keys(config: Path) -> None:
    assert chosen(config) == {"network": "mean", **KEYS}
    assert chosen(config, hidden=8, question_weight="2") == {"network": "mean", "hidden": 8, "question_weight": 2.0}
    assert chosen(network="mean", hidden=4, question_weight=1.0)["question_weight"] == 1.0
    assert load(config=config).training.l2 == load().training.l2, "the rest is the preset's"
    config.write_text("[training]\nepochs = 2\n")
    assert chosen(config, network="mean", hidden=4, question_weight=1)["hidden"] == 4
    assert chosen(config, network="dmn") == load().model.model_dump()


def test_a_file_of_it_may_be_overridden_by_the_presets_network(config: Path) -> None:
    config.write_text('[model]\nnetwork = "mean"\nhidden = 7\n')
    assert chosen(config, network="dmn") == {**load().model.model_dump(), "hidden": 7}


def test_nothing_of_the_presets_network_is_taken_over(config: Path) -> None:
    config.write_text('[model]\nnetwork = "mean"\n')
    with pytest.raises(UsageError, match=r"^not given: model\.hidden, model\.question_weight\n"):
        chosen(config)
    with pytest.raises(UsageError, match=r"^not given: model\.question_weight\n"):
        chosen(network="mean", hidden=8)
    with pytest.raises(UsageError, match=r"no setting 'model\.passes'"):
        chosen(network="mean", hidden=8, question_weight=1.0, passes=3)
    with pytest.raises(UsageError, match=r"question_wait") as caught:
        chosen(network="mean", hidden=8, question_wait=1.0)
    assert caught.value.hint == "Did you mean model.question_weight?"


def test_an_unknown_network_gets_a_suggestion(config: Path) -> None:
    with pytest.raises(UsageError, match="no network 'maen'") as caught:
        chosen(network="maen")
    assert caught.value.hint == "Did you mean mean?"
    config.write_text("[model]\nnetwork = [1]\n")
    with pytest.raises(UsageError, match=r"no network \[1\]"):
        chosen(config)


def test_settings_of_it_are_read_back_from_a_runs_config(config: Path) -> None:
    settings = load("dmn", config)
    config.write_text(to_toml(settings))
    assert load(config=config) == settings


def test_a_preset_may_be_of_it(config: Path, tmp_path: Path) -> None:
    folder = tmp_path / "presets"
    folder.mkdir()
    (folder / "mean.toml").write_text(to_toml(load(config=config)))
    assert load("mean", folder=folder).model == load(config=config).model
    config.write_text("[model]\nhidden = 3\n")
    assert load("mean", config, folder=folder).model.model_dump() == {**chosen(network="mean", **KEYS), "hidden": 3}
    table = load("dmn").model.model_dump()
    settings = load("mean", overrides=[(f"model.{key}", value) for key, value in table.items()], folder=folder)
    config.write_text(to_toml(settings, folder=folder))
    assert load(config=config, folder=folder) == settings, (
        "a run of it names the DMN, which a preset of it doesn't mean"
    )


def test_it_answers_alone(dmn: Dmn, world: Path, config: Path, tmp_path: Path) -> None:
    """Since it doesn't answer word by word, an ensemble is refused before anything is trained; the best can be kept."""
    run, options = tmp_path / "run", ("--config", config, "--device", "cpu")
    fails(dmn("train", world, "--out", run, "--ensemble", 2, *options), 2, "can't answer together", "--restarts")
    assert not run.exists()
    assert dmn("train", world, "--out", run, "--restarts", 2, *options).code == 0
