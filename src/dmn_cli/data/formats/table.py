"""A table of one's own: a row is a text with its label, as tickets and their teams are.

The texts of the input columns, cut into sentences or words, are the facts of a story; its one question is answered by
the label, or by several of them as a set. Cells are texts whatever they say.

A table is read twice: first it is surveyed (`table_survey.py`), which decides each row's split, then its rows become
stories. What is held of a row in between is 17 bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dmn_cli.data.formats.jsonl import Cut, Facts
from dmn_cli.data.formats.splits import SPLITS
from dmn_cli.data.formats.table_files import Table, is_table, tables
from dmn_cli.data.formats.table_text import BETWEEN, Record, Written
from dmn_cli.data.sources import archives
from dmn_cli.errors import DataError
from dmn_cli.records.text import Question, Story


class Columns(NamedTuple):
    """Which columns of a table are what."""

    input: tuple[str, ...]
    label: str
    split: str | None = None  # train, valid or test; None: rows belong to the split that their file is named after
    separator: str | None = None  # of several labels in a cell; None: a cell is one label

    @property
    def all(self) -> list[str]:
        return [*self.input, self.label, *([self.split] if self.split else [])]

    def as_json(self) -> dict[str, Any]:
        """For dataset.json, and for the model that is to be asked with a table."""
        return {
            "input": list(self.input),
            "label": self.label,
            **({"split": self.split} if self.split else {}),
            **({"separator": self.separator} if self.separator else {}),
        }

    def labels(self, cell: str) -> tuple[str, ...]:
        """The labels in a cell, in the order of the alphabet, each once."""
        texts = cell.split(BETWEEN)
        if self.separator is not None:
            texts = [label for text in texts for label in text.split(self.separator)]
        return tuple(sorted({text.strip() for text in texts} - {""}))


class Row(NamedTuple):
    """A row, with its place."""

    file: str  # its name, in a folder or an archive the one in there
    where: str  # file:line
    texts: list[str]  # the input columns' that aren't blank
    labels: tuple[str, ...]
    split: str | None  # as the split column says


def rows(
    paths: Sequence[Path], columns: Columns, written: Written, progress: Callable[[int], None] = lambda n: None
) -> Iterator[Row]:
    """Raises: DataError, with file:line, where a table can't be read, or none has a row; UsageError where it isn't
    there."""
    inputs, row = len(columns.input), None
    for path in paths:
        for file, table in tables(path, written, columns.all, progress):
            for record in _records(table, columns):
                texts = texts_of(record.cells[:inputs])
                split = record.cells[inputs + 1].strip() if columns.split else None
                row = Row(file, f"{table.name}:{record.number}", texts, columns.labels(record.cells[inputs]), split)
                yield row
    if row is None:
        raise DataError(
            "has no rows", where=paths[0], hint="Give a table with a row of column names and rows under it."
        )


def texts_of(cells: Sequence[str]) -> list[str]:
    """The texts of a row's input columns, without those that are blank. A list has several."""
    return [text for cell in cells for part in cell.split(BETWEEN) if (text := part.strip())]


def _records(table: Table, columns: Columns) -> Iterator[Record]:
    return (record for record in table.records(columns.all) if record.cells)


def size(paths: list[Path]) -> int:
    """The bytes on disk of all that `rows` reads."""
    return archives.size(paths, is_table)


def read(
    rows: Iterator[Row],
    splits: np.ndarray,
    task: str,
    question: str,
    cut: Cut,
    facts: Facts = "sentences",
    *,
    several: bool = False,
) -> Iterator[tuple[str, Story]]:
    """(split, story) pairs. splits: (rows,) as `table_survey.Survey.splits` decides them; several: a row may have
    several labels

    Raises: DataError where the table has changed since it was surveyed.
    """
    number = -1
    for number, row in enumerate(rows):
        if number == len(splits):
            break
        if splits[number] < 0:
            continue
        told = tuple(fact for text in row.texts for fact in cut[facts](text))
        asked = Question(question, len(told), row.labels, any_order=several)
        yield SPLITS[splits[number]], Story(task, told, (asked,), facts_are_words=facts == "words")
    if number + 1 != len(splits):
        raise DataError("the table has changed while it was read", hint="Run dmn prepare again.")
