"""One process at a time trains a run: a lock on a file in its folder, which goes when the process goes."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from dmn_cli.errors import UsageError, not_writable
from dmn_cli.files import LOCK
from dmn_cli.settings.load import CONFIG

try:
    import fcntl
except ImportError:  # Windows, where runs have no lock
    fcntl = None

_MARK = b"dmn"
_NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP}  # some file systems of networks


@contextmanager
def locked(run: Path) -> Iterator[None]:
    """Here nobody else trains this run; its folder is made if it is missing. What a process that was killed has left
    is no obstacle.

    Raises: UsageError where another process trains it; ResourceError where the folder can't be written.
    """
    is_new = not run.exists()
    try:
        run.mkdir(parents=True, exist_ok=True)
        file = _opened(run / LOCK)
    except PermissionError as error:
        raise not_writable(error, run) from error
    with file:
        file.truncate(0)
        file.write(b"%s, process %d on %s\n" % (_MARK, os.getpid(), os.fsencode(socket.gethostname())))
        file.flush()
        try:
            yield
        finally:
            (run / LOCK).unlink(missing_ok=True)
            if is_new:
                with suppress(OSError):  # there is something in it, as it should be
                    run.rmdir()


def half_begun(run: Path) -> bool:
    """Whether a process was killed as it began this run, before the settings were written."""
    try:
        return (run / LOCK).read_bytes().startswith(_MARK) and not (run / CONFIG).exists()
    except OSError:
        return False


def _opened(path: Path) -> BinaryIO:
    """The file, locked."""
    while True:
        file = path.open("a+b")
        if not _lock(file):
            file.seek(0)
            who = file.read(200).decode(errors="replace").strip()
            file.close()
            raise UsageError(
                f"another dmn is training this run ({who})",
                where=path.parent,
                hint="Wait until it ends, stop it with Ctrl-C, or choose another --out.",
            )
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                return file
        file.close()  # whoever had it has just removed it


def _lock(file: BinaryIO) -> bool:
    """False where another process has it."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in _NO_LOCKS
    return True
