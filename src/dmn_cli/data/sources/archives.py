"""Opens what a path stands for: a file, the files of a folder, or the members of an archive, compressed or not.

All data are opened here. An archive is read as a stream, from start to end, and never unpacked to the disk. Whether a
file is compressed is seen by its first bytes, or by its name. Links, devices, hidden files, what systems leave beside
files (`__MACOSX/._name`, `Thumbs.db`), and members with absolute names or with `..` in them are ignored. What expands
to hundreds of times its size is refused: no data do, and files that were made to fill a disk, or hours, do.
"""

from __future__ import annotations

import bz2
import errno
import gzip
import io
import lzma
import re
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any, Literal, TypeAlias

from dmn_cli.data.sources.xz import XzReader
from dmn_cli.errors import DataError, UsageError

COMPRESSED = {".gz": gzip.open, ".bz2": bz2.open, ".xz": XzReader}
MAX_BYTES = 1 << 32
LARGE = 1 << 38  # for files that are often longer than that
MAX_LINE = 1 << 20
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
_SHORT = {".tgz": ".tar.gz", ".tbz2": ".tar.bz2", ".txz": ".tar.xz"}
_LEFT_BY_SYSTEMS = {"__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "@eadir", "icon\r"}
_MAX_HEADER = 1 << 20
_READ_WHOLE = (  # headers of a tar with names that are too long for the usual header
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
)
_BLOCK = 1 << 20  # bytes that are read at a time
_DAMAGE = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError),
    *(RuntimeError, ValueError, OverflowError, LookupError, struct.error),  # from readers that were given nonsense
)

Stream: TypeAlias = "io.BufferedReader[Any]"
Wanted = Callable[[str], bool]
"""Says whether a file of an archive or a folder is wanted, by its name in there."""
Progress = Callable[[int], None]
"""Takes the bytes of the files on disk that have been read since the last call, `size` of them in all."""


@dataclass(frozen=True)
class Member:
    """One file, decompressed. It can be read once, before the next one is asked for."""

    path: Path  # the file on disk that it is, or that it is in
    inner: str  # its name in the archive or the folder; the file's own name, if it is neither in one nor in the other
    name: str  # where a person would look for it
    packed: bool  # whether it is in an archive, or compressed
    stream: Stream  # raises DataError where what is read is damaged or too long

    def lines(self, max_line: int = MAX_LINE) -> Iterator[bytes]:
        """The lines, with their ends.

        Raises: DataError where a line has `max_line` bytes or more, or the file is damaged or too long.
        """
        for number, line in enumerate(iter(partial(self.stream.readline, max_line), b""), start=1):
            if len(line) == max_line:
                raise DataError(f"the line is longer than {_readable(max_line)}", where=f"{self.name}:{number}")
            yield line


def members(
    path: Path,
    wanted: Wanted = lambda inner: True,
    progress: Progress = lambda n: None,
    *,
    max_bytes: int = MAX_BYTES,
    room: int = ROOM,
) -> Generator[Member, None, None]:
    """The files that are `wanted`: those of a folder sorted by name, those of an archive in its own order. A file by
    itself is always wanted.

    Archives within a folder or another archive aren't opened. `max_bytes`: how long a file may be when decompressed;
    `room`: to how many bytes a file on disk may expand in any case. Both are bounds against those that were made to do
    harm.

    Raises: UsageError where there is no such path; DataError where an archive is damaged or encrypted.
    """
    if path.is_dir():
        for file in _files(path, wanted):
            with _opened(file, progress) as stream:
                yield _member(stream, file, file.relative_to(path).as_posix(), str(file), Room(file, room), max_bytes)
        return
    if path.is_fifo():
        raise UsageError("is a pipe, and data are read more than once", where=path, hint="Write them to a file first.")
    if not path.is_file():
        raise UsageError("there is no such file", where=path)
    kind = _kind(path)
    with _sound(path), _opened(path, progress) as stream:
        left = Room(path, room)
        if kind == "zip":
            yield from _in_zip(path, stream, wanted, left, max_bytes)
        elif kind == "tar":
            tar, _ = _decompressed(stream, path, str(path), left, None)
            yield from _in_tar(path, tar, wanted, left, max_bytes)
            while tar.read(_BLOCK):  # the sum is checked at the end
                pass
        else:
            yield _member(stream, path, path.name, str(path), left, max_bytes)


def names(path: Path) -> list[str]:
    """The `inner` names of all files, without reading them. Raises: as `members` does."""
    found: list[str] = []

    def note(inner: str) -> bool:
        found.append(inner)
        return False

    found += [member.inner for member in members(path, note)]  # a file by itself
    return found


def chosen(paths: Iterable[Path], wanted: Wanted) -> tuple[list[str], list[str]]:
    """The `inner` names of all files that are wanted, and of the others. Raises: as `members` does."""
    taken: list[str] = []
    left: list[str] = []
    for path in paths:
        for name in names(path):
            (taken if wanted(name) or name == path.name else left).append(name)
    return taken, left


def is_archive(path: Path) -> bool:
    return _kind(path) != "file"


def size(paths: Iterable[Path], wanted: Wanted = lambda inner: True) -> int:
    """The bytes on disk of all that `members` reads: the progress that it reports in all."""
    files = [file for path in paths for file in (_files(path, wanted) if path.is_dir() else [path]) if file.is_file()]
    return sum(file.stat().st_size for file in files)


def bare(name: str) -> PurePosixPath:
    """A file's name without the .gz, .bz2 or .xz of a compressed one."""
    path = PurePosixPath(name)
    return path.with_suffix("") if path.suffix.lower() in COMPRESSED else path


def suffix(name: str) -> str:
    """The suffix of a file's name, in lower case, without that of a compressed one: .txt for a.TXT.gz."""
    return bare(name).suffix.lower()


Kind = Literal["file", "tar", "zip"]


def _kind(path: Path) -> Kind:
    """A zip is recognised whatever its name is."""
    kind = _kind_by_name(path.name)
    if kind == "file" and path.suffix.lower() not in COMPRESSED and path.is_file():
        with _sound(path):
            return "zip" if zipfile.is_zipfile(path) else "file"
    return kind


def _kind_by_name(name: str) -> Kind:
    name = name.lower()
    if name.endswith((".tar", *_SHORT, *(f".tar{suffix}" for suffix in COMPRESSED))):
        return "tar"
    return "zip" if name.endswith(".zip") else "file"


def _files(folder: Path, wanted: Wanted) -> list[Path]:
    named = sorted((file.relative_to(folder).as_posix(), file) for file in folder.rglob("*"))
    return [
        file
        for name, file in named
        if _counts(name) and file.is_file() and _kind_by_name(name) == "file" and wanted(name)
    ]


def _counts(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and not any(
        part.startswith(".") or part.lower() in _LEFT_BY_SYSTEMS for part in path.parts
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


class _Checked(io.RawIOBase):
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
        with _sound(self._path):
            while filled < len(view) and (n := self._stream.readinto(view[filled:])):  # type: ignore[attr-defined]
                filled += n
        self._bytes += filled
        if self._room is not None:
            self._room.take(filled)
        if self._max_bytes is not None:
            _check_size(self._bytes, self._name, self._max_bytes)
        return filled


@contextmanager
def _opened(path: Path, progress: Progress) -> Iterator[Stream]:
    """A file on disk, not decompressed."""
    with _Watched(path, progress) as raw, io.BufferedReader(raw, _BLOCK) as file:
        yield file
        raw.finish()


def _decompressed(stream: Stream, path: Path, name: str, room: Room, max_bytes: int | None) -> tuple[Stream, bool]:
    """The stream, decompressed if need be, and whether it had to be."""
    way = PurePosixPath(name).suffix.lower()
    way = _SHORT.get(way, way).removeprefix(".tar")
    if way not in COMPRESSED:
        start = stream.peek(10)
        way = next((way for way, begins in _COMPRESSED_START.items() if re.match(begins, start)), "")
        if command := next((command for begin, command in _NOT_READ.items() if start.startswith(begin)), None):
            raise DataError("is compressed in a way that isn't read", where=name, hint=f"Unpack it: {command} FILE")
    plain: Any = COMPRESSED[way](stream) if way else stream
    return io.BufferedReader(_Checked(plain, path, name, max_bytes, room if way else None), _BLOCK), bool(way)


def _member(stream: Stream, path: Path, inner: str, name: str, room: Room, max_bytes: int) -> Member:
    plain, compressed = _decompressed(stream, path, name, room, max_bytes)
    return Member(path, inner, name, compressed or name != str(path), plain)


def _in_zip(path: Path, stream: Stream, wanted: Wanted, room: Room, max_bytes: int) -> Iterator[Member]:
    with zipfile.ZipFile(stream) as archive:
        for info in archive.infolist():
            inner = str(PurePosixPath(info.filename))
            kind = stat.S_IFMT(info.external_attr >> 16)
            if info.is_dir() or kind not in (0, stat.S_IFREG) or not _counts(inner) or not wanted(inner):
                continue
            name = f"{path}/{inner}"
            _check_size(info.file_size, name, max_bytes)
            if info.flag_bits & 1:
                raise DataError("is encrypted", where=name, hint="Unpack it first, with its password.")
            try:
                packed = archive.open(info)
            except NotImplementedError as error:  # a way of compression
                raise DataError(f"can't be unpacked here ({error})", where=name) from error
            with packed, io.BufferedReader(_Checked(packed, path, name, None, room), _BLOCK) as member:
                yield _member(member, path, inner, name, room, max_bytes)


def _in_tar(path: Path, stream: Stream, wanted: Wanted, room: Room, max_bytes: int) -> Iterator[Member]:
    with tarfile.open(fileobj=stream, mode="r|", encoding="utf-8", tarinfo=_header_of(path, max_bytes)) as archive:
        while info := archive.next():
            archive.members.clear()  # type: ignore[attr-defined]  # or it keeps them all
            inner = str(PurePosixPath(info.name))
            name = f"{path}/{inner}"
            _check_size(info.size, name, max_bytes)
            if not info.isfile() or info.issparse() or not _counts(inner) or not wanted(inner):
                continue
            packed = archive.extractfile(info)
            assert packed is not None  # it is a file
            with packed, io.BufferedReader(_Checked(packed, path, name, None), _BLOCK) as member:
                yield _member(member, path, inner, name, room, max_bytes)


def _header_of(path: Path, max_bytes: int) -> type[tarfile.TarInfo]:
    """tarfile takes anything that isn't a header for the end of the archive. This only takes the end for it."""

    class Header(tarfile.TarInfo):
        @classmethod
        def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Header:
            if buf and not any(buf):
                return super().frombuf(buf, encoding, errors)  # raises that it is the end
            try:
                header = super().frombuf(buf, encoding, errors)
            except tarfile.HeaderError as error:
                raise tarfile.ReadError(str(error)) from error
            _check_size(header.size, f"{path}/{header.name}", max_bytes)  # or tarfile looks for its end, for years
            if header.type in _READ_WHOLE and header.size > _MAX_HEADER:
                raise tarfile.ReadError(f"a header of {header.size} bytes")
            return header

    return Header


def _check_size(size: int, name: str, max_bytes: int) -> None:
    if not 0 <= size <= max_bytes:
        raise DataError(f"is longer than {_readable(max_bytes)}", where=name)


def _readable(size: int) -> str:
    for unit, power in (("GiB", 30), ("MiB", 20)):
        if size >> power:
            return f"{size >> power} {unit}"
    return f"{size:,} bytes"


@contextmanager
def _sound(path: Path) -> Iterator[None]:
    """Raises: DataError where what is read within the block turns out to be damaged."""
    try:
        yield
    except (*_DAMAGE, OSError) as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise  # the disk failed; the others are about places that an archive names but doesn't have
        raise DataError(f"the file is damaged or cut short ({error})", where=path, hint="Download it again.") from error
