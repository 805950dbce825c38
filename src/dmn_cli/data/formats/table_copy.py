"""Copies of tables with columns added on the right: rows in their order, everything else as it was."""

from __future__ import annotations

import codecs
import csv
import io
from collections import deque
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Protocol, Self

from dmn_cli.data.formats.table_files import ParquetTable, Table
from dmn_cli.data.formats.table_json import JsonTable
from dmn_cli.data.formats.table_text import Record, TextTable, places
from dmn_cli.errors import DataError
from dmn_cli.notation import to_json

if TYPE_CHECKING:
    import pyarrow as pa

Cell = str | float | None


class Copy(Protocol):
    """What reads a table and writes its copy. Rows are added in the order in which they were read."""

    def records(self, names: Sequence[str]) -> Iterator[Record]:
        """All rows, with the cells of some columns. Raises: DataError"""
        ...

    def add(self, record: Record, cells: Sequence[Cell]) -> None:
        """Writes the next row, with the cells of the new columns. Raises: DataError where one can't be written."""
        ...

    def __enter__(self) -> Copy: ...

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None: ...


def copy(table: Table, file: IO[bytes], columns: dict[str, type]) -> Copy:
    """columns: the new ones, each of `str` or `float`"""
    if isinstance(table, TextTable):
        return TextCopy(table, file, columns)
    return JsonCopy(table, file, columns) if isinstance(table, JsonTable) else ParquetCopy(table, file, columns)


def new_name(name: str, columns: Sequence[str]) -> str:
    """The name, or with a number after it, where there is such a column."""
    number, found = 1, name
    while found in columns:
        number += 1
        found = f"{name}_{number}"
    return found


class _AsWritten:
    """Rows stay as they are written, to the byte, but for what is added at their end."""

    def __init__(self, table: TextTable | JsonTable, file: IO[bytes]) -> None:
        self.table, self._file = table, file
        self._encoder = codecs.getincrementalencoder(table.encoding)()

    def records(self, names: Sequence[str]) -> Iterator[Record]:
        return self.table.records(names)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: Any, error: Any, trace: TracebackType | None) -> None:
        pass


class TextCopy(_AsWritten):
    """Cells are added to a row."""

    def __init__(self, table: TextTable, file: IO[bytes], columns: dict[str, type]) -> None:
        super().__init__(table, file)
        self._delimiter = table.delimiter
        quoting = csv.QUOTE_ALL if table.quoted else csv.QUOTE_MINIMAL if table.quotes else csv.QUOTE_NONE
        self._cells = io.StringIO()
        self._writer = csv.writer(self._cells, delimiter=table.delimiter, quoting=quoting, lineterminator="")
        self._write(table.head, list(columns), 1)

    def add(self, record: Record, cells: Sequence[Cell]) -> None:
        if record.cells:
            self._write(record.text, ["" if cell is None else str(cell) for cell in cells], record.number)
        else:
            self._file.write(self._encoder.encode(record.text))

    def _write(self, text: str, cells: list[str], number: int) -> None:
        written = text.rstrip("\r\n")
        self._cells.seek(0)
        self._cells.truncate()
        try:
            self._writer.writerow(cells)
            added = f"{self._delimiter}{self._cells.getvalue()}{text[len(written) :]}"
            self._file.write(self._encoder.encode(written + added))
        except (csv.Error, UnicodeEncodeError) as error:
            raise DataError(
                f"the answer {', '.join(cells)!r} can't be written in this table ({error})",
                where=f"{self.table.name}:{number}",
            ) from error


class JsonCopy(_AsWritten):
    """Keys are added to an object."""

    def __init__(self, table: JsonTable, file: IO[bytes], columns: dict[str, type]) -> None:
        super().__init__(table, file)
        self._columns = list(columns)

    def records(self, names: Sequence[str]) -> Iterator[Record]:
        """Raises: DataError also where a row has one of the new keys."""
        for record in super().records(names):
            if found := set(self._columns).intersection(record.keys):
                raise DataError(
                    f"has {min(found)!r}, as a new column is called that the first row lacks",
                    where=f"{self.table.name}:{record.number}",
                    hint="Write the table to a file and give that: columns are then named by all of its rows.",
                )
            yield record

    def add(self, record: Record, cells: Sequence[Cell]) -> None:
        text = record.text
        if record.cells:
            written = text.rstrip()
            before = written[:-1].rstrip()  # without the brace
            added = to_json(dict(zip(self._columns, cells, strict=True)))[1:]
            text = f"{before}{'' if before.endswith('{') else ', '}{added}{text[len(written) :]}"
        try:
            self._file.write(self._encoder.encode(text))
        except UnicodeEncodeError as error:
            where = f"{self.table.name}:{record.number}"
            raise DataError(f"the answer can't be written as {self.table.encoding}", where=where) from error


class ParquetCopy:
    """The columns keep their types, and the file what it says of itself."""

    def __init__(self, table: ParquetTable, file: IO[bytes], columns: dict[str, type]) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        types = {str: pa.string(), float: pa.float64()}
        self.table = table
        self._new = [pa.field(name, types[kind]) for name, kind in columns.items()]
        self._schema = table.file.schema_arrow
        for field in self._new:
            self._schema = self._schema.append(field)
        self._writer = parquet.ParquetWriter(file, self._schema)
        self._batches: deque[pa.RecordBatch] = deque()  # that are read and not yet written
        self._added: list[Sequence[Cell]] = []  # of the first of them

    def records(self, names: Sequence[str]) -> Iterator[Record]:
        places(self.table.columns, names, self.table.name)
        return self.table.records_of(self._kept(), names)

    def _kept(self) -> Iterator[pa.RecordBatch]:
        for batch in self.table.batches():
            self._batches.append(batch)
            yield batch

    def add(self, record: Record, cells: Sequence[Cell]) -> None:
        import pyarrow as pa

        self._added.append(cells)
        if len(self._added) == len(self._batches[0]):
            batch = self._batches.popleft()
            new = [
                pa.array(column, field.type)
                for column, field in zip(zip(*self._added, strict=True), self._new, strict=True)
            ]
            self._writer.write_batch(pa.record_batch([*batch.columns, *new], schema=self._schema))
            self._added = []

    def __enter__(self) -> ParquetCopy:
        return self

    def __exit__(self, kind: Any, error: Any, trace: TracebackType | None) -> None:
        self._writer.close()
