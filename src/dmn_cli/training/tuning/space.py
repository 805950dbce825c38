"""What a trial tries: a pure function of the seed, its number, and the trials before it.

Trial 0 is the settings that were given. The next ones are points of a scrambled Sobol sequence, which fill the space
more evenly than chance does (Sobol 1967; Owen 1998). Those after them are mutations of one of the best quarter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from dmn_cli.settings.load import from_dict
from dmn_cli.settings.networks import NETWORKS, as_table
from dmn_cli.settings.ranges import Range
from dmn_cli.settings.schema import Settings, TrainingSettings

POINTS = 16  # of the Sobol sequence
_SPREAD = 0.15  # of a mutation: a standard deviation, as a part of the range
_TRIES = 100  # to find values that no trial has had

Values = dict[str, Any]  # by dotted key


def searched(network: str, *, vectors: bool) -> dict[str, Range]:
    """Every key that can be looked for, and where. vectors: whether the data have word vectors"""
    tables = {"model": NETWORKS[network].settings.searched, "training": TrainingSettings.searched}
    found = {f"{table}.{key}": span for table, keys in tables.items() for key, span in keys.items()}
    if not vectors:
        del found["training.vectors_rate"]
    return found


class Space:
    def __init__(self, ranges: dict[str, Range], given: Settings, decided: Settings, seed: int) -> None:
        """ranges: of the keys that are looked for; given: the settings of trial 0; decided: the same without "auto"s"""
        self.ranges, self.seed, self._given = ranges, seed, given
        tables = {"model": dict(decided.model), "training": dict(decided.training)}
        self.usual: Values = {key: _in(tables, key) for key in ranges}

    def settings(self, values: Values) -> Settings:
        """Those of a trial with these values."""
        tables = {"model": as_table(self._given.model), "training": dict(self._given.training)}
        for key, value in values.items():
            table, _, last = key.partition(".")
            tables[table][last] = value
        return from_dict({"preset": self._given.preset, **tables})

    def values(self, number: int, tried: Sequence[Values], best: Sequence[Values]) -> Values:
        """tried: those of the trials before; best: of the best of these"""
        if number == 0:
            return self.usual
        if number <= POINTS:
            return self._point(number)
        random = np.random.default_rng([self.seed, number])
        values = self.usual
        for _ in range(_TRIES):
            values = self._mutation(best[int(random.integers(len(best)))], random)
            if values not in tried:
                break
        return values

    def _point(self, number: int) -> Values:
        sequence = torch.quasirandom.SobolEngine(len(self.ranges), scramble=True, seed=self.seed)
        places = sequence.draw(number)[-1].tolist()
        return {key: span.at(place) for (key, span), place in zip(self.ranges.items(), places, strict=True)}

    def _mutation(self, parent: Values, random: np.random.Generator) -> Values:
        """Half of its values are moved, one at least."""
        moves = random.random(len(self.ranges)) < 0.5
        moves[int(random.integers(len(moves)))] = True
        by = random.normal(0.0, _SPREAD, len(moves))
        return {
            key: span.moved(parent[key], float(by[i])) if moves[i] else parent[key]
            for i, (key, span) in enumerate(self.ranges.items())
        }


def _in(tables: dict[str, dict[str, Any]], key: str) -> Any:
    table, _, last = key.partition(".")
    return tables[table][last]
