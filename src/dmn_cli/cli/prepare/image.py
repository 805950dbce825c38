"""dmn prepare image: pictures, and questions about them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from dmn_cli.cli.prepare.options import Shared, shares_options
from dmn_cli.cli.prepare.write import as_given, write
from dmn_cli.errors import UsageError

if TYPE_CHECKING:
    from dmn_cli.data.formats.images.pictures import Pictured

_GRID, _SIDE, _PICTURES = 10, 224, 10_000


@shares_options
def command(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PATH",
            help="Files of JSON lines about pictures, or folders with such files; or the folder of DAQUAR.",
            show_default=False,
        ),
    ] = None,
    make: Annotated[
        Literal["sort-of-clevr"] | None,
        typer.Option(help="Make pictures: six coloured shapes, and twenty questions about each.", show_default=False),
    ] = None,
    pictures: Annotated[
        int | None,
        typer.Option(
            help="With --make: how many to train and validate on (10000 by default); a twentieth as many are added to "
            "test on.",
            min=20,
            show_default=False,
        ),
    ] = None,
    grid: Annotated[
        int | None,
        typer.Option(
            help="How many rows and columns of regions a picture is divided into (10 by default).",
            min=1,
            max=64,
            show_default=False,
        ),
    ] = None,
    side: Annotated[
        int | None,
        typer.Option(
            help="The height and width, in pixels, that pictures are scaled to (224 by default).",
            min=8,
            max=2048,
            show_default=False,
        ),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(help="The task of the lines that name none, if not the name of --out.", show_default=False),
    ] = None,
    *,
    shared: Shared,
) -> None:
    """Prepare pictures and questions about them, or make some.

    A line is an object with "image" (the name of a file, from the folder of the lines), "question" and "answer", and,
    if you like, "task", "split" and "support" (points [x, y] that the answer depends on, as shares of the width and the
    height). An image may also be .npy or .safetensors: features of its regions, rows × columns × width, from any
    network.

    Where no line is for validation, a tenth of the training pictures, chosen by the seed, is held out.

    Example: dmn prepare image --make sort-of-clevr --out data/shapes
    """
    given = paths or []
    if bool(given) == (make is not None):
        raise UsageError(
            "Give either a PATH or --make", hint="For example: dmn prepare image --make sort-of-clevr --out DATA"
        )
    for option, value in (("--pictures", pictures), ("--side", side), ("--task", task)):
        if value is not None and (make is not None) != (option == "--pictures"):
            raise UsageError(f"{option} is for pictures that are {'read' if make else 'made'}")
    if shared.export:
        raise UsageError("--export writes text, and there are pictures")
    if shared.symmetries not in ("auto", "off"):
        raise UsageError("--symmetries is for text: names in pictures can't change")
    shared = replace(shared, symmetries="off")
    shared.check()

    source: dict[str, Any] = {"format": "image", "seed": shared.seed}
    if make:
        from dmn_cli.data.formats.images import sort_of_clevr

        found = sort_of_clevr.made(pictures or _PICTURES, shared.seed, grid or _GRID)
        source |= {"made": make, "pictures": pictures or _PICTURES}
    else:
        found = _read([Path(path) for path in given], shared, task, side, grid)
        source |= {"path": as_given(given)}
    write(shared, found.stories, found.total, source, pictures=found.pictures)


def _read(paths: list[Path], shared: Shared, task: str | None, side: int | None, grid: int | None) -> Pictured:
    from dmn_cli.data.formats.images import daquar, lines
    from dmn_cli.data.formats.images.asked import pictured

    if any(map(daquar.is_daquar, paths)):
        if len(paths) > 1:
            raise UsageError("DAQUAR is prepared by itself", hint="Train on several data sets: dmn train A B --out RUN")
        if task is not None:
            raise UsageError("--task is for JSON lines: the task of DAQUAR is daquar")
        return pictured(daquar.read(paths[0]), shared.seed, side or _SIDE, grid or _GRID)
    found = pictured(lines.read(paths, shared.task_name(task)), shared.seed, side or _SIDE, grid or _GRID)
    if found.pictures.form.width and (option := "--side" if side else "--grid" if grid else None):
        raise UsageError(f"{option} is for pictures, and these are features, which say what their regions are")
    return found
