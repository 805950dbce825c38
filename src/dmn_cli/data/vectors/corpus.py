"""A corpus to train word vectors on: the training split of a data set, and texts, as one file of sentences.

A line has up to a thousand words, separated by blanks. Splitting texts into words takes longer than training on them,
so two processes do it where there is much text.
"""

from __future__ import annotations

import itertools
import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from dmn_cli.data.sources import archives
from dmn_cli.data.words.spec import from_spec
from dmn_cli.data.words.tokenizer import Tokenizer
from dmn_cli.errors import DataError, ResourceError

_LINE = 1000  # words
BLOCK = 1 << 18
_PROCESSES = 2
_FEW = 4 * _PROCESSES  # blocks that are held at a time
_RENEWED = (
    400  # blocks after which processes are replaced by new ones: a tokenizer remembers the words that it has seen
)

Block = list[str]


def write(
    path: Path,
    sentences: Iterable[list[str]],
    texts: list[Path],
    tokenizer: Tokenizer,
    progress: Callable[[int], None] = lambda n: None,
    *,
    block: int = BLOCK,
) -> int:
    """Writes a corpus of sentences, which are split into words already, and of texts. Returns how many words it has.

    `block`: how many bytes of the texts are split into words at a time.

    Raises: UsageError where a text isn't there; DataError, with file:line, where it isn't UTF-8.
    """
    words = 0
    with path.open("w", encoding="utf-8", errors="replace", newline="\n") as file:
        for sentence in sentences:
            for line in _lines(sentence):
                file.write(" ".join(line) + "\n")
                words += len(line)
        for lines, count in _split(_blocks(texts, progress, block), tokenizer):
            file.write(lines)
            words += count
    return words


def size(texts: list[Path]) -> int:
    """The bytes on disk of the texts: the progress that `write` reports in all."""
    return archives.size(texts, is_text)


def is_text(name: str) -> bool:
    """Whether a file of an archive or a folder is read: it is named .txt. (A file by itself may have any name.)"""
    return archives.suffix(name) == ".txt"


def _lines(words: Iterable[str]) -> Iterator[list[str]]:
    words = list(words)
    for start in range(0, len(words), _LINE):
        yield words[start : start + _LINE]


def _blocks(texts: list[Path], progress: Callable[[int], None], size: int) -> Iterator[Block]:
    """The lines of texts, in blocks of about so many bytes."""
    for path in texts:
        block, length = [], 0
        found = False
        for member in archives.members(path, is_text, progress):
            found = True
            for number, line in enumerate(member.lines(), start=1):
                try:
                    block.append(line.decode("utf-8-sig" if number == 1 else "utf-8"))
                except UnicodeDecodeError as error:
                    raise DataError(
                        f"byte {error.start + 1} of the line is not UTF-8", where=f"{member.name}:{number}"
                    ) from error
                length += len(line)
                if length >= size:
                    yield block
                    block, length = [], 0
        if not found:
            raise DataError("has no file named .txt", where=path)
        if block:
            yield block


def _split(blocks: Iterator[Block], tokenizer: Tokenizer) -> Iterator[tuple[str, int]]:
    """Of each block, in order, its lines of words, and how many words these have. Of more than a few, by processes."""
    first = list(itertools.islice(blocks, _FEW))
    if len(first) < _FEW:
        yield from (_words(block, tokenizer) for block in first)
        return
    while first:
        waiting: deque[Future[tuple[str, int]]] = deque()
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(_PROCESSES, context, _start, (tokenizer.spec, tokenizer.files)) as pool:
            for block in itertools.chain(first, itertools.islice(blocks, _RENEWED)):
                waiting.append(pool.submit(_work, block))
                if len(waiting) == _FEW:
                    yield _result(waiting.popleft())
            while waiting:
                yield _result(waiting.popleft())
        first = list(itertools.islice(blocks, 1))


def _result(future: Future[tuple[str, int]]) -> tuple[str, int]:
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise ResourceError("a process that split texts into words was killed: memory may have run out") from error


def _words(block: Block, tokenizer: Tokenizer) -> tuple[str, int]:
    lines = [line for text in block for line in _lines(tokenizer(text))]
    return "".join(" ".join(line) + "\n" for line in lines), sum(map(len, lines))


_tokenizer: Tokenizer


def _start(spec: dict[str, Any], files: dict[str, bytes]) -> None:
    """Runs first in each process. Ctrl-C is for the process that started it."""
    global _tokenizer
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _tokenizer = from_spec(spec, files)


def _work(block: Block) -> tuple[str, int]:
    return _words(block, _tokenizer)
