"""The plots that commands draw beside what they print."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dmn_cli.cli.output import Output

if TYPE_CHECKING:
    from dmn_cli.answering.answer import Answer
    from dmn_cli.answering.predictor import Predictor
    from dmn_cli.answering.repl import Draw
    from dmn_cli.data.batches import Batches
    from dmn_cli.evaluation.metrics import Judged
    from dmn_cli.evaluation.report import Report
    from dmn_cli.reporting.questions import Collected


def drawing(output: Output, predictor: Predictor) -> Draw:
    """What /plot at the prompt draws with."""

    def draw(path: Path, question: str, answer: Answer) -> None:
        from dmn_cli.reporting.plots.style import check

        check(path, force=False)
        draw_why(output, predictor, path, question, answer)

    return draw


def draw_why(output: Output, predictor: Predictor, path: Path, question: str, answer: Answer) -> None:
    """What an answer rests on and needs."""
    from dmn_cli.reporting.plots.picture import figure
    from dmn_cli.reporting.plots.style import save
    from dmn_cli.reporting.plots.why import Explained

    if answer.needs is None:
        [answer] = predictor.explained([(answer.about, question)], [answer])

    said = f"{answer.shown} ({answer.text})" if answer.abstains else answer.text
    needed = {fact for one in answer.needs.changing for fact in one.facts} if answer.needs else set[int]()
    explained = Explained(
        question,
        said,
        answer.confidence,
        answer.facts,
        answer.passes,
        answer.read,
        needed=needed,
        words=predictor.encoder.form(question).facts_are_words,
        tags=answer.by_fact,
    )
    with output.warned():
        save(figure(explained, answer.picture), path)


class MeasuredPlots:
    """Calibration, accuracy by story length, confusions: one plot, or a folder with a plot each and one of the worst
    mistake."""

    def __init__(self, path: Path, tasks: Sequence[str]) -> None:
        from dmn_cli.evaluation.lengths import LengthCounts
        from dmn_cli.reporting.plots.style import is_folder
        from dmn_cli.reporting.questions import Collected

        self.path, self._lengths = path, LengthCounts(tasks)
        self._questions = Collected() if is_folder(path) else None

    @property
    def watching(self) -> list[Callable[[Batches, Judged], None]]:
        """What is called with every judged batch."""
        return [self._lengths.add, *([self._questions.add] if self._questions else [])]

    def draw(self, output: Output, report: Report, predictor: Callable[[], Predictor]) -> None:
        from dmn_cli.reporting.plots.measured import overview, plots
        from dmn_cli.reporting.plots.style import save, save_all

        measured = report.as_json(), self._lengths.as_json()
        with output.warned():
            if self._questions is None:
                save(overview(*measured), self.path)
            else:
                save_all({**plots(*measured), **_worst(self._questions, predictor)}, self.path)
        output.note(f"{self.path} is drawn")


def _worst(questions: Collected, predictor: Callable[[], Predictor]) -> dict[str, Any]:
    """A figure of the mistake that the model was surest of, with what it read; nothing where it made none."""
    from dmn_cli.reporting.plots.picture import figure
    from dmn_cli.reporting.plots.why import Explained

    if questions.right.all():
        return {}
    [one] = questions.shown(1, predictor().answer_all)
    example, answer = one.example, one.answer
    explained = Explained(
        example.question,
        answer.text,
        answer.confidence,
        example.facts,
        answer.passes,
        answer.read,
        example.support,
        right="" if answer.by_fact else ", ".join(example.answer),
        words=one.words,
        tags=answer.by_fact,
    )
    return {"worst-mistake": figure(explained, answer.picture)}


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
