"""Files of word vectors: where one is, and which format it has.

    text      one line per word: the word, a blank, its numbers; after a header "words size" (word2vec, fastText .vec)
              or without one (GloVe)
    binary    a header "words size", then for each word its bytes, a blank and `size` little-endian float32 (word2vec)
    saved     what gensim's KeyedVectors.save writes

Each may be plain, compressed, or in an archive. The format is recognised by the content. A file is read as a stream, a
few mebibytes at a time, however long it is (of a saved one, all words are held).
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from dmn_cli.data.sources import archives, compressed
from dmn_cli.data.vectors import saved
from dmn_cli.data.vectors.entries import MAX_LINE, BinaryEntries, Entries, Rows, TextEntries, trailing_numbers
from dmn_cli.errors import DataError, UsageError

_MAX_SIZE = 1 << 16  # numbers in a vector
_KINDS = "GloVe's text, word2vec's text or binary, fastText's .vec and what gensim's KeyedVectors.save writes are read."


class VectorFile(NamedTuple):
    """A file of vectors, or a member of an archive."""

    path: Path
    member: str | None

    @property
    def size(self) -> int:
        """Its bytes on disk, or those of the whole archive: the progress that reading it reports in all."""
        return archives.size([self.path])


def find(file: str) -> VectorFile:
    """What FILE, ARCHIVE:MEMBER, or ARCHIVE if it has one member, stands for.

    Raises: UsageError where it isn't there, or where an archive has several members and none is named; DataError where
    an archive is damaged.
    """
    path, member = Path(file), ""
    if not path.exists():
        before, colon, after = file.rpartition(":")
        if colon and Path(before).is_file():
            path, member = Path(before), after
    if not path.is_file():
        raise UsageError("there is no such file of vectors", where=file)
    if not archives.is_archive(path):
        if member:
            raise UsageError(f"is not an archive, so it has no member {member!r}", where=path)
        return VectorFile(path, None)
    members = archives.names(path)
    if not members:
        raise DataError("the archive is empty", where=path)
    if not member and len(members) == 1:
        (member,) = members
    if member not in members:
        listed = ", ".join(sorted(members)[:20]) + (", …" if len(members) > 20 else "")
        said = f"has no member {member!r}" if member else f"has {len(members)} members"
        raise UsageError(f"{said}; it has {listed}", where=path, hint=f"Name one, as in {path}:{sorted(members)[0]}")
    return VectorFile(path, member)


@contextmanager
def entries(source: VectorFile, progress: Callable[[int], None] = lambda n: None) -> Iterator[Entries]:
    """Opens a file of vectors. `progress` takes the bytes that have been read since the last call.

    Raises: DataError where it is damaged or isn't one, also while its entries are iterated over within the block.
    """
    found = archives.members(source.path, lambda inner: inner == source.member, progress, max_bytes=archives.LARGE)
    with closing(found):
        yield _opened(next(found))
        for _ in found:  # to the end of the archive, where its sum is
            pass


def check(source: VectorFile) -> None:
    """Raises: DataError where the file doesn't begin like a file of vectors."""
    with entries(source) as found:
        next(iter(found), None)


def _opened(file: archives.Member) -> Entries:
    stream, name = file.stream, file.name
    head = stream.peek(4)
    if not head:
        raise DataError("is empty", where=name)
    if head[0] == 0x80:
        return Rows(*saved.load(stream, name, None if file.packed else file.path), name)
    if head.startswith(b"\x93NUMPY"):
        raise DataError(
            "has only the numbers of vectors saved by gensim",
            where=name,
            hint="Give the file beside it, without .vectors.npy.",
        )
    if head.startswith(b"\xba\x16\x4f\x2f"):
        raise DataError("is a fastText model, not vectors", where=name, hint="Give the .vec file that it came with.")
    first = stream.readline(MAX_LINE).removeprefix(codecs.BOM_UTF8)
    fields = first.split()
    if len(fields) != 2 or not all(field.isdigit() and len(field) < 12 for field in fields):
        size = trailing_numbers(fields)
        if not size or size > _MAX_SIZE:
            raise DataError("is not a file of word vectors", where=name, hint=_KINDS)
        return TextEntries(stream, name, size, None, first)
    words, size = map(int, fields)
    if not words or not 0 < size <= _MAX_SIZE:
        raise DataError(f"can't be: its header promises {words:,} words of size {size:,}", where=f"{name}:1")
    return (BinaryEntries if _is_binary(stream, size) else TextEntries)(stream, name, size, words)


def _is_binary(stream: compressed.Stream, size: int) -> bool:
    """Whether what follows a header isn't text: it has no line of numbers, and bytes that no text has."""
    start = stream.peek()
    if trailing_numbers(start.partition(b"\n")[0].split()) >= size:
        return False
    start = start[: 1 << 14]
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return True
    return any(letter < " " and letter not in "\t\n\r" for letter in text)
