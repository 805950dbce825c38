"""A network with a bag of n-grams: which ones it knows, trained in parts, resumed, saved and asked."""

import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from test_helpers import Ready, assert_same_weights, trained

from dmn_cli.answering.predictor import Predictor
from dmn_cli.data.formats.splits import hold_out
from dmn_cli.data.joint import Joint
from dmn_cli.data.ngrams import of_training
from dmn_cli.data.store import writer
from dmn_cli.data.store.reader import DataSet
from dmn_cli.data.words.tokenizer import WhitespaceTokenizer
from dmn_cli.model.network import DynamicMemoryNetwork
from dmn_cli.records.ngrams import keys
from dmn_cli.records.text import Question, Story
from dmn_cli.settings.load import load
from dmn_cli.settings.schema import Settings
from dmn_cli.training.events import Stopped
from dmn_cli.training.loop import Training
from dmn_cli.training.seeds import Seeds, train

CPU = torch.device("cpu")
QUESTION = "How is it ?"


def stories(count: int) -> list[Story]:
    """Whether "not" stands right before "good" or "bad" is what counts."""
    random, told = np.random.default_rng(3), []
    for i in range(count):
        good, no, word = random.integers(2), random.integers(2), random.integers(40)
        said = f"it is {'not ' if no else ''}{'good' if good else 'bad'} ."
        other = f"word{word} is {'' if no else 'not '}here ."
        facts = (said, other) if i % 2 else (other, said)
        told.append(Story("mood", facts, (Question(QUESTION, 2, ("yes" if good != no else "no",)),)))
    return told


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    out = tmp_path_factory.mktemp("ngrams") / "data"
    writer.write(out, hold_out((("train", story) for story in stories(200)), 1), WhitespaceTokenizer("en"), {})
    return DataSet(out)


def quick(**training: Any) -> Settings:
    changes = {"batch_size": 16, "epochs": 2, "averaging": 0.9, "learning_rate": 0.01, "steps": 1, **training}
    model = {"model.hidden": 8, "model.dropout": 0.1, "model.ngrams": 2, "model.passes": 1}
    return load("dmn-plus", overrides=[*(model | {f"training.{k}": v for k, v in changes.items()}).items()])


def test_it_knows_the_ngrams_that_two_texts_have(data: DataSet) -> None:
    train = Joint.of([data]).train
    assert len(train) == 1
    counts: Counter[int] = Counter()
    for story in range(train[0].split.stories):
        words, lengths = train[0].text(np.array([story]))
        assert lengths.tolist() == [len(words)]
        found, _ = keys(words, np.zeros(len(words), np.int64), 2)
        counts.update(set(found.tolist()))
    expected = sorted(gram for gram, texts in counts.items() if texts > 1)
    assert of_training(train, 2).keys.tolist() == expected
    assert len(of_training(train, 1).keys) < len(expected) < len(counts)


def test_an_ngram_counts_as_naive_bayes_says(data: DataSet) -> None:
    """Against the definition, n-gram by n-gram."""
    train = Joint.of([data]).train[0]
    known, w = of_training([train], 2)
    having: dict[str, Counter[int]] = {"yes": Counter(), "no": Counter()}
    for story in range(train.split.stories):
        words, _ = train.text(np.array([story]))
        found, _ = keys(words, np.zeros(len(words), np.int64), 2)
        (answer,), many = train.answer_words(np.array([story]))
        assert many.tolist() == [1]
        having[train.vocabulary.answers.items[answer]].update(set(found.tolist()) & set(known.tolist()))

    def given(gram: int, answer: str) -> float:
        return (1 + having[answer][gram]) / (len(known) + having[answer].total())

    expected = [abs(math.log(given(gram, "yes") / given(gram, "no"))) for gram in known.tolist()]
    assert w.tolist() == pytest.approx(expected, rel=1e-5, abs=1e-6)
    assert max(expected) > 2 > 0.1 > min(expected)


def test_a_helper_changes_nothing(data: DataSet, tmp_path: Path) -> None:
    alone, losses = trained(data, tmp_path / "alone", quick(parts=2), processes=1)
    beside, losses_beside = trained(data, tmp_path / "beside", quick(parts=2))
    assert losses == losses_beside
    assert_same_weights(alone, beside)
    assert isinstance(alone.network, DynamicMemoryNetwork)
    assert alone.network.ngram_bag
    assert alone.network.ngram_bag.T.weight.any()


def test_it_resumes_to_the_same_weights(data: DataSet, tmp_path: Path) -> None:
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


def test_an_attempt_from_other_weights_knows_the_same_ngrams(data: DataSet, tmp_path: Path) -> None:
    learner = Training([data], tmp_path / "run", quick(), CPU).learner
    network = learner.network
    assert isinstance(network, DynamicMemoryNetwork)
    assert network.ngram_bag
    before = network.ngram_bag.keys.clone()
    learner.begin_anew(0)
    assert torch.equal(network.ngram_bag.keys, before)
    assert network.ngram_bag.w.max() > 1
    assert len(before.unique()) == len(before)


def finish(_: int, training: Training) -> None:
    list(training.events())


def test_a_saved_one_answers_and_so_does_an_ensemble(data: DataSet, tmp_path: Path) -> None:
    """The order of words within a sentence is all that tells the answers apart."""
    seeds = Seeds([data], tmp_path / "run", quick(epochs=12), [1, 2], ensemble=True)
    train(seeds, CPU, finish)
    for path in ("run/seed-1", "run"):
        predictor = Predictor(tmp_path / path)
        assert predictor.model.sizes.ngram_rows > 0
        asked = [(story.facts, QUESTION) for story in stories(40)]
        answers = predictor.answer_all(asked)
        assert [answer.text for answer in answers] == [story.questions[0].answer[0] for story in stories(40)]
        backwards = predictor.answer_all(asked[::-1])[::-1]
        for one, other in zip(answers, backwards, strict=True):
            assert one.confidence == pytest.approx(other.confidence, abs=1e-6)
