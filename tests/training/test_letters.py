"""A network that reads letters knows words by how they end, trained, saved and asked about words that it never saw."""

import json

import numpy as np
import pytest
import torch

from dmn_cli.answering.predictor import Predictor
from dmn_cli.data.formats.splits import hold_out
from dmn_cli.data.store import writer
from dmn_cli.data.store.reader import DataSet
from dmn_cli.data.words.tokenizer import WhitespaceTokenizer
from dmn_cli.records.text import Question, Story
from dmn_cli.settings.load import load
from dmn_cli.training.loop import Training

CPU = torch.device("cpu")
QUESTION = "What are the tags ?"
ENDINGS = {"ly": "ADV", "ing": "VERB", "ness": "NOUN"}


def stories(count: int, seed: int) -> list[Story]:
    """Words of random letters, which are hardly ever seen twice."""
    random, told = np.random.default_rng(seed), []
    for _ in range(count):
        endings = random.choice(list(ENDINGS), 4).tolist()
        words = tuple("".join(random.choice(list("abdefikmor"), 4)) + ending for ending in endings)
        tags = tuple(ENDINGS[ending] for ending in endings)
        told.append(Story("tags", words, (Question(QUESTION, 4, tags, per_fact=True),), facts_are_words=True))
    return told


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Training:
    folder = tmp_path_factory.mktemp("letters")
    split = hold_out((("train", story) for story in stories(300, 1)), 1)
    writer.write(folder / "data", split, WhitespaceTokenizer(), {})
    values = {"hidden": 12, "characters": 12, "word_dropout": 0.5, "dropout": 0.0, "passes": 1}
    overrides = [(f"model.{key}", value) for key, value in values.items()]
    overrides += [("training.epochs", 6), ("training.batch_size", 16), ("training.learning_rate", 0.02)]
    settings = load("text", overrides=overrides)
    job = Training([DataSet(folder / "data")], folder / "run", settings, CPU)
    job.begin()
    list(job.events())
    return job


def test_words_never_seen_are_known_by_their_letters(training: Training) -> None:
    predictor = Predictor(training.run.path)
    told = stories(50, 2)
    answers = predictor.answer_all([(story.facts, QUESTION) for story in told])
    assert sum(len(answer.unknown) for answer in answers) > 0.9 * 4 * len(told)
    said = [word for answer in answers for word in answer.words]
    right = [tag for story in told for tag in story.questions[0].answer]
    assert np.mean([one == other for one, other in zip(said, right, strict=True)]) > 0.95


def test_asking_gives_what_evaluating_gave(training: Training) -> None:
    """The words of the validation that training lacks have their letters in both."""
    predictor = Predictor(training.run.path)
    lines = training.run.model.joinpath("golden.jsonl").read_text(encoding="utf-8").splitlines()
    golden = [json.loads(line) for line in lines]
    answers = predictor.answer_all([(line["story"], line["question"]) for line in golden])
    assert any(answer.unknown for answer in answers)
    for answer, line in zip(answers, golden, strict=True):
        assert answer.text == line["answer"]
        assert answer.confidence == pytest.approx(line["confidence"], abs=1e-5)
