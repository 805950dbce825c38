"""The text files that a path stands for: a file, those of a folder, or the members of an archive.

An archive is read as a stream, from its start to its end, and nothing of it is ever unpacked to the disk. Links,
devices, hidden files, and members whose name is absolute or goes up with `..` are no members here.
"""

from __future__ import annotations

import bz2
import errno
import gzip
import io
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from dmn_cli.errors import DataError, UsageError

COMPRESSED = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
_SHORT = {".tgz": ".tar.gz", ".tbz2": ".tar.bz2", ".txz": ".tar.xz"}
_MAX_LINE = 1 << 20
_MAX_MEMBER = 1 << 32
_MAX_HEADER = 1 << 20
_READ_WHOLE = (  # headers of a tar that have names that are too long for the usual one
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
)
_BLOCK = 1 << 16
_DAMAGE = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError),
    *(RuntimeError, ValueError, OverflowError, struct.error),  # what the readers run into where nothing makes sense
)


@dataclass(frozen=True)
class Member:
    """One text file. It can be read once, before the next one is asked for."""

    path: Path  # the file on disk that it is, or is in
    inner: str  # its name in the archive or the folder; else that of the file
    name: str  # as a person would look for it
    stream: IO[bytes]

    def lines(self) -> Iterator[bytes]:
        """With their line ends.

        Raises: DataError where a line is longer than a mebibyte, all of it than 4 GiB, or the archive is damaged.
        """
        number = size = 0
        with _sound(self.path):
            while line := self.stream.readline(_MAX_LINE):
                number += 1
                size += len(line)
                if len(line) == _MAX_LINE:
                    raise DataError("the line is longer than a mebibyte", where=f"{self.name}:{number}")
                if size > _MAX_MEMBER:
                    raise DataError("is longer than 4 GiB", where=self.name)
                yield line


def members(
    path: Path,
    wanted: Callable[[str], bool] = lambda inner: True,
    progress: Callable[[int], None] = lambda n: None,
) -> Iterator[Member]:
    """Those that are `wanted`: of a folder sorted, of an archive in its own order. A file by itself always is.

    Archives within a folder or another archive aren't looked into; compressed files in a folder are.
    `progress` is told how many bytes of the files on disk have been read, `size` in all.

    Raises: UsageError where there is no such path; DataError where an archive is damaged or encrypted.
    """
    if path.is_dir():
        for file in _files(path, wanted):
            inner = file.relative_to(path).as_posix()
            with _opened(file, progress) as stream:
                yield Member(file, inner, str(file), stream)
        return
    if not path.is_file():
        raise UsageError("there is no such file", where=path)
    kind = _kind(path.name)
    if kind == "file" and path.suffix.lower() not in COMPRESSED and zipfile.is_zipfile(path):
        kind = "zip"
    with _sound(path), _opened(path, progress) as stream:
        if kind == "zip":
            yield from _in_zip(path, stream, wanted)
        elif kind == "tar":
            yield from _in_tar(path, stream, wanted)
            while stream.read(_BLOCK):  # the sum is checked at the end
                pass
        else:
            yield Member(path, path.name, str(path), stream)


def size(paths: Iterable[Path], wanted: Callable[[str], bool] = lambda inner: True) -> int:
    """The bytes on disk of all that `members` reads, so that a bar knows its end."""
    files = [file for path in paths for file in (_files(path, wanted) if path.is_dir() else [path]) if file.is_file()]
    return sum(file.stat().st_size for file in files)


def _kind(name: str) -> str:
    name = name.lower()
    for short, long in _SHORT.items():
        name = name.removesuffix(short) + long if name.endswith(short) else name
    if name.endswith((".tar", *(f".tar{suffix}" for suffix in COMPRESSED))):
        return "tar"
    return "zip" if name.endswith(".zip") else "file"


def _files(folder: Path, wanted: Callable[[str], bool]) -> list[Path]:
    named = sorted((file.relative_to(folder).as_posix(), file) for file in folder.rglob("*"))
    return [
        file for name, file in named if _is_plain(name) and file.is_file() and _kind(name) == "file" and wanted(name)
    ]


def _is_plain(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and not any(part.startswith((".", "__MACOSX")) for part in path.parts)


class _Watched(io.FileIO):
    """A file on disk that tells how far it is read; what is read twice, as a zip's end is, doesn't count."""

    def __init__(self, path: Path, progress: Callable[[int], None]) -> None:
        super().__init__(path)
        self._left, self._progress = path.stat().st_size, progress

    def readinto(self, buffer: Any, /) -> int:
        n = super().readinto(buffer) or 0
        self._tell(n)
        return n

    def finish(self) -> None:
        """What was skipped is over as well."""
        self._tell(self._left)

    def _tell(self, n: int) -> None:
        n = min(n, self._left)
        self._left -= n
        self._progress(n)


@contextmanager
def _opened(path: Path, progress: Callable[[int], None]) -> Iterator[IO[bytes]]:
    """Decompressed where its name says that it is compressed."""
    suffix = path.suffix.lower()
    decompress = COMPRESSED.get(_SHORT.get(suffix, suffix).removeprefix(".tar"))
    with _Watched(path, progress) as raw, io.BufferedReader(raw, _BLOCK) as file:
        if decompress is None:
            yield file
        else:
            with decompress(file) as stream:
                yield stream
        raw.finish()


def _in_zip(path: Path, stream: IO[bytes], wanted: Callable[[str], bool]) -> Iterator[Member]:
    with zipfile.ZipFile(stream) as archive:
        for info in archive.infolist():
            inner = str(PurePosixPath(info.filename))
            kind = stat.S_IFMT(info.external_attr >> 16)
            if info.is_dir() or kind not in (0, stat.S_IFREG) or not _is_plain(inner) or not wanted(inner):
                continue
            name = f"{path}/{inner}"
            _check_size(info.file_size, name)
            if info.flag_bits & 1:
                raise DataError("is encrypted", where=name, hint="Unpack it first, with its password.")
            with archive.open(info) as packed, io.BufferedReader(packed, _BLOCK) as member:  # type: ignore[type-var]
                yield Member(path, inner, name, member)


def _in_tar(path: Path, stream: IO[bytes], wanted: Callable[[str], bool]) -> Iterator[Member]:
    with tarfile.open(fileobj=stream, mode="r|", tarinfo=_header_of(path)) as archive:
        while info := archive.next():
            archive.members.clear()  # type: ignore[attr-defined]  # or it keeps them all
            inner = str(PurePosixPath(info.name))
            name = f"{path}/{inner}"
            _check_size(info.size, name)
            if not info.isfile() or info.issparse() or not _is_plain(inner) or not wanted(inner):
                continue
            member = archive.extractfile(info)
            assert member is not None  # it is a file
            with member:
                yield Member(path, inner, name, member)


def _header_of(path: Path) -> type[tarfile.TarInfo]:
    """tarfile takes anything that is no header for the end of the archive. Only the end is."""

    class Header(tarfile.TarInfo):
        @classmethod
        def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Header:
            if buf and not any(buf):
                return super().frombuf(buf, encoding, errors)  # raises that it is the end
            try:
                header = super().frombuf(buf, encoding, errors)
            except tarfile.HeaderError as error:
                raise tarfile.ReadError(str(error)) from error
            _check_size(header.size, f"{path}/{header.name}")  # tarfile would look for its end, past the file's
            if header.type in _READ_WHOLE and header.size > _MAX_HEADER:
                raise tarfile.ReadError(f"a header of {header.size} bytes")
            return header

    return Header


def _check_size(size: int, name: str) -> None:
    if not 0 <= size <= _MAX_MEMBER:
        raise DataError("is longer than 4 GiB", where=name)


@contextmanager
def _sound(path: Path) -> Iterator[None]:
    """Raises: DataError where what is read turns out to be damaged."""
    try:
        yield
    except (*_DAMAGE, OSError) as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise  # it is the disk, and not a place that the archive names and hasn't
        raise DataError(
            f"the archive is damaged or cut short ({error})", where=path, hint="Download it again."
        ) from error
