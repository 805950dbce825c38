"""Paths that name something elsewhere: a URL, or a known name of a published file.

Nothing is fetched but what such a path asks for. It is kept in the user's cache folder (DMN_CACHE names another), each
file in a folder made from its URL, under its own name, which readers may go by. Its SHA-256 is among those of
`known.py`, or is remembered beside it when it first comes; it is checked each time.
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
from dmn_cli.files import cache_folder, file_digest, load_object, write_json


class Local(NamedTuple):
    """Where a file lies."""

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
    """A path as it is; but of a URL, or of a known name (one of `names`, or any), the copy in the cache.

    What exists here under that name wins over a known name. `note` is told of each download; see `Progress`.

    Raises: UsageError where it is no URL for us; DataError where it can't be fetched, or isn't what it was.
    """
    text = str(path)
    if scheme := _SCHEME.match(text):
        if scheme[1].lower() not in ("http", "https"):
            raise UsageError(f"{scheme[1]} is not what dmn fetches: http or https", where=shown(text))
        sha256 = next((source.sha256 for source in KNOWN.values() if source.url == text), None)
        return Local(_cached(Published(text, sha256), note, progress, patience))
    names = KNOWN.keys() if names is None else names
    if text in names and not Path(text).exists():
        return Local(_cached(KNOWN[text], note, progress, patience), KNOWN[text].member)
    family = text.partition(":")[0] + ":"
    alike = [name for name in names if name.startswith(family)]
    if alike and not Path(text).exists():
        raise UsageError(f"there is no {text!r}", hint=f"Known are {', '.join(alike)}.")
    return Local(Path(text))


def _cached(source: Published, note: Note, progress: Progress, patience: Patience) -> Path:
    """Where the file lies, once it does. Raises: UsageError, DataError, ResourceError"""
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
            f"what came is not what was expected: its SHA-256 is {got}, not {source.sha256}",
            where=shown(source.url),
            hint="It was removed. Try again; if its publisher changed it, fetch it yourself and name the file.",
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
            hint="Delete it: the same command fetches it again.",
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
    """The file's own name, of letters that any disk takes. Raises: UsageError where it is no URL."""
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
    """No two processes fetch one file at once: the second waits, and finds it there."""
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
    """Raises: UsageError, or ResourceError where the disk is full, with what helps."""
    try:
        yield
    except OSError as error:
        wrong = from_os_error(error)
        hint = "What is fetched goes to the folder that DMN_CACHE names, if it names one."
        raise type(wrong)(wrong.message, where=error.filename or folder, hint=hint) from error
