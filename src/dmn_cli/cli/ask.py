"""dmn ask: one question, a stream of them, or the prompt."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dmn_cli.cli.options import (
    AbstainBelow,
    Delimiter,
    Device,
    Encoding,
    Force,
    Json,
    Model,
    NoBind,
    NoQuotes,
    Processes,
    Quiet,
    share,
)
from dmn_cli.cli.output import Output, write_lines
from dmn_cli.cli.tables import as_written
from dmn_cli.errors import UsageError

if TYPE_CHECKING:
    from dmn_cli.answering.predictor import Predictor

_OBJECTS = 100_000  # made between two searches for garbage, of which lines leave none
_TRY = "Try: Where is the violin?   Is Bob in the garden?   Then: /why and /without 5"


def command(
    model: Model,
    story: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="The facts, one or more sentences a line; - reads stdin. Of a model of trees: a tree, or its FILE.",
            show_default=False,
        ),
    ] = None,
    image: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="The picture, for a model that was taught about pictures.", show_default=False
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
    table: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="A table, CSV, TSV, JSON lines or Parquet, each row of which is answered; - reads stdin.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Where the table goes, with its answers; stdout if not given.", show_default=False),
    ] = None,
    input_: Annotated[
        str | None,
        typer.Option(
            "--input",
            metavar="COLUMNS",
            help="The table's columns with the text, if not those of the training.",
            show_default=False,
        ),
    ] = None,
    encoding: Encoding = None,
    delimiter: Delimiter = None,
    no_quotes: NoQuotes = False,
    top: Annotated[
        int,
        typer.Option(
            metavar="K", help="With --json or --batch: also the K likeliest answers.", min=0, show_default=False
        ),
    ] = 0,
    brief: Annotated[
        bool, typer.Option("--brief", help="With --batch: answers and confidences alone, sooner and in fewer bytes.")
    ] = False,
    why: Annotated[
        bool,
        typer.Option("--why", help="Show how far each pass let each fact through, and which facts the answer needs."),
    ] = False,
    abstain_below: AbstainBelow = 0.0,
    plot: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="With --story or --image: draw what --why shows, as .png or .svg.",
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="For /sample at the prompt: a data set, if what the model was trained on isn't there any more.",
            show_default=False,
        ),
    ] = None,
    no_bind: NoBind = False,
    device: Device = "cpu",
    processes: Processes = None,
    force: Force = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Ask a model. With no question given, a prompt opens: type facts, end a line with ? to ask.

    A model that was taught one question alone needs none to be given. A table keeps its rows and columns, and gets
    two more: answer and confidence.

    dmn ask demo needs nothing trained: it opens the prompt with a story to ask about.

    Example: dmn ask runs/two --story story.txt --question "Where is the football?" --why
    """
    output = Output(as_json=json, quiet=quiet)
    for_tables = {"--out": out, "--input": input_, "--encoding": encoding, "--delimiter": delimiter}
    if image is not None:
        from dmn_cli.notation import as_path

        if not (story is None and batch is None and table is None):
            raise UsageError("--image is what is asked about, in place of --story, --batch or --table")
        told: Path | str | None = as_path(image)
        if plot is not None and plot.resolve() == told.resolve():
            raise UsageError("is the picture that is asked about, so it isn't overwritten", where=plot)
    else:
        told = story
    _check(told, question, batch, table, [option for option, given in for_tables.items() if given is not None])
    if why and table is not None:
        raise UsageError("--why is for facts, and a table gets no more than answers")
    if brief and (why or batch is None):
        raise UsageError("--brief is for --batch, and leaves out what --why shows")
    if data is not None and not (told is None and batch is None and table is None):
        raise UsageError("--data is for /sample at the prompt")
    if processes and batch is None:
        raise UsageError("--processes is for --batch, which has work to share")
    if top and (table is not None or not (json or batch is not None)):
        raise UsageError("--top is for --json and --batch, whose lines can hold several answers")
    if table is not None and json and out is None:
        raise UsageError("--json reports what was written to --out", hint="Give --out FILE too.")
    if plot is not None:
        if told is None:
            raise UsageError("--plot draws the answer to one question", hint="Give --story or --image, and --question.")
        from dmn_cli.reporting.plots.style import check

        check(plot, force=force)
    if out is not None:
        from dmn_cli.files import check_output

        check_output(out, force=force)
    written = as_written(encoding, delimiter, no_quotes=no_quotes) if table is not None else None

    with _quick_start():
        from dmn_cli.answering.predictor import Predictor
        from dmn_cli.kernels.tune import tune
        from dmn_cli.machine.device import choose_device

        where = choose_device(device)
        predictor = Predictor(
            model, where, bind=not no_bind, top=top, abstain_below=abstain_below, why=why, brief=brief
        )
        with output.warned():
            tune(predictor.model.settings.hidden, answering=True, build=batch is not None or table is not None)
    if batch is not None:
        share(processes, where)
        _stream(predictor, batch, processes)
    elif told is not None:
        _once(output, predictor, told, _question(predictor, question), why=why, plot=plot)
    elif table is not None and written is not None:
        if predictor.model.network.reads_trees:
            raise UsageError("--table is for texts, and the model reads trees", hint="Ask by --batch, a tree a line.")
        from dmn_cli.cli.ask_table import ask_table, asked

        gc.freeze()
        ask_table(output, predictor, asked(predictor, table, out, input_, _question(predictor, question), written))
    else:
        from dmn_cli.answering.samples import Samples
        from dmn_cli.cli.prompt import can_edit, ended_by_signals, prompt

        samples, facts = Samples(model, data), _to_begin_with(output, model)
        with ended_by_signals():
            if can_edit(output):
                from dmn_cli.cli.editor import edit

                edit(output, predictor, samples, facts, why=why)
            else:
                prompt(output, predictor, samples, facts, why=why)


def _to_begin_with(output: Output, model: Path) -> list[str]:
    """The facts that a person finds at the prompt: a story of the model that comes with dmn, else none."""
    from dmn_cli.artifact.stored import demo_story, is_demo

    if not (is_demo(model) and sys.stdin.isatty()):
        return []
    output.note(_TRY)
    return demo_story()


def _check(
    story: Path | str | None, question: str | None, batch: str | None, table: str | None, for_tables: list[str]
) -> None:
    """Raises: UsageError where these don't go together. for_tables: the options for tables that are given"""
    if batch is not None and (story is not None or question is not None):
        raise UsageError("--batch takes its stories and questions from FILE, not from --story and --question")
    if table is not None and (story is not None or batch is not None):
        raise UsageError("--table takes its texts from FILE, not from --story or --batch")
    if story is None and question is not None and table is None:
        raise UsageError(
            "--question is asked about --story, --image or --table", hint="Or open the prompt: dmn ask MODEL"
        )
    if table is None and for_tables:
        raise UsageError(f"{for_tables[0]} is for --table", hint="Give --table FILE too.")


def _question(predictor: Predictor, given: str | None) -> str:
    """The one that is given, or that the model knows. Raises: UsageError where it knows several."""
    from dmn_cli.notation import as_text

    question = predictor.model.question if given is None else as_text(given)
    if question is None:
        raise UsageError("the model knows more than one question", hint="Say which with --question TEXT.")
    return question


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


def _once(
    output: Output, predictor: Predictor, told: Path | str, question: str, *, why: bool, plot: Path | None
) -> None:
    """told: a picture, or the story's file"""
    from dmn_cli.cli.input import text_of
    from dmn_cli.data.words.trees import is_tree

    if isinstance(told, str):
        if predictor.model.sizes.pictures:
            raise UsageError("the model answers questions about pictures", hint="Give --image FILE, not --story.")
        tree = predictor.model.network.reads_trees and is_tree(told) and not Path(told).exists()
        told = told if tree else text_of(told)
    answer = predictor.answer(told, question)
    if plot is not None:
        from dmn_cli.cli.plots import draw_why

        draw_why(output, predictor, plot, question, answer)
        output.note(f"{plot} is drawn")
    output.json(answer.as_json())
    if output.as_json:
        return
    for note in answer.notes:
        output.warning(note)
    output.result(answer.shown)
    if why:
        from dmn_cli.cli.why import show_why

        show_why(answer)


def _stream(predictor: Predictor, name: str, processes: int | None) -> None:
    from dmn_cli.answering.stream import answers
    from dmn_cli.cli.input import lines_of
    from dmn_cli.notation import LONGEST_LINE

    gc.freeze()  # or the whole program is searched for garbage again and again, a fifth of the time
    gc.set_threshold(_OBJECTS)
    with lines_of(name, LONGEST_LINE) as lines:
        for results in answers(predictor, lines, processes=processes):
            write_lines(b"".join(results))
