"""dmn prepare tagged: text with a tag for each word."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from dmn_cli.cli.prepare.options import Shared, shares_options
from dmn_cli.cli.prepare.write import as_given, warn_of_names, write
from dmn_cli.errors import UsageError


@shares_options
def command(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH",
            help="Files, folders or archives (.zip, .tar.gz and the like), as downloaded.",
            show_default=False,
        ),
    ],
    column: Annotated[
        Literal["upos", "xpos"],
        typer.Option(help="For CoNLL-U: the universal tags, or those of the language."),
    ] = "upos",
    format_: Annotated[
        Literal["auto", "conllu", "columns", "slash", "underscore", "trees"],
        typer.Option("--format", help="The format of the files; auto: the one that each file looks like."),
    ] = "auto",
    word_column: Annotated[
        int | None,
        typer.Option(help="For columns: which one has the words, if not the first.", min=1, show_default=False),
    ] = None,
    tag_column: Annotated[
        int | None,
        typer.Option(help="For columns: which one has the tags, if not the next one.", min=1, show_default=False),
    ] = None,
    task: Annotated[str | None, typer.Option(help="The task's name, if not that of --out.", show_default=False)] = None,
    *,
    shared: Shared,
) -> None:
    """Prepare text with a part-of-speech tag for each word. Words are facts, and the answer has a tag for each.

    Reads CoNLL-U, columns (CoNLL-2000, -2003, -2009, CoNLL-U Plus), word/TAG, word_TAG and Penn trees. A file belongs
    to the split that it is named after (train, dev or test, in any case), or else to training. Without a dev file, a
    tenth of the training sentences, chosen by the seed, is held out; without a test file, the test split is empty.

    Example: dmn prepare tagged UD_English-EWT.tar.gz --column xpos --out data/ewt
    """
    if word_column or tag_column:
        if format_ not in ("auto", "columns") or word_column == tag_column:
            raise UsageError("--word-column and --tag-column name two columns of files in --format columns")
        format_ = "columns"
    shared.check()

    from dmn_cli.data.formats import tagged as reader

    known = None if format_ == "auto" else format_
    sources = reader.find(shared.local(paths, "ewt"), known)
    columns = {"word_column": word_column, "tag_column": tag_column}
    warn_of_names(shared.output, [name for found in sources for name in found.chosen])
    for line in reader.describe(sources, column, known, **columns):
        shared.output.note(line)
    source = {
        "format": "tagged",
        "path": as_given(paths),
        "column": column,
        "written": format_,
        **{key: number for key, number in columns.items() if number},
        "seed": shared.seed,
    }
    named = shared.task_name(task)
    total = sum(found.size for found in sources)
    write(
        shared,
        lambda advance: reader.read(sources, named, shared.seed, column, known, advance, **columns),
        total,
        source,
    )
