"""Tables that are printed row by row, as they are measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Column:
    """What a row has under `key`, times `scale`; nothing where the row lacks it. Names take `width` characters."""

    title: str
    key: str
    form: str = ",.0f"
    scale: float = 1.0
    width: int = 0

    def cell(self, row: Mapping[str, Any]) -> str:
        value = row.get(self.key)
        if value is None:
            return "-"
        return value if isinstance(value, str) else format(value * self.scale, self.form)

    def aligned(self, text: str) -> str:
        return f"{text:<{self.width}}" if self.width else f"{text:>{len(self.title)}}"


def show(
    title: str, columns: Sequence[Column], rows: Iterable[Mapping[str, Any]], *, silent: bool = False
) -> list[Any]:
    """Prints the rows as they come, as Markdown, unless `silent`; returns them."""
    done = []
    if not silent:
        print(f"\n{title}\n\n| {' | '.join(column.aligned(column.title) for column in columns)} |")
        print("|" + "|".join(" --- " if column.width else " ---: " for column in columns) + "|", flush=True)
    for row in rows:
        done.append(row)
        if not silent:
            print(f"| {' | '.join(column.aligned(column.cell(row)) for column in columns)} |", flush=True)
    return done
