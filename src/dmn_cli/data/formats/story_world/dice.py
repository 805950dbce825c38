"""Randomness that is the same on every machine and with every Python: all of it comes from `Random.random`, the only
method whose sequence stays the same from version to version."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")


class Dice:
    def __init__(self, *seed: object) -> None:
        self.random = Random(" ".join(map(str, seed))).random  # in [0, 1)

    def between(self, least: int, most: int) -> int:
        return least + int(self.random() * (most - least + 1))

    def chance(self, probability: float) -> bool:
        return self.random() < probability

    def choice(self, items: Sequence[T]) -> T:
        return items[int(self.random() * len(items))]

    def drawn(self, items: Sequence[T]) -> Iterator[T]:
        """The items in random order, drawn as they are asked for."""
        pool = list(items)
        while pool:
            i = int(self.random() * len(pool))
            pool[i], pool[-1] = pool[-1], pool[i]
            yield pool.pop()

    def shuffled(self, items: Sequence[T]) -> list[T]:
        return list(self.drawn(items))

    def rotated(self, items: Sequence[T]) -> list[T]:
        """Reordered so that no item stays where it was, by a random cycle through all of them (Sattolo 1986)."""
        out = list(items)
        for last in range(len(out) - 1, 0, -1):
            i = int(self.random() * last)
            out[i], out[last] = out[last], out[i]
        return out
