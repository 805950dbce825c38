"""Text, JSON and TOML: what is written is what the standards allow, and what is read may be a stranger's."""

from __future__ import annotations

import codecs
import json
import math
import os
import re
from pathlib import Path
from typing import Any

from dmn_cli.errors import DataError, UsageError

LONGEST_LINE = 12 << 20  # bytes: what JSON says in them may take forty times as many
_MOST_TOML = 1 << 24  # bytes
_DEEPEST_TOML = 16
_QUOTED = re.compile(rb"\"[^\"\n]*\"|'[^'\n]*'")
_LINE = json.JSONEncoder(ensure_ascii=False, allow_nan=False)


def as_text(name: str) -> str:
    """What a word of the command line, or a path, says. Python keeps the bytes of it that the machine's locale doesn't
    know as surrogates, which no text may hold: they are read as UTF-8, and what isn't UTF-8 becomes `�`."""
    try:
        return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    except UnicodeEncodeError:  # of half a character that was spelled out, as in JSON
        return name.encode("utf-8", "replace").decode("utf-8")


def is_unicode(text: str) -> bool:
    """Whether UTF-8 can encode it, unlike half a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def as_path(text: str) -> Path:
    """A path that was read as text, also where the machine's locale doesn't know all of its characters."""
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        text = os.fsdecode(text.encode("utf-8", "surrogateescape"))
    return Path(text)


def encoded(text: str) -> bytes:
    """In UTF-8 (see `as_text`)."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return as_text(text).encode()


def to_json(value: Any, **layout: Any) -> str:
    """JSON as the standard has it: infinities and NaN, which it can't write, become null."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, **layout) if layout else _LINE.encode(value)
    except ValueError:
        return json.dumps(_finite(value), ensure_ascii=False, **layout)


def decoded(line: bytes, file: object = None, number: int = 0, *, errors: str = "strict") -> str:
    """A line of a file as text, the first one without a mark of the byte order. number: of the line, from 1; 0 where
    `file` says it

    Raises: DataError that says which byte isn't UTF-8, and how to convert the file."""
    if number == 1:
        line = line.removeprefix(codecs.BOM_UTF8)
        if b"\0" in line:
            raise DataError("is not UTF-8: it has bytes that are 0", where=f"{file}:1", hint=how_to_convert(line))
    try:
        return line.decode(errors=errors)
    except UnicodeDecodeError as error:
        said = f"byte {error.start + 1} of the line (0x{line[error.start]:02x}) is not UTF-8"
        where = f"{file}:{number}" if number else file
        raise DataError(said, where=where, hint=how_to_convert(line)) from error


def how_to_convert(text: bytes) -> str:
    """What to do with a file that isn't UTF-8. Of UTF-16, as PowerShell writes it, every other byte of English is 0."""
    encoding = "utf-16" if b"\0" in text else "latin1"
    return f"Convert the file first, for example: iconv -f {encoding} -t utf-8 FILE > FILE.utf8"


def json_line(value: Any) -> bytes:
    """A line of JSON, in UTF-8."""
    return encoded(to_json(value)) + b"\n"


def load_object(line: str | bytes, like: str, **parsing: Any) -> dict[str, Any]:
    """The JSON object in a line. parsing: for `json.loads`

    Raises: DataError where it isn't one `like` this, or a very long one."""
    if len(line) > LONGEST_LINE:
        raise DataError(f"is longer than {LONGEST_LINE >> 20} MiB")
    try:
        text = line if isinstance(line, str) else decoded(line.removeprefix(codecs.BOM_UTF8), errors="surrogatepass")
    except DataError as error:
        raise DataError(f"is not JSON: {error.message}", hint=error.hint) from error
    try:
        record = json.loads(text, **parsing)
    except (ValueError, RecursionError) as error:
        raise DataError(f"is not JSON ({error})", hint=_hint(text)) from error
    if not isinstance(record, dict):
        raise DataError(f"is not an object like {like}", hint=_hint(text))
    return record


def _hint(text: str) -> str | None:
    """What to do where it is no object."""
    if text.startswith("["):
        return "One object a line is read, and no list of them. It becomes lines by: jq -c '.[]' FILE"
    if "\0" in text:
        return how_to_convert(text.encode())
    if text.startswith("{") and not text.rstrip().endswith("}"):
        return "An object is written in one line. It becomes so by: jq -c . FILE"
    return None


def parse_toml(content: bytes, where: object) -> dict[str, Any]:
    """A TOML file that a person wrote. Raises: UsageError where it isn't TOML, or more of it than anybody writes."""
    import tomllib

    content = content.removeprefix(codecs.BOM_UTF8)  # as some editors begin with
    if len(content) > _MOST_TOML:
        raise UsageError(f"is longer than {_MOST_TOML >> 20} MiB, which no such file is", where=where)
    deep = f"has tables or lists in each other, more than {_DEEPEST_TOML} deep"
    if any(line.count(b".") > 100 and _QUOTED.sub(b"a", line).count(b".") > 100 for line in content.split(b"\n")):
        raise UsageError(deep, where=where)  # tomllib would take minutes for it
    try:
        value = tomllib.loads(content.decode())
    except UnicodeDecodeError as error:
        said = f"is not TOML: byte {error.start + 1} (0x{content[error.start]:02x}) is not UTF-8"
        raise UsageError(said, where=where, hint=how_to_convert(content)) from error
    except (ValueError, RecursionError) as error:  # not TOML, too long a number, too deep
        raise UsageError(f"is not TOML: {error}", where=where) from error
    level: list[Any] = [value]
    for _ in range(_DEEPEST_TOML):
        items = [item for one in level for item in (one.values() if isinstance(one, dict) else one)]
        if any(type(item) is int and not -(2**63) <= item < 2**63 for item in items):
            raise UsageError("has a number of more than 64 bits", where=where)
        level = [item for item in items if isinstance(item, dict | list)]
    if level:
        raise UsageError(deep, where=where)
    return value


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value
