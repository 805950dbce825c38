"""The temperature is the likeliest one, changes no answer, and the calibration error is one of confidence."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Dmn, fails, strict_json
from helpers import batch, network
from hypothesis import given, settings
from hypothesis import strategies as st

from dmn_cli.artifact import directory
from dmn_cli.data.batches import Batches
from dmn_cli.data.store.reader import DataSet
from dmn_cli.evaluation import calibration
from dmn_cli.evaluation.calibration import BINS, binned, expected_calibration_error, fit_temperature, temperature
from dmn_cli.evaluation.report import evaluate
from dmn_cli.records.batch import END

CPU = torch.device("cpu")
ASKED = [  # once, with one word and with two; and at each fact
    ([[2, 3], [4]], [5], [1], [0]),
    ([[3]], [6, 7], [2, 3], [0]),
    ([[4], [2]], [3], (1, 2), [0]),
]


def overconfident(
    sharper: float, words: int = 4000, answers: int = 6, seed: int = 0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits, and right words drawn from what they say at a temperature of `sharper`."""
    random = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(words, answers, generator=random)
    right = torch.multinomial(torch.softmax(logits, dim=1), 1, generator=random).squeeze(1)
    return sharper * logits, right


def likelihood(logits: torch.Tensor, right: torch.Tensor, t: float) -> float:
    return float(torch.nn.functional.cross_entropy(logits.double() / t, right))


@given(sharper=st.floats(0.2, 5), seed=st.integers(0, 9), words=st.sampled_from([20, 300]))
@settings(max_examples=30, deadline=None)
def test_it_is_the_minimum_that_a_grid_search_finds(sharper: float, seed: int, words: int) -> None:
    logits, right = overconfident(sharper, words=words, seed=seed)
    grid = np.exp(np.linspace(math.log(0.1), math.log(10), 2001))
    best = grid[np.argmin([likelihood(logits, right, t) for t in grid])]
    assert temperature(logits, right) == pytest.approx(best, rel=0.0025)  # a step of the grid


def test_it_undoes_what_made_logits_too_sharp_or_too_flat() -> None:
    for sharper in (0.5, 1, 3):
        assert temperature(*overconfident(sharper, words=40_000)) == pytest.approx(sharper, rel=0.03)


def test_what_cannot_be_said_has_no_part_in_it() -> None:
    logits, right = overconfident(2.0)
    barred = torch.cat([torch.full((len(logits), 2), -torch.inf), logits], dim=1)
    assert temperature(barred, right + 2) == temperature(logits, right)


def test_without_a_mistake_nothing_says_how_sure_is_too_sure() -> None:
    logits = torch.tensor([[2.0, 0.0], [0.0, 0.1]])
    assert temperature(logits, torch.tensor([0, 1])) == 1
    assert temperature(logits, torch.tensor([1, 0])) == 10, "all of them wrong: as unsure as can be"


def test_a_calibrated_predictor_has_next_to_no_error() -> None:
    random = np.random.default_rng(0)
    confidence = random.random(200_000)
    right = random.random(200_000) < confidence
    one = np.zeros(200_000, np.int64)
    assert expected_calibration_error(binned(confidence, right, one, 1)) == pytest.approx([0], abs=0.005)
    assert expected_calibration_error(binned(confidence**0.25, right, one, 1)) > 0.2


def test_the_error_is_of_each_task_and_bins_add_up() -> None:
    """By hand: task 0 has two bins, (0.9, 1.0: one right of two) and (0.1: none of one); task 1 one; task 2 nothing."""
    confidence, right = np.array([0.95, 1.0, 0.1, 0.5]), np.array([True, False, False, True])
    bins = binned(confidence, right, np.array([0, 0, 0, 1]), 3)
    assert bins.shape == (3, 3, BINS)
    assert expected_calibration_error(bins).tolist() == pytest.approx([(abs(1.95 - 1) + 0.1) / 3, 0.5, 0])
    halves = [binned(confidence[at], right[at], np.zeros(2, np.int64), 1) for at in (slice(2), slice(2, 4))]
    assert np.allclose(halves[0] + halves[1], binned(confidence, right, np.zeros(4, np.int64), 1))


@pytest.mark.parametrize("preset", ["dmn", "dmn-plus"])
def test_no_temperature_changes_an_answer(preset: str) -> None:
    net = network(preset, per_fact=True)
    plain = net.answer(batch(ASKED), with_loss=True)
    assert plain.loss is not None
    for net.temperature in (0.1, 0.7, 1.0, 3.0, 10.0):
        answered = net.answer(batch(ASKED), with_loss=True)
        assert answered.loss is not None
        assert answered.uncalibrated is not None
        assert torch.equal(answered.words, plain.words)
        assert torch.equal(answered.loss, plain.loss)
        assert torch.equal(answered.uncalibrated, plain.confidence)
        changed = torch.sign(plain.confidence - answered.confidence)
        assert (changed == math.copysign(net.temperature != 1, net.temperature - 1)).all()


@pytest.mark.parametrize("per_fact", [False, True])
def test_the_confidence_is_what_the_logits_say_of_the_answer(per_fact: bool) -> None:
    """Asked for its own answer as the right one, a network's logits at a temperature multiply up to its confidence."""
    net = network("dmn-plus", per_fact=True, seed=1)
    net.temperature = 1.7
    [facts, question, _, support] = ASKED[0]
    length = 2 if per_fact else 1
    answered = net.answer(batch([(facts, question, (1,) * length if per_fact else [1], support)]))
    words = [word for word in answered.words[0].tolist() if word != END]
    logits, right = net.answer_logits(batch([(facts, question, tuple(words) if per_fact else words, support)]))
    assert right.tolist() == (words if per_fact else [*words, END])
    chance = torch.softmax(logits / 1.7, dim=1).gather(1, right.unsqueeze(1)).prod()
    if len(right) <= answered.words.shape[1]:  # its end was decoded too
        assert float(answered.confidence[0]) == pytest.approx(float(chance))
    assert logits[0, END] == -torch.inf


@pytest.fixture(scope="module")
def hard(dmn: Dmn, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stories that a model of qa1 often gets wrong."""
    out = tmp_path_factory.mktemp("hard") / "data"
    assert dmn("prepare", "story", "--tasks", 2, "--questions", 300, "--out", out).code == 0
    return out


def test_a_network_that_is_too_sure_gets_a_temperature(run: Path, hard: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It lowers the calibration error and changes nothing else; one of some stories is near that of all."""
    model = directory.load(run)
    network, answers = model.network, len(model.vocabulary.answers)
    splits = [Batches.of(DataSet(hard), "train", model.vocabulary)]
    report = evaluate(network, splits, CPU)
    network.temperature = fit_temperature(network, answers, splits, CPU)
    assert network.temperature > 1.2
    fitted = evaluate(network, splits, CPU)
    assert report.calibration
    assert fitted.calibration
    assert fitted.calibration.error < 0.7 * report.calibration.error
    assert fitted.calibration.error_before == report.calibration.error_before == report.calibration.error
    changed = {key: value for key, value in fitted.tasks["qa2"].items() if value != report.tasks["qa2"][key]}
    assert changed.keys() == {"ece"}
    monkeypatch.setattr(calibration, "_LOGITS", 2000)
    some = fit_temperature(network, answers, splits, CPU)
    assert some != network.temperature
    assert some == pytest.approx(network.temperature, rel=0.3)


def test_every_command_says_the_same_confidence(dmn: Dmn, model: Path, world: Path, tmp_path: Path) -> None:
    """A temperature in config.json is that of dmn ask, of its stream, and of dmn eval's predictions."""

    def confidences(value: float | None) -> list[float]:
        config = json.loads((model / "config.json").read_text())
        config.pop("temperature")
        (model / "config.json").write_text(json.dumps(config | ({} if value is None else {"temperature": value})))
        written = tmp_path / "predictions.jsonl"
        report = dmn("eval", model, world, "--predictions", written, "--force", "--json").document
        assert report["calibration"]["temperature"] == (value or 1)
        lines = [strict_json(line) for line in written.read_text().splitlines()]
        streamed = dmn("ask", model, "--batch", written).lines
        assert [line["answer"] for line in streamed] == [line["prediction"] for line in lines]
        found = [line["confidence"] for line in lines]
        assert [line["confidence"] for line in streamed] == pytest.approx(found, abs=1e-5)
        (tmp_path / "story.txt").write_text("\n".join(lines[0]["story"]))
        one = dmn(
            "ask", model, "--story", tmp_path / "story.txt", "--question", lines[0]["question"], "--json"
        ).document
        assert one["confidence"] == pytest.approx(found[0], abs=1e-5)
        assert (sum(found) / len(found) > 0.5) == (value != 10)
        (model / "config.json").write_text(json.dumps(config | {"temperature": 1.0}))
        return found

    assert confidences(None) == confidences(1.0) != confidences(10)
    said = dmn("eval", model, world).out
    assert "calibration error" in said
    assert "temperature" not in said


@pytest.mark.parametrize("value", [0, -1.0, "1", None, True, [1.0], float("inf")])
def test_what_is_no_temperature_is_a_damaged_model(dmn: Dmn, model: Path, world: Path, value: object) -> None:
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | {"temperature": value}))
    fails(dmn("eval", model, world), 4, "damaged")
