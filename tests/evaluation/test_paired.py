"""The statistics of two models on the same questions, against brute force and values that others publish."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dmn_cli.evaluation.paired import (
    holm,
    interval,
    likeliest_lost,
    mcnemar,
    mcnemar_by_task,
    mean_interval,
    power,
)

Z = 1.959963984540054


def array(*values: int) -> np.ndarray:
    return np.array(values)


def one(gained: int, lost: int, questions: int) -> tuple[float, float]:
    low, high = interval(array(gained), array(lost), array(questions))
    return float(low[0]), float(high[0])


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_exact_binomial(gained: int, lost: int) -> None:
    n = gained + lost
    tail = sum(math.comb(n, k) for k in range(min(gained, lost) + 1))
    assert mcnemar(gained, lost) == pytest.approx(float(min(Fraction(1), Fraction(2 * tail, 2**n))), rel=1e-9)


def test_mcnemar_as_published() -> None:
    """Two media for a culture, 12 against 2 of 50 specimens (Armitage and Berry 1994, p. 127): P = 0.0129."""
    assert mcnemar(12, 2) == pytest.approx(0.0129, abs=5e-5)
    assert mcnemar(0, 0) == 1
    assert mcnemar(5000, 4000) == pytest.approx(0, abs=1e-20)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.sampled_from([10, 20, 40])), min_size=1, max_size=3))
def test_the_test_over_tasks_counts_all_signs(tasks: list[tuple[int, int, int]]) -> None:
    """Every way to give the signs, with the weights of the tasks."""
    weights = [Fraction(1, n) for gained, lost, n in tasks for _ in range(gained + lost)]
    seen = abs(sum((Fraction(gained - lost, n) for gained, lost, n in tasks), Fraction(0)))
    signs = list(itertools.product((-1, 1), repeat=min(len(weights), 12)))
    if len(weights) > 12:
        return
    as_far = sum(abs(sum((s * w for s, w in zip(sign, weights, strict=True)), Fraction(0))) >= seen for sign in signs)
    counts = (np.array(column) for column in zip(*tasks, strict=True))
    assert mcnemar_by_task(*counts) == pytest.approx(as_far / len(signs), abs=1e-9)


def test_tasks_of_one_size_are_one_test() -> None:
    assert mcnemar_by_task(array(4, 5), array(1, 1), array(100, 100)) == mcnemar(9, 2)
    skewed = mcnemar_by_task(array(30, 0), array(10, 9), array(5000, 100))
    assert skewed < 0.01  # the small task alone decides: it counts as much as the large one
    assert mcnemar(30, 19) > 0.1


def test_many_answers_that_changed_in_tasks_of_many_sizes() -> None:
    rng = np.random.default_rng(1)
    questions = rng.integers(500, 20_000, 20)
    gained, lost = rng.binomial(questions, 0.1), rng.binomial(questions, 0.1)
    assert 0.001 < mcnemar_by_task(gained, lost, questions) < 1
    assert mcnemar_by_task(2 * gained, lost, questions) == 1e-12


def test_the_interval_as_others_compute_it() -> None:
    """R's contingencytables and PropCIs: a study of 21 children with 1 against 7 (Bentur et al. 2009)."""
    assert one(1, 7, 21) == pytest.approx((-0.517, -0.026), abs=5e-4)


@given(st.integers(1, 200), st.data())
def test_the_limits_solve_the_score_equation(questions: int, data: st.DataObject) -> None:
    """And the likelihood's maximum is found by a grid, not by the formula."""
    gained = data.draw(st.integers(0, questions))
    lost = data.draw(st.integers(0, questions - gained))
    for limit in one(gained, lost, questions):
        assert -1 <= limit <= 1
        if abs(limit) > 1 - 1e-6:
            continue
        q = np.linspace(max(0, -limit), (1 - limit) / 2, 20_001)
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = [
                np.where(count, count * np.log(np.maximum(p, 0)), 0.0)
                for count, p in ((gained, q + limit), (lost, q), (questions - gained - lost, 1 - 2 * q - limit))
            ]
        best = q[np.argmax(sum(logs))]
        assert likeliest_lost(array(gained), array(lost), array(questions), limit)[0] == pytest.approx(best, abs=1e-4)
        variance = questions * (2 * best + limit * (1 - limit))
        assert abs(gained - lost - questions * limit) == pytest.approx(Z * math.sqrt(variance), abs=0.15)


@given(st.integers(1, 200), st.data())
def test_the_interval_is_around_the_difference_and_has_a_mirror_image(questions: int, data: st.DataObject) -> None:
    gained = data.draw(st.integers(0, questions))
    lost = data.draw(st.integers(0, questions - gained))
    low, high = one(gained, lost, questions)
    assert low <= (gained - lost) / questions + 1e-9
    assert (gained - lost) / questions <= high + 1e-9
    assert one(lost, gained, questions) == pytest.approx((-high, -low))
    of_one = mean_interval(array(gained), array(lost), array(questions))
    assert (float(of_one[0]), float(of_one[1])) == pytest.approx((low, high))


@pytest.mark.parametrize("p", [(0.02, 0.02), (0.1, 0.1), (0.05, 0.15), (0.0, 0.05), (0.3, 0.05)])
@pytest.mark.parametrize("questions", [[30], [100], [1000], [40] * 5, [1000, 50, 200], [200] * 20])
def test_the_interval_has_the_true_difference_in_it_95_times_in_100(
    p: tuple[float, float], questions: list[int]
) -> None:
    """Simulated: at least 93 of 100, for few questions, several tasks and tasks of different sizes."""
    asked = np.array(questions)
    counts = np.random.default_rng(2).multinomial(asked, (*p, 1 - sum(p)), size=(4000, len(asked)))
    low, high = mean_interval(counts[..., 0], counts[..., 1], np.broadcast_to(asked, counts.shape[:-1]))
    covered = (low <= p[0] - p[1]) & (p[0] - p[1] <= high)
    assert covered.mean() > 0.93


def test_holm() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])  # R's p.adjust
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_power_is_how_often_the_drop_is_seen() -> None:
    """Against the sum over all outcomes of one task, where answers change as the counts say."""
    gained, lost, questions, drop = 3, 5, 200, 0.05
    p_lost = float(likeliest_lost(array(gained), array(lost), array(questions), -drop)[0])
    outcomes = [(g, k) for g in range(25) for k in range(60)]
    g, k = np.array(outcomes).T
    _, high = interval(g, k, np.full(len(g), questions))
    log = np.array([math.lgamma(i + 1) for i in range(questions + 1)])
    rest = questions - g - k
    of = log[questions] - log[g] - log[k] - log[rest]
    p = np.exp(of + g * math.log(p_lost - drop) + k * math.log(p_lost) + rest * math.log(1 - 2 * p_lost + drop))
    assert p.sum() == pytest.approx(1, abs=1e-6)
    seen = float(p[high < 0].sum())
    assert 0.5 < seen < 0.999
    assert power(array(gained), array(lost), array(questions), drop) == pytest.approx(seen, abs=0.02)


def test_more_questions_see_more() -> None:
    found = [power(array(n // 100), array(n // 100), array(n), 0.01) for n in (100, 1000, 10_000)]
    assert found == sorted(found)
    assert found[0] < 0.3 < 0.95 < found[2]
    several = power(array(10, 10), array(10, 10), array(1000, 1000), 0.01)
    assert several > found[1]
