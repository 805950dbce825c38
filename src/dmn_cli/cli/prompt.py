"""The prompt of `dmn ask` where lines are read as they come: behind a pipe, or with the results going into one.

Shows what `answering.repl` replies. On a terminal there is an editor in its place (`editor.py`).
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from dmn_cli.answering.predictor import Predictor
from dmn_cli.answering.repl import Reply, Session
from dmn_cli.answering.samples import Samples
from dmn_cli.cli.output import Output
from dmn_cli.cli.plots import drawing
from dmn_cli.cli.why import show_why
from dmn_cli.errors import Terminated
from dmn_cli.machine.signals import handled


def can_edit(output: Output) -> bool:
    """Whether a person types at a terminal, and sees there what comes of it."""
    return sys.stdin.isatty() and output.table and os.environ.get("TERM") != "dumb"


def prompt(output: Output, predictor: Predictor, samples: Samples, story: Sequence[str] = (), *, why: bool) -> None:
    """Replies to lines until they end. story: facts to begin with; why: each answer is shown with
    what it rests on"""
    typed, replied = sys.stdin.isatty(), False
    session = Session(predictor, samples, drawing(output, predictor))
    if typed:
        output.note(greeting(predictor))
    if story:
        session.story.add(story)
        output.note("\n".join(story))
    with _history(typed):
        for reply in (reply for line in _lines(output, typed=typed) for reply in session.replies(line)):
            if reply.end:
                break
            replied |= bool(reply.text or reply.answer)
            _show(output, reply, why=why or reply.why)
            sys.stdout.flush()
    if session.story.facts and not (typed or replied):
        output.warning("Nothing was asked: a line that ends with ? asks about the lines before it.")


def greeting(predictor: Predictor) -> str:
    tasks = ", ".join(predictor.model.tasks)
    what = "Type a text on one line; /help says more." if predictor.model.texts else "/help says what to type."
    return f"A {predictor.model.preset} model that knows {tasks}. {what}"


def _show(output: Output, reply: Reply, *, why: bool) -> None:
    if reply.error:
        output.error(f"error: {reply.text}")
        return
    if reply.warning:
        output.warning(reply.warning)
    if reply.text:
        output.result(reply.text)
    if reply.answer:
        output.json(reply.answer.as_json())
        output.result(reply.answer.shown)
        if reply.right:
            output.result(f"The right answer is {reply.right}.")
        if why and not output.as_json:
            show_why(reply.answer)


def _lines(output: Output, *, typed: bool) -> Iterator[str]:
    """Until they end."""
    while True:
        try:
            yield _typed() if typed else _piped()
        except EOFError:
            return
        except UnicodeDecodeError:
            output.error("error: the line is not UTF-8, so it is left out")
        except KeyboardInterrupt:
            sys.stderr.write("\n")


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
def ended_by_signals() -> Iterator[None]:
    """A signal that ends dmn leaves the terminal as it was before, and lines are kept. Raises: Terminated"""

    def end(number: int, frame: object) -> None:
        raise SystemExit  # which nothing takes for an error of what runs just then

    numbers = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]  # Windows has but one
    try:
        with handled(end, numbers):
            yield
    except SystemExit as ended:
        raise Terminated("terminated") from ended


def state_folder() -> Path:
    """Where the lines of earlier sessions are kept."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "dmn"


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
    path = state_folder() / "history"
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        readline.read_history_file(path)
    readline.set_history_length(1000)
    try:
        yield
    finally:
        with suppress(OSError):
            readline.write_history_file(path)
