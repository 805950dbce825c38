"""Files of word vectors, entry by entry: which kind a file is, and one pass over it.

    text      a line a word: the word, a blank, its numbers; with a header "words size" (word2vec, fastText .vec) or
              without (GloVe)
    binary    a header "words size", then for each word its bytes, a blank and `size` little-endian float32 (word2vec)
    saved     what gensim's KeyedVectors.save writes, read by `saved_vectors`

each plain, compressed by gzip, or a member of a zip. The kind is found from the content. A file is read as a stream:
what is held is a mebibyte of it, however long it is (of a saved one, its words).
"""

from __future__ import annotations

import codecs
import gzip
import io
import itertools
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import IO, NamedTuple, Protocol, TypeAlias

import numpy as np

from dmn_cli.data.vectors import saved as saved_vectors
from dmn_cli.errors import DataError, UsageError

_BUFFER = 1 << 20
_MAX_LINE = 1 << 22
_MAX_WORD = 1 << 16  # bytes of a word in a binary file
_MAX_SIZE = 1 << 16  # numbers in a vector
_KINDS = "GloVe's text, word2vec's text or binary, fastText's .vec and what gensim's KeyedVectors.save writes are read."
_DAMAGE = (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, zipfile.BadZipFile)
_DAMAGED_ZIP = (ValueError, OverflowError, OSError, struct.error)  # what zipfile runs into besides

Entry = tuple[bytes, int, bytes]
"""A word as it is spelled in the file, the place of its entry (a line, or a number from 1), and its numbers, unread."""


class Entries(Protocol):
    """The entries of an open file. Iterating raises DataError at the first that isn't one."""

    size: int

    def __iter__(self) -> Iterator[Entry]: ...

    def numbers(self, entry: Entry) -> np.ndarray:
        """The vector of an entry, (size,) float32, all of it finite. Raises: DataError"""
        ...

    def text(self, entry: Entry) -> str | None:
        """The word of an entry; None where it is no UTF-8 and that is usual. Raises: DataError where it isn't."""
        ...


class VectorFile(NamedTuple):
    """A file of vectors, or a member of a zip."""

    path: Path
    member: str | None
    size: int  # bytes that reading it tells of

    @property
    def name(self) -> str:
        return f"{self.path}:{self.member}" if self.member else str(self.path)


def find(file: str) -> VectorFile:
    """FILE, FILE.zip or FILE.zip:MEMBER.

    Raises: UsageError where it isn't there, or where a zip has several members and none is named; DataError where a zip
    is damaged.
    """
    path, member = Path(file), ""
    if not path.exists():
        before, colon, after = file.rpartition(":")
        if colon and Path(before).is_file():
            path, member = Path(before), after
    if not path.is_file():
        raise UsageError("there is no such file of vectors", where=file)
    if not zipfile.is_zipfile(path):
        if member:
            raise UsageError(f"is not a zip, so it has no member {member!r}", where=path)
        return VectorFile(path, None, path.stat().st_size)
    with _damage(str(path), (*_DAMAGED_ZIP, NotImplementedError)), zipfile.ZipFile(path) as archive:
        members = {info.filename: info.file_size for info in archive.infolist() if not info.is_dir()}
    if not members:
        raise DataError("the archive is empty", where=path)
    if not member and len(members) == 1:
        (member,) = members
    if member not in members:
        listed = ", ".join(sorted(members)[:20]) + (", …" if len(members) > 20 else "")
        said = f"has no member {member!r}" if member else f"has {len(members)} members"
        raise UsageError(f"{said}; it has {listed}", where=path, hint=f"Name one, as in {path}:{sorted(members)[0]}")
    try:
        with _damage(str(path), _DAMAGED_ZIP), zipfile.ZipFile(path) as archive:
            archive.open(member).close()
    except (RuntimeError, NotImplementedError) as error:  # a password, a way of compression
        raise DataError(f"can't be unpacked here ({error})", where=f"{path}:{member}") from error
    return VectorFile(path, member, members[member])


@contextmanager
def entries(source: VectorFile, progress: Callable[[int], None] = lambda n: None) -> Iterator[Entries]:
    """Opens a file of vectors. `progress` is told of the bytes that were read, `source.size` in all.

    Raises: DataError where it is damaged or none, also while it is iterated over within the block.
    """
    with _damage(source.name), ExitStack() as stack:
        stream: IO[bytes]
        if source.member is None:
            stream = stack.enter_context(source.path.open("rb", buffering=0))
        else:
            stream = stack.enter_context(zipfile.ZipFile(source.path)).open(source.member)
        reader = io.BufferedReader(_Filled(stream, progress), _BUFFER)
        plain = reader.peek(2)[:2] != b"\x1f\x8b"
        if not plain:
            reader = io.BufferedReader(_Filled(gzip.GzipFile(fileobj=reader)), _BUFFER)
        yield _opened(reader, source.name, source.path if plain and source.member is None else None)


def check(source: VectorFile) -> None:
    """Raises: DataError where the file doesn't begin like one of vectors."""
    with entries(source) as found:
        next(iter(found), None)


class _Filled(io.RawIOBase):
    """A stream that always gives as much as is asked for, to its end, and says how much that was."""

    def __init__(self, stream: IO[bytes] | gzip.GzipFile, progress: Callable[[int], None] = lambda n: None) -> None:
        self.stream, self.progress = stream, progress

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        filled = 0
        while filled < len(buffer) and (piece := self.stream.read(len(buffer) - filled)):
            buffer[filled : filled + len(piece)] = piece
            filled += len(piece)
        self.progress(filled)
        return filled


Reader: TypeAlias = "io.BufferedReader[_Filled]"


@contextmanager
def _damage(name: str, also: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    try:
        yield
    except (*_DAMAGE, *also) as error:
        raise DataError(f"the file is damaged or cut short ({error})", where=name) from error


def _opened(stream: Reader, name: str, path: Path | None) -> Entries:
    """`path`: where the arrays of a saved one may lie beside it."""
    head = stream.peek(4)
    if not head:
        raise DataError("is empty", where=name)
    if head[0] == 0x80:
        return _Saved(stream, name, path)
    if head.startswith(b"\x93NUMPY"):
        raise DataError(
            "has only the numbers of vectors saved by gensim", where=name, hint="Name the file beside it, without .npy."
        )
    if head.startswith(b"\xba\x16\x4f\x2f"):
        raise DataError("is a fastText model, not vectors", where=name, hint="Take the .vec file that it came with.")
    first = stream.readline(_MAX_LINE)
    fields = first.split()
    if len(fields) != 2 or not all(field.isdigit() and len(field) < 12 for field in fields):
        size = _trailing_numbers(fields)
        if not size or size > _MAX_SIZE:
            raise DataError("is not a file of word vectors", where=name, hint=_KINDS)
        return _Text(stream, name, size, None, first)
    words, size = map(int, fields)
    if not words or not 0 < size <= _MAX_SIZE:
        raise DataError(f"its header tells of {words:,} words of size {size:,}", where=f"{name}:1")
    return (_Binary if _is_binary(stream.peek(_BUFFER), size) else _Text)(stream, name, size, words)


def _is_binary(start: bytes, size: int) -> bool:
    """Whether what follows a header is no text: its line isn't one, and it has bytes that text has not."""
    if _trailing_numbers(start.partition(b"\n")[0].split()) >= size:
        return False
    start = start[: 1 << 14]
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return True
    return any(letter < " " and letter not in "\t\n\r" for letter in text)


def _is_number(field: bytes) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _trailing_numbers(fields: list[bytes]) -> int:
    """How many fields at the end of a line are numbers; the first is the word, whatever it says."""
    return sum(1 for _ in itertools.takewhile(_is_number, reversed(fields[1:])))


class _Text:
    """Lines. The numbers of each are counted, but read only where they are asked for."""

    def __init__(self, stream: Reader, name: str, size: int, words: int | None, first: bytes | None = None) -> None:
        """`words`: how many the header tells of; `first`: the first line where there is no header."""
        self.stream, self.name, self.size, self.words = stream, name, size, words
        self.first = [] if first is None else [first]

    def __iter__(self) -> Iterator[Entry]:
        size, words = self.size, self.words
        seen = 0
        lines = itertools.chain(self.first, iter(partial(self.stream.readline, _MAX_LINE), b""))
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
            if seen == words and self.stream.read(_BUFFER).strip():
                raise DataError(f"goes on after the {words:,} words that its header tells of", where=self._at(place))
            yield word, place, row
        if words is not None and seen != words:
            raise DataError(
                f"is cut short: its header tells of {words:,} words, and it has {seen:,}",
                where=self.name,
                hint="If it was cut on purpose, correct the number of words in its first line.",
            )

    def _at(self, place: int) -> str:
        return f"{self.name}:{place}"

    def _unusual(self, entry: bytes, line: bytes, place: int) -> tuple[bytes, bytes]:
        """A word that has blanks in it, or numbers that are set apart in another way. Raises: DataError"""
        if len(line) == _MAX_LINE:
            raise DataError("the line is longer than 4 MiB", where=self._at(place))
        word, *row = entry.rsplit(None, self.size)
        found = _trailing_numbers(entry.split())
        if len(row) < self.size or found < self.size:
            torn = "" if line.endswith(b"\n") else "is cut short: it "
            raise DataError(f"{torn}has {found:,} numbers, not {self.size:,}", where=self._at(place))
        if found > self.size and b"." in word.split()[-1]:  # the word `at 5` may be one, `at 0.5` is a wrong size
            raise DataError(f"has {found:,} numbers, not {self.size:,}", where=self._at(place))
        return word, b" ".join(row)

    def numbers(self, entry: Entry) -> np.ndarray:
        _, place, row = entry
        fields = row.split()
        try:
            if len(fields) != self.size or b"_" in row:
                raise ValueError
            values = np.array([float(field) for field in fields])
        except ValueError:
            wrong = next((field for field in fields if not _is_number(field) or b"_" in field), b"")
            said = f"{_shown(wrong)} is not a number" if wrong else f"has {len(fields):,} numbers, not {self.size:,}"
            raise DataError(said, where=self._at(place)) from None
        return _finite(values, self._at(place))

    def text(self, entry: Entry) -> str:
        word, place, _ = entry
        try:
            return word.decode()
        except UnicodeDecodeError as error:
            raise DataError(
                f"byte {error.start + 1} of the word {_shown(word)} is not UTF-8", where=self._at(place)
            ) from error


class _Binary:
    """Records. A word that is no UTF-8 is passed over: word2vec itself cuts long ones within a character."""

    def __init__(self, stream: Reader, name: str, size: int, words: int) -> None:
        self.stream, self.name, self.size, self.words = stream, name, size, words

    def __iter__(self) -> Iterator[Entry]:
        width = 4 * self.size
        block, start = b"", 0
        for place in range(1, self.words + 1):
            blank = block.find(b" ", start, start + _MAX_WORD)
            if blank < 0 or blank + 1 + width > len(block):
                block, start = block[start:] + self.stream.read(_BUFFER), 0
                blank = block.find(b" ", 0, _MAX_WORD)
                if blank < 0 and len(block) > _MAX_WORD:
                    raise DataError(f"word {place:,} has no end: the file is damaged", where=self.name)
                if blank < 0 or blank + 1 + width > len(block):
                    raise DataError(f"is cut short: word {place:,} of {self.words:,} is not whole", where=self.name)
            end = blank + 1 + width
            yield block[start:blank].lstrip(b"\n"), place, block[blank + 1 : end]
            start = end
        if (block[start:] + self.stream.read(_BUFFER)).strip():
            raise DataError(f"goes on after the {self.words:,} words that its header tells of", where=self.name)

    def numbers(self, entry: Entry) -> np.ndarray:
        word, place, row = entry
        return _finite(np.frombuffer(row, "<f4"), self.name, f"word {place:,}, {_shown(word)}, ")

    def text(self, entry: Entry) -> str | None:
        try:
            return entry[0].decode()
        except UnicodeDecodeError:
            return None


class _Saved:
    """What gensim saved: its words are in memory, its numbers too where they are few, else they stay on disk."""

    def __init__(self, stream: Reader, name: str, path: Path | None) -> None:
        self.name = name
        self.words, self.vectors = saved_vectors.load(stream, name, path)
        self.size = self.vectors.shape[1]

    def __iter__(self) -> Iterator[Entry]:
        for place, word in enumerate(self.words, start=1):
            yield word.encode(errors="surrogatepass"), place, b""

    def numbers(self, entry: Entry) -> np.ndarray:
        word, place, _ = entry
        return _finite(self.vectors[place - 1], self.name, f"word {place:,}, {_shown(word)}, ")

    def text(self, entry: Entry) -> str | None:
        return self.words[entry[1] - 1]


def _finite(values: np.ndarray, where: str, which: str = "") -> np.ndarray:
    """A copy in float32. Raises: DataError where a number isn't finite there."""
    with np.errstate(over="ignore"):
        values = values.astype(np.float32)
    if not np.isfinite(values).all():
        raise DataError(f"{which}has a number that is infinite or none (NaN)", where=where)
    return values


def _shown(word: bytes) -> str:
    return repr(word[:40].decode(errors="replace"))
