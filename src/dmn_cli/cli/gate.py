"""dmn eval --baseline: a model against what another one, or an older self, had right."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from dmn_cli.cli.input import lines_of
from dmn_cli.cli.measured import Measured
from dmn_cli.errors import DmnError, ScoreTooLow, Undecided, UsageError

if TYPE_CHECKING:
    from dmn_cli.data.batches import Batches
    from dmn_cli.evaluation.gate import Gate
    from dmn_cli.evaluation.marked import Predictions
    from dmn_cli.evaluation.metrics import Judged

MAX_DROP = 0.01


def check_max_drop(baseline: Path | None, max_drop: float | None) -> None:
    """Raises: UsageError"""
    if max_drop is None:
        return
    if baseline is None:
        raise UsageError("--max-drop is for --baseline", hint="Give --baseline FILE too.")
    if not 0 < max_drop < 1:
        raise UsageError(
            f"--max-drop {max_drop:g} is not above 0 and below 1",
            hint="It is a fraction of 1, 0.01 for a point. No number of questions shows that there is no drop at all.",
        )


def read_predictions(path: Path) -> Predictions:
    """Raises: UsageError where there is no such file; DataError"""
    from dmn_cli.evaluation.marked import Predictions

    with lines_of(str(path)) as lines:
        return Predictions.read(str(path), chain.from_iterable(lines))


class Against:
    """Marks what a model has right as it is evaluated, on the questions of a baseline."""

    def __init__(self, baseline: Predictions, measured: Measured, data: str) -> None:
        """data: for a person. Raises: DataError where the data has other questions"""
        from dmn_cli.evaluation.marked import Marking, matched

        self._baseline = baseline
        self._marking = Marking(data, measured.splits, measured.model.vocabulary)
        matched(baseline, self._marking.predictions)  # before the work

    def __call__(self, batches: Batches, judged: Judged) -> None:
        self._marking(batches, judged)

    def gate(self, max_drop: float) -> Gate:
        from dmn_cli.evaluation.compare import Comparison
        from dmn_cli.evaluation.gate import Gate

        return Gate(self._baseline.name, Comparison.of(self._baseline, self._marking.predictions), max_drop)


def failure(short: list[str], gate: Gate | None) -> DmnError | None:
    """What dmn eval ends with, if not well. short: required scores that were not reached, which win"""
    verdict = gate.verdict if gate else "pass"
    if gate and verdict == "fail":
        short = [*short, gate.meaning]
    if short:
        return ScoreTooLow("; ".join(short))
    if gate and verdict == "investigate":
        return Undecided(gate.meaning, hint="More questions or a larger --max-drop would tell.")
    return None
