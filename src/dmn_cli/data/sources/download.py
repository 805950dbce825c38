"""Downloads a file over HTTP, in as many tries as it takes. The only file that knows requests.

What has been downloaded is kept in a `.part` file, and the next try, in this run or in another, asks for the rest
(Range). Two versions of a file are never mixed: beside the part is what the server said of its version (ETag or
Last-Modified, length). The rest is requested on the condition that this is still the version (If-Range), and taken only
if the response confirms it; otherwise the whole file is downloaded again.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dmn_cli.errors import DataError
from dmn_cli.notation import load_object, to_json
from dmn_cli.version import __version__

if TYPE_CHECKING:
    from requests import Response

Note = Callable[[str], None]
Progress = Callable[[int | None], AbstractContextManager[Callable[[int], None]]]
"""Takes how many bytes there are in all, if that is known; yields what takes the bytes of each piece that comes."""

_TIMEOUT = (10, 60)  # seconds to connect, and without a byte
_CHUNK = 1 << 16
_PASSING = (408, 425, 429)  # and all from 500 on: the next try may succeed
_CUT = "the connection was cut"
_USER = re.compile(r"(?<=://)[^/@\s]*@")


class Patience(NamedTuple):
    """How often, and after how long, a failed download is tried again."""

    tries: int = 5  # in a row that bring nothing new
    pause: float = 0.5  # seconds before the second try, and twice as long before each one after it


USUAL = Patience()


class _Version(NamedTuple):
    """What a server says about a file that tells two versions of it apart."""

    etag: str | None
    modified: str | None
    length: int | None

    @property
    def condition(self) -> str | None:
        """What to send as If-Range, which can't be a weak tag."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.modified

    def agrees(self, other: _Version) -> bool:
        """Whether both can be the same version. A response with part of a file may omit all but the tag."""
        pairs = ((self.modified, other.modified), (self.length, other.length))
        return self.etag == other.etag and all(mine == its for mine, its in pairs if None not in (mine, its))


class _Again(Exception):
    """A try failed, but another one may succeed."""


@contextmanager
def no_progress(total: int | None) -> Iterator[Callable[[int], None]]:
    yield lambda n: None


def shown(url: str) -> str:
    """A URL without the user name and the password that may be in it."""
    return _USER.sub("", url)


def download(
    url: str,
    part: Path,
    *,
    checked: bool,
    note: Note = lambda text: None,
    progress: Progress = no_progress,
    patience: Patience = USUAL,
) -> None:
    """Downloads `url` to the file `part`, resuming where an earlier try ended.

    `checked`: the caller knows the file's checksum, so a part can be resumed though nothing identifies its version.

    Raises: DataError where the server refuses, or can't be reached in several tries (then the part is kept); OSError
    where the part can't be written.
    """
    failures, most, said = 0, 0, False

    def say(total: int | None, have: int) -> None:
        nonlocal said
        if not said:
            size = "of unknown size" if total is None else _size(total)
            note(f"fetching {shown(url)}, {size}" + (f", {_size(have)} of it here already" if have else ""))
        said = True

    while True:
        try:
            if _try(url, part, checked, say, progress):
                return
        except _Again as again:
            have = part.stat().st_size if part.exists() else 0
            failures = 1 if have > most else failures + 1
            most = max(most, have)
            if failures == patience.tries:
                hint = "Is the network there? " + ("What came is kept: the next try resumes from it." * bool(have))
                raise DataError(f"can't be fetched: {again}", where=shown(url), hint=hint.strip()) from again
            note(f"{again}: trying again ({failures} of {patience.tries - 1})")
            time.sleep(patience.pause * 2 ** (failures - 1))


def _try(url: str, part: Path, checked: bool, say: Callable[[int | None, int], None], progress: Progress) -> bool:
    """One try. Returns whether the part is the whole file now; if not, it was of no use and is deleted.

    Raises: _Again, DataError, OSError
    """
    known = _remembered(part)
    have = part.stat().st_size if known and part.exists() and (checked or known.condition) else 0
    if known and have and have == known.length:
        return True
    headers = {"Accept-Encoding": "identity", "User-Agent": f"dmn/{__version__}"}
    if known and have:
        headers["Range"] = f"bytes={have}-"
        if known.condition:
            headers["If-Range"] = known.condition
    with _asked(url, headers) as response:
        status = response.status_code
        if status >= 500 or status in _PASSING:
            raise _Again(f"the server says {status} {response.reason}")
        now, start = _version(response)
        if known and have and (status == 416 or (status == 206 and not (start == have and now.agrees(known)))):
            part.unlink()
            return False
        if status != 200 and not (status == 206 and have):
            raise DataError(f"can't be fetched: the server says {status} {response.reason}", where=shown(url))
        if status == 200:
            have = 0
            part.unlink(missing_ok=True)
            _beside(part).write_text(to_json({"url": shown(url), **now._asdict()}), encoding="utf-8")
        say(now.length, have)
        with progress(now.length) as advance, part.open("ab") as file:
            advance(have)
            for chunk in response.raw.stream(_CHUNK, decode_content=False):
                file.write(chunk)
                advance(len(chunk))
            file.flush()
            os.fsync(file.fileno())
    if now.length is not None and part.stat().st_size < now.length:
        raise _Again(_CUT)
    return True


@contextmanager
def _asked(url: str, headers: dict[str, str]) -> Iterator[Response]:
    """The response, as it comes in. Raises: _Again where the connection fails, DataError where it can't be made."""
    import requests
    import urllib3.exceptions

    try:
        with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as response:
            yield response
    except requests.exceptions.SSLError as error:
        raise DataError(f"can't be fetched: {_cause(error)}", where=shown(url)) from error
    except urllib3.exceptions.ProtocolError as error:
        raise _Again(_CUT) from error
    except (requests.exceptions.ConnectionError, requests.exceptions.Timeout, urllib3.exceptions.HTTPError) as error:
        raise _Again(_cause(error)) from error
    except (requests.exceptions.RequestException, UnicodeError) as error:
        raise DataError(f"can't be fetched: {_cause(error)}", where=shown(url)) from error


def _cause(error: BaseException) -> str:
    """The message of the innermost of the errors that libraries have wrapped around each other."""
    for _ in range(10):
        inner = (getattr(error, "reason", None), *error.args, error.__cause__)
        error = next((e for e in inner if isinstance(e, BaseException)), error)
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _version(response: Response) -> tuple[_Version, int]:
    """The version that the server names, and the first byte of the file in this response."""
    headers = response.headers
    part = re.fullmatch(r"bytes (\d{1,18})-\d+/(\d{1,18}|\*)", headers.get("Content-Range", "").strip())
    length = part[2] if part else headers.get("Content-Length", "") if response.status_code == 200 else ""
    number = int(length) if re.fullmatch(r"\d{1,18}", length, re.ASCII) else None
    return _Version(headers.get("ETag"), headers.get("Last-Modified"), number), int(part[1]) if part else 0


def _beside(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _remembered(part: Path) -> _Version | None:
    """The version that the part belongs to, as the server named it."""
    try:
        said = load_object(_beside(part).read_bytes(), "")
    except (OSError, DataError):
        return None
    etag, modified, length = (said.get(field) for field in _Version._fields)
    texts = all(text is None or isinstance(text, str) for text in (etag, modified))
    return _Version(etag, modified, length) if texts and (length is None or type(length) is int) else None


def _size(n: int) -> str:
    power = min(max(len(str(n)) - 1, 0) // 3, 3)
    return f"{n / 1000**power:.3g} {('bytes', 'kB', 'MB', 'GB')[power]}"
