"""Tables as JSON lines: a row is an object, and the keys of the first one are the columns."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import IO, Any

from dmn_cli.data.formats.table_text import Record, Written, check, encoding_of, lines_of, places
from dmn_cli.errors import DataError
from dmn_cli.notation import is_unicode, load_object

_LIKE = '{"text": "...", "label": "..."}'
_BEFORE = b"\xef\xbb\xff\xfe\xbf\0 \t\r\n"  # what may stand before it: marks of the byte order, blanks
_CONSTANTS = {True: "true", False: "false", None: ""}


class JsonTable:
    """A table whose first row is read."""

    def __init__(self, stream: IO[bytes], name: str, written: Written) -> None:
        """stream: can `peek`; name: where a person would look for it

        Raises: UsageError where there is no such encoding; DataError where the first row can't be read."""
        self.name = name
        self.encoding = encoding_of(stream, written.encoding)
        self._lines = enumerate(lines_of(stream, self.encoding, name), start=1)
        self._above: list[Record] = []  # what was read of it
        for number, line in self._lines:
            self._above.append(Record(number, [], line))
            if line.strip():
                self.columns = [*self._row(number, line)]
                return
        raise DataError("is empty", where=name)

    def records(self, names: Sequence[str]) -> Iterator[Record]:
        """All rows, with the cells of some columns as text; an empty line is a record without cells. A key that a row
        lacks is an empty cell. It can be called once.

        Raises: DataError, with file:line, where a row is no object, or a cell no text, number, true, false or null."""
        places(self.columns, names, self.name)
        for number, _, line in self._above:
            yield self._record(number, line, names)
        for number, line in self._lines:
            yield self._record(number, line, names)

    def _record(self, number: int, line: str, names: Sequence[str]) -> Record:
        row = self._row(number, line) if line.strip() else None
        return Record(number, [] if row is None else [self._cell(row.get(name), name, number) for name in names], line)

    def _row(self, number: int, line: str) -> dict[str, Any]:
        """Its numbers as they are written."""
        check(line, number, self.name, self.encoding)
        try:
            return load_object(line, _LIKE, parse_int=str, parse_float=str, parse_constant=str)
        except DataError as error:
            raise DataError(error.message, where=f"{self.name}:{number}", hint=error.hint) from error

    def _cell(self, value: Any, name: str, number: int) -> str:
        if isinstance(value, str):
            if not is_unicode(value):
                where = f"{self.name}:{number}"
                raise DataError("holds text that UTF-8 can't represent (half a surrogate pair)", where=where)
            return value
        if value is None or isinstance(value, bool):
            return _CONSTANTS[value]
        kind = "a list" if isinstance(value, list) else "an object"
        raise DataError(f"{json.dumps(name)} is {kind}, and not a text", where=f"{self.name}:{number}")


def is_json(stream: IO[bytes]) -> bool:
    """Whether what begins here is an object or a list of them, and no row of names. stream: can `peek`"""
    start = stream.peek(64)[:64]  # type: ignore[attr-defined]
    return start.lstrip(_BEFORE)[:1] in (b"{", b"[")
