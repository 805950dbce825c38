"""The entries of a file of word vectors: one pass over all of them, and the vectors of those that are kept.

The pass looks at words only. Entries of a text or a binary file that are kept are copied to a temporary file, which
gensim then loads (`kept.py`); of a matrix, the rows are selected.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np

from dmn_cli.data.sources.compressed import Stream
from dmn_cli.data.vectors.kept import Entry, Kept, KeptRecords, KeptRows
from dmn_cli.errors import DataError

MAX_LINE = 1 << 22
_BLOCK = 1 << 20
_MAX_WORD = 1 << 16  # bytes of a word in a binary file


class Entries(Protocol):
    """The entries of an open file, for one pass. Raises DataError at the first that is malformed."""

    size: int

    def __iter__(self) -> Iterator[Entry]: ...

    def text(self, entry: Entry) -> str | None:
        """The word of an entry; None if it isn't UTF-8 and the format has such words. Raises: DataError otherwise."""
        ...

    def keeping(self, folder: Path | None = None) -> Kept:
        """What keeps entries. `folder`: for a temporary file; None: the system's folder for such files."""
        ...


class TextEntries:
    """Lines of text. The numbers of each line are counted, but not read."""

    def __init__(self, stream: Stream, name: str, size: int, words: int | None, first: bytes | None = None) -> None:
        """`words`: how many the header promises; `first`: the first line where there is no header."""
        self.stream, self.name, self.size, self.words = stream, name, size, words
        self.first = [] if first is None else [first]

    def __iter__(self) -> Iterator[Entry]:
        size, words = self.size, self.words
        seen = 0
        lines = itertools.chain(self.first, iter(partial(self.stream.readline, MAX_LINE), b""))
        for place, line in enumerate(lines, start=1 if words is None else 2):
            entry = line.rstrip()
            if entry.count(b" ") == size:
                end = entry.find(b" ")
                word, row = entry[:end], entry[end + 1 :]
            elif not entry:
                continue
            else:
                word, row = self._unusual(entry, line, place)
            seen += 1
            if seen == words and self.stream.read(_BLOCK).strip():
                raise DataError(f"goes on after the {words:,} words that its header promises", where=self._at(place))
            yield word, place, row
        if words is not None and seen != words:
            raise DataError(
                f"is cut short: its header promises {words:,} words, and it has {seen:,}",
                where=self.name,
                hint="If it was cut on purpose, correct the number of words in its first line.",
            )

    def _at(self, place: int) -> str:
        return f"{self.name}:{place}"

    def _unusual(self, entry: bytes, line: bytes, place: int) -> tuple[bytes, bytes]:
        """The word and the numbers, where the word has blanks in it or the numbers are separated in another way.

        Raises: DataError where there are more or fewer numbers than there should be.
        """
        if len(line) == MAX_LINE:
            raise DataError("the line is longer than 4 MiB", where=self._at(place))
        word, *row = entry.rsplit(None, self.size)
        found = trailing_numbers(entry.split())
        if len(row) < self.size or found < self.size:
            torn = "" if line.endswith(b"\n") else "is cut short: it "
            raise DataError(f"{torn}has {found:,} numbers, not {self.size:,}", where=self._at(place))
        if found > self.size and b"." in word.split()[-1]:  # the word `at 5` may be one, `at 0.5` is a wrong size
            raise DataError(f"has {found:,} numbers, not {self.size:,}", where=self._at(place))
        return word, b" ".join(row)

    def text(self, entry: Entry) -> str:
        word, place, _ = entry
        try:
            return word.decode()
        except UnicodeDecodeError as error:
            raise DataError(
                f"byte {error.start + 1} of the word {_shown(word)} is not UTF-8", where=self._at(place)
            ) from error

    def keeping(self, folder: Path | None = None) -> Kept:
        def wrong(entry: Entry, message: str) -> DataError:
            return DataError(message, where=self._at(entry[1]))

        return KeptRecords(self.size, wrong, binary=False, folder=folder)


class BinaryEntries:
    """Binary records. A word that isn't UTF-8 is skipped: word2vec itself truncates long words within a character."""

    def __init__(self, stream: Stream, name: str, size: int, words: int) -> None:
        self.stream, self.name, self.size, self.words = stream, name, size, words

    def __iter__(self) -> Iterator[Entry]:
        width = 4 * self.size
        block, start = b"", 0
        for place in range(1, self.words + 1):
            blank = block.find(b" ", start, start + _MAX_WORD)
            if blank < 0 or blank + 1 + width > len(block):
                block, start = block[start:] + self.stream.read(_BLOCK), 0
                blank = block.find(b" ", 0, _MAX_WORD)
                if blank < 0 and len(block) > _MAX_WORD:
                    raise DataError(f"word {place:,} has no end: the file is damaged", where=self.name)
                if blank < 0 or blank + 1 + width > len(block):
                    raise DataError(f"is cut short: word {place:,} of {self.words:,} is not whole", where=self.name)
            end = blank + 1 + width
            yield block[start:blank].lstrip(b"\n"), place, block[blank + 1 : end]
            start = end
        if (block[start:] + self.stream.read(_BLOCK)).strip():
            raise DataError(f"goes on after the {self.words:,} words that its header promises", where=self.name)

    def text(self, entry: Entry) -> str | None:
        try:
            return entry[0].decode()
        except UnicodeDecodeError:
            return None

    def keeping(self, folder: Path | None = None) -> Kept:
        return KeptRecords(self.size, partial(_wrong_record, self.name), binary=True, folder=folder)


class Rows:
    """Those of a matrix: what gensim saved, or the vectors of a data set. The words are in memory; of gensim's, the
    numbers too if they are few, or else they stay on disk."""

    def __init__(self, words: list[str], vectors: np.ndarray, name: str) -> None:
        """vectors: (words, size)"""
        self.words, self.vectors, self.name = words, vectors, name
        self.size = vectors.shape[1]

    def __iter__(self) -> Iterator[Entry]:
        for place, word in enumerate(self.words, start=1):
            yield word.encode(errors="surrogatepass"), place, b""

    def text(self, entry: Entry) -> str | None:
        return self.words[entry[1] - 1]

    def keeping(self, folder: Path | None = None) -> Kept:
        return KeptRows(self.vectors, partial(_wrong_record, self.name))


def trailing_numbers(fields: list[bytes]) -> int:
    """How many fields at the end of a line are numbers. The first field is the word, whatever it looks like."""
    return sum(1 for _ in itertools.takewhile(_is_number, reversed(fields[1:])))


def _is_number(field: bytes) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _wrong_record(name: str, entry: Entry, message: str) -> DataError:
    word, place, _ = entry
    return DataError(f"word {place:,}, {_shown(word)}, {message}", where=name)


def _shown(word: bytes) -> str:
    return repr(word[:40].decode(errors="replace"))
