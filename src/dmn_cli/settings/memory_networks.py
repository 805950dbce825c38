"""The settings of the memory networks before the DMN (`baselines/`), as their papers name them."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from dmn_cli.settings.ranges import Choice, Range, Span
from dmn_cli.settings.schema import NetworkSettings
from dmn_cli.wording import plural


class MemnnSettings(NetworkSettings):
    searched: ClassVar[dict[str, Range]] = {
        "hidden": Choice((50, 100, 150, 200)),
        "longest_ngram": Choice((1, 2, 3)),
        "margin": Span(0.03, 1.0, log=True),
    }

    hops: int = Field(gt=0, le=1000)
    longest_ngram: int = Field(gt=0, le=10)
    buckets: int = Field(gt=0, le=1 << 24)
    two_layers: bool
    margin: float = Field(gt=0)

    @property
    def summary(self) -> str:
        return f"{plural(self.hops, 'hop')} at most, width {self.hidden}"


class Memn2nSettings(NetworkSettings):
    searched: ClassVar[dict[str, Range]] = {
        "hidden": Choice((20, 30, 40, 50, 80)),
        "hops": Choice((1, 2, 3, 4)),
        "time_noise": Span(0.0, 0.3),
        "linear_start": Choice((0, 10, 20, 30)),
    }

    hops: int = Field(gt=0, le=1000)
    memory: int = Field(gt=0, le=1 << 16)
    longest: int = Field(gt=1, le=1 << 16)
    time_noise: float = Field(ge=0, le=1)
    linear_start: int = Field(ge=0)

    @property
    def summary(self) -> str:
        return f"{plural(self.hops, 'hop')}, width {self.hidden}"
