"""Files: written whole or not at all, in UTF-8, with JSON that is checked when it is read.

Everything is written to a temporary name, flushed, and renamed, so that nothing half-written is ever left behind, and
what was written once is there after a power cut.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from dmn_cli.errors import UsageError, not_writable
from dmn_cli.notation import encoded, to_json

if TYPE_CHECKING:
    import numpy as np

NEWER = "It was written by a newer dmn: upgrade to that one."


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Opens a temporary file beside `path` that takes its place once the block has ended well.

    Raises: ResourceError where it can't be written; OSError
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with _writing(path):
            opened = temporary.open("wb")
        with opened as file, _named(path):
            yield file
            file.flush()
            os.fsync(file.fileno())
        with _writing(path):
            temporary.replace(path)
        _sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Raises: ResourceError where the system doesn't allow what is done within."""
    try:
        yield
    except PermissionError as error:
        raise not_writable(error, path) from error


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """An error of writing says what was written."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


def _sync(*paths: Path) -> None:
    """Has files, and the names in folders, outlast a power cut."""
    if os.name == "posix":  # elsewhere nothing can be synchronised that is open for reading
        for path in paths:
            number = os.open(path, os.O_RDONLY)
            try:
                with suppress(OSError) if path.is_dir() else nullcontext():  # not all file systems can do that
                    os.fsync(number)
            finally:
                os.close(number)


_OURS = re.compile(r"\.(?P<name>.+)\.(?P<process>\d+)\.(?P<kind>tmp|old)")
LOCK = ".lock"  # of a run (`training/lock.py`)


def tidy(folder: Path) -> None:
    """Removes what writers that were killed have left in a folder. What was to be replaced and then wasn't is put
    back."""
    for path in folder.iterdir() if folder.is_dir() else ():
        if not (match := _OURS.fullmatch(path.name)) or _is_alive(int(match["process"])):
            continue
        if match["kind"] == "old" and not (there := path.with_name(match["name"])).exists():
            path.replace(there)
        else:
            _remove(path)


def _is_alive(process: int) -> bool:
    """Whether it is there, and isn't this one: numbers come again."""
    if os.name != "posix" or process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def clear(folder: Path, *, last: str) -> None:
    """Removes all that is in a folder but its lock, and the file named `last` at the very end: a folder that is known
    by this file can be cleared again if clearing it is broken off."""
    for path in sorted(folder.iterdir(), key=lambda path: path.name == last):
        if path.name != LOCK:
            _remove(path)


def is_empty(folder: Path) -> bool:
    """Whether there is nothing in a folder but what a writer that was killed, or is about to begin, may leave."""
    return all(path.name == LOCK or _OURS.fullmatch(path.name) for path in folder.iterdir())


def append_line(path: Path, line: bytes) -> None:
    """Adds a line to a file, all of it or nothing. Raises: ResourceError, OSError"""
    with _writing(path):
        file = path.open("ab", buffering=0)
    with file, _named(path):
        size = file.seek(0, os.SEEK_END)
        try:
            while line:
                line = line[file.write(line) :]
            os.fsync(file.fileno())
        except OSError:
            file.truncate(size)
            raise


def cache_folder() -> Path:
    """Where dmn keeps what it can make or fetch again: the folder that DMN_CACHE names, or the system's usual one."""
    import platformdirs

    return Path(os.environ.get("DMN_CACHE") or platformdirs.user_cache_dir("dmn")).expanduser()


def write_text(path: Path, text: str) -> None:
    """In UTF-8, whatever the machine's locale is."""
    with atomic_file(path) as file:
        file.write(encoded(text))


def memory_mapped(path: Path) -> np.ndarray:
    """An array of numpy's (.npy), of which nothing is read yet. Raises: ValueError where it is none; OSError"""
    import numpy as np

    try:
        _check_is_file(path)
        return np.lib.format.open_memmap(path, mode="r")
    except OSError:
        raise
    except Exception as error:  # its header is Python, so there is much that reading it raises
        raise ValueError("it is no array of numpy's, or a damaged one") from error


def file_digest(path: Path) -> str:
    """The SHA-256 of a file. Raises: OSError; FileNotFoundError where it is none, but a device or a pipe"""
    import hashlib  # loads OpenSSL, which help has no use for

    _check_is_file(path)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_is_file(path: Path) -> None:
    """Raises: OSError where it can't be read; FileNotFoundError also where a link leads to what has no end."""
    mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))


def load_versioned_json(path: Path, version: int, error: Any) -> dict[str, Any]:
    """Reads a JSON object with a `format_version` no newer than `version`; raises `error` otherwise."""
    try:
        _check_is_file(path)
        value = json.loads(path.read_bytes())
        found = value["format_version"]
        newer = int(found) > version
    except OSError as cause:
        raise error(unreadable(cause), where=path) from cause
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as cause:
        raise error("is damaged: not the JSON that dmn writes", where=path) from cause
    if newer:
        raise error(
            f"has format version {found}; this dmn reads up to {version}",
            where=path,
            hint=NEWER,
        )
    return value


def unreadable(error: OSError, whole: str = "") -> str:
    """What is wrong with a file that can't be read. whole: what it is a part of"""
    if isinstance(error, FileNotFoundError):
        return f"is missing from the {whole}" if whole else "is missing"
    return f"can't be read: {error.strerror or error}"


def write_json(path: Path, value: Any) -> None:
    write_text(path, to_json(value, indent=1) + "\n")


def check_output(path: Path, *, force: bool, ours: Callable[[Path], bool] | None = None) -> None:
    """Refuses an output that exists or that can't be made, before any work is done.

    An empty folder is as good as none. Any other may be overwritten only where `ours` recognises it as written by dmn,
    and a file only by a file. ours: where a folder is to be written

    Raises: UsageError
    """
    if path.exists() and not (path.is_dir() and is_empty(path)):
        if not force:
            raise UsageError(
                "the output exists already",
                where=path,
                hint="Choose another name, or overwrite it with --force.",
            )
        if path.is_dir() and path.resolve() == Path.cwd():
            raise UsageError("is the current folder, so it isn't overwritten", where=path)
        if path.is_file() and _is_kept(path):
            raise UsageError("is a part of a run, a model or a data set, so it isn't overwritten", where=path)
        if ours and not path.is_dir():
            raise UsageError("is a file, and a folder is to be written: it isn't overwritten", where=path)
        if path.is_dir() and not (ours and ours(path)):
            raise UsageError("is a folder that dmn didn't write, so it isn't overwritten", where=path)
    if path.is_symlink() and not path.exists():
        raise UsageError("is a link that leads nowhere", where=path, hint="Remove it, or make what it leads to.")
    parent = path.absolute().parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"its folder can't be made: {error.strerror}", where=path) from error
    if not os.access(parent, os.W_OK):
        raise UsageError("its folder can't be written to", where=path)


def _is_kept(path: Path) -> bool:
    """Whether a file is one by which a data set or a model is read, or a run goes on."""
    folder = path.resolve().parent
    if folder.name == "checkpoints":
        return (folder.parent / "config.toml").is_file()
    of_run = path.name in ("config.toml", "data.json", "metrics.jsonl") and (folder / "config.toml").is_file()
    return of_run or (folder / "vocabulary.json").is_file()


def check_directory(path: Path, *, force: bool, ours: Callable[[Path], bool]) -> None:
    """`check_output` for a folder that `atomic_directory` will write: it may not be the current one, whose place it
    would take.

    Raises: UsageError
    """
    if path.resolve() == Path.cwd():
        raise UsageError("is the current folder, so it isn't overwritten", where=path)
    check_output(path, force=force, ours=ours)


@contextmanager
def atomic_directory(path: Path) -> Iterator[Path]:
    """Yields a temporary folder beside `path` that takes its place, and replaces what was there, once the block has
    ended well."""
    path = path.resolve()  # the folder that a link points at
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        with _writing(path):
            temporary.mkdir(parents=True)
        with _named(path):
            yield temporary
            _sync(*(file for file in temporary.rglob("*") if file.is_file()), temporary)
        old = path.with_name(f".{path.name}.{os.getpid()}.old")
        with _writing(path):
            if path.exists():
                path.replace(old)
            temporary.replace(path)
        _sync(path.parent)
        if old.is_dir():
            shutil.rmtree(old, ignore_errors=True)
        else:
            old.unlink(missing_ok=True)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
