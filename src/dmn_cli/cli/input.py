"""What a user names to be read: a file, a named pipe, or stdin for `-`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dmn_cli.errors import DataError, UsageError


@contextmanager
def lines_of(name: str) -> Iterator[Iterator[bytes]]:
    """Yields the lines, each as soon as it comes; their line ends may be missing. Raises: UsageError"""
    if name == "-":
        yield _lines(sys.stdin.buffer)
        return
    path = Path(name)
    if not path.exists() or path.is_dir():  # a named pipe will do
        raise UsageError("there is no such file", where=name)
    with path.open("rb", buffering=0) as file:
        yield _lines(file)


def text_of(name: str) -> str:
    """The whole text. Raises: UsageError; DataError where it isn't UTF-8"""
    with lines_of(name) as lines:
        raw = b"\n".join(line.rstrip(b"\r\n") for line in lines)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise DataError(f"byte 0x{raw[error.start]:02x} is not UTF-8", where=f"{name}:{line}") from error


def _lines(file: Any) -> Iterator[bytes]:
    """Reads without the file's own lock: a thread that waits for more lines never keeps the program from ending."""
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
