"""Tables as text: CSV, TSV, Excel's CSV. Records are read one by one, each with its line and as it is written.

The standard library's reader cuts them, since it keeps every cell the text that it is (`001`, `NA`) and knows the line;
pyarrow's knows neither lines nor what a record looked like.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice
from operator import itemgetter
from typing import NamedTuple

from dmn_cli.data.sources.compressed import Stream
from dmn_cli.errors import DataError, UsageError

DELIMITERS = ",;\t|"
BETWEEN = "\x1f"  # the unit separator: between the texts of a list that is a cell, of JSON or of Parquet
_MAX_LINE = _MAX_RECORD = 1 << 24  # letters; each may be a cell, which takes ten times as many bytes
_MAX_LINES = 1 << 20  # of a record; each takes fifty bytes beside its letters
_MAX_CELL = 1 << 24
_MAX_HEADER = 100  # lines
_START = 8  # bytes that show an encoding
_NOTHING = " \t\r\n\x1a"  # a line of these has no row; the last one is the end of a file of DOS
_BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


class Written(NamedTuple):
    """What a person says of how a table is written."""

    encoding: str | None = None  # None: as its first bytes say, or UTF-8
    delimiter: str | None = None  # None: the one that divides the header
    quotes: bool = True  # whether cells may stand in quotes


class Record(NamedTuple):
    """A row."""

    number: int  # its first line in the file; of Parquet, its row; from 1
    cells: list[str]
    text: str = ""  # as it is written, with its line end
    keys: Sequence[str] = ()  # of JSON lines: all that the row has


class TextTable:
    """A table whose header is read."""

    def __init__(self, stream: Stream, name: str, written: Written, wanted: Sequence[str] = ()) -> None:
        """name: where a person would look for it; wanted: columns that will be asked for, by which
        the delimiter is recognised

        Raises: UsageError where there is no such encoding; DataError where the header can't be read.
        """
        self.name, self.quotes = name, written.quotes
        self.encoding = encoding_of(stream, written.encoding)
        self._lines = lines_of(stream, self.encoding, name)
        self._number = 1  # the first line of what is being read
        self._above: list[str] = []  # lines above the header
        self.header = self._read_header()
        first, delimiter = self.header[0], written.delimiter
        if first.lower().startswith("sep=") and len(first.strip()) == len("sep=") + 1:  # Excel's
            delimiter, self._above = delimiter or first[4], self.header
            self._number += len(self._above)
            self.header = self._read_header()
        self.delimiter = delimiter or self._likeliest(wanted)
        self.columns = self._names(self.delimiter)
        self._number += len(self.header)

    @property
    def head(self) -> str:
        """All that stands above the first row."""
        return "".join([*self._above, *self.header])

    @property
    def quoted(self) -> bool:
        """Whether every cell stands in quotes, to judge by the header."""
        text = "".join(self.header).strip()
        return self.quotes and text.count('"') >= 2 * len(self.columns) and text.startswith('"')

    def records(self, names: Sequence[str]) -> Iterator[Record]:
        """All rows, with the cells of some columns; an empty line is a record without cells. It can be called once.

        Raises: DataError, with file:line, where a row has another number of cells than the header, a quote isn't
        closed, or a byte isn't of the encoding; where there is no such column, or two.
        """
        chosen = places(self.columns, names, self.name)
        pick: Callable[[list[str]], Sequence[str]] = itemgetter(*chosen, chosen[0])  # a tuple, also of one
        taken: list[str] = []
        for cells in self._cut(self._noted(taken), self.delimiter):
            text, number = "".join(taken), self._number
            cells = self._with_blanks(cells, text, self.delimiter)
            if len(cells) != len(self.columns) and not text.strip(_NOTHING):
                cells = []
            if cells and len(cells) != len(self.columns):
                raise DataError(
                    f"the row has {_cells(len(cells))}, and the header {len(self.columns)}",
                    where=f"{self.name}:{number}",
                    hint="A cell that has the delimiter or a line end in it stands in quotes."
                    if self.quotes
                    else "Without --no-quotes, a cell with the delimiter in it can stand in quotes.",
                )
            if not text.isascii():
                check(text, number, self.name, self.encoding)
            yield Record(number, list(pick(cells)[:-1]) if cells else [], text)
            self._number += len(taken)
            taken.clear()

    def _noted(self, taken: list[str]) -> Iterator[str]:
        """The lines, of which those of one row are kept in `taken`. Raises: DataError where a row is very long."""
        size = 0
        for line in self._lines:
            size = len(line) + (size if taken else 0)
            taken.append(line)
            if size > _MAX_RECORD or len(taken) > _MAX_LINES:
                raise self._too_long()
            yield line

    def _too_long(self) -> DataError:
        return DataError(
            f"the row has more than {_MAX_RECORD:,} letters, or {_MAX_LINES:,} lines",
            where=f"{self.name}:{self._number}",
            hint="A quote may not be closed. Where quotes are letters like others, say --no-quotes.",
        )

    def _read_header(self) -> list[str]:
        """The next line that isn't empty; and those after it, until each quote is closed."""
        header: list[str] = []
        for line in self._lines:
            header.append(line)
            text = "".join(header)
            if len(text) > _MAX_RECORD:
                raise self._too_long()
            complete = text.strip() and not (self.quotes and text.count('"') % 2)
            if complete or len(header) == _MAX_HEADER:
                break
        text = "".join(header)
        if not text.strip():
            raise DataError("is empty: a table begins with a row of column names", where=self.name)
        check(text, self._number, self.name, self.encoding)
        return header

    def _likeliest(self, wanted: Sequence[str]) -> str:
        """The delimiter by which the header has the wanted columns, or else the most columns."""
        found: dict[str, tuple[int, int]] = {}
        for delimiter in DELIMITERS:
            with suppress(DataError):  # in a header like "a","b", quotes are right for one alone
                names = self._names(delimiter)
                found[delimiter] = len(set(wanted) & set(names)), len(names)
        return max(found, key=found.__getitem__, default=DELIMITERS[0])

    def _names(self, delimiter: str) -> list[str]:
        (names,) = islice((cells for cells in self._cut(self.header, delimiter) if cells), 1)
        return [name.strip() for name in self._with_blanks(names, "".join(self.header), delimiter)]

    def _with_blanks(self, cells: list[str], text: str, delimiter: str) -> list[str]:
        """The cells of a row, where `"a", "b"` has no blank before its second one."""
        if self.quotes and f'{delimiter} "' in text:
            with suppress(DataError, ValueError):  # ValueError: it isn't one row
                [cells] = self._cut([text], delimiter, blanks=True)
        return cells

    def _cut(self, lines: Iterable[str], delimiter: str, *, blanks: bool = False) -> Iterator[list[str]]:
        """blanks: whether those before a cell don't count"""
        csv.field_size_limit(_MAX_CELL)
        quoting = csv.QUOTE_MINIMAL if self.quotes else csv.QUOTE_NONE
        try:
            yield from csv.reader(lines, delimiter=delimiter, quoting=quoting, skipinitialspace=blanks, strict=True)
        except csv.Error as error:
            raise DataError(
                f"a quote isn't closed, or stands within a cell ({error})",
                where=f"{self.name}:{self._number}",
                hint='In quotes, " is written "". Where quotes are letters like others, say --no-quotes.',
            ) from error


def places(columns: Sequence[str], names: Sequence[str], where: str) -> list[int]:
    """The positions of some columns. Raises: DataError where there is none of a name, or two."""
    for name in names:
        if columns.count(name) != 1:
            raise DataError(
                f"has two columns {name!r}" if name in columns else f"has no column {name!r}",
                where=where,
                hint=f"It has: {', '.join(columns)[:500]}.",
            )
    return [columns.index(name) for name in names]


def joined(texts: Sequence[str], name: str, where: str) -> str:
    """A list as a cell. name: of the column

    Raises: DataError where it couldn't be taken apart again."""
    if any(BETWEEN in text for text in texts):
        raise DataError(f"a text of the list {name!r} has the sign U+001F in it", where=where)
    return BETWEEN.join(texts)


def encoding_of(stream: Stream, said: str | None) -> str:
    """As its first bytes or the user say. Raises: UsageError where there is no such encoding."""
    start = stream.peek(_START)[:_START]
    marked = next((encoding for bom, encoding in _BOMS.items() if start.startswith(bom)), None)
    if said is None and not marked and len(start) == _START:  # of English in UTF-16, every other byte is 0
        marked = {(True, False): "utf-16-be", (False, True): "utf-16-le"}.get((any(start[1::2]), any(start[::2])))
    try:
        known = codecs.lookup(said or "utf-8")
        io.TextIOWrapper(io.BytesIO(), known.name)
    except LookupError as error:
        raise UsageError(
            f"--encoding {said!r}: there is no such encoding", hint="For example: utf-8, cp1252, utf-16"
        ) from error
    return marked if marked and (said is None or known.name == "utf-8") else known.name


def lines_of(stream: Stream, encoding: str, name: str) -> Iterator[str]:
    """What can't be decoded becomes half a surrogate pair (see `check`)."""
    text = io.TextIOWrapper(stream, encoding, errors="surrogateescape", newline="")
    try:
        for number, line in enumerate(iter(partial(text.readline, _MAX_LINE), ""), start=1):
            if len(line) == _MAX_LINE:
                raise DataError(f"the line has more than {_MAX_LINE:,} letters", where=f"{name}:{number}")
            yield line
    except UnicodeError as error:  # of encodings that can't go on
        raise DataError(f"is not {encoding}: {error}", where=name, hint="Say --encoding.") from error


def check(text: str, number: int, name: str, encoding: str) -> None:
    """Raises: DataError where a byte of the text couldn't be decoded. number: the text's first line"""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DataError(
            f"byte 0x{ord(text[error.start]) & 0xFF:02x} is not {encoding}",
            where=f"{name}:{number + text[: error.start].count(chr(10))}",
            hint="Say how it is written: --encoding cp1252 is what Excel writes in western Europe and America.",
        ) from error


def _cells(n: int) -> str:
    return "1 cell" if n == 1 else f"{n} cells"
