"""What a user names to be read: a file, a named pipe, or stdin for `-`."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from dmn_cli.errors import DataError, UsageError

_BLOCK = 1 << 18  # bytes that are read together


@contextmanager
def lines_of(name: str, longest: int | None = None) -> Iterator[Iterator[list[bytes]]]:
    """Yields the lines, those that have come together, as soon as they come; their line ends may be missing. longest:
    bytes past which a line may be cut off, so that memory holds it; None: none is. Raises: UsageError"""
    if name == "-":
        yield _lines(sys.stdin.buffer, longest)
        return
    with _opened(name) as file:
        yield _lines(file, longest)


def _opened(name: str) -> IO[bytes]:
    """Raises: UsageError"""
    try:
        return Path(name).open("rb", buffering=0)
    except OSError as error:
        from dmn_cli.files import unreadable

        hint = "What isn't in a file comes from stdin: echo … | dmn … -" if " " in name else None
        said = "there is no such file" if isinstance(error, FileNotFoundError) else unreadable(error)
        raise UsageError(said, where=name, hint=hint) from error


def text_of(name: str) -> str:
    """The whole text. Raises: UsageError; DataError where it isn't UTF-8"""
    with lines_of(name) as lines:
        raw = b"\n".join(line.rstrip(b"\r\n") for some in lines for line in some)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        from dmn_cli.notation import how_to_convert

        line = raw[: error.start].count(b"\n") + 1
        said = f"byte 0x{raw[error.start]:02x} is not UTF-8"
        raise DataError(said, where=f"{name}:{line}", hint=how_to_convert(raw)) from error


def check_once(data: Sequence[Path]) -> None:
    """Raises: UsageError where a data set, or a copy of one, is given twice: its questions would count twice"""
    if len(data) < 2:
        return
    from dmn_cli.data.store.layout import fingerprint_of

    seen: dict[str, Path] = {}
    for path in data:
        with suppress(OSError):  # what is wrong with it is said when it is opened
            before = seen.setdefault(fingerprint_of(path), path)
            if before is not path:
                raise UsageError(f"is the same data set as {before}", where=path, hint="Give each once.")


def _lines(file: Any, longest: int | None) -> Iterator[list[bytes]]:
    """Reads without the file's own lock: a thread that waits for more lines never keeps the program from ending."""
    try:
        number = file.fileno()
    except OSError:  # not a real file
        yield from ([line] for line in file)
        return
    begun: list[bytes] = []  # of the line that hasn't ended
    length = 0
    while block := _read(number):
        *lines, last = block.split(b"\n")
        if lines:
            lines[0] = b"".join([*begun, lines[0]])
            begun, length = [], 0
            yield lines
        if longest is None or length <= longest:
            begun.append(last)
            length += len(last)
    if length:
        yield [b"".join(begun)]


def _read(number: int) -> bytes:
    """What has come, once something has; nothing at the end."""
    while True:
        try:
            return os.read(number, _BLOCK)
        except BlockingIOError:  # whoever shares the pipe doesn't want to wait for it
            select.select([number], [], [])
