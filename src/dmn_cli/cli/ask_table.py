"""dmn ask --table: every row of a table is answered, and the table written anew with the answers."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

from dmn_cli.cli.output import Output, plural, progress
from dmn_cli.cli.tables import column_names
from dmn_cli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dmn_cli.answering.predictor import Predictor
    from dmn_cli.data.formats.table_files import Table
    from dmn_cli.data.formats.table_text import Record, Written


_OTHERS = (".xlsx", ".xls", ".ods", ".gz", ".bz2", ".xz", ".zst", ".zip")  # as what no table is written


class Asked(NamedTuple):
    """What is to be done."""

    table: str  # a file; -: stdin
    out: Path | None  # None: stdout
    columns: tuple[str, ...]  # that are read
    question: str
    written: Written


def asked(
    predictor: Predictor, table: str, out: Path | None, inputs: str | None, question: str, written: Written
) -> Asked:
    """Raises: UsageError where neither the options nor the model say which columns are read."""
    form = predictor.model.table
    if inputs is None and form is None:
        raise UsageError(
            "the model wasn't trained on a table, so it has no columns to read",
            hint="Say which columns have the text: --input subject,body",
        )
    columns = column_names(inputs) if inputs is not None else form.input if form else ()
    return Asked(table, out, columns, question, written)


def ask_table(output: Output, predictor: Predictor, asked: Asked) -> None:
    """Writes the table with two more columns, and reports."""
    from dmn_cli.answering.table import labelled
    from dmn_cli.data.formats.table_copy import copy, new_name

    start = time.perf_counter()
    form = predictor.model.table
    size = Path(asked.table).stat().st_size if asked.table != "-" else None
    with progress(output, "answering", size) as advance, _opened(asked, advance) as table:
        _check_suffix(table, asked.out)
        kinds, there = {"answer": str, "confidence": float}, _columns(asked, table)
        columns = {new_name(name, there): kind for name, kind in kinds.items()}
        if list(columns) != list(kinds):
            output.note(f"the table has such columns already, so the new ones are called {' and '.join(columns)}")
        rows = unanswered = abstained = 0
        with _written(asked.out) as file, copy(table, file, columns) as made:
            waiting: deque[Record] = deque()
            cells = _noted(made.records(asked.columns), waiting)
            for results in labelled(predictor, cells, asked.question, form.separator if form else None):
                for result in results:
                    record = waiting.popleft()
                    made.add(record, (result.answer, result.confidence))
                    rows += bool(record.cells)
                    unanswered += bool(record.cells) and result.answer is None
                    abstained += result.abstains
    seconds = round(time.perf_counter() - start, 3)
    if unanswered:
        output.warning(f"{plural(unanswered, 'row')} without a text, and so without an answer")
    if abstained:
        output.note(f"{plural(abstained, 'row')} answered by ?, with a confidence below {predictor.abstain_below}")
    if asked.out is not None:
        counts = {
            "rows": rows,
            "unanswered": unanswered,
            **({"abstained": abstained} if predictor.abstain_below else {}),
        }
        output.json({"out": str(asked.out), **counts, "columns": list(columns), "seconds": seconds})
        output.result(f"{asked.out} has {plural(rows, 'row')}, with {' and '.join(columns)} ({seconds:.1f} s)")


def _noted(records: Iterator[Record], waiting: deque[Record]) -> Iterator[Sequence[str]]:
    for record in records:
        waiting.append(record)
        yield record.cells


def _columns(asked: Asked, table: Table) -> Sequence[str]:
    """All that there are: a row of JSON lines may have others than the first one. Raises: DataError"""
    from dmn_cli.data.formats.table_files import one_table
    from dmn_cli.data.formats.table_json import JsonTable

    path = Path(asked.table)
    if not isinstance(table, JsonTable) or asked.table == "-" or not path.is_file():  # what is read but once
        return table.columns
    with one_table(path, asked.written, asked.columns) as again:
        return [key for record in again.records(asked.columns) for key in record.keys]


def _check_suffix(table: Table, out: Path | None) -> None:
    """Raises: UsageError where the file's name says something else than what is written."""
    from dmn_cli.data.formats.table_files import ParquetTable
    from dmn_cli.data.formats.table_json import JsonTable
    from dmn_cli.data.formats.table_text import TextTable

    written = {
        TextTable: ("CSV or TSV", (".csv", ".tsv", ".tab")),
        JsonTable: ("JSON lines", (".jsonl", ".ndjson", ".json")),
        ParquetTable: ("Parquet", (".parquet", ".pq")),
    }
    name, own = written[type(table)]
    others = [*_OTHERS, *(suffix for _, some in written.values() for suffix in some if suffix not in own)]
    if out is not None and out.suffix.lower() in others:
        said = f"{table.name} is {name}, and is written as that"
        raise UsageError(said, where=out, hint=f"Give --out a name that ends with {own[0]}.")


@contextmanager
def _opened(asked: Asked, advance: Callable[[int], None]) -> Iterator[Table]:
    """Raises: UsageError where it isn't one table, or one that can't go to stdout."""
    import io

    from dmn_cli.data.formats.table_files import as_text_or_json, is_parquet, one_table

    if asked.table == "-":
        stream = io.BufferedReader(sys.stdin.buffer)  # type: ignore[arg-type]
        yield as_text_or_json(stream, "-", asked.written, asked.columns)
        return
    path = Path(asked.table)
    if asked.out is None and path.is_file() and is_parquet(path):
        raise UsageError("is Parquet, which isn't written to stdout", where=path, hint="Say where to: --out FILE")
    with one_table(path, asked.written, asked.columns, advance) as table:
        yield table


@contextmanager
def _written(out: Path | None) -> Iterator[IO[bytes]]:
    from dmn_cli.files import atomic_file

    if out is None:
        sys.stdout.flush()
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with atomic_file(out) as file:
        yield file
