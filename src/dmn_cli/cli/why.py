"""Facts × passes: what the network read before it answered; and which facts the answer needs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from dmn_cli.answering.in_words import needs_in_words
from dmn_cli.cli.output import printable, rows, stdout

if TYPE_CHECKING:
    from rich.table import Table

    from dmn_cli.answering.answer import Answer


_READ = "• "  # before a fact that was read


def show_why(answer: Answer) -> None:
    """A shaded table on a terminal; plain columns elsewhere. A star or a dot marks the facts that were read."""
    if answer.picture:
        from dmn_cli.cli.why_picture import show_regions

        show_regions(answer, answer.picture)
    elif sys.stdout.isatty() and not stdout().options.ascii_only:
        stdout().print(shaded_table(answer, stdout().width))
    else:
        _plain_columns(answer)
    for line in (f"confidence {answer.confidence:.4f}", *remarks(answer)):
        sys.stdout.write(f"{printable(line)}\n")


def remarks(answer: Answer) -> list[str]:
    """What the answer needs, and what its names were taken for, a line each."""
    names = answer.names.names.items() if answer.names else ()
    return [*needs_in_words(answer), *(f"{name} is read as a name like {', '.join(known)}" for name, known in names)]


def _passes(answer: Answer) -> list[str]:
    return [f"pass {t + 1}" for t in range(len(answer.passes))]


def _plain_columns(answer: Answer) -> None:
    table = [
        (str(i + 1), f"{'*' if i in answer.read else ' '} {fact}", *(f"{row[i]:.2f}" for row in answer.passes))
        for i, fact in enumerate(answer.facts)
    ]
    sys.stdout.write(printable(rows([("", "  fact", *_passes(answer)), *table], texts=2)) + "\n")


def shaded_table(answer: Answer, width: int) -> Table:
    """Where its words don't fit beside shades into so many columns, gates are numbers alone."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    longest = max((len(word) for fact in answer.facts for word in printable(fact).split()), default=0) + len(_READ)
    narrow = longest + 7 + 10 * len(answer.passes) > width
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 0 if narrow else 1))
    table.add_column("", justify="right", style="dim", min_width=2)
    table.add_column("  fact", overflow="fold")
    for name in _passes(answer):
        table.add_column(name, justify="right", width=4 if narrow else None)
    for i, fact in enumerate(answer.facts):
        read = i in answer.read
        gates = [row[i] for row in answer.passes]
        cells = [Text(("" if narrow else f"{_block(gate)} ") + f"{gate:.2f}", _shade(gate)) for gate in gates]
        table.add_row(str(i + 1), Text((_READ if read else "  ") + printable(fact), "bold" if read else ""), *cells)
    return table


def _block(gate: float) -> str:
    """Shading for a terminal without colours."""
    return " ░▒▓█"[min(4, int(5 * gate))] * 2


def _shade(gate: float) -> str:
    """From the terminal's own background to a strong blue."""
    if gate < 0.02:
        return "dim"
    level = round(40 + 160 * min(1.0, gate))
    return f"white on rgb(0,{level // 2},{level})"
