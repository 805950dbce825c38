"""What a training reports as it goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dmn_cli.evaluation.report import Report


@dataclass(frozen=True)
class Step:
    """Some steps of an epoch are done."""

    epoch: int
    step: int
    steps: int  # in this epoch
    loss: float  # of the answers, the epoch's mean so far


@dataclass(frozen=True)
class Epoch:
    """An epoch is done and validated."""

    epoch: int
    loss: float
    gate_loss: float
    validation: Report
    best: bool
    learning_rate: float
    changed: float | None  # accuracy of the same validation with other names, where names change
    anew: bool  # whether the loss has stayed where it is for long, so that the next epoch begins from other weights
    waiting: float  # the share of the steps' time, in this session, that was spent waiting for batches
    seconds: float  # of training so far, over all sessions

    def as_json(self) -> dict[str, Any]:
        return {
            "epoch": self.epoch,
            "loss": self.loss,
            "gate_loss": self.gate_loss,
            "valid_accuracy": self.validation.accuracy,
            "valid_loss": self.validation.loss,
            "valid_tasks": {name: task["accuracy"] for name, task in self.validation.tasks.items()},
            **({} if self.changed is None else {"valid_changed": self.changed}),
            "best": self.best,
            **({"anew": True} if self.anew else {}),
            "learning_rate": self.learning_rate,
            "waiting": round(self.waiting, 6),
            "seconds": self.seconds,
        }


@dataclass(frozen=True)
class Finished:
    """The training is over. `best` holds the epoch, accuracy and loss of the validation that chose the model."""

    reason: str
    epochs: int
    best: dict[str, Any]
    seconds: float


@dataclass(frozen=True)
class Stopped:
    """The training was asked to stop, and has saved itself."""

    epoch: int
    step: int


Event = Step | Epoch | Finished | Stopped
