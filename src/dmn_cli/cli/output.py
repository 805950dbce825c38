"""Where words go: results to stdout, everything else to stderr.

Text of users never passes through Rich's markup (it would swallow `[unk]`), and nothing is cut to a width unless a
person is looking at a terminal.
"""

from __future__ import annotations

import codecs
import io
import os
import sys
import warnings
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from dmn_cli.wording import duration as duration
from dmn_cli.wording import plural as plural
from dmn_cli.wording import size as size

if TYPE_CHECKING:
    from rich.console import Console

    from dmn_cli.errors import DmnError


class Output:
    """One command's voice."""

    def __init__(self, *, as_json: bool = False, quiet: bool = False) -> None:
        self.as_json, self.quiet = as_json, quiet

    def result(self, text: str) -> None:
        """A line of the result, for a person."""
        if not self.as_json:
            sys.stdout.write(printable(text) + "\n")
            sys.stdout.flush()

    def prose(self, text: str) -> None:
        """Lines of the result that may be long: on a terminal they are cut between words."""
        self.result(wrapped(text) if self.table else text)

    def json(self, value: Any) -> None:
        """The result, for a program: one line, flushed."""
        if self.as_json:
            from dmn_cli.notation import json_line

            write_lines(json_line(value))

    def note(self, text: str) -> None:
        """Something worth knowing while the command runs."""
        if not self.quiet:
            sys.stderr.write(printable(text) + "\n")

    def warning(self, text: str) -> None:
        """Something that may not be as the user expects."""
        if not self.quiet:
            _say(text, "yellow")

    def error(self, text: str) -> None:
        """Something that went wrong, after which the command goes on."""
        _say(text, "red")

    @contextmanager
    def warned(self) -> Iterator[None]:
        """Shows the warnings of what runs within, without Python's frame around them."""
        with warnings.catch_warnings():
            warnings.simplefilter("default", UserWarning)
            warnings.showwarning = lambda message, *_: self.warning(str(message))
            yield

    @property
    def live(self) -> bool:
        """Whether a person watches stderr: bars and colours are worth it."""
        return not self.quiet and stderr().is_terminal

    @property
    def table(self) -> bool:
        """Whether a person reads stdout: a table may use the width of the screen."""
        return not self.as_json and sys.stdout.isatty()


def open_closed() -> list[str]:
    """Opens stdin, stdout and stderr where dmn was started without them, or the next file would be taken for one.
    stdin can then not be read; what goes to the others is lost. → the names of those that were closed"""
    closed: list[str] = []
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            closed.append(name)
            os.dup2(os.open(os.devnull, os.O_WRONLY), number)
            setattr(sys, name, os.fdopen(number, "w" if number else "r", encoding="utf-8"))
    return closed


def buffer_stdout() -> None:
    """Without a buffer (PYTHONUNBUFFERED) stdout may write a part of what it is given, and nobody is told: there it
    gets one, which is flushed at the end of a line as for a person."""
    if isinstance(sys.stdout, io.TextIOWrapper) and isinstance(sys.stdout.buffer, io.RawIOBase):
        buffered = io.BufferedWriter(sys.stdout.buffer)
        sys.stdout = io.TextIOWrapper(buffered, sys.stdout.encoding, sys.stdout.errors, line_buffering=True)


class _Lasting(io.FileIO):
    """What is written to it once nobody reads it any more is forgotten."""

    def __init__(self, stream: IO[str]) -> None:
        super().__init__(stream.fileno(), "w", closefd=False)
        self._stream = stream  # which is closed with what stands for it

    def write(self, data: Any) -> int | None:
        try:
            return super().write(data)
        except BrokenPipeError:
            drop(self)
            return len(data)


def outlive_stderr() -> None:
    """Has a command go on where whoever read its notes has gone, as in `dmn train … 2>&1 | head`."""
    buffer = getattr(sys.stderr, "buffer", None)
    if isinstance(getattr(buffer, "raw", buffer), io.FileIO):
        lasting = io.BufferedWriter(_Lasting(sys.stderr))
        sys.stderr = io.TextIOWrapper(lasting, sys.stderr.encoding, sys.stderr.errors, line_buffering=True)


def drop(stream: IO[Any] | io.FileIO) -> None:
    """From now on it leads to nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def speak_utf_8() -> None:
    """Has the streams carry any character. Where the machine has no locale, Python takes them for ASCII and fails at
    the first é: there they become UTF-8. A terminal of another encoding shows what it doesn't know as \\u2192."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if not isinstance(stream, io.TextIOWrapper):
            continue
        errors = "strict" if stream is sys.stdin else "backslashreplace"
        if codecs.lookup(stream.encoding).name == "ascii":
            stream.reconfigure(encoding="utf-8", errors=errors)
        elif stream is not sys.stdin:
            stream.reconfigure(errors=errors)


def write_lines(lines: bytes) -> None:
    """Some lines as they are, flushed."""
    sys.stdout.flush()
    sys.stdout.buffer.write(lines)
    sys.stdout.buffer.flush()


def stderr() -> Console:
    from rich.console import Console

    return Console(stderr=True)


def stdout() -> Console:
    from rich.console import Console

    return Console()


def show_error(error: DmnError) -> None:
    """What is wrong, where, and what to do."""
    from rich.text import Text

    where = f"{error.where}: " if error.where else ""
    kind = (f"{error.kind}: ", "bold red" if error.kind == "error" else "bold yellow")
    line = Text.assemble(kind, (printable(where), "bold"), printable(error.message))
    stderr().print(line, soft_wrap=True, highlight=False)
    if error.hint:
        stderr().print(Text(f"  {printable(error.hint)}"), soft_wrap=True, highlight=False)


def _say(text: str, style: str) -> None:
    stderr().print(printable(text), style=style, markup=False, highlight=False, soft_wrap=True)


_STEERING = {n: f"\\x{n:02x}" for n in (*range(32), *range(127, 160)) if chr(n) not in "\n\t"}


def printable(text: str) -> str:
    """With the names of files as they are on the disk, and what would steer the terminal as it is spelled: `\\x1b`."""
    if not text.isascii():
        from dmn_cli.notation import as_text

        text = as_text(text)
    return text if text.isprintable() else text.translate(_STEERING)


WIDTH = 80  # columns, that what is written for a person fits


def wrapped(text: str, width: int = WIDTH) -> str:
    """Each line cut into lines of at most so many columns, but for names that are longer; those that go on are
    indented."""
    return "\n".join(_cut(line, width) for line in text.splitlines())


def _cut(line: str, width: int) -> str:
    import textwrap

    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return textwrap.fill(line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def rows(lines: Sequence[tuple[str, ...]], texts: int = 1, gap: int = 2) -> str:
    """Columns as wide as what is in them; the first `texts` are aligned to the left and the others to the right."""
    widths = _widths(lines)
    return "\n".join(
        (" " * gap)
        .join(
            cell.ljust(w) if i < texts else cell.rjust(w) for i, (cell, w) in enumerate(zip(line, widths, strict=True))
        )
        .rstrip()
        for line in lines
    )


def _widths(lines: Sequence[tuple[str, ...]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*lines, strict=True)]


def show_rows(output: Output, lines: list[tuple[str, ...]], *, texts: int = 1, marked: Collection[int] = ()) -> None:
    """A table with a header, on a terminal with a line below that. texts: as for `rows`; marked: its lines in red"""
    if not output.table:
        output.result(rows(lines, texts))
        return
    from rich.text import Text

    console = stdout()
    shown = [tuple(map(printable, line)) for line in lines]
    head, gap = _fitted(shown, console.width)
    drawn = rows([*head, *shown[1:]], texts, gap).splitlines()
    drawn.insert(len(head), "─" * max(map(len, drawn)))
    for n, line in enumerate(drawn, start=-len(head)):
        style = "bold" if n < 0 else "dim" if n == 0 else "red" if n in marked else ""
        console.print(Text(line, style), soft_wrap=True, highlight=False)


def _fitted(lines: Sequence[tuple[str, ...]], width: int) -> tuple[list[tuple[str, ...]], int]:
    """The header of a table, in several lines where it is too wide in one, and the blanks between columns."""
    import textwrap

    head, body = lines[0], lines[1:]
    if sum(_widths(lines)) + 2 * (len(head) - 1) <= width:
        return [head], 2
    longest = [max(map(len, (*title.split(), *cells))) for title, *cells in zip(*lines, strict=True)]
    parts = [textwrap.wrap(title, max(1, w)) for title, w in zip(head, longest, strict=True)]
    tallest = max(map(len, parts))
    heads = list(zip(*([""] * (tallest - len(part)) + part for part in parts), strict=True))
    return heads, 2 if sum(_widths([*heads, *body])) + 2 * (len(head) - 1) <= width else 1


@contextmanager
def progress(output: Output, verb: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal; nothing elsewhere, since the summary says it all."""
    if not output.live:
        yield lambda n: None
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=stderr(), transient=True, redirect_stdout=False) as bar:
        task = bar.add_task(verb, total=total)
        yield lambda n: bar.advance(task, n)
