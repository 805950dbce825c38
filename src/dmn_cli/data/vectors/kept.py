"""The vectors of a file that are kept. What is kept of a text or a binary is loaded by gensim."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeAlias

import numpy as np

from dmn_cli.errors import DataError

Entry: TypeAlias = tuple[bytes, int, bytes]
"""A word as it is spelled in the file, the place of its entry (a line, or a number from 1), and its numbers, unread."""
Wrong = Callable[[Entry, str], DataError]
"""The error that says where an entry is, and what is wrong with it."""

_HEADER = 40  # bytes, blanks included: how many there are is known at the end


class Kept(Protocol):
    """What is kept. It is a context: what it holds on disk is gone after the block."""

    def __enter__(self) -> Kept: ...

    def __exit__(self, *_: object) -> None: ...

    def add(self, entry: Entry) -> int:
        """The number, from 0, of its row in `vectors`. Raises: DataError"""
        ...

    def vectors(self) -> np.ndarray:
        """(kept, size) float32, all of it finite. Raises: DataError at the first entry that isn't a vector."""
        ...


class KeptRecords:
    """Lines or records, copied with their numbers as they are to one file, as word2vec writes it, that gensim loads.

    Each has its row's number for a word: gensim divides a line at every blank, and takes each word once.
    """

    def __init__(self, size: int, wrong: Wrong, *, binary: bool, folder: Path | None = None) -> None:
        """`folder`: where the temporary file is; None: where the system has such."""
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
        if not self._binary and (
            b"_" in numbers or not numbers.isascii()
        ):  # Python reads 1_0 as 10, and so does gensim
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
        """Tries the lines one by one."""
        self._file.seek(_HEADER)
        for entry in self._entries:
            with tempfile.NamedTemporaryFile(prefix=".dmn-", dir=self._folder) as one:
                one.write(b"1 %d\n" % self._size + self._file.readline())
                one.flush()
                try:
                    _loaded(one.name, self._binary)
                except ValueError as error:
                    return self._wrong(entry, f"has what is not a number ({error})")
        return None


class KeptRows:
    """Rows of a matrix that is there."""

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
    """The vectors of a file as gensim loads it. Raises: ValueError"""
    from gensim.models import KeyedVectors

    with np.errstate(over="ignore"):  # what is infinite is found later
        return KeyedVectors.load_word2vec_format(path, binary=binary, datatype=np.float32).vectors


def _finite(vectors: np.ndarray, entries: list[Entry], wrong: Wrong) -> np.ndarray:
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        raise wrong(entries[int(finite.argmin())], "has a number that is infinite or none (NaN)")
    return vectors
