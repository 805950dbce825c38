"""Opens tables: text and JSON lines, plain or compressed, and Parquet; those of a folder or an archive too."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dmn_cli.data.formats.table_json import JsonTable, is_json
from dmn_cli.data.formats.table_text import Record, TextTable, Written, joined, places
from dmn_cli.data.sources import archives, compressed
from dmn_cli.errors import DataError, UsageError

if TYPE_CHECKING:
    import pyarrow as pa

ROWS = 1024  # of Parquet that are held at a time
_DECODED = 8  # of these at a time: a few bytes may say a thousand times what is a gigabyte in all
_MOST_COLUMNS = 5000  # of Parquet, which takes 70 KB for each that is written
_TEXT = (".csv", ".tsv", ".tab")
_JSON = (".jsonl", ".ndjson")
_PARQUET = (".parquet", ".pq")
_WORKBOOKS = (".xlsx", ".xlsm", ".xls", ".ods", ".numbers")


class ParquetTable:
    """A Parquet file."""

    delimiter = encoding = None

    def __init__(self, path: Path, name: str, progress: Callable[[int], None] = lambda n: None) -> None:
        """Raises: DataError where it isn't one."""
        from pyarrow import parquet

        self.name, self._path, self._progress, self._size = name, path, progress, path.stat().st_size
        with _sound(name):
            self.file = parquet.ParquetFile(path)
            self.columns: list[str] = self.file.schema_arrow.names
        if len(self.columns) > _MOST_COLUMNS:
            raise DataError(f"has more than {_MOST_COLUMNS:,} columns", where=name)

    def batches(self, names: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Its rows, `ROWS` at a time. names: of the columns; None: all"""
        import pyarrow as pa

        done, rows, room = 0, self.file.metadata.num_rows, compressed.Room(self._path)
        with _sound(self.name):
            few = self.file.iter_batches(_DECODED, columns=None if names is None else list(names))
            while pieces := [*_within(room, islice(few, ROWS // _DECODED))]:
                [batch] = pa.Table.from_batches(pieces).combine_chunks().to_batches()
                yield batch
                read = self._size * len(batch) // max(1, rows)
                done += read
                self._progress(read)
        self._progress(self._size - done)

    def records(self, names: Sequence[str]) -> Iterator[Record]:
        """All rows, with the cells of some columns as text. Raises: DataError"""
        places(self.columns, names, self.name)
        return self.records_of(self.batches(list(dict.fromkeys(names))), names)

    def records_of(self, batches: Iterable[pa.RecordBatch], names: Sequence[str]) -> Iterator[Record]:
        """The rows of the file's batches, from the first on, with the cells of some columns as text."""
        number = 1
        for batch in batches:
            for cells in zip(*(as_text(batch.column(name), name, self.name) for name in names), strict=True):
                yield Record(number, list(cells))
                number += 1


def _within(room: compressed.Room, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Raises: DataError where they are more than there is room for."""
    for batch in batches:
        room.take(batch.nbytes)
        yield batch


Table = TextTable | JsonTable | ParquetTable


def as_text(column: pa.Array, name: str, where: str) -> list[str]:
    """The cells of a column; what is missing is empty. Raises: DataError where these can't be texts, or lists of
    them."""
    import pyarrow as pa

    if not (pa.types.is_list(column.type) or pa.types.is_large_list(column.type)):
        return _texts(column, name, where)
    texts = iter(_texts(column.flatten(), name, where))
    lengths = column.value_lengths().fill_null(0).to_pylist()
    return [joined([*islice(texts, n)], name, where) for n in lengths]


def _texts(column: pa.Array, name: str, where: str) -> list[str]:
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_floating(column.type):  # NaN is a cell that is missing
        column = pc.if_else(pc.is_nan(column), None, column)  # type: ignore[attr-defined]
    try:
        return pc.fill_null(pc.cast(column, pa.string()), "").to_pylist()  # type: ignore[attr-defined]
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise DataError(f"the cells of the column {name!r} are no text, but {column.type}", where=where) from error


def is_table(name: str) -> bool:
    """Whether a file of a folder or an archive is called a table. (A file by itself may have any name.)"""
    return compressed.suffix(name) in (*_TEXT, *_JSON, *_PARQUET)


def tables(
    path: Path, written: Written, wanted: Sequence[str], progress: Callable[[int], None] = lambda n: None
) -> Generator[tuple[str, Table], None, None]:
    """The tables of a path, each with its name in the folder or archive. One is to be read before the next is asked
    for. wanted: columns that will be asked for

    Raises: UsageError where there is no such path; DataError where it has no table, or one can't be read.
    """
    if compressed.suffix(path.name) in _WORKBOOKS:
        raise DataError(
            "is a workbook",
            where=path,
            hint="In Excel or LibreOffice, save the sheet as CSV UTF-8, and give that file.",
        )
    found = False
    if path.is_file() and is_parquet(path):
        yield path.name, ParquetTable(path, str(path), progress)
        return
    for member in archives.members(path, is_table, progress, max_bytes=archives.LARGE):
        found = True
        if compressed.suffix(member.inner) not in _PARQUET:
            yield member.inner, as_text_or_json(member.stream, member.name, written, wanted)
        elif member.packed:
            raise DataError("can't be read where it is packed", where=member.name, hint="Unpack it first.")
        else:
            yield member.inner, ParquetTable(Path(member.name), member.name)
    if not found:
        raise DataError("has no .csv, .tsv, .jsonl or .parquet files", where=path)


def as_text_or_json(
    stream: compressed.Stream, name: str, written: Written, wanted: Sequence[str]
) -> TextTable | JsonTable:
    """A table in text, by what it begins with, unless its name says what it is. Raises: as the two do"""
    if compressed.suffix(name) not in _TEXT and is_json(stream):
        return JsonTable(stream, name, written)
    return TextTable(stream, name, written, wanted)


@contextmanager
def one_table(
    path: Path, written: Written, wanted: Sequence[str], progress: Callable[[int], None] = lambda n: None
) -> Iterator[Table]:
    """The table in a file, plain or compressed. Raises: as `tables`; UsageError where it is a folder or an archive."""
    if path.is_dir() or (archives.is_archive(path) and compressed.suffix(path.name) not in _WORKBOOKS):
        raise UsageError("is not one table", where=path, hint="Give a single file.")
    with closing(tables(path, written, wanted, progress)) as found:
        yield next(found)[1]


def is_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"PAR1"


@contextmanager
def _sound(name: str) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataError(f"is damaged: not a Parquet file ({_first_line(error)})", where=name) from error


def _first_line(error: Any) -> str:
    return str(error).partition("\n")[0]
