"""A file on disk as a stream: plain or decompressed, watched, and with a bound on what it expands to.

What expands to hundreds of times its size is refused: no data do, and files that were made to fill a disk, or hours,
do.
"""

from __future__ import annotations

import bz2
import errno
import gzip
import io
import lzma
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any, TypeAlias

from dmn_cli.data.sources.xz import XzReader
from dmn_cli.errors import DataError

COMPRESSED = {".gz": gzip.open, ".bz2": bz2.open, ".xz": XzReader}
_EXPANDS = 100  # times the size on disk, all that is read of a file or an archive taken together
ROOM = 1 << 24  # bytes that it may have in any case
_COMPRESSED_START = {".gz": rb"\x1f\x8b", ".bz2": rb"BZh[1-9]1AY&SY", ".xz": rb"\xfd7zXZ\x00"}
_NOT_READ = {  # what such a file begins with, and what unpacks it
    b"\x28\xb5\x2f\xfd": "zstd -d",
    b"\x04\x22\x4d\x18": "lz4 -d",
    b"7z\xbc\xaf\x27\x1c": "7z x",
    b"Rar!\x1a\x07": "unrar x",
    b"\x1f\x9d": "uncompress",
}
SHORT = {".tgz": ".tar.gz", ".tbz2": ".tar.bz2", ".txz": ".tar.xz"}
BLOCK = 1 << 20  # bytes that are read at a time
_DAMAGE = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError),
    *(RuntimeError, ValueError, OverflowError, LookupError, struct.error),  # from readers that were given nonsense
)

Stream: TypeAlias = "io.BufferedReader[Any]"
Progress = Callable[[int], None]
"""Takes the bytes of the files on disk that have been read since the last call, `size` of them in all."""


def bare(name: str) -> PurePosixPath:
    """A file's name without the .gz, .bz2 or .xz of a compressed one."""
    path = PurePosixPath(name)
    return path.with_suffix("") if path.suffix.lower() in COMPRESSED else path


def suffix(name: str) -> str:
    """The suffix of a file's name, in lower case, without that of a compressed one: .txt for a.TXT.gz."""
    return bare(name).suffix.lower()


class Room:
    """How much a file may still expand to."""

    def __init__(self, path: Path, least: int = ROOM) -> None:
        self._path, self._left = path, max(least, _EXPANDS * path.stat().st_size)

    def take(self, size: int) -> None:
        """Raises: DataError where it is too much."""
        self._left -= size
        if self._left < 0:
            raise DataError(
                f"expands to more than {_EXPANDS} times its size, as no data do",
                where=self._path,
                hint="If it is meant to be so, unpack it first.",
            )


class _Watched(io.FileIO):
    """A file on disk that reports how far it has been read. What is read twice, like the end of a zip, counts once."""

    def __init__(self, path: Path, progress: Progress) -> None:
        super().__init__(path)
        self._left, self._progress = path.stat().st_size, progress

    def readinto(self, buffer: Any, /) -> int:
        n = super().readinto(buffer) or 0
        self._advance(n)
        return n

    def finish(self) -> None:
        """Reports what was skipped, too."""
        self._advance(self._left)

    def _advance(self, n: int) -> None:
        n = min(n, self._left)
        self._left -= n
        self._progress(n)


@contextmanager
def opened(path: Path, progress: Progress) -> Iterator[Stream]:
    """A file on disk, not decompressed."""
    with _Watched(path, progress) as raw, io.BufferedReader(raw, BLOCK) as file:
        yield file
        raw.finish()


class Checked(io.RawIOBase):
    """A stream that always yields as much as was asked for, up to its end. Raises DataError if damaged or too long."""

    def __init__(
        self, stream: IO[bytes], path: Path, name: str, max_bytes: int | None, room: Room | None = None
    ) -> None:
        """room: where the stream is decompressed"""
        self._stream, self._path, self._name, self._max_bytes, self._room = stream, path, name, max_bytes, room
        self._bytes = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        view = memoryview(buffer)
        filled = 0
        with sound(self._path):
            while filled < len(view) and (n := self._stream.readinto(view[filled:])):  # type: ignore[attr-defined]
                filled += n
        self._bytes += filled
        if self._room is not None:
            self._room.take(filled)
        if self._max_bytes is not None:
            check_size(self._bytes, self._name, self._max_bytes)
        return filled


def decompressed(stream: Stream, path: Path, name: str, room: Room, max_bytes: int | None) -> tuple[Stream, bool]:
    """The stream, decompressed if need be, and whether it had to be."""
    way = PurePosixPath(name).suffix.lower()
    way = SHORT.get(way, way).removeprefix(".tar")
    if way not in COMPRESSED:
        start = stream.peek(10)
        way = next((way for way, begins in _COMPRESSED_START.items() if re.match(begins, start)), "")
        if command := next((command for begin, command in _NOT_READ.items() if start.startswith(begin)), None):
            raise DataError("is compressed in a way that isn't read", where=name, hint=f"Unpack it: {command} FILE")
    plain: Any = COMPRESSED[way](stream) if way else stream
    return io.BufferedReader(Checked(plain, path, name, max_bytes, room if way else None), BLOCK), bool(way)


def check_size(size: int, name: str, max_bytes: int) -> None:
    if not 0 <= size <= max_bytes:
        raise DataError(f"is longer than {in_units(max_bytes)}", where=name)


def in_units(size: int) -> str:
    for unit, power in (("GiB", 30), ("MiB", 20)):
        if size >> power:
            return f"{size >> power} {unit}"
    return f"{size:,} bytes"


@contextmanager
def sound(path: Path) -> Iterator[None]:
    """Raises: DataError where what is read within the block turns out to be damaged."""
    try:
        yield
    except (*_DAMAGE, OSError) as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise  # the disk failed; the others are about places that an archive names but doesn't have
        raise DataError(f"the file is damaged or cut short ({error})", where=path, hint="Download it again.") from error
