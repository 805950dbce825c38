"""Everything that can be set about a network and its training.

A network has settings of its own: a subclass of `NetworkSettings`, found by `model.network` (`networks.py`). Some keys
may be "auto": what they are to be is decided once the data are known (`training/decide.py`), and until then the classes
are those of `or_auto`.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, create_model, model_validator

from dmn_cli.model.forms import GateFeatures, Gates, GateSupervision, MemoryUpdate, Reader, Reset, Sentence, Update
from dmn_cli.settings.ranges import Choice, Range, Span
from dmn_cli.wording import plural

Positive = Field(gt=0)


AUTO = "auto"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)
    decidable: ClassVar[frozenset[str]] = frozenset()  # keys that may be "auto"
    searched: ClassVar[dict[str, Range]] = {}  # keys that `dmn train --tune` looks for, and where


Table = TypeVar("Table", bound=_Strict)


@cache
def or_auto(table: type[Table]) -> type[Table]:
    """The same settings, of which some may be "auto"."""
    keys: dict[str, Any] = {}
    for name in table.decidable:
        field = table.model_fields[name]
        plain: Any = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
        keys[name] = (plain | Literal["auto"], ... if field.is_required() else field.default)
    return create_model(table.__name__, __base__=table, **keys)


class NetworkSettings(_Strict):
    """What all networks have."""

    network: str = "dmn"
    hidden: int = Field(gt=0, le=1 << 16)  # the width of what it computes with

    @property
    def summary(self) -> str:
        """For the model card."""
        return f"width {self.hidden}"


class DmnSettings(NetworkSettings):
    """The form that each of the four modules takes."""

    decidable: ClassVar[frozenset[str]] = frozenset({"gates", "passes", "dropout", "ngrams"})
    searched: ClassVar[dict[str, Range]] = {
        "hidden": Choice((40, 60, 80, 120, 160)),
        "passes": Choice((1, 2, 3, 4, 5)),
        "dropout": Span(0.0, 0.5),
        "recurrent_dropout": Choice((0.0, 0.15, 0.3)),
    }

    reader: Reader
    gate_features: GateFeatures
    gates: Gates
    episode: Update
    memory: MemoryUpdate
    reset: Reset
    passes: int = Field(gt=0, le=1000)
    end_of_passes: bool
    dropout: float = Field(ge=0, lt=1)
    recurrent_dropout: float = Field(default=0.0, ge=0, lt=1)
    word_dropout: float = Field(default=0.0, ge=0, lt=1)
    vectors_spread: float = Field(default=1.0, gt=0)
    sentence: Sentence = "position"
    fusion_layers: int = Field(default=1, gt=0, le=100)
    pooled: bool = False
    ngrams: int = Field(default=0, ge=0, le=5)
    characters: int = Field(default=0, ge=0, le=1 << 16)
    channels: int = Field(default=32, gt=0, le=1 << 12)

    @model_validator(mode="after")
    def _read_by_fusion(self) -> Self:
        if self.reader != "fusion" and (self.sentence != "position" or self.fusion_layers > 1 or self.word_dropout):
            raise ValueError('sentence, fusion_layers and word_dropout are for reader = "fusion"')
        if self.characters and self.sentence != "gru":
            raise ValueError('characters are for sentence = "gru"')
        return self

    @property
    def summary(self) -> str:
        return f"{plural(self.passes, 'pass', nouns='passes')}, width {self.hidden}"


class TrainingSettings(_Strict):
    """How it is trained."""

    decidable: ClassVar[frozenset[str]] = frozenset(
        {
            *("epochs", "steps", "batch_size", "learning_rate", "final_learning_rate", "schedule", "averaging"),
            *("l2", "first_questions", "gate_supervision", "sampling", "ngrams_rate"),
        }
    )
    searched: ClassVar[dict[str, Range]] = {
        "batch_size": Choice((16, 32, 64, 128, 256)),
        "learning_rate": Span(0.0003, 0.02, log=True),
        "averaging": Choice((0.0, 0.99, 0.998)),
        "l2": Choice((0.0, 1e-6, 1e-5, 1e-4)),
        "vectors_rate": Choice((0.0, 0.03, 0.1, 0.3, 1.0)),
    }

    epochs: int = Positive
    steps: int = Field(default=1, gt=0)
    batch_size: int = Field(gt=0, le=1_000_000)
    parts: int = Field(ge=0)
    optimiser: Literal["adam", "sgd", "adagrad", "adadelta"] = "adam"
    learning_rate: float = Positive
    final_learning_rate: float = Positive
    schedule: Literal["cosine", "solved", "halved"] = "cosine"
    halve_every: int = Field(default=25, gt=0)
    halve_after: int = Field(default=0, ge=0)
    first_questions: int = Field(default=0, ge=0)
    averaging: float = Field(default=0.0, ge=0, lt=1)
    l2: float = Field(ge=0)
    vectors_rate: float = Field(ge=0, le=1)
    ngrams_rate: float = Field(default=1.0, gt=0)
    sampling: Literal["proportional", "temperature", "uniform", "together"]
    sampling_temperature: float = Positive
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    clip: float = Positive
    clip_each: float = Field(default=0.0, ge=0)
    patience: int = Positive
    flawless: int = Positive
    symmetries: bool
    thinning: Literal["always", "changing", "never"] = "changing"
    class_weights: Literal["none", "balanced"]
    gate_supervision: Literal[GateSupervision, "ordered-first", "off"]
    gate_weight: float = Field(ge=0)
    teacher_forcing: int = Field(default=0, ge=0)
    answers_from_epoch: int = Positive
    answers_from_gate_loss: float = Field(ge=0)
    seed: int = Field(ge=0, lt=2**63)
    save_minutes: float = Field(default=5.0, ge=0)
    checkpoints: int = Field(default=2, gt=0)
    non_finite: Literal["stop", "skip"] = "stop"


class ReadingSettings(_Strict):
    """How it learns to read plain text, before it is trained."""

    epochs: int = Field(default=1, gt=0)
    words: int = Field(default=4096, gt=0)
    learning_rate: float = Field(default=0.002, gt=0)
    vectors_rate: float = Field(default=20.0, gt=0)
    negatives: int = Field(default=1000, gt=0)
    dropout: float = Field(default=0.1, ge=0, lt=1)


class Settings(_Strict):
    preset: str
    model: SerializeAsAny[NetworkSettings]
    training: SerializeAsAny[TrainingSettings]
    reading: ReadingSettings = ReadingSettings()
