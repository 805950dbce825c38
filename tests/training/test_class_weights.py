"""Balanced classes: what each question weighs, and that the gradient follows it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dmn_cli.data.batches import Batches
from dmn_cli.data.joint import Joint
from dmn_cli.data.store import writer
from dmn_cli.data.store.reader import DataSet
from dmn_cli.data.words.tokenizer import WhitespaceTokenizer
from dmn_cli.records.text import Question, Story
from dmn_cli.settings.load import load
from dmn_cli.training.class_weights import balanced
from dmn_cli.training.learner import USUAL, Learner


def asked(task: str, text: str, *answer: str) -> tuple[str, Story]:
    return "train", Story(task, (text,), (Question(f"Which {task} ?", 1, answer),))


@pytest.fixture
def data(tmp_path: Path) -> DataSet:
    """Two tasks, of which one has a class for 6 questions and one for 2, and the other lists; and tags."""
    tags = Story("tags", ("a", "b"), (Question("Tags ?", 2, ("A", "B"), per_fact=True),), facts_are_words=True)
    stories = [
        *(asked("one", f"{i} often", "x") for i in range(6)),
        *(asked("one", f"{i} rarely", "y") for i in range(2)),
        *(asked("lists", f"{i} both", "x", "y") for i in range(3)),
        asked("lists", "0 one", "x"),
        ("train", tags),
    ]
    writer.write(tmp_path / "data", iter(stories), WhitespaceTokenizer(), {})
    return DataSet(tmp_path / "data")


def test_all_classes_of_a_task_weigh_the_same(data: DataSet) -> None:
    batches = Batches.of(data, "train", data.vocabulary.of_training())
    weights = balanced(batches)
    assert weights.tolist() == pytest.approx([8 / 12] * 6 + [8 / 4] * 2 + [4 / 6] * 3 + [4 / 2] + [1])
    assert weights[:8].mean() == pytest.approx(1)
    assert weights[8:12].mean() == pytest.approx(1)


def test_the_gradient_is_of_the_weighted_loss(data: DataSet) -> None:
    """That of the balanced loss is what the weights make of the losses; what is reported is as before."""
    overrides = [("model.hidden", 8), ("model.dropout", 0), ("training.parts", 1), ("training.steps", 1)]
    results = {}
    for kind in ("none", "balanced"):
        settings = load(overrides=[*overrides, ("training.class_weights", kind)])
        learner = Learner(Joint.of([data]), settings, torch.device("cpu"), processes=1)
        planned = learner.plan(USUAL)[0]
        portion = learner.portion(planned, USUAL, 0, 0)
        (piece,) = portion.pieces
        results[kind] = learner.compute(portion, USUAL)
        if kind == "balanced":
            [(batches, stories)] = planned
            weights = torch.from_numpy(balanced(batches)[batches.question_rows(stories)])
            assert piece.weights is not None
            assert np.sort(piece.weights.numpy()).tolist() == np.sort(weights.numpy()).tolist()
            loss = (learner.network.losses(piece.batch, None).answers * piece.weights).sum() / piece.asked
            expected = torch.autograd.grad(loss, list(learner.network.parameters()), allow_unused=True)
            for found, wanted in zip(results[kind].gradients, expected, strict=True):
                if wanted is not None:
                    dense = found.to_dense() if found.is_sparse else found
                    wanted = wanted.to_dense() if wanted.is_sparse else wanted
                    # clipping comes later; the embedding's gradient is compared too
                    torch.testing.assert_close(dense, wanted)
    assert results["none"].losses.tolist() == pytest.approx(results["balanced"].losses.tolist())
    assert any(
        a is not None and not torch.equal(a, b)
        for a, b in zip(results["none"].gradients, results["balanced"].gradients, strict=True)
    )


@pytest.mark.parametrize("kind", ["none", "balanced"])
def test_smoothed_answers_are_minimised_and_not_reported(data: DataSet, kind: str) -> None:
    overrides: list[tuple[str, Any]] = [("model.hidden", 8), ("model.dropout", 0), ("training.parts", 1)]
    overrides += [("training.steps", 1), ("training.class_weights", kind)]
    results = {}
    for smoothing in (0.0, 0.2):
        settings = load(overrides=[*overrides, ("training.label_smoothing", smoothing)])
        learner = Learner(Joint.of([data]), settings, torch.device("cpu"), processes=1)
        portion = learner.portion(learner.plan(USUAL)[0], USUAL, 0, 0)
        (piece,) = portion.pieces
        results[smoothing] = learner.compute(portion, USUAL)
        if smoothing:
            assert piece.batch is not None
            smoothed = learner.network.losses(piece.batch, None).smoothed
            assert smoothed is not None
            weights = 1.0 if piece.weights is None else piece.weights
            bias = learner.network.get_parameter("answer_module.W.bias")
            (expected,) = torch.autograd.grad((smoothed * weights).sum() / piece.asked, bias)
            place = [parameter is bias for parameter in learner.network.parameters()].index(True)
            torch.testing.assert_close(results[smoothing].gradients[place], expected)
            assert not torch.equal(results[0.0].gradients[place], expected)
    assert results[0.0].losses.tolist() == results[0.2].losses.tolist()
