"""What the tests of the command line share: a story and a question, command lines with paths filled in, and damage."""

import json
import re
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conftest import Result

QUESTION = "Where is Mary?"
STORY = "Mary went to the kitchen.\nJohn went to the office.\n"


def batch(lines: int) -> bytes:
    """Lines for dmn ask --batch."""
    return (json.dumps({"story": STORY, "question": QUESTION}) + "\n").encode() * lines


def filled_in(command: str, **paths: Path) -> list[str]:
    """The words of a command line, with paths in place of the names that stand for them."""
    pattern = re.compile("|".join(paths))
    return [pattern.sub(lambda name: str(paths[name[0]]), word) for word in command.split()]


def seen(result: Result) -> str:
    """What a person sees of it, without colours and cursor movements."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", result.out + result.err)


def flip_a_byte(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 0xFF
    path.write_bytes(data)


def cut_in_half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@contextmanager
def disk_that_fills_up(size: int) -> Iterator[None]:
    """No file can grow beyond `size` bytes. (Python ignores the signal that goes with the error.)"""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
