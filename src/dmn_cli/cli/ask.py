"""dmn ask: one question, a stream of them, or the prompt."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dmn_cli.cli.options import Device, Json, Model, Quiet
from dmn_cli.cli.output import Output, write_lines
from dmn_cli.errors import DataError, UsageError

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
            raise UsageError("--why is for people; what --batch writes always holds the gates")
    elif (story is None) != (question is None):
        raise UsageError("--story and --question go together", hint="Or open the prompt: dmn ask MODEL")

    with _quick_start():
        from dmn_cli.answering.predictor import Predictor
        from dmn_cli.kernels.tune import tune
        from dmn_cli.machine.device import choose_device

        predictor = Predictor(model, choose_device(device))
        with output.warned():
            tune(predictor.model.settings.hidden, build=batch is not None)
    if batch is not None:
        _stream(predictor, batch)
    elif story is not None and question is not None:
        _once(output, predictor, story, question, why)
    else:
        _prompt(output, predictor, why)


@contextmanager
def _quick_start() -> Iterator[None]:
    """Imports make very many objects that all stay: to look for garbage among them takes a tenth of the time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _once(output: Output, predictor: Predictor, story: str, question: str, why: bool) -> None:
    with _opened(story) as lines:
        raw = b"\n".join(line.rstrip(b"\r\n") for line in lines)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise DataError(f"byte 0x{raw[error.start]:02x} is not UTF-8", where=f"{story}:{line}") from error
    from dmn_cli.answering.answer import naming

    answer = predictor.answer(predictor.encoder.story(text, question), question)
    output.json(answer.as_json())
    if output.as_json:
        return
    if answer.unknown:
        output.warning(naming(answer.unknown))
    output.result(answer.shown)
    if why:
        from dmn_cli.cli.why import show

        show(answer)


def _stream(predictor: Predictor, name: str) -> None:
    from dmn_cli.answering.stream import answers

    gc.freeze()  # or it looks through the whole program again and again, a fifth of the time
    with _opened(name) as lines:
        for results in answers(predictor, lines):
            write_lines(b"".join(results))


@contextmanager
def _opened(name: str) -> Iterator[Iterator[bytes]]:
    """The lines of a file, or of stdin for `-`."""
    if name == "-":
        yield _lines(sys.stdin.buffer)
        return
    path = Path(name)
    if not path.exists() or path.is_dir():  # a pipe by name will do
        raise UsageError("there is no such file", where=name)
    with path.open("rb", buffering=0) as file:
        yield _lines(file)


def _lines(file: Any) -> Iterator[bytes]:
    """Lines as they come, read without the file's own lock: a thread that waits for more never holds up the end."""
    try:
        number = file.fileno()
    except OSError:  # not a real file
        yield from file
        return
    parts: list[bytes] = []
    while block := os.read(number, 1 << 16):
        first, *others = block.split(b"\n")
        parts.append(first)
        for other in others:
            yield b"".join(parts)
            parts = [other]
    if any(parts):
        yield b"".join(parts)


def _prompt(output: Output, predictor: Predictor, why: bool) -> None:
    from dmn_cli.answering.repl import Session
    from dmn_cli.cli.why import show

    typed = sys.stdin.isatty()
    session = Session(predictor)
    if typed:
        output.note(
            f"A {predictor.model.preset} model that knows {', '.join(predictor.model.tasks)}. /help says what to type."
        )
    with _history(typed):
        while True:
            try:
                line = _typed() if typed else _piped()
            except EOFError:
                break
            except UnicodeDecodeError:
                output.error("error: the line is not UTF-8, so it is left out")
                continue
            except KeyboardInterrupt:
                sys.stderr.write("\n")
                continue
            reply = session.reply(line)
            if reply.end:
                break
            if reply.error:
                output.error(f"error: {reply.text}")
            elif reply.warning:
                output.warning(reply.warning)
            if reply.text and not reply.error:
                output.result(reply.text)
            if reply.answer:
                output.json(reply.answer.as_json())
                output.result(reply.answer.shown)
                if (reply.why or why) and not output.as_json:
                    show(reply.answer)
            sys.stdout.flush()


def _typed() -> str:
    if sys.stdout.isatty():
        return input("> ")
    sys.stderr.write("> ")
    sys.stderr.flush()
    return input()


def _piped() -> str:
    line = sys.stdin.buffer.readline()
    if not line:
        raise EOFError
    return line.decode()


@contextmanager
def _history(typed: bool) -> Iterator[None]:
    """Line editing, with the lines of earlier sessions, where a person types."""
    if not typed:
        yield
        return
    try:
        import readline
    except ImportError:  # a Python without it: no history, nothing else is lost
        yield
        return
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    path = state / "dmn" / "history"
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        readline.read_history_file(path)
    readline.set_history_length(1000)
    try:
        yield
    finally:
        with suppress(OSError):
            readline.write_history_file(path)
