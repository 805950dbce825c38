"""Options that commands share, each written once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dmn_cli.errors import UsageError

if TYPE_CHECKING:
    import torch


def no_nan(value: float) -> float:
    """Typer's own bounds let NaN through."""
    if value != value:
        raise typer.BadParameter("nan is no number")
    return value


def share(processes: int | None, device: torch.device) -> None:
    """Before work is shared among processes: each has one thread. Raises: UsageError where they can't share it"""
    if not processes:
        return
    if device.type != "cpu":
        raise UsageError(f"--processes shares the work of a CPU, and this is {device}", hint="Add --device cpu.")
    import torch

    torch.set_num_threads(1)


Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout, and nothing else.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors on stderr.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite an output that exists.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N; auto takes a GPU where there is one.")]
Model = Annotated[
    Path,
    typer.Argument(
        metavar="MODEL",
        help="A run, the model directory in it, or demo: a small model that comes with dmn.",
        show_default=False,
    ),
]
NoBind = Annotated[
    bool,
    typer.Option("--no-bind", help="Leave names unknown that were not in training, and don't bind them to spares."),
]
AbstainBelow = Annotated[
    float,
    typer.Option(
        metavar="P",
        help="Give no answer where the confidence in it is below P, a fraction of 1.",
        min=0,
        max=1,
        show_default=False,
        callback=no_nan,
    ),
]
Processes = Annotated[
    int | None,
    typer.Option(
        metavar="N", help="Share the work among N processes on this machine's CPU.", min=1, show_default=False
    ),
]
Encoding = Annotated[
    str | None,
    typer.Option(help="How a table is encoded: utf-8 (the default), cp1252, utf-16, …", show_default=False),
]
Delimiter = Annotated[
    str | None,
    typer.Option(help="What divides a table's cells, if not one of , ; | and the tab.", show_default=False),
]
NoQuotes = Annotated[
    bool, typer.Option("--no-quotes", help="In a table, quotes are letters like others: no cell stands in them.")
]
