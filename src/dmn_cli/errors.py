"""Everything that can go wrong, and the exit code that each kind owns.

    DmnError                     70  (never raised itself)
    ├── ScoreTooLow               1  a required score was not reached, or a baseline
    ├── UsageError                2  the command line or the configuration is wrong
    ├── DataError                 3  data is unreadable or invalid
    ├── ModelError                4  a model is missing, damaged or too new
    ├── ResourceError             5  the device, the memory or the disk does not suffice
    │   └── Diverged              5  a loss is not a number
    ├── Undecided                 6  too few questions to tell whether a model is worse than a baseline
    └── Interrupted             130  Ctrl-C
        └── Terminated          143  a termination signal

The core raises these; only `cli` prints them and exits. A message says what is wrong, `where` says where (a file, or
file:line), and `hint` says what to do.
"""

from __future__ import annotations

import errno

_LONGEST = 4000  # characters of a message, a place or a hint


class DmnError(Exception):
    """An error that a person can act on."""

    exit_code = 70
    kind = "error"  # what the message begins with

    def __init__(self, message: str, *, where: object = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = _short(message)
        self.where = None if where is None else _short(str(where))
        self.hint = None if hint is None else _short(hint)

    def __str__(self) -> str:
        text = f"{self.where}: {self.message}" if self.where else self.message
        return f"{text}\n{self.hint}" if self.hint else text


def _short(text: str) -> str:
    """With its middle left out where somebody's file had it become very long."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]} … {text[-_LONGEST // 2 :]}"


class ScoreTooLow(DmnError):
    exit_code = 1


class UsageError(DmnError):
    exit_code = 2


class DataError(DmnError):
    exit_code = 3


class ModelError(DmnError):
    exit_code = 4


class ResourceError(DmnError):
    exit_code = 5


class Diverged(ResourceError):
    pass


class Undecided(DmnError):
    exit_code = 6
    kind = "investigate"


class Interrupted(DmnError):
    exit_code = 130
    kind = "stopped"


class Terminated(Interrupted):
    exit_code = 143


_DISK_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def from_os_error(error: OSError) -> DmnError:
    """The error of ours for one of the operating system that nobody nearer to its cause has explained."""
    where = error.filename
    if error.errno in _DISK_FULL:
        return ResourceError(
            f"there is no room left to write ({error.strerror})",
            where=where,
            hint="Free some space or choose another --out. Nothing half-written was left behind.",
        )
    if error.errno == errno.EBADF:  # all other files are dmn's own
        return UsageError("stdin is closed", hint="Give a file, or what there is to read: … | dmn …")
    if error.errno == errno.EROFS:
        return not_writable(error, where)
    return UsageError(error.strerror or str(error), where=where)


def not_writable(error: OSError, where: object) -> ResourceError:
    """Where a file or folder can't be written that could be when the command began."""
    return ResourceError(
        f"can't be written ({error.strerror})",
        where=where,
        hint="Make its folder writable or choose another --out. Nothing half-written was left behind.",
    )
