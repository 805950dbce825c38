"""What a search tries, which trial it trains on, and what it says that it has gained."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as checked
from hypothesis import strategies as st

from dmn_cli.errors import UsageError
from dmn_cli.settings.load import load
from dmn_cli.settings.ranges import Choice, Span
from dmn_cli.settings.schema import DmnSettings, TrainingSettings
from dmn_cli.training.tuning.budget import Budget
from dmn_cli.training.tuning.gain import gain
from dmn_cli.training.tuning.halving import leader, next_stage, stage_of, stages
from dmn_cli.training.tuning.space import POINTS, Space, searched
from dmn_cli.training.tuning.trials import Stage, Trial, trials_of

GIVEN = [("training.batch_size", 64), ("training.learning_rate", 0.002), ("training.averaging", 0.0)]
RANGES = searched("dmn", vectors=True)


def space(seed: int = 1) -> Space:
    settings = load(overrides=[*GIVEN, ("model.dropout", 0.1)])
    return Space(RANGES, settings, settings, seed)


@pytest.mark.parametrize(
    ("text", "amount", "unit"),
    [
        ("200k-questions", 200_000, "questions"),
        ("1.5m-questions", 1_500_000, "questions"),
        ("300-questions", 300, "questions"),
        ("20m", 1200, "seconds"),
        ("90s", 90, "seconds"),
        ("1.5h", 5400, "seconds"),
    ],
)
def test_a_budget(text: str, amount: int, unit: str) -> None:
    assert Budget.parse(text) == Budget(text, amount, unit)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text", ["", "20", "200k", "20 m", "k-questions", "-5m", "1e3s", "20d", "²m", "200k-stories", "0s", "0-questions"]
)
def test_what_is_no_budget_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="200k-questions"):
        Budget.parse(text)


@given(st.sampled_from(list(RANGES.values())), st.floats(0, 1), st.floats(-2, 2))
def test_what_is_found_is_in_the_range(span: Span | Choice, place: float, by: float) -> None:
    value = span.at(place)
    for found in (value, span.moved(value, by)):
        assert found in span.values if isinstance(span, Choice) else span.low <= found <= span.high
    if isinstance(span, Choice):
        assert span.moved(value, by) != value


def test_only_keys_of_the_tables_are_looked_for() -> None:
    assert DmnSettings.searched.keys() <= DmnSettings.model_fields.keys()
    assert TrainingSettings.searched.keys() <= TrainingSettings.model_fields.keys()
    assert "training.vectors_rate" not in searched("dmn", vectors=False)
    assert list(searched("dmn", vectors=True)) == [
        *(f"model.{key}" for key in DmnSettings.searched),
        *(f"training.{key}" for key in TrainingSettings.searched),
    ]


@given(st.integers(0, 2**63 - 1), st.integers(0, 40))
@checked(max_examples=30, deadline=None)
def test_a_trial_follows_from_seed_number_and_what_came_before(seed: int, number: int) -> None:
    tried = [space(seed).values(n, [], []) for n in range(min(number, POINTS))]
    values = space(seed).values(number, tried, tried[-2:] or [space(seed).usual])
    assert values == space(seed).values(number, tried, tried[-2:] or [space(seed).usual])
    assert values.keys() == RANGES.keys()
    assert values not in tried
    settings = space(seed).settings(values)  # which checks them
    assert settings.training.learning_rate == values["training.learning_rate"]
    assert settings.training.patience == load().training.patience


def test_points_fill_the_space() -> None:
    """Each half of each range has a half of them, and each value of a choice is met."""
    points = [space().values(n, [], []) for n in range(1, POINTS + 1)]
    for key, span in RANGES.items():
        found = [point[key] for point in points]
        if isinstance(span, Span):
            below = sum(value < span.at(0.5) for value in found)
            assert abs(below - POINTS / 2) <= 1, key
        else:
            assert set(found) == set(span.values), key


Scores = Callable[[int, int], float]


def simulated(scores: Scores, budget: float, epochs: int = 30, each: float = 10.0, ends_at: int = 10**6) -> list[Stage]:
    """What a search does where a trial's accuracy is known: every stage, in order. ends_at: the epoch after which odd
    trials end by themselves"""
    done: list[Stage] = []
    ends = stages(epochs)
    while True:
        trials = trials_of(done)

        def cost(number: int, upto: int, trials: list[Trial] = trials) -> float:
            known = trials[number] if number < len(trials) else None
            if known and known.over:
                return 0.0
            return each * max(0, upto - (known.last.epochs if known else 0))

        spent = sum(trial.last.questions for trial in trials)
        step = next_stage(trials, ends, budget - spent, budget, cost)
        if step is None:
            return done
        last = ends_at if step.trial % 2 else epochs
        upto = min(step.epochs, last)
        score = scores(step.trial, upto)
        best: dict[str, Any] = {"epoch": upto, "accuracy": score, "loss": 1.0, "score": [score, -1.0]}
        over = "done" if upto in (last, epochs) else None
        done.append(Stage(step.trial, {}, upto, round(each * upto), 1.0, best, over))


@given(st.integers(0, 100), st.integers(10, 4000), st.integers(1, 60), st.sampled_from([10**6, 4]), st.booleans())
@checked(max_examples=100, deadline=None)
def test_successive_halving(seed: int, budget: int, epochs: int, ends_at: int, constant: bool) -> None:
    chance = np.random.default_rng(seed).random(500)

    def scores(trial: int, epoch: int) -> float:
        return 0.5 if constant else float(chance[trial] * (1 - 1 / (1 + epoch)))

    done = simulated(scores, budget, epochs, ends_at=ends_at)
    ends, trials = stages(epochs), trials_of(done)
    assert sum(trial.last.questions for trial in trials) <= budget
    for trial in trials:  # nothing is trained twice, and each stage follows the one before
        assert [stage.epochs for stage in trial.stages] == sorted({stage.epochs for stage in trial.stages})
        assert sum(stage.finished is not None for stage in trial.stages) <= 1
    if not trials:
        assert budget < 10 * ends[0]
        return
    best = leader(trials, ends)
    assert best is not None
    assert stage_of(trials[0], ends) >= max(stage_of(t, ends) for t in trials if t.last.epochs != ends_at)
    if budget >= 4 * 10 * epochs:
        assert best.last.finished
        assert trials[0].last.finished
    for i, stage in enumerate(done):  # what goes on is of the best third, or is the best that is to be finished
        before = trials_of(done[:i])
        if stage.trial in (0, len(before)):
            continue
        was = before[stage.trial]
        end = ends[stage_of(was, ends)]
        there = sorted((t.score(end) for t in before if stage_of(t, ends) >= stage_of(was, ends)), reverse=True)
        finishing = budget >= 4 * 10 * epochs and leader(before, ends) is was
        assert was.score(end) in there[: len(there) // 3] or finishing


def test_a_larger_budget_begins_as_a_smaller_one() -> None:
    """As long as neither is large enough for trials to be finished."""
    chance = np.random.default_rng(5).random(500)
    small, large = (simulated(lambda trial, epoch: float(chance[trial]), budget) for budget in (300, 1100))
    assert [(s.trial, s.epochs) for s in small[:-3]] == [(s.trial, s.epochs) for s in large[: len(small) - 3]]


def test_a_better_trial_is_found_and_finished() -> None:
    done = simulated(lambda trial, epoch: 0.9 if trial == 5 else 0.5 - 0.001 * trial, 3000)
    best = leader(trials_of(done), stages(30))
    assert best
    assert (best.number, best.last.epochs) == (5, 30)


def gained(rates: list[float], questions: int, seed: int, tasks: int = 1) -> tuple[float, float, float]:
    random = np.random.default_rng(seed)
    right = (random.random((len(rates), questions)) < np.array(rates)[:, None]).astype(int)
    return gain(right, np.ones(questions, int), np.arange(questions) % tasks, seed)


def test_luck_is_no_gain() -> None:
    """Ten trials that are as good as trial 0: the best of them looks better, and isn't said to be."""
    found = [gained([0.8] * 11, 300, seed) for seed in range(20)]
    assert sum(low > 0 for _, low, _ in found) <= 1
    assert abs(np.mean([mean for mean, _, _ in found])) < 0.02  # that of the best alone is about 0.04


def test_a_gain_is_found() -> None:
    mean, low, high = gained([0.6, 0.6, 0.8], 500, 1)
    assert 0 < low < mean < high
    assert mean == pytest.approx(0.2, abs=0.06)
    assert gained([0.6], 50, 1) == (0.0, 0.0, 0.0)


def test_each_task_counts_the_same_and_each_answer_of_a_question() -> None:
    """Of a task with few questions and one with many, and of questions that ask for several answers."""
    task = np.array([0] * 900 + [1] * 100)
    asked = np.where(task == 1, 4, 1)
    usual = np.zeros(1000, int)
    better = np.where(task == 1, 2, 0)  # half of the answers of task 1
    mean, low, high = gain(np.stack([usual, better]), asked, task, 1)
    assert (mean, low, high) == pytest.approx((0.25, 0.25, 0.25))
