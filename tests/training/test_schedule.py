"""How the learning rate goes: by the epoch, or by when the training answers are learnt."""

from typing import Any

import pytest

from dmn_cli.settings.load import load
from dmn_cli.settings.schema import TrainingSettings
from dmn_cli.training.checkpoint import Checkpoint
from dmn_cli.training.schedule import FALL, rate
from dmn_cli.training.turns import may_thin


def settings(schedule: str, **training: Any) -> TrainingSettings:
    keys: dict[str, Any] = {"schedule": schedule, "epochs": 10, "learning_rate": 0.01, "final_learning_rate": 0.001}
    keys |= training
    return load(overrides=[(f"training.{key}", value) for key, value in keys.items()]).training


def state(epoch: int, step: int = 0, done: int = 0, falls_from: int | None = None) -> Checkpoint:
    return Checkpoint(data="", answers_from=1, epoch=epoch, step=step, steps=done, falls_from=falls_from)


def test_along_half_a_cosine_over_all_epochs() -> None:
    rates = [rate(settings("cosine"), state(epoch), 10) for epoch in range(1, 11)]
    assert rates[0] == pytest.approx(0.01)
    assert rates[-1] == pytest.approx(0.001)
    assert rates == sorted(rates, reverse=True)
    assert rate(settings("cosine"), state(3, step=7, done=27), 10) == rates[2]


def test_it_rises_stays_and_falls_once_all_is_learnt() -> None:
    solved = settings("solved")
    assert rate(solved, state(1), 10) == pytest.approx(0.0001)
    assert rate(solved, state(5, done=50), 10) == pytest.approx(0.0051)
    assert rate(solved, state(20, 3, 203), 10) == rate(solved, state(20, 3, 203, falls_from=21), 10) == 0.01
    falling = [rate(solved, state(20 + n // 10, n % 10, 200 + n, 20), 10) for n in range(60)]
    assert falling[0] == pytest.approx(0.01)
    assert falling == sorted(falling, reverse=True)
    assert falling[FALL * 10] == pytest.approx(0.001)


def test_it_halves_after_every_so_many_epochs() -> None:
    halved = settings("halved").model_copy(update={"halve_every": 2, "halve_after": 3})
    rates = [rate(halved, state(epoch, step=7), 10) for epoch in range(1, 10)]
    assert rates == [0.01] * 5 + [0.005] * 2 + [0.0025] * 2


@pytest.mark.parametrize(
    ("thinning", "stay", "change"), [("always", True, True), ("changing", False, True), ("never", False, False)]
)
def test_facts_may_be_left_out_once_what_matters_is_learnt(thinning: str, stay: bool, change: bool) -> None:
    """Where names stay, once the gates read supporting facts; where they change, once spares take part."""
    cosine, solved = (settings(one, thinning=thinning) for one in ("cosine", "solved"))
    before, after = state(3), state(3)
    after.spares_from = 3
    assert not may_thin(cosine, after, gate_loss=0.4)
    assert not may_thin(solved, before, gate_loss=0.0)
    assert may_thin(cosine, before, gate_loss=0.2) == stay
    assert may_thin(solved, after, gate_loss=0.4) == change
