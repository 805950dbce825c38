"""Paths that name something elsewhere: a URL, or the known name of a published file.

Nothing is downloaded but what such a path names. It is kept in the user's cache folder (DMN_CACHE names another one),
each file in a folder named after its URL, under its own name, since readers may depend on that. Its SHA-256 is in
`known.py`, or is recorded beside the file when it is first downloaded; it is checked each time the file is used.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from dmn_cli.data.sources.download import USUAL, Note, Patience, Progress, download, no_progress, shown
from dmn_cli.data.sources.known import KNOWN, Published
from dmn_cli.errors import DataError, UsageError, from_os_error
from dmn_cli.files import cache_folder, file_digest, write_json
from dmn_cli.notation import load_object


class Local(NamedTuple):
    """Where a file is."""

    path: Path
    member: str | None = None  # what is meant of the archive at `path`; None: all of it


_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)


def fetch(
    path: str | Path,
    names: Collection[str] | None = None,
    note: Note = lambda text: None,
    progress: Progress = no_progress,
    patience: Patience = USUAL,
) -> Local:
    """A path as it is; for a URL or a known name (one of `names`; None: of all), the copy in the cache.

    A file or folder that exists under a known name is preferred. `note` takes a line about each download.

    Raises: UsageError where dmn can't fetch such a URL; DataError where the download fails, or the copy has changed.
    """
    text = str(path)
    if scheme := _SCHEME.match(text):
        if scheme[1].lower() not in ("http", "https"):
            raise UsageError(f"dmn fetches http and https, not {scheme[1]}", where=shown(text))
        sha256 = next((source.sha256 for source in KNOWN.values() if source.url == text), None)
        return Local(_cached(Published(text, sha256), note, progress, patience))
    names = KNOWN.keys() if names is None else names
    if text in names and not Path(text).exists():
        return Local(_cached(KNOWN[text], note, progress, patience), KNOWN[text].member)
    family = text.partition(":")[0] + ":"
    alike = [name for name in names if name.startswith(family)]
    if alike and not Path(text).exists():
        raise UsageError(f"there is no {text!r}", hint=f"Known names: {', '.join(alike)}.")
    return Local(Path(text))


def _cached(source: Published, note: Note, progress: Progress, patience: Patience) -> Path:
    """The copy in the cache, downloaded if need be. Raises: UsageError, DataError, ResourceError"""
    folder = cache_folder()
    file = folder / hashlib.sha256(source.url.encode(errors="replace")).hexdigest()[:16] / _name(source.url)
    with _writing(folder):
        if not file.is_file():
            file.parent.mkdir(parents=True, exist_ok=True)
            with _alone(file, note):
                if not file.is_file():
                    _download(source, file, note, progress, patience)
                    return file
        _check(source, file)
    return file


def _download(source: Published, file: Path, note: Note, progress: Progress, patience: Patience) -> None:
    """Raises: DataError, OSError"""
    part = file.with_name(file.name + ".part")
    download(source.url, part, checked=source.sha256 is not None, note=note, progress=progress, patience=patience)
    part.with_name(part.name + ".json").unlink(missing_ok=True)
    got = file_digest(part)
    if source.sha256 not in (None, got):
        part.unlink()
        raise DataError(
            f"isn't the file that was expected: its SHA-256 is {got}, not {source.sha256}",
            where=shown(source.url),
            hint="It was deleted. Try again; if its publisher has changed it, download it yourself and give its path.",
        )
    part.replace(file)
    _remember(source, file, got)


def _check(source: Published, file: Path) -> None:
    """Raises: DataError where the file has changed since it came."""
    got, known = file_digest(file), source.sha256 or _remembered(file)
    if known is None:
        _remember(source, file, got)
    elif got != known:
        raise DataError(
            f"the copy of {shown(source.url)} has changed: its SHA-256 is {got}, not {known}",
            where=file,
            hint="Delete it, and the same command downloads it again.",
        )


def _remember(source: Published, file: Path, sha256: str) -> None:
    with suppress(OSError):  # a cache that can only be read
        write_json(file.with_name(file.name + ".json"), {"url": shown(source.url), "sha256": sha256})


def _remembered(file: Path) -> str | None:
    with suppress(OSError, DataError):
        sha256 = load_object(file.with_name(file.name + ".json").read_bytes(), "").get("sha256")
        return sha256 if isinstance(sha256, str) else None
    return None


def _name(url: str) -> str:
    """The file's own name, in characters that any file system allows. Raises: UsageError where it isn't a URL."""
    try:
        parts = urlsplit(url)
        if not parts.hostname:
            raise ValueError("it names no server")
        _ = parts.port
    except ValueError as error:
        raise UsageError(f"is not a URL ({error})", where=shown(url)) from error
    name = re.sub(r"[^\w.+-]", "_", PurePosixPath(unquote(parts.path)).name, flags=re.ASCII)
    return name[-150:].strip(".") or "file"


@contextmanager
def _alone(file: Path, note: Note) -> Iterator[None]:
    """Only one process downloads a file at a time: a second one waits, and then finds it there."""
    from filelock import FileLock, Timeout

    lock = FileLock(file.with_name(file.name + ".lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        note(f"another dmn is fetching {file.name}: waiting for it")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Raises: UsageError, or ResourceError where the disk is full, with a hint."""
    try:
        yield
    except OSError as error:
        wrong = from_os_error(error)
        hint = "Downloads go to the user's cache folder, or to the one that DMN_CACHE names."
        raise type(wrong)(wrong.message, where=error.filename or folder, hint=hint) from error
