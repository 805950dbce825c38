"""dmn eval --verify: whether a model still answers as when it was saved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dmn_cli.cli.output import Output, plural
from dmn_cli.errors import ScoreTooLow

if TYPE_CHECKING:
    from dmn_cli.answering.verify import Differs


def show_verified(output: Output, model: Path, device: str) -> None:
    """Raises: ScoreTooLow where it doesn't; ModelError where it can't be told"""
    from dmn_cli.answering.predictor import Predictor
    from dmn_cli.answering.verify import TOLERANCE, verify
    from dmn_cli.evaluation.provenance import provenance
    from dmn_cli.kernels.tune import tune
    from dmn_cli.machine.device import choose_device

    predictor = Predictor(model, choose_device(device), bind=False)
    with output.warned():
        tune(predictor.model.settings.hidden, answering=True, build=False)
    found = verify(predictor)
    output.json({"model": str(model), **provenance(predictor.model), **found.as_json()})
    golden = plural(found.questions, "golden question")
    if found.differing:
        raise ScoreTooLow(
            f"{len(found.differing)} of {golden} answered otherwise than when the model was saved: "
            f"{_said(found.differing[0])}",
            where=model,
        )
    output.result(
        f"{golden} answered as when the model was saved; "
        f"confidence differs by {found.largest:.1e} at most ({TOLERANCE:g} is allowed)"
    )


def _said(one: Differs) -> str:
    return (
        f"number {one.number}, {one.question!r}, by {one.answer!r} ({one.confidence:.4f}) "
        f"and not {one.was!r} ({one.confidence_was:.4f})"
    )
