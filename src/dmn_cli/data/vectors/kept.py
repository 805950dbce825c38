"""The vectors of the entries that are kept: loaded by gensim, or selected from a matrix."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np

from dmn_cli.errors import DataError

Entry: TypeAlias = tuple[bytes, int, bytes]
"""A word as the file spells it, the place of its entry (a line, or a number from 1), and its numbers as bytes."""
Wrong = Callable[[Entry, str], DataError]
"""Makes the error that says where an entry is, and what is wrong with it."""

_HEADER = 40  # bytes that are reserved for it: how many entries there are is known only at the end


class Kept(Protocol):
    """Entries that are kept. It is a context: what it holds on disk is deleted at the end of the block."""

    def __enter__(self) -> Kept: ...

    def __exit__(self, *_: object) -> None: ...

    def add(self, entry: Entry) -> int:
        """Keeps an entry, and returns the row that it has in `vectors`. Raises: DataError"""
        ...

    def vectors(self) -> np.ndarray:
        """(entries, size) float32, all finite. Raises: DataError for the first entry whose numbers aren't."""
        ...


class KeptRecords:
    """Lines or records, whose numbers are copied unread to a temporary file in word2vec's format, which gensim loads.

    There each word is replaced by its row, since gensim would divide words at blanks, and drop those that come twice.
    """

    def __init__(self, size: int, wrong: Wrong, *, binary: bool, folder: Path | None = None) -> None:
        """`folder`: for the temporary file; None: the system's folder for such files."""
        self._size, self._wrong, self._binary, self._folder = size, wrong, binary, folder
        self._entries: list[Entry] = []  # without their numbers

    def __enter__(self) -> KeptRecords:
        self._file = tempfile.NamedTemporaryFile(prefix=".dmn-", dir=self._folder)
        self._file.write(b" " * (_HEADER - 1) + b"\n")
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, entry: Entry) -> int:
        word, place, numbers = entry
        if not self._binary and (b"_" in numbers or not numbers.isascii()):  # gensim would read 1_0 as 10
            wrong = next(number for number in numbers.split() if b"_" in number or not number.isascii())
            raise self._wrong(entry, f"{wrong.decode(errors='replace')!r} is not a number")
        row = len(self._entries)
        self._entries.append((word, place, b""))
        self._file.write(b"%d %b%b" % (row, numbers, b"" if self._binary else b"\n"))
        return row

    def vectors(self) -> np.ndarray:
        shape = len(self._entries), self._size
        if not self._entries:
            return np.empty(shape, np.float32)
        self._file.seek(0)
        self._file.write(b"%d %d" % shape)
        self._file.flush()
        try:
            vectors = _loaded(self._file.name, self._binary)
        except ValueError as error:
            raise self._first_wrong() or error from error
        assert vectors.shape == shape, vectors.shape
        return _finite(vectors, self._entries, self._wrong)

    def _first_wrong(self) -> DataError | None:
        """The error of the first line that gensim can't load, found by trying the lines one by one."""
        self._file.seek(_HEADER)
        for entry in self._entries:
            with tempfile.NamedTemporaryFile(prefix=".dmn-", dir=self._folder) as one:
                one.write(b"1 %d\n" % self._size + self._file.readline())
                one.flush()
                try:
                    _loaded(one.name, self._binary)
                except ValueError as error:
                    return self._wrong(entry, f"has something that isn't a number ({error})")
        return None


class KeptRows:
    """Rows of an existing matrix."""

    def __init__(self, matrix: np.ndarray, wrong: Wrong) -> None:
        self._matrix, self._wrong = matrix, wrong
        self._entries: list[Entry] = []

    def __enter__(self) -> KeptRows:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def add(self, entry: Entry) -> int:
        self._entries.append(entry)
        return len(self._entries) - 1

    def vectors(self) -> np.ndarray:
        rows = [place - 1 for _, place, _ in self._entries]
        with np.errstate(over="ignore"):
            return _finite(self._matrix[rows].astype(np.float32), self._entries, self._wrong)


def _loaded(path: str, binary: bool) -> np.ndarray:
    """The vectors of a file, loaded by gensim: (words, size) float32. Raises: ValueError"""
    from gensim.models import KeyedVectors

    kind: Any = np.float32 if binary else np.float64  # which numpy makes of a text in less time, and of the same value
    with np.errstate(over="ignore"):  # infinite numbers are found later
        return KeyedVectors.load_word2vec_format(path, binary=binary, datatype=kind).vectors.astype(np.float32)


def _finite(vectors: np.ndarray, entries: list[Entry], wrong: Wrong) -> np.ndarray:
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        raise wrong(entries[int(finite.argmin())], "has a number that is infinite or not a number (NaN)")
    return vectors
