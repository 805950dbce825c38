"""Small pieces of HTML. Every text that comes in is escaped here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


class Html(str):
    """HTML as it is; any other text is escaped where it goes into HTML."""

    __slots__ = ()


def text(value: object) -> str:
    return value if isinstance(value, Html) else escape(str(value))


def table(header: Sequence[object], rows: Iterable[Sequence[object]], *, caption: str = "", numbers: int = 99) -> Html:
    """The first column says what a row is. numbers: from which column on, numbers stand to the right"""
    head = "".join(f'<th scope="col"{_right(i, numbers)}>{text(cell)}</th>' for i, cell in enumerate(header))
    body = "".join(
        f'<tr><th scope="row">{text(row[0])}</th>'
        + "".join(f"<td{_right(i, numbers)}>{text(cell)}</td>" for i, cell in enumerate(row[1:], start=1))
        + "</tr>"
        for row in rows
    )
    said = f"<caption>{text(caption)}</caption>" if caption else ""
    return Html(
        f'<div class="wide" tabindex="0" role="group" aria-label="{escape(caption or "table")}"><table>{said}'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _right(column: int, numbers: int) -> str:
    return ' class="number"' if column >= numbers else ""


def details(summary: object, inside: str, *, opened: bool = False) -> Html:
    return Html(f"<details{' open' if opened else ''}><summary>{text(summary)}</summary>{inside}</details>")


def section(name: str, title: str, inside: str, note: object = "") -> Html:
    said = f'<p class="note">{text(note)}</p>' if note else ""
    head = f'<h2 id="{name}-title">{text(title)}</h2>'
    return Html(f'<section id="{name}" aria-labelledby="{name}-title">{head}{said}{inside}</section>')


def percent(value: float | None, digits: int = 1) -> str:
    return "–" if value is None else f"{100 * value:.{digits}f} %"


def shade(value: float) -> str:
    """The class of a cell that is as dark as a number between 0 and 1."""
    return f"g g{round(20 * min(1.0, max(0.0, value)))}"


def word(value: object) -> str:
    """A setting as TOML has it, but for the quotes."""
    return {True: "true", False: "false"}.get(value, str(value)) if isinstance(value, bool) else str(value)
