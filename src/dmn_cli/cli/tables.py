"""What the options about tables stand for."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from dmn_cli.errors import UsageError

if TYPE_CHECKING:
    from dmn_cli.data.formats.table_text import Written


def as_written(encoding: str | None, delimiter: str | None, *, no_quotes: bool) -> Written:
    """Raises: UsageError where the delimiter isn't one character."""
    from dmn_cli.data.formats.table_text import Written

    if delimiter is not None:
        delimiter = {"tab": "\t", "\\t": "\t"}.get(delimiter, delimiter)
        if len(delimiter) != 1 or delimiter in '"\r\n':
            raise UsageError(f"--delimiter {delimiter!r} is not a character that can divide cells", hint="Or say: tab")
    return Written(encoding, delimiter, quotes=not no_quotes)


def column_names(text: str) -> tuple[str, ...]:
    """subject,body → subject and body; a name with a comma in it stands in quotes. Raises: UsageError"""
    from dmn_cli.notation import as_text

    names = tuple(name.strip() for name in next(csv.reader([as_text(text)], skipinitialspace=True), []))
    if not all(names) or not names:
        raise UsageError(f"--input {text!r} names no columns", hint="For example: --input subject,body")
    return names
