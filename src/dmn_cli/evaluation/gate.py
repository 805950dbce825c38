"""A model against a baseline, for CI: pass, fail, or investigate, where there are too few questions to tell.

pass          the 95 % interval of the difference lies above -max_drop
fail          it lies wholly below -max_drop
investigate   -max_drop is in it
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from dmn_cli.evaluation.compare import Comparison
from dmn_cli.evaluation.paired import power

Verdict = Literal["pass", "fail", "investigate"]


@dataclass(frozen=True)
class Gate:
    """comparison: of the baseline, A, with the model, B; max_drop: by how much less accurate it may be, above 0"""

    baseline: str
    comparison: Comparison
    max_drop: float

    @cached_property
    def interval(self) -> tuple[float, float]:
        return self.comparison.interval

    @property
    def verdict(self) -> Verdict:
        low, high = self.interval
        if low > -self.max_drop:
            return "pass"
        return "fail" if high < -self.max_drop else "investigate"

    @cached_property
    def power(self) -> float:
        """How often a comparison of as many questions would see a drop of `max_drop`: see `paired.power`."""
        compared = self.comparison
        return power(compared.gained, compared.lost, compared.questions, self.max_drop)

    def as_json(self) -> dict[str, Any]:
        found = self.comparison.as_json()
        verdict = {"file": self.baseline, "verdict": self.verdict, "max_drop": self.max_drop, "power": self.power}
        return {**verdict, **found}

    @property
    def difference(self) -> str:
        """For a person, as what follows."""
        low, high = self.interval
        was, now = self.comparison.accuracy
        gained, lost = int(self.comparison.gained.sum()), int(self.comparison.lost.sum())
        return (
            f"baseline {100 * was:.2f} %, now {100 * now:.2f} %: {100 * self.comparison.difference:+.2f} points, "
            f"95 % interval {100 * low:+.2f} to {100 * high:+.2f} ({gained:,} gained, {lost:,} lost)"
        )

    @property
    def meaning(self) -> str:
        drop = _points(self.max_drop)
        return {
            "pass": f"not {drop} less accurate than the baseline",
            "fail": f"more than {drop} less accurate than the baseline",
            "investigate": f"too few questions to tell whether it is {drop} less accurate than the baseline",
        }[self.verdict]

    @property
    def sees(self) -> str:
        return f"would see a drop of {_points(self.max_drop)} {100 * self.power:.0f} % of the time"


def _points(fraction: float) -> str:
    """0.01 → 1 point"""
    number = f"{100 * fraction:.4g}"
    return f"{number} point{'' if number == '1' else 's'}"
