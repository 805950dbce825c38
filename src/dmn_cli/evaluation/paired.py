"""Two models on the same questions: how sure a difference in accuracy is. Pure functions of counts, task by task.

Of n questions to a task, `gained` are right in the second model alone and `lost` in the first alone; the difference in
accuracy is d = (gained - lost) / n. Questions that both have right, or neither, count in n alone.

Test of one task: McNemar's, exact. If neither model is better, each of the gained and lost is either with probability
1/2. Tasks are groups: the mean difference over tasks, each of which counts the same, is tested by the exact
distribution of Σ_k (gained_k - lost_k) / n_k, in which each of them has the weight of its task. Where tasks are equally
large, this is McNemar's test of all questions together.

Interval of one task: Tango's score interval (Tango 1998, Statistics in Medicine 17:891-908), those δ for which

    |gained - lost - n δ| ≤ z sqrt(n (2 q + δ (1 - δ)))

where q is the likeliest P(lost) if the difference is δ. It stays within [-1, 1], and holds for small n and where
nothing is lost or gained. That of the mean over tasks is put together from these (method of variance estimates
recovery: Zou, Huang and Zhang 2009, Computational Statistics & Data Analysis 53:1080-1085):

    low = d - sqrt(Σ_k (w_k (d_k - low_k))²)        high = d + sqrt(Σ_k (w_k (high_k - d_k))²)        w_k = 1 / tasks
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

LEVEL = 0.95  # of intervals
_Z = NormalDist().inv_cdf((1 + LEVEL) / 2)
_HALVINGS = 30  # of the span that a limit lies in
_SPAN = 2**18  # of the statistic over tasks, in steps, if there are fewer gained and lost
_SIMULATED = 4000  # comparisons


def mcnemar(gained: int, lost: int) -> float:
    """The two-sided exact p-value."""
    n, k = gained + lost, np.arange(min(gained, lost) + 1)
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])
    below = np.exp(log_factorial[n] - log_factorial[k] - log_factorial[n - k] - n * np.log(2)).sum()
    return min(1.0, 2 * float(below))


def mcnemar_by_task(gained: np.ndarray, lost: np.ndarray, questions: np.ndarray) -> float:
    """The two-sided p-value of the mean difference over tasks. All: (tasks,)

    The weights 1 / n_k are rounded to whole steps, which leaves the test exact; p-values below 1e-12 are 1e-12 then.
    """
    if len(set(questions.tolist())) == 1:
        return mcnemar(int(gained.sum()), int(lost.sum()))
    either = gained + lost
    weights = questions.max() / questions
    steps = np.maximum(1, np.round(weights * max(1.0, min(1000.0, _SPAN / max(1, weights @ either))))).astype(np.int64)
    span = int(steps @ either)
    frequency = 2 * np.pi * np.arange(span + 1) / (span + 1)
    transformed = np.ones(span + 1, np.complex128)
    for step, count in zip(steps, either, strict=True):
        transformed *= ((1 + np.exp(-1j * frequency * step)) / 2) ** count  # of a binomial that counts in steps
    probability = np.fft.ifft(transformed).real
    as_far = np.abs(2 * np.arange(span + 1) - span) >= abs(int(steps @ (gained - lost)))
    return min(1.0, max(1e-12, float(probability[as_far].sum())))


def holm(p: Sequence[float]) -> list[float]:
    """p-values of several tests, so that one below α is a mistake in at most α of all families (Holm 1979)."""
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.maximum.accumulate(np.asarray(p)[order] * np.arange(len(p), 0, -1))
    return np.minimum(1.0, adjusted).tolist()


def interval(gained: np.ndarray, lost: np.ndarray, questions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The 95 % interval of each difference. All: (…,), of the same shape"""
    low = _upper_limit(lost, gained, questions)  # the mirror image
    return -low, _upper_limit(gained, lost, questions)


def _upper_limit(gained: np.ndarray, lost: np.ndarray, questions: np.ndarray) -> np.ndarray:
    """Between the difference itself, which is never too far away, and 1, the least difference that is."""
    near = (gained - lost) / questions
    far = np.ones_like(near)
    for _ in range(_HALVINGS):
        middle = (near + far) / 2
        variance = questions * (2 * likeliest_lost(gained, lost, questions, middle) + middle * (1 - middle))
        too_far = questions * middle - (gained - lost) > _Z * np.sqrt(np.maximum(variance, 0))
        near, far = np.where(too_far, near, middle), np.where(too_far, middle, far)
    return far


def likeliest_lost(
    gained: np.ndarray, lost: np.ndarray, questions: np.ndarray, difference: np.ndarray | float
) -> np.ndarray:
    """q of the formula above: P(lost) for which the counts are likeliest, if P(gained) - P(lost) is `difference`."""
    linear = (2 * questions - gained + lost) * difference - (gained + lost)
    constant = -lost * difference * (1 - difference)
    root = np.sqrt(np.maximum(linear**2 - 8 * questions * constant, 0))
    return (root - linear) / (4 * questions)


def mean_interval(gained: np.ndarray, lost: np.ndarray, questions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The 95 % interval of the mean difference over tasks. All: (…, tasks) → (…), (…)"""
    return -_upper_mean_limit(lost, gained, questions), _upper_mean_limit(gained, lost, questions)


def _upper_mean_limit(gained: np.ndarray, lost: np.ndarray, questions: np.ndarray) -> np.ndarray:
    each = (gained - lost) / questions
    above = _upper_limit(gained, lost, questions) - each
    return each.mean(axis=-1) + np.sqrt((above**2).sum(axis=-1)) / each.shape[-1]


def power(gained: np.ndarray, lost: np.ndarray, questions: np.ndarray, drop: float) -> float:
    """How often a comparison like this one, of as many questions, sees a drop: its interval lies wholly below 0 though
    nothing but the drop is known. All: (tasks,)

    drop: by which every task is less accurate, above 0. Otherwise answers change as often as is likeliest after these
    counts. From 4,000 simulated comparisons, the same each time, whose error is below a point.
    """
    p_lost = likeliest_lost(gained, lost, questions, -drop)
    p = np.stack([np.maximum(0, p_lost - drop), p_lost, np.maximum(0, 1 - 2 * p_lost + drop)], axis=-1)
    p /= p.sum(axis=-1, keepdims=True)
    counts = np.random.default_rng(0).multinomial(questions, p, size=(_SIMULATED, len(questions)))
    return float((_upper_mean_limit(counts[..., 0], counts[..., 1], questions) < 0).mean())
