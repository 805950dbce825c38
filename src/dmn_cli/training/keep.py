"""The model that a training keeps: measured and made honest about its confidence."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from dmn_cli.artifact import directory
from dmn_cli.artifact.model import Model
from dmn_cli.data.batches import Batches
from dmn_cli.evaluation.calibration import fit_temperature
from dmn_cli.evaluation.predictions import golden
from dmn_cli.evaluation.report import Report, evaluate


def keep(path: Path, model: Model, valid: Sequence[Batches], device: torch.device) -> Report:
    """Writes the model directory, with a temperature fitted on the validation, and how it does there with it. The
    network that goes on training has none, so nothing that is trained later depends on it. Returns those figures"""
    network = model.network
    network.temperature = fit_temperature(network, len(model.vocabulary.answers), valid, device)
    try:
        report = evaluate(network, valid, device, vocabulary=model.vocabulary)
        directory.save(path, model, report.as_json(), golden(model, valid, device))
    finally:
        network.temperature = 1.0
    return report
