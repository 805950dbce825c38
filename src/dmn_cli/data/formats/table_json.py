"""Tables as JSON lines: a row is an object, and the keys of the first one are the columns."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from dmn_cli.data.formats.table_text import Record, Written, check, encoding_of, joined, lines_of, places
from dmn_cli.data.sources.compressed import Stream
from dmn_cli.errors import DataError
from dmn_cli.notation import is_unicode, load_object

_LIKE = '{"text": "...", "label": "..."}'
_BEFORE = b"\xef\xbb\xff\xfe\xbf\0 \t\r\n"  # what may stand before it: marks of the byte order, blanks
_CONSTANTS = {True: "true", False: "false", None: ""}


class JsonTable:
    """A table whose first row is read."""

    def __init__(self, stream: Stream, name: str, written: Written) -> None:
        """name: where a person would look for it

        Raises: UsageError where there is no such encoding; DataError where the first row can't be read."""
        self.name = name
        self.encoding = encoding_of(stream, written.encoding)
        lines = enumerate(lines_of(stream, self.encoding, name), start=1)
        read: list[tuple[int, str]] = []
        while not (read and read[-1][1].strip()):
            if (line := next(lines, None)) is None:
                raise DataError("is empty", where=name)
            read.append(line)
        self._lines = chain(read, lines)
        self.columns = [*self._row(*read[-1])]

    def records(self, names: Sequence[str]) -> Iterator[Record]:
        """All rows, with the cells of some columns as text; an empty line is a record without cells. A key that a row
        lacks is an empty cell, and a list is its texts with `BETWEEN` between them. It can be called once.

        Raises: DataError, with file:line, where a row is no object, or a cell no text, number, true, false or null,
        nor a list of them."""
        places(self.columns, names, self.name)
        for number, line in self._lines:
            row = self._row(number, line) if line.strip() else None
            cells = [] if row is None else [self._cell(row.get(name), name, number) for name in names]
            yield Record(number, cells, line, tuple(row or ()))

    def _row(self, number: int, line: str) -> dict[str, Any]:
        """Its numbers as they are written."""
        check(line, number, self.name, self.encoding)
        try:
            return load_object(line, _LIKE, parse_int=str, parse_float=str, parse_constant=_constant)
        except DataError as error:
            raise DataError(error.message, where=f"{self.name}:{number}", hint=error.hint) from error

    def _cell(self, value: Any, name: str, number: int) -> str:
        where = f"{self.name}:{number}"
        if isinstance(value, list):
            return joined([_text(text, f"an entry of {json.dumps(name)}", where) for text in value], name, where)
        return _text(value, json.dumps(name), where)


def _constant(name: str) -> str:
    """As it is written; NaN is what Python writes for a cell that is missing."""
    return "" if name == "NaN" else name


def _text(value: Any, name: str, where: str) -> str:
    if isinstance(value, str):
        if not is_unicode(value):
            raise DataError("holds text that UTF-8 can't represent (half a surrogate pair)", where=where)
        return value
    if value is None or isinstance(value, bool):
        return _CONSTANTS[value]
    raise DataError(f"{name} is {'a list' if isinstance(value, list) else 'an object'}, and not a text", where=where)


def is_json(stream: Stream) -> bool:
    """Whether what begins here is an object or a list of them, and no row of names."""
    start = stream.peek(64)[:64]
    return start.lstrip(_BEFORE)[:1] in (b"{", b"[")
