"""dmn ask: one question, a stream of them, or the prompt."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from dmn_cli.cli.options import Device, Json, Model, NoBind, Quiet
from dmn_cli.cli.output import Output, write_lines
from dmn_cli.errors import UsageError

if TYPE_CHECKING:
    from dmn_cli.answering.predictor import Predictor


def command(
    model: Model,
    story: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="The facts, one or more sentences a line; - reads stdin.", show_default=False
        ),
    ] = None,
    question: Annotated[
        str | None, typer.Option(metavar="TEXT", help="What to ask about them.", show_default=False)
    ] = None,
    batch: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="JSON lines of questions; - reads stdin. One JSON line is written for each.",
            show_default=False,
        ),
    ] = None,
    why: Annotated[bool, typer.Option("--why", help="Show how far each pass let each fact through.")] = False,
    no_bind: NoBind = False,
    device: Device = "cpu",
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Ask a model. With no question given, a prompt opens: type facts, end a line with ? to ask.

    Example: dmn ask runs/two --story story.txt --question "Where is the football?" --why
    """
    output = Output(as_json=json, quiet=quiet)
    if batch is not None:
        if story is not None or question is not None:
            raise UsageError("--batch takes its stories and questions from FILE, not from --story and --question")
        if why:
            raise UsageError("--why is for people: the lines that --batch writes hold the gates anyway")
    elif (story is None) != (question is None):
        raise UsageError("--story and --question go together", hint="Or open the prompt: dmn ask MODEL")

    with _quick_start():
        from dmn_cli.answering.predictor import Predictor
        from dmn_cli.kernels.tune import tune
        from dmn_cli.machine.device import choose_device

        predictor = Predictor(model, choose_device(device), bind=not no_bind)
        with output.warned():
            tune(predictor.model.settings.hidden, build=batch is not None)
    if batch is not None:
        _stream(predictor, batch)
    elif story is not None and question is not None:
        _once(output, predictor, story, question, why=why)
    else:
        from dmn_cli.cli.prompt import prompt

        prompt(output, predictor, why=why)


@contextmanager
def _quick_start() -> Iterator[None]:
    """Imports make very many objects, which all stay: to look for garbage among them takes a tenth of the time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _once(output: Output, predictor: Predictor, story: str, question: str, *, why: bool) -> None:
    from dmn_cli.cli.input import text_of
    from dmn_cli.files import as_text

    question = as_text(question)
    answer = predictor.answer(predictor.encoder.story(text_of(story), question), question)
    output.json(answer.as_json())
    if output.as_json:
        return
    for note in answer.notes:
        output.warning(note)
    output.result(answer.shown)
    if why:
        from dmn_cli.cli.why import show_why

        show_why(answer)


def _stream(predictor: Predictor, name: str) -> None:
    from dmn_cli.answering.stream import answers
    from dmn_cli.cli.input import lines_of

    gc.freeze()  # or the whole program is searched for garbage again and again, a fifth of the time
    with lines_of(name) as lines:
        for results in answers(predictor, lines):
            write_lines(b"".join(results))
