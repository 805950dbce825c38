"""dmn report: one page about a run."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dmn_cli.cli.measured import check_split, opened
from dmn_cli.cli.options import Device, Force, Json, Model, NoBind, Quiet
from dmn_cli.cli.output import Output, plural
from dmn_cli.errors import DataError

if TYPE_CHECKING:
    from dmn_cli.reporting.about import About
    from dmn_cli.reporting.page.page import Findings

_BATCH = 512  # questions
_WITHOUT = "so the page has settings, curves and the validation alone"


def command(
    model: Model,
    data: Annotated[
        list[Path] | None,
        typer.Argument(metavar="DATA", help="Data sets to measure it on, if not its own.", show_default=False),
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The page to write.")] = Path("report.html"),
    split: Annotated[str, typer.Option(help="What to measure on: test, valid or train.")] = "test",
    questions: Annotated[
        int, typer.Option(metavar="N", help="How many questions are on the page, mistakes first.", min=1)
    ] = 1000,
    why: Annotated[
        bool, typer.Option("--why", help="Leave facts out, to see which ones answers need. Takes longer.")
    ] = False,
    no_bind: NoBind = False,
    device: Device = "auto",
    force: Force = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write one HTML page about a run: figures, curves, mistakes, and stories to click through pass by pass.

    The page is one file, which fetches nothing. Without DATA the model is measured on the data that it was trained on.

    Example: dmn report runs/two --out two.html
    """
    output = Output(as_json=json, quiet=quiet)
    check_split(split)
    from dmn_cli.files import check_output, write_text
    from dmn_cli.reporting.about import about

    check_output(out, force=force)
    start = time.perf_counter()
    run = about(model)
    found = None
    if paths := data or _own(output, model):
        try:
            found = _measured(output, model, paths, split, questions, device, bind=not no_bind, why=why)
        except DataError as error:
            if data:
                raise
            output.warning(f"{error.where}: {error.message}, {_WITHOUT}")
    from dmn_cli.reporting.page.page import page

    found = found or _validation(run)
    text, listed = page(run, found)
    write_text(out, text)
    seconds = round(time.perf_counter() - start, 3)
    figures = {"accuracy": found.report["accuracy"], "questions": found.report["questions"], "listed": listed}
    size = len(text.encode())
    where = {"out": str(out), "model": str(model), "measured_on": found.of}
    output.json({**where, **figures, "bytes": size, "seconds": seconds})
    output.prose(
        f"{out} is ready: {100 * figures['accuracy']:.2f} % on {found.of}, "
        f"with {plural(listed, 'question')} to look at ({size / 1e6:.2f} MB)"
    )


def _own(output: Output, model: Path) -> list[Path]:
    """The data of the run; none, with a warning, where these can't be had."""
    from dmn_cli.artifact import trained_on

    try:
        return [one.path for one in trained_on.data_sets(model, instead="dmn report RUN DATA")]
    except DataError as error:
        output.warning(f"{error.where}: {error.message}, {_WITHOUT}\n  {error.hint}")
        return []


def _validation(run: About) -> Findings:
    """What a run says without its data."""
    from dmn_cli.reporting.page.page import Findings

    report = {"failed_tasks": [], **run.validation}
    return Findings(report, "the validation by which it was chosen")


def _measured(
    output: Output, model: Path, data: list[Path], split: str, questions: int, device: str, *, bind: bool, why: bool
) -> Findings:
    """Raises: DataError where a data set has no such split"""
    from dmn_cli.answering.predictor import Predictor
    from dmn_cli.evaluation.abstaining import coverage_curve
    from dmn_cli.evaluation.lengths import LengthCounts
    from dmn_cli.reporting.page.page import Findings
    from dmn_cli.reporting.questions import Collected

    measured = opened(output, model, data, split, device)
    lengths, collected = LengthCounts(measured.tasks), Collected()
    report = measured.report(bind=bind, batch_size=_BATCH, watching=[lengths.add, collected.add], why=why)
    predictor = Predictor(measured.model, measured.device, bind=bind, why=why)
    summaries = [batches.data.summary for batches in measured.splits]
    names = (str(summary.get("name", path.name)) for summary, path in zip(summaries, data, strict=True))
    return Findings(
        report.as_json(),
        f"{', '.join(names)} ({split})",
        summaries,
        coverage_curve(collected.confidence, collected.right),
        lengths.as_json(),
        collected.reasons,
        why,
        collected.shown(questions, predictor.answer_all),
    )
