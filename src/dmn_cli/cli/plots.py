"""The plots that commands draw beside what they print."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dmn_cli.cli.output import Output

if TYPE_CHECKING:
    from dmn_cli.answering.answer import Answer
    from dmn_cli.evaluation.lengths import LengthCounts
    from dmn_cli.evaluation.report import Report


def draw_why(output: Output, path: Path, question: str, answer: Answer, *, words: bool) -> None:
    """What an answer rests on. words: whether the facts are the words of a text"""
    from dmn_cli.reporting.plots.style import save
    from dmn_cli.reporting.plots.why import Explained, why

    said = f"{answer.shown} ({answer.text})" if answer.abstains else answer.text
    facts = answer.facts, answer.gates, answer.read
    with output.warned():
        save(why(Explained(question, said, answer.confidence, *facts, words=words, tags=answer.by_fact)), path)
    output.note(f"{path} is drawn")


def draw_measured(output: Output, path: Path, report: Report, lengths: LengthCounts) -> None:
    """Calibration, accuracy by story length and confusions: one plot, or a folder with a plot each."""
    from dmn_cli.reporting.plots.measured import overview, plots
    from dmn_cli.reporting.plots.style import is_folder, save, save_all

    measured = report.as_json(), lengths.as_json()
    with output.warned():
        if is_folder(path):
            save_all(plots(*measured), path)
        else:
            save(overview(*measured), path)
    output.note(f"{path} is drawn")


def draw_curves(output: Output, run: Path) -> None:
    """RUN/curves.svg, if there is anything to draw it with: it is nothing that a training could fail for."""
    from dmn_cli.reporting.about import epochs_of
    from dmn_cli.reporting.plots.style import available, save

    epochs = epochs_of(run)
    if not epochs or not available():
        return
    from dmn_cli.reporting.plots.curves import curves

    try:
        save(curves(epochs), run / "curves.svg")
    except OSError as error:
        output.warning(f"{run / 'curves.svg'} isn't drawn: {error.strerror}")
