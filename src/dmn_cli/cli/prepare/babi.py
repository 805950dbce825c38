"""dmn prepare babi: the published bAbI tasks."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from dmn_cli.cli.prepare.options import Label, Share, Shared, numbers, shares_options, unanswerable
from dmn_cli.cli.prepare.write import as_given, write
from dmn_cli.errors import UsageError


@shares_options
def command(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH",
            help="The archive as downloaded, its unpacked folder, or single files; or its URL, or babi, to fetch it.",
            show_default=False,
        ),
    ],
    variant: Annotated[
        str | None,
        typer.Option(
            help="en, en-10k, shuffled, shuffled-10k, hn, hn-10k, en-valid or en-valid-10k; "
            "if not given: en-10k, or the only one that is there.",
            show_default=False,
        ),
    ] = None,
    tasks: Annotated[
        str | None,
        typer.Option(
            help="Which of the twenty, for example 1,2,5-7; if not given: those that are there.", show_default=False
        ),
    ] = None,
    skip_missing: Annotated[
        bool, typer.Option("--skip-missing", help="Leave out, with a warning, tasks whose files are missing.")
    ] = False,
    no_supports: Annotated[
        bool, typer.Option("--no-supports", help="Leave out which facts support an answer: answers alone are learnt.")
    ] = False,
    unanswerable_: Share = 0.0,
    unknown_label: Label = None,
    *,
    shared: Shared,
) -> None:
    """Prepare bAbI tasks v1.2 (Weston et al. 2015).

    Where a variant has no validation files, a tenth of the training stories, chosen by the seed, is held out.

    Example: dmn prepare babi tasks_1-20_v1-2.tar.gz --variant en-10k --tasks 1,2 --out data/two
    """
    wanted = None if tasks is None else [f"qa{n}" for n in numbers(tasks, 20)]
    if unanswerable_ and no_supports:
        raise UsageError("--unanswerable takes out supporting facts, which --no-supports leaves unknown")
    shared.check()

    from dmn_cli.data.formats import babi_files as reader

    with reader.find(shared.local(paths, "babi"), variant, wanted, skip_missing=skip_missing) as found:
        added = unanswerable(unanswerable_, unknown_label, shared.by_words, found.tasks)
        for name in found.missing:
            shared.output.warning(f"missing, so its task is left out: {name}")
        if variant is None or tasks is None:
            shared.output.note(f"reading {', '.join(found.tasks)}" + (f" of {found.variant}" if found.variant else ""))
        source = {
            "format": "babi",
            "path": as_given(paths),
            **({"variant": found.variant} if found.variant else {}),
            "seed": shared.seed,
            "missing": found.missing,
            **({"supports": False} if no_supports else {}),
        }
        read = partial(found.stories, shared.seed, supports=not no_supports)
        write(shared, read, found.size, source, unanswerable=added)
