"""dmn prepare image: pictures, and questions about them."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

import typer

from dmn_cli.cli.prepare.options import Shared, shares_options
from dmn_cli.cli.prepare.write import write
from dmn_cli.errors import UsageError


@shares_options
def command(
    make: Annotated[
        Literal["sort-of-clevr"] | None,
        typer.Option(help="Make pictures: six coloured shapes, and twenty questions about each.", show_default=False),
    ] = None,
    pictures: Annotated[
        int,
        typer.Option(
            help="With --make: how many there are to train and validate on; a twentieth as many are added to test on.",
            min=20,
        ),
    ] = 10_000,
    grid: Annotated[int, typer.Option(help="A picture is divided into so many rows and columns.", min=1, max=64)] = 10,
    *,
    shared: Shared,
) -> None:
    """Prepare pictures and questions about them.

    Example: dmn prepare image --make sort-of-clevr --pictures 10000 --out data/shapes
    """
    if shared.export:
        raise UsageError("--export writes text, and there are pictures")
    if shared.symmetries not in ("auto", "off"):
        raise UsageError("--symmetries is for text: names in pictures can't change")
    shared = replace(shared, symmetries="off")
    shared.check()
    if make is None:
        raise UsageError("there are no pictures", hint="For example: --make sort-of-clevr")

    from dmn_cli.data.formats.images import sort_of_clevr

    found = sort_of_clevr.made(pictures, shared.seed, grid)
    source = {"format": "image", "made": make, "pictures": pictures, "seed": shared.seed}
    write(shared, found.stories, found.total, source, pictures=found.pictures)
