"""dmn eval: a model measured on a data set."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dmn_cli.cli.classes import show_classes
from dmn_cli.cli.gate import MAX_DROP, Against, check_max_drop, failure, read_predictions
from dmn_cli.cli.measured import check_split, opened
from dmn_cli.cli.options import AbstainBelow, Device, Force, Json, Model, NoBind, Processes, Quiet, share
from dmn_cli.cli.output import Output, plural, show_rows
from dmn_cli.cli.plots import MeasuredPlots
from dmn_cli.cli.verify import show_verified
from dmn_cli.errors import UsageError

if TYPE_CHECKING:
    from dmn_cli.data.batches import Batches
    from dmn_cli.data.words.vocabulary import Vocabulary
    from dmn_cli.evaluation.metrics import Judged
    from dmn_cli.evaluation.report import Report


def command(
    model: Model,
    data: Annotated[
        list[Path] | None,
        typer.Argument(metavar="DATA", help="Data sets made by dmn prepare; none with --verify.", show_default=False),
    ] = None,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify",
            help="Ask the golden questions that are kept with the model, without a data set: exit with code 1 if an "
            "answer isn't what it was when the model was saved, or its confidence differs by more than 0.001.",
        ),
    ] = False,
    split: Annotated[str, typer.Option(help="What to measure on: test, valid or train.")] = "test",
    fail_under: Annotated[
        list[str] | None,
        typer.Option(
            "--fail-under",
            metavar="NAME=SCORE",
            help="Exit with code 1 below this score: mean=0.95, qa2=0.9, … May be repeated.",
            show_default=False,
        ),
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(help="Write every question with its answer to this file, as JSON lines.", show_default=False),
    ] = None,
    why: Annotated[
        bool,
        typer.Option(
            "--why", help="Leave facts out to see which ones answers need, and whether gates say so. Takes longer."
        ),
    ] = False,
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="PLOT",
            help="Draw calibration, accuracy by story length and confusions: a .png or .svg file, or a folder for "
            "each by itself and the worst mistake.",
            show_default=False,
        ),
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option(
            help="Predictions of an older model on the same questions: is this one less accurate? Exit with code 1 if "
            "it is, 6 if there are too few questions to tell.",
            show_default=False,
        ),
    ] = None,
    max_drop: Annotated[
        float | None,
        typer.Option(
            metavar="DROP",
            help="By how much less accurate than --baseline it may be: 0.01, a point, if not given.",
            show_default=False,
        ),
    ] = None,
    summary: Annotated[
        Path | None,
        typer.Option(help="Write the result to this file, as Markdown for the page of a CI job.", show_default=False),
    ] = None,
    batch_size: Annotated[int, typer.Option(help="Questions answered at once.", min=1, max=1_000_000)] = 512,
    abstain_below: AbstainBelow = 0.0,
    no_bind: NoBind = False,
    device: Device = "auto",
    processes: Processes = None,
    force: Force = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Measure a model: accuracy, macro F1, calibration error, and whether it read the supporting facts.

    Example: dmn eval runs/two data/two --fail-under mean=0.95 --fail-under qa2=0.9
    """
    output = Output(as_json=json, quiet=quiet)
    measuring = {"DATA": data, "--fail-under": fail_under, "--predictions": predictions, "--plot": plot}
    measuring |= {"--baseline": baseline, "--summary": summary, "--why": why, "--abstain-below": abstain_below}
    measuring |= {"--max-drop": max_drop, "--no-bind": no_bind, "--processes": processes}
    if verify:
        _check_alone(measuring)
        show_verified(output, model, device)
        return
    if not data:
        raise UsageError("there is no DATA to measure on", hint="Give a data set, or --verify.")
    required = dict(_score(text) for text in fail_under or [])
    check_split(split)
    check_max_drop(baseline, max_drop)

    from dmn_cli.evaluation.provenance import provenance
    from dmn_cli.evaluation.report import check_names
    from dmn_cli.files import check_output

    if plot is not None:
        from dmn_cli.reporting.plots.style import check_all

        check_all(plot, force=force)
    if summary is not None:
        check_output(summary, force=force)
    before = read_predictions(baseline) if baseline is not None else None
    measured = opened(output, model, data, split, device)
    share(processes, measured.device)
    check_names(required, measured.tasks)
    named = " ".join(map(str, data))
    against = Against(before, measured, f"{named} ({split})") if before else None
    drawn = MeasuredPlots(plot, measured.tasks) if plot is not None else None
    watching = [*([against] if against else []), *(drawn.watching if drawn else [])]
    with _written(predictions, measured.model.vocabulary, force=force) as writing:
        report = measured.report(
            bind=not no_bind,
            batch_size=batch_size,
            watching=[*writing, *watching],
            abstain_below=abstain_below,
            why=why,
            processes=processes,
        )
    short = report.below(required)
    gate = against.gate(MAX_DROP if max_drop is None else max_drop) if against else None
    compared = {"baseline": gate.as_json()} if gate else {}
    where = {"model": str(model), "data": named, "split": split}
    where |= {"data_fingerprints": measured.fingerprints, **provenance(measured.model)}
    output.json({**where, **report.as_json(), "seconds": report.seconds, **compared})
    if not json:
        _show(output, report)
    if gate:
        output.prose(f"{gate.difference}\n{gate.verdict}: {gate.meaning}\n{gate.sees}")
    if summary is not None:
        from dmn_cli.evaluation.summary import markdown
        from dmn_cli.files import write_text

        write_text(summary, markdown(str(model), named, split, report, short, gate))
    if drawn:
        from dmn_cli.answering.predictor import Predictor

        drawn.draw(output, report, lambda: Predictor(measured.model, measured.device, bind=not no_bind))
    if failed := failure(short, gate):
        raise failed


def _check_alone(others: dict[str, object]) -> None:
    """Raises: UsageError for what doesn't go with --verify"""
    if given := [name for name, value in others.items() if value]:
        raise UsageError(
            f"--verify asks the model's own questions, and {given[0]} is for a data set",
            hint="Leave one of them out.",
        )


@contextmanager
def _written(
    predictions: Path | None, vocabulary: Vocabulary, *, force: bool
) -> Iterator[list[Callable[[Batches, Judged], None]]]:
    """Yields what writes each judged batch to the file `predictions`, if there is one. Raises: UsageError"""
    from dmn_cli.evaluation.predictions import writer
    from dmn_cli.files import atomic_file, check_output

    if predictions is None:
        yield []
        return
    check_output(predictions, force=force)
    with atomic_file(predictions) as file:
        yield [writer(file, vocabulary)]


def _score(text: str) -> tuple[str, float]:
    """NAME=SCORE → (name, score). Raises: UsageError"""
    from dmn_cli.notation import as_text

    name, _, score = as_text(text).rpartition("=")
    try:
        value = float(score)
    except ValueError:
        value = -1.0
    if not name or not 0 <= value <= 1:
        raise UsageError(
            f"--fail-under {text!r} is not NAME=SCORE",
            hint="A score is a fraction of 1: --fail-under mean=0.95",
        )
    return name, value


_COLUMNS = (
    *("accuracy", "macro_f1", "exact", "gate_precision", "gate_recall", "faithfulness", "right_reason"),
    *("coverage", "selective_accuracy", "false_answers", "false_unknowns"),
)


def _show(output: Output, report: Report) -> None:
    from dmn_cli.evaluation.report import is_babi
    from dmn_cli.evaluation.titles import TITLES

    shown = [key for key in _COLUMNS if any(key in task for task in report.tasks.values())]
    header = ("task", "questions", *(TITLES[key] for key in shown))
    lines = [_line(name, task, shown) for name, task in report.tasks.items()]
    show_rows(output, [header, *lines], marked=[n for n, line in enumerate(lines, start=1) if line[0] in report.failed])
    show_classes(output, report)
    failed = f"{len(report.failed)} failed (under 95 %)" if report.failed else "none failed"
    judged = f", {failed}" if any(map(is_babi, report.tasks)) else ""
    output.prose(
        f"mean accuracy {100 * report.accuracy:.2f} %, mean error {100 * (1 - report.accuracy):.2f} % "
        f"over {plural(len(report.tasks), 'task')}{judged}\n"
        f"{_calibrated(report)}{_reasons(report)}{_abstained(report)}{_unanswered(report)}"
        f"{_unknown(report)}"
        f"{plural(report.questions, 'question')} in {report.seconds:.2f} s ({report.questions / report.seconds:,.0f}/s)"
    )


def _calibrated(report: Report) -> str:
    """A line on the confidence."""
    found = report.calibration
    if found is None:
        return ""
    before = f" ({100 * found.error_before:.1f} % without its temperature of {found.temperature:.2f})"
    return f"calibration error {100 * found.error:.1f} %{before if found.temperature != 1 else ''}\n"


def _abstained(report: Report) -> str:
    """A line on what is answered where an answer needs some confidence."""
    if report.abstaining is None:
        return ""
    found = report.abstaining.as_json()
    covered = f"{100 * found['coverage']:.2f} % of the questions answered with a confidence of {found['below']} or more"
    right = f", {100 * found['selective_accuracy']:.2f} % of these right" if found["answered"] else ""
    return f"{covered}{right}\n"


def _reasons(report: Report) -> str:
    """A line on what right answers need, as means over the tasks that say so."""
    found = [task for task in report.tasks.values() if "right_reason" in task]
    if not found:
        return ""
    right, other, nothing = (
        100 * sum(task[key] for task in found) / len(found) for key in ("right_reason", "other_reason", "no_reason")
    )
    return (
        f"right for the right reason {right:.1f} %, for another reason {other:.1f} %, needing no fact {nothing:.1f} %\n"
    )


def _unanswered(report: Report) -> str:
    """A line on the questions that no fact answers, and on those that one does, where there are both."""
    if not (found := report.unanswerable):
        return ""
    falsely = f"{100 * found['false_answers']:.2f} % of {found['questions']:,} unanswerable questions answered"
    unknown = f", {100 * found['false_unknowns']:.2f} % of the others not" if "false_unknowns" in found else ""
    return f"{falsely}{unknown}\n"


def _unknown(report: Report) -> str:
    """A line on the answers that the model can't give."""
    unknown = int(sum(task.get("unknown_answers", 0) for task in report.tasks.values()))
    return f"{plural(unknown, 'right answer')} with a word that the model doesn't know\n" if unknown else ""


def _line(name: str, task: dict[str, float | int], shown: list[str]) -> tuple[str, ...]:
    percents = (f"{100 * task[key]:.1f} %" if key in task else "-" for key in shown)
    return name, f"{task['questions']:,}", *percents
