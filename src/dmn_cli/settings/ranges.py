"""What a setting is looked for in: `dmn train --tune` (`training/tuning/`)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_DIGITS = 3  # of a number that is found


@dataclass(frozen=True)
class Span:
    """Numbers from low to high; log: small ones as closely as large ones."""

    low: float
    high: float
    log: bool = False

    def at(self, place: float) -> float:
        """place: from 0 to 1"""
        low, high = map(self._scaled, (self.low, self.high))
        value = low + (high - low) * place
        return float(f"{math.exp(value) if self.log else value:.{_DIGITS}g}")

    def moved(self, value: float, by: float) -> float:
        """by: a part of the whole span"""
        low, high = map(self._scaled, (self.low, self.high))
        inside = min(max(value, self.low), self.high)
        return self.at(min(max((self._scaled(inside) - low) / (high - low) + by, 0.0), 1.0))

    def _scaled(self, value: float) -> float:
        return math.log(value) if self.log else value

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Choice:
    """Some numbers, in their order."""

    values: Sequence[Any]

    def at(self, place: float) -> Any:
        return self.values[min(int(place * len(self.values)), len(self.values) - 1)]

    def moved(self, value: Any, by: float) -> Any:
        """The one that is so far from the nearest one to `value`, but never that one itself."""
        last = len(self.values) - 1
        here = min(range(last + 1), key=lambda i: abs(self.values[i] - value))
        way = 1 if by > 0 else -1
        there = min(max(here + way * max(1, round(abs(by) * last)), 0), last)
        return self.values[there if there != here else here - way]

    def __str__(self) -> str:
        return ", ".join(f"{value:g}" for value in self.values)


Range = Span | Choice
