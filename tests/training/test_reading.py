"""Reading before being asked: it repeats, it resumes to the same bits, and it is worth something."""

import itertools
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import Whitespace

from dmn_cli.artifact import directory
from dmn_cli.data.formats.splits import hold_out
from dmn_cli.data.store import writer
from dmn_cli.data.store.reader import DataSet
from dmn_cli.data.words.tokenizer import WhitespaceTokenizer
from dmn_cli.errors import ModelError, UsageError
from dmn_cli.evaluation.report import evaluate
from dmn_cli.records.text import Question, Story
from dmn_cli.settings.load import load
from dmn_cli.settings.schema import Settings
from dmn_cli.training import saved
from dmn_cli.training.loop import Training
from dmn_cli.training.reading import CHECKPOINT, Measured, Reading, ReadingStopped
from dmn_cli.training.start import START, Start, joint_from
from dmn_cli.training.to_read import ToRead

CPU = torch.device("cpu")
ANIMALS = [f"animal{i}" for i in range(24)]
TOOLS = [f"tool{i}" for i in range(24)]


def sentence(word: str, random: np.random.Generator) -> str:
    verbs = ["sleeps", "eats", "runs", "purrs"] if word in ANIMALS else ["breaks", "rusts", "bends", "works"]
    return f"the {word} {random.choice(verbs)}"


def settings(**changes: object) -> Settings:
    values = {
        **{"model.hidden": 16, "model.sentence": "gru", "model.dropout": 0.0, "training.batch_size": 8},
        **{"reading.words": 64, "reading.learning_rate": 0.01, "reading.vectors_rate": 1.0, "reading.negatives": 20},
        **{"training.epochs": 8, "training.steps": 1, "training.learning_rate": 0.002, "training.averaging": 0.0},
        **changes,
    }
    return load("dmn-plus", overrides=[(key.replace("__", "."), value) for key, value in values.items()])


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    random = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("text") / "grammar.txt"
    path.write_text("\n".join(sentence(word, random) for word in (ANIMALS + TOOLS) * 40), encoding="utf-8")
    return path


def told(words: list[str], split: str) -> list[tuple[str, Story]]:
    """What kind of thing something is: said by the noun alone."""
    kinds = {word: "animal" if word in ANIMALS else "tool" for word in words}
    return [
        (split, Story("kind", (f"look at the {word} here",), (Question("which kind ?", 1, (kind,)),)))
        for word, kind in kinds.items()
    ]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    """Twelve words to train on; others to be validated and tested with."""
    out = tmp_path_factory.mktemp("kinds") / "data"
    stories = told(ANIMALS[:6] + TOOLS[:6], "train") + told(ANIMALS[6:9] + TOOLS[6:9], "valid")
    stories += told(ANIMALS[9:] + TOOLS[9:], "test")
    writer.write(out, stories, WhitespaceTokenizer(), {})
    return DataSet(out)


def reading(data: DataSet, text: Path, run: Path, given: Settings | None = None, **options: float) -> Reading:
    given = given or settings()
    to_read = ToRead.of([text], 100, [data], given)
    found = to_read.reading(to_read.texts(run, data), run, [data], given, CPU, None)
    return Reading(found.learner, found.batches, run, found.learner.settings, **options)


def read(job: Reading) -> Start:
    *_, last = job.events()
    assert isinstance(last, Measured)
    assert last.over
    start = Start.load(job.run)
    assert start
    return start


def assert_equal(one: Start, other: Start) -> None:
    assert one.words == other.words
    assert torch.equal(one.vectors, other.vectors)
    assert one.weights.keys() == other.weights.keys()
    for name in one.weights:
        assert torch.equal(one.weights[name], other.weights[name]), name


@pytest.mark.parametrize("stopped", [True, False], ids=["stopped", "killed"])
def test_a_reading_resumes_to_the_same_bits(data: DataSet, text: Path, tmp_path: Path, stopped: bool) -> None:
    given = settings(reading__epochs=2)
    for name in ("whole", "other"):
        (tmp_path / name).mkdir()
    whole = read(reading(data, text, tmp_path / "whole", given))
    job = reading(data, text, tmp_path / "other", given, save_every=0.0 if not stopped else 1e9)
    asked = itertools.count()
    if stopped:
        *_, last = job.events(lambda: next(asked) == 120)
        assert isinstance(last, ReadingStopped)
    else:
        measured = (event for event in job.events() if isinstance(event, Measured))
        for _ in range(120):
            next(measured)
        for _ in range(3):  # steps that are lost
            job.save = lambda: None
            next(measured)
    again = reading(data, text, tmp_path / "other", given)
    again.resume()
    assert again.state.words > 0
    assert again.state.epoch == 2
    assert_equal(read(again), whole)
    assert not saved.find(tmp_path / "other" / CHECKPOINT)
    words = [json.loads(line)["words"] for line in (tmp_path / "other" / "reading.jsonl").read_text().splitlines()]
    assert words == sorted(set(words))


def test_it_stops_while_what_is_held_out_is_measured(data: DataSet, text: Path, tmp_path: Path) -> None:
    for name in ("whole", "other"):
        (tmp_path / name).mkdir()
    whole = read(reading(data, text, tmp_path / "whole"))
    job = reading(data, text, tmp_path / "other")
    *_, last = job.events(lambda: job.state.epoch > 1)
    assert last == ReadingStopped(job.words, job.words)
    again = reading(data, text, tmp_path / "other")
    again.resume()
    assert_equal(read(again), whole)


def test_another_seed_reads_otherwise(data: DataSet, text: Path, tmp_path: Path) -> None:
    starts = []
    for seed in (1, 1, 2):
        run = tmp_path / str(len(starts))
        run.mkdir()
        starts.append(read(reading(data, text, run, settings(training__seed=seed))))
    assert_equal(starts[0], starts[1])
    assert not torch.equal(starts[0].vectors, starts[2].vectors)


def test_word_vectors_have_a_rate_of_their_own(data: DataSet, text: Path, tmp_path: Path) -> None:
    """Adam's first step is as long as the rate, whatever the gradient."""
    job = reading(data, text, tmp_path, settings(reading__learning_rate=0.001, reading__vectors_rate=20.0))
    watched = job.model.word_vectors.weight, job.model.read.forwards.U
    before = [weight.detach().clone() for weight in watched]
    list(job.events(lambda: True))
    moved = [(weight - old).abs().max().item() for weight, old in zip(watched, before, strict=True)]
    assert moved == pytest.approx([0.02, 0.001], rel=0.01)


def test_a_text_that_has_changed_is_not_read_on(data: DataSet, text: Path, tmp_path: Path) -> None:
    job = reading(data, text, tmp_path)
    list(job.events(lambda: True))
    shutil.rmtree(tmp_path / "text")
    (tmp_path / "other.txt").write_text("the animal1 eats\nthe tool1 works\n" * 9)
    with pytest.raises(UsageError, match="texts have changed"):
        reading(data, tmp_path / "other.txt", tmp_path).resume()
    (tmp_path / CHECKPOINT).with_suffix(saved.SUFFIX).write_bytes(b"nonsense")
    shutil.rmtree(tmp_path / "text")
    again = reading(data, text, tmp_path)
    [remark] = again.resume()
    assert remark.endswith("is damaged: reading begins anew")
    assert again.state.words == 0


def accuracy(data: DataSet, start: Start | None, run: Path) -> float:
    job = Training([data], run, settings(training__steps=4), CPU, start=start)
    job.begin()
    list(job.events())
    model = directory.load(run)
    joint = joint_from(start, [data], settings())
    return evaluate(model.network, joint.batches("test"), CPU).accuracy


def test_what_was_read_helps_a_tiny_training_set(data: DataSet, text: Path, tmp_path: Path) -> None:
    """Nouns that training lacks are known from the verbs that they were read with. Without reading they are unknown,
    so that nothing but chance is left."""
    (tmp_path / "read").mkdir()
    start = read(reading(data, text, tmp_path / "read", settings(reading__epochs=12)))
    assert accuracy(data, None, tmp_path / "without") <= 0.6
    assert accuracy(data, start, tmp_path / "with") >= 0.85
    model = directory.load(tmp_path / "with")
    [one] = model.read
    assert one["name"] == "grammar.txt"
    assert one["words"] == 3 * 1920
    assert 1 < one["perplexity"] < 30  # 24 nouns of each kind, 4 verbs
    assert "grammar.txt (5,760 words" in (tmp_path / "with" / "model" / "README.md").read_text()


def test_words_are_mapped_by_name_and_same_parameters_taken(data: DataSet, text: Path, tmp_path: Path) -> None:
    (tmp_path / "read").mkdir()
    start = read(reading(data, text, tmp_path / "read"))
    job = Training([data], tmp_path / "run", settings(training__epochs=1), CPU, start=start)
    job.begin()
    list(job.events())
    source = Start.of_run(tmp_path / "run")
    assert source.read == start.read

    stories = [
        ("train", Story("t", (f"the eats tool{i} animal20 new",), (Question("q", 1, ("a",)),))) for i in range(20)
    ]
    writer.write(tmp_path / "other", hold_out(iter(stories), 1), Whitespace(), {})
    other = DataSet(tmp_path / "other")
    learner = Training([other], tmp_path / "new", settings(model__passes=1), CPU, start=source).learner
    model, ids = directory.load(tmp_path / "run"), learner.joint.vocabulary.words.ids
    theirs, ours = model.network.state_dict(), learner.network.state_dict()
    for word in ("eats", "animal20", "tool3", "animal11"):
        there = model.vocabulary.words.ids[word]
        assert torch.equal(ours["word_vectors.E.weight"][ids[word]], theirs["word_vectors.E.weight"][there]), word
    assert "new" in ids
    assert "new" not in model.vocabulary.words.ids
    taken = [name for name in ours if name.startswith(("input_module.", "question_module."))]
    assert all(torch.equal(ours[name], theirs[name]) for name in taken)
    assert not torch.equal(ours["answer_module.gru.U"], theirs["answer_module.gru.U"])
    assert learner.taken == f"the vectors of {len(source.words):,} words, input module, question module"


def test_what_cannot_be_started_from_says_what_to_write(data: DataSet, text: Path, tmp_path: Path) -> None:
    (tmp_path / "read").mkdir()
    start = read(reading(data, text, tmp_path / "read"))
    with pytest.raises(UsageError) as caught:
        Training([data], tmp_path / "run", settings(model__hidden=8), CPU, start=start)
    assert caught.value.hint == "Give its settings: --set model.hidden=16"
    other = replace(start, model={**start.model, "network": "bi-lstm", "reader": None})
    with pytest.raises(UsageError, match="another kind of network: bi-lstm, not dmn") as caught:
        other.check(settings().model)
    assert "--preset" in str(caught.value.hint)
    (tmp_path / "read" / START).with_suffix(saved.SUFFIX).write_bytes(b"nonsense")
    with pytest.raises(ModelError, match="damaged"):
        Start.load(tmp_path / "read")
