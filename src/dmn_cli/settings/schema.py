"""Everything that can be set about a network and its training.

A network has settings of its own: a subclass of `NetworkSettings`, found by `model.network` (`networks.py`).
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny

from dmn_cli.model.forms import GateFeatures, Gates, GateSupervision, MemoryUpdate, Reader, Reset, Update

Positive = Field(gt=0)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class NetworkSettings(_Strict):
    """What all networks have."""

    network: str = "dmn"
    hidden: int = Positive  # the width of what it computes with

    @property
    def summary(self) -> str:
        """For the model card."""
        return f"width {self.hidden}"


class DmnSettings(NetworkSettings):
    """The form that each of the four modules takes."""

    reader: Reader
    gate_features: GateFeatures
    gates: Gates
    episode: Update
    memory: MemoryUpdate
    reset: Reset
    passes: int = Positive
    end_of_passes: bool
    dropout: float = Field(ge=0, lt=1)

    @property
    def summary(self) -> str:
        return f"{self.passes} passes, width {self.hidden}"


class TrainingSettings(_Strict):
    """How it is trained."""

    epochs: int = Positive
    batch_size: int = Positive
    parts: int = Field(ge=0)
    learning_rate: float = Positive
    final_learning_rate: float = Positive
    l2: float = Field(ge=0)
    vectors_rate: float = Field(ge=0, le=1)
    sampling: Literal["proportional", "temperature", "uniform"]
    sampling_temperature: float = Positive
    clip: float = Positive
    patience: int = Positive
    flawless: int = Positive
    gate_supervision: Literal[GateSupervision, "off"]
    gate_weight: float = Field(ge=0)
    answers_from_epoch: int = Positive
    answers_from_gate_loss: float = Field(ge=0)
    seed: int = Field(ge=0, lt=2**63)


class Settings(_Strict):
    preset: str
    model: SerializeAsAny[NetworkSettings]
    training: TrainingSettings
