"""What figures of a model come from: its hash and seed, and the versions that measured it."""

from __future__ import annotations

import platform
from typing import Any

import torch

from dmn_cli.artifact import stored
from dmn_cli.artifact.model import Model
from dmn_cli.version import __version__


def provenance(model: Model) -> dict[str, Any]:
    """As JSON. model: one that was loaded"""
    assert model.folder is not None
    return {
        "model_sha256": stored.digest(model.folder),
        "seed": model.seed,
        "versions": {"dmn": __version__, "torch": str(torch.__version__), "python": platform.python_version()},
    }
