"""The settings of the systems for sentiment (`baselines/`), as their papers name them."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from dmn_cli.settings.ranges import Choice, Range, Span
from dmn_cli.settings.schema import NetworkSettings


class BiLstmSettings(NetworkSettings):
    searched: ClassVar[dict[str, Range]] = {"hidden": Choice((60, 100, 150, 200, 300)), "dropout": Span(0.0, 0.6)}

    dropout: float = Field(ge=0, lt=1)


class SentenceCnnSettings(NetworkSettings):
    searched: ClassVar[dict[str, Range]] = {"maps": Choice((50, 100, 200)), "dropout": Span(0.0, 0.6)}

    widths: list[int] = Field(min_length=1, max_length=100)
    maps: int = Field(gt=0, le=1 << 16)
    channels: Literal["static", "fine-tuned", "multichannel"]
    dropout: float = Field(ge=0, lt=1)
    longest_row: float = Field(gt=0)


class DcnnSettings(NetworkSettings):
    searched: ClassVar[dict[str, Range]] = {"dropout": Span(0.0, 0.6)}

    widths: list[int] = Field(min_length=1, max_length=8)
    maps: list[int]
    top: int = Field(gt=0, le=1000)
    dropout: float = Field(ge=0, lt=1)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(self.maps) != len(self.widths) or min(*self.maps, *self.widths) < 1:
            raise ValueError("widths and maps have a positive number for each layer")
        if self.hidden % (1 << len(self.widths)):
            raise ValueError(
                f"hidden has to be a multiple of {1 << len(self.widths)}: each layer folds two rows into one"
            )
        if min(self.widths) < self.top:
            raise ValueError("top is at most the smallest width, so that the shortest text has as many columns")
        return self


class TreeLstmSettings(NetworkSettings):
    searched: ClassVar[dict[str, Range]] = {"hidden": Choice((100, 150, 200, 300)), "dropout": Span(0.0, 0.6)}

    dropout: float = Field(ge=0, lt=1)


class RntnSettings(NetworkSettings):
    searched: ClassVar[dict[str, Range]] = {"hidden": Choice((15, 20, 25, 30, 40))}


class MvRnnSettings(NetworkSettings):
    searched: ClassVar[dict[str, Range]] = {"hidden": Choice((10, 15, 20, 25, 30))}

    rank: int = Field(gt=0, le=1 << 10)


class DrnnSettings(NetworkSettings):
    searched: ClassVar[dict[str, Range]] = {"layers": Choice((1, 2, 3, 4, 5)), "dropout": Span(0.0, 0.4)}

    layers: int = Field(gt=0, le=100)
    dropout: float = Field(ge=0, lt=1)
