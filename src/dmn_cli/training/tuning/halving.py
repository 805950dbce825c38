"""Which trial is trained on, and how far: asynchronous successive halving (Li et al. 2020), one trial after another.

A trial is trained in stages, each three times as many epochs as the one before, and goes on to the next stage where it
is among the best third of those that were in this one; if none does, a new trial begins. Trial 0, the settings that
were given, goes as far as any, so that there is always something to compare with. All of this follows from what came
of the trials before and from the budget: no clock and no chance take part, but where the budget is a time.

Where the budget is that of four whole trainings or more, the best trial and trial 0 are trained to their end within
it. A smaller one goes as far as it goes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from dmn_cli.training.tuning.trials import Trial

_KEPT = 3  # one of so many goes on
_STAGES = 4
_WHOLE = 4  # trainings that a budget must have for two of them to be finished

Cost = Callable[[int, int], float]
"""Of training a trial on: number, to so many epochs in all → what it takes of the budget."""


class Next(NamedTuple):
    trial: int
    epochs: int  # that it is to have in all


def stages(epochs: int) -> list[int]:
    """How many epochs a trial has after each stage. epochs: of a whole training"""
    return sorted({max(1, round(epochs / _KEPT**n)) for n in range(_STAGES)})


def stage_of(trial: Trial, ends: Sequence[int]) -> int:
    """The last stage that it has reached, from 0; -1: none. ends: `stages`"""
    return max((n for n, epochs in enumerate(ends) if trial.reached(epochs)), default=-1)


def leader(trials: Sequence[Trial], ends: Sequence[int]) -> Trial | None:
    """The best after the last stage that trial 0 has reached; None: it has reached none."""
    level = stage_of(trials[0], ends) if trials else -1
    if level < 0:
        return None
    there = [trial for trial in trials if stage_of(trial, ends) >= level]
    return max(there, key=lambda trial: trial.score(ends[level]))


def finishes(whole: float, training: float) -> bool:
    """Whether the best trial and trial 0 are to be trained to their end. whole: the budget; training: a whole one"""
    return whole >= _WHOLE * training


def next_stage(trials: Sequence[Trial], ends: Sequence[int], left: float, whole: float, cost: Cost) -> Next | None:
    """What to train now; None: nothing more fits.

    ends: `stages`; left: of the budget; whole: the budget; cost: as it is now, 0 where a trial has so many epochs
    """
    end = ends[-1]
    both = finishes(whole, cost(len(trials), end))
    best = leader(trials, ends)
    of_best = cost(best.number, end) if best and best.number else 0.0
    for trial, epochs in _promising(trials, ends):
        of_first = cost(0, end if both else epochs)
        of_others = cost(trial, epochs) if trial else 0.0
        if both:
            of_others = max(cost(trial, end) if trial else 0.0, of_others + of_best)
        if of_first + of_others <= left:
            return Next(trial, epochs)
    to_end = _to_end(trials, ends) if both else None
    return to_end if to_end and cost(*to_end) <= left else None


def _promising(trials: Sequence[Trial], ends: Sequence[int]) -> Iterator[Next]:
    """By successive halving, the most promising first."""
    furthest = max((stage_of(trial, ends) for trial in trials), default=0)
    if trials and stage_of(trials[0], ends) < furthest:
        yield Next(0, ends[stage_of(trials[0], ends) + 1])
    for stage in reversed(range(len(ends) - 1)):
        there = [trial for trial in trials if stage_of(trial, ends) >= stage]
        there.sort(key=lambda trial: trial.score(ends[stage]), reverse=True)
        for trial in there[: len(there) // _KEPT]:
            if stage_of(trial, ends) == stage:
                yield Next(trial.number, ends[stage + 1])
    yield Next(len(trials), ends[0])


def _to_end(trials: Sequence[Trial], ends: Sequence[int]) -> Next | None:
    """The next stage of the best, or else of trial 0."""
    for trial in (leader(trials, ends), trials[0] if trials else None):
        if trial and not trial.over and stage_of(trial, ends) < len(ends) - 1:
            return Next(trial.number, ends[stage_of(trial, ends) + 1])
    return None
