"""The lines of plain texts, in blocks that processes work on side by side.

Splitting texts into words takes longer than most that is done with them, so two processes do it where there is much
text.
"""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, TypeVar

from dmn_cli.data.sources import archives, compressed
from dmn_cli.data.words.spec import from_spec
from dmn_cli.data.words.tokenizer import Tokenizer
from dmn_cli.errors import DataError, ResourceError
from dmn_cli.machine.parent import end_with_parent
from dmn_cli.machine.signals import undisturbed
from dmn_cli.notation import decoded

BLOCK = 1 << 18  # bytes
_PROCESSES = 2
_FEW = 4 * _PROCESSES  # blocks that are held at a time
_RENEWED = (
    400  # blocks after which processes are replaced by new ones: a tokenizer remembers the words that it has seen
)

Block = list[str]
R = TypeVar("R")
Work = Callable[[Block, Tokenizer], R]
"""What is done with a block: a function of a module, so that another process finds it."""


def size(texts: list[Path]) -> int:
    """The bytes on disk of the texts: the progress that `blocks` reports in all."""
    return archives.size(texts, is_text)


def is_text(name: str) -> bool:
    """Whether a file of an archive or a folder is read: it is named .txt. (A file by itself may have any name.)"""
    return compressed.suffix(name) == ".txt"


def blocks(texts: list[Path], progress: Callable[[int], None], size: int = BLOCK) -> Iterator[Block]:
    """The lines of texts, in blocks of about so many bytes.

    Raises: UsageError where a text isn't there; DataError, with file:line, where it isn't UTF-8.
    """
    for path in texts:
        block, length = [], 0
        found = False
        for member in archives.members(path, is_text, progress):
            found = True
            for number, line in enumerate(member.lines(), start=1):
                block.append(decoded(line, member.name, number))
                length += len(line)
                if length >= size:
                    yield block
                    block, length = [], 0
        if not found:
            raise DataError("has no file named .txt", where=path)
        if block:
            yield block


def worked(blocks: Iterator[Block], tokenizer: Tokenizer, work: Work[R]) -> Iterator[R]:
    """What `work` makes of each block, in order. Of more than a few, by processes."""
    first = list(itertools.islice(blocks, _FEW))
    if len(first) < _FEW:
        yield from (work(block, tokenizer) for block in first)
        return
    while first:
        waiting: deque[Future[R]] = deque()
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(_PROCESSES, context, _start, (tokenizer.spec, tokenizer.files, os.getpid())) as pool:
            for block in itertools.chain(first, itertools.islice(blocks, _RENEWED)):
                with undisturbed():
                    waiting.append(pool.submit(_work, work, block))
                if len(waiting) == _FEW:
                    yield _result(waiting.popleft())
            while waiting:
                yield _result(waiting.popleft())
        first = list(itertools.islice(blocks, 1))


def _result(future: Future[R]) -> R:
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise ResourceError("a process that split texts into words was killed: memory may have run out") from error


_tokenizer: Tokenizer


def _start(spec: dict[str, Any], files: dict[str, bytes], parent: int) -> None:
    """Runs first in each process."""
    global _tokenizer
    end_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _tokenizer = from_spec(spec, files)


def _work(work: Work[R], block: Block) -> R:
    return work(block, _tokenizer)
