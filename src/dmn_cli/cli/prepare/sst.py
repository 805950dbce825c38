"""dmn prepare sst: the Stanford Sentiment Treebank."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from dmn_cli.cli.prepare.options import Shared, shares_options
from dmn_cli.cli.prepare.write import as_given, write


@shares_options
def command(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH",
            help="trainDevTestTrees_PTB.zip as downloaded, its unpacked folder, or train.txt, dev.txt, test.txt; "
            "or its URL, or sst, to fetch it.",
            show_default=False,
        ),
    ],
    classes: Annotated[
        Literal["5", "2"], typer.Option(help="2: negative or positive; neutral sentences are left out.")
    ] = "5",
    phrases: Annotated[
        Literal["all", "root"],
        typer.Option(help="Train on all labelled phrases, each once, or on whole sentences."),
    ] = "all",
    *,
    shared: Shared,
) -> None:
    """Prepare the Stanford Sentiment Treebank (Socher et al. 2013). Words are facts; validation and test are sentences.

    Example: dmn prepare sst trainDevTestTrees_PTB.zip --classes 2 --out data/sst2
    """
    shared.check()

    from dmn_cli.data.formats import sst as reader

    files = reader.find(shared.local(paths, "sst"))
    source = {
        "format": "sst",
        "path": as_given(paths),
        "classes": int(classes),
        "phrases": phrases,
        "seed": shared.seed,
    }
    n = 5 if classes == "5" else 2
    total = sum(file.size for file in files)
    write(shared, lambda advance: reader.read(files, n, phrases, shared.seed, advance), total, source)
