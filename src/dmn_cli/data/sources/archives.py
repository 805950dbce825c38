"""Opens what a path stands for: a file, the files of a folder, or the members of an archive, compressed or not.

All data are opened here. An archive is read as a stream, from start to end, and never unpacked to the disk. Whether a
file is compressed is seen by its first bytes, or by its name. Links, devices, hidden files, what systems leave beside
files (`__MACOSX/._name`, `Thumbs.db`), and members with absolute names or with `..` in them are ignored.
"""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Literal

from dmn_cli.data.sources.compressed import (
    BLOCK,
    COMPRESSED,
    ROOM,
    SHORT,
    Checked,
    Progress,
    Room,
    Stream,
    check_size,
    decompressed,
    in_units,
    opened,
    sound,
)
from dmn_cli.errors import DataError, UsageError

MAX_BYTES = 1 << 32
LARGE = 1 << 38  # for files that are often longer than that
MAX_LINE = 1 << 20
_LEFT_BY_SYSTEMS = {"__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "@eadir", "icon\r"}
_MAX_HEADER = 1 << 20
_READ_WHOLE = (  # headers of a tar with names that are too long for the usual header
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
)

Wanted = Callable[[str], bool]
"""Says whether a file of an archive or a folder is wanted, by its name in there."""


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
                raise DataError(f"the line is longer than {in_units(max_line)}", where=f"{self.name}:{number}")
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
            with opened(file, progress) as stream:
                yield _member(stream, file, file.relative_to(path).as_posix(), str(file), Room(file, room), max_bytes)
        return
    check_there(path)
    kind = _kind(path)
    with sound(path), opened(path, progress) as stream:
        left = Room(path, room)
        if kind == "zip":
            yield from _in_zip(path, stream, wanted, left, max_bytes)
        elif kind == "tar":
            tar, _ = decompressed(stream, path, str(path), left, None)
            yield from _in_tar(path, tar, wanted, left, max_bytes)
            while tar.read(BLOCK):  # the sum is checked at the end
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


def check_there(path: Path) -> None:
    """Raises: UsageError where it is neither a file nor a folder"""
    if path.is_fifo():
        raise UsageError("is a pipe, and data are read more than once", where=path, hint="Write them to a file first.")
    if not path.exists():
        raise UsageError("there is no such file", where=path)
    if not (path.is_file() or path.is_dir()):
        raise UsageError("is no file", where=path)


def is_archive(path: Path) -> bool:
    return _kind(path) != "file"


def size(paths: Iterable[Path], wanted: Wanted = lambda inner: True) -> int:
    """The bytes on disk of all that `members` reads: the progress that it reports in all."""
    files = [file for path in paths for file in (_files(path, wanted) if path.is_dir() else [path]) if file.is_file()]
    return sum(file.stat().st_size for file in files)


Kind = Literal["file", "tar", "zip"]


def _kind(path: Path) -> Kind:
    """A zip is recognised whatever its name is."""
    kind = _kind_by_name(path.name)
    if kind == "file" and path.suffix.lower() not in COMPRESSED and path.is_file():
        with sound(path):
            return "zip" if zipfile.is_zipfile(path) else "file"
    return kind


def _kind_by_name(name: str) -> Kind:
    name = name.lower()
    if name.endswith((".tar", *SHORT, *(f".tar{suffix}" for suffix in COMPRESSED))):
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


def _member(stream: Stream, path: Path, inner: str, name: str, room: Room, max_bytes: int) -> Member:
    plain, compressed = decompressed(stream, path, name, room, max_bytes)
    return Member(path, inner, name, compressed or name != str(path), plain)


def _in_zip(path: Path, stream: Stream, wanted: Wanted, room: Room, max_bytes: int) -> Iterator[Member]:
    with zipfile.ZipFile(stream) as archive:
        for info in archive.infolist():
            inner = str(PurePosixPath(info.filename))
            kind = stat.S_IFMT(info.external_attr >> 16)
            if info.is_dir() or kind not in (0, stat.S_IFREG) or not _counts(inner) or not wanted(inner):
                continue
            name = f"{path}/{inner}"
            check_size(info.file_size, name, max_bytes)
            if info.flag_bits & 1:
                raise DataError("is encrypted", where=name, hint="Unpack it first, with its password.")
            try:
                packed = archive.open(info)
            except NotImplementedError as error:  # a way of compression
                raise DataError(f"can't be unpacked here ({error})", where=name) from error
            with packed, io.BufferedReader(Checked(packed, path, name, None, room), BLOCK) as member:
                yield _member(member, path, inner, name, room, max_bytes)


def _in_tar(path: Path, stream: Stream, wanted: Wanted, room: Room, max_bytes: int) -> Iterator[Member]:
    with tarfile.open(fileobj=stream, mode="r|", encoding="utf-8", tarinfo=_header_of(path, max_bytes)) as archive:
        while info := archive.next():
            archive.members.clear()  # type: ignore[attr-defined]  # or it keeps them all
            inner = str(PurePosixPath(info.name))
            name = f"{path}/{inner}"
            check_size(info.size, name, max_bytes)
            if not info.isfile() or info.issparse() or not _counts(inner) or not wanted(inner):
                continue
            packed = archive.extractfile(info)
            assert packed is not None  # it is a file
            with packed, io.BufferedReader(Checked(packed, path, name, None), BLOCK) as member:
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
            check_size(header.size, f"{path}/{header.name}", max_bytes)  # or tarfile looks for its end, for years
            if header.type in _READ_WHOLE and header.size > _MAX_HEADER:
                raise tarfile.ReadError(f"a header of {header.size} bytes")
            return header

    return Header
