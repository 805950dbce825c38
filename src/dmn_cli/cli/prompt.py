"""The prompt of `dmn ask` on a terminal, or behind a pipe: reads lines, and shows what `answering.repl` replies."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dmn_cli.answering.predictor import Predictor
from dmn_cli.answering.repl import Reply, Session
from dmn_cli.cli.output import Output
from dmn_cli.cli.why import show_why


def prompt(output: Output, predictor: Predictor, *, why: bool) -> None:
    """Replies to lines until they end. why: each answer is shown with what it rests on"""
    typed = sys.stdin.isatty()
    session = Session(predictor)
    if typed:
        tasks = ", ".join(predictor.model.tasks)
        output.note(f"A {predictor.model.preset} model that knows {tasks}. /help says what to type.")
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
            _show(output, reply, why=why or reply.why)
            sys.stdout.flush()


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
        if why and not output.as_json:
            show_why(reply.answer)


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
