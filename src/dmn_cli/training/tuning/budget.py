"""How much a search may train: so many questions, or so long."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from dmn_cli.errors import UsageError

_THOUSANDS = {"": 1, "k": 1000, "m": 1_000_000}
_SECONDS = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True)
class Budget:
    """In questions, each counted as often as it is trained on, it repeats to the bit; in seconds it can't."""

    text: str
    amount: int
    unit: Literal["questions", "seconds"]

    @classmethod
    def parse(cls, text: str) -> Budget:
        """'200k-questions', '1.5m-questions', '90s', '20m', '2h'. Raises: UsageError"""
        questions = re.fullmatch(r"(\d+(?:\.\d+)?)([km]?)-questions", text, re.ASCII)
        time = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text, re.ASCII)
        amount = 0
        if questions:
            amount = round(float(questions[1]) * _THOUSANDS[questions[2]])
        elif time:
            amount = round(float(time[1]) * _SECONDS[time[2]])
        if not amount:
            hint = "For example: --tune 200k-questions, or --tune 20m."
            raise UsageError(f"--tune {text!r} is not a budget", hint=hint)
        return cls(text, amount, "questions" if questions else "seconds")
