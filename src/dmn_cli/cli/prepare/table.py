"""dmn prepare table: texts and their labels, as CSV, TSV, JSON lines or Parquet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from dmn_cli.cli.options import Delimiter, Encoding, NoQuotes
from dmn_cli.cli.output import progress
from dmn_cli.cli.prepare.options import Shared, shares_options
from dmn_cli.cli.prepare.write import as_given, warn_of_names, write
from dmn_cli.cli.tables import as_written, column_names
from dmn_cli.errors import UsageError

if TYPE_CHECKING:
    from dmn_cli.data.formats.table import Columns


@shares_options
def command(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE",
            help="CSV, TSV, JSON lines (plain or compressed) or Parquet; folders or archives of .csv, .tsv, .jsonl and "
            ".parquet; or URLs.",
            show_default=False,
        ),
    ],
    input_: Annotated[
        str,
        typer.Option("--input", metavar="COLUMNS", help="The columns with the text: subject,body", show_default=False),
    ],
    label: Annotated[
        str, typer.Option(metavar="COLUMN", help="The column with the answer, a class each.", show_default=False)
    ],
    question: Annotated[
        str | None, typer.Option(metavar="TEXT", help="What is asked, if not 'Which COLUMN?'.", show_default=False)
    ] = None,
    label_separator: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="What divides several labels in a cell, such as ';'.", show_default=False),
    ] = None,
    split_column: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="The column that says train, valid or test.", show_default=False),
    ] = None,
    valid: Annotated[
        float | None,
        typer.Option(
            help="The share to validate on: 0.1, unless some rows are for it.", min=0, max=0.9, show_default=False
        ),
    ] = None,
    test: Annotated[
        float | None,
        typer.Option(
            help="The share to test on: 0.1, unless files or a column name splits.", min=0, max=0.9, show_default=False
        ),
    ] = None,
    encoding: Encoding = None,
    delimiter: Delimiter = None,
    no_quotes: NoQuotes = False,
    facts: Annotated[
        Literal["auto", "sentences", "words"],
        typer.Option(help="What texts are split into. auto: into words if they are short, else into sentences."),
    ] = "auto",
    task: Annotated[str | None, typer.Option(help="The task's name, if not that of --out.", show_default=False)] = None,
    *,
    shared: Shared,
) -> None:
    """Prepare a table of one's own: each row has a text and its label.

    Rows belong to the split that --split-column says, or that their file is named after (train.csv, Test.csv). If there
    is neither, splits are drawn by the seed: each class has the same share of each, and rows with the same text stay
    together. Cells are texts: 001 and NA stay as they are; of JSON lines, keys are the columns. A list of labels, in
    JSON or Parquet, is a set as with --label-separator. Rows without a label or a text are left out, and counted.

    Example: dmn prepare table tickets.csv --input subject,body --label team --out data/tickets
    """
    drawn = _shares(valid, test, split_column)
    written = as_written(encoding, delimiter, no_quotes=no_quotes)
    columns = _columns(input_, label, split_column, label_separator)
    shared.check()

    from dmn_cli.data.formats import table as reader
    from dmn_cli.data.formats.jsonl import Cut
    from dmn_cli.data.formats.table_files import is_table
    from dmn_cli.data.formats.table_survey import Survey
    from dmn_cli.data.sources.archives import chosen
    from dmn_cli.notation import as_text

    words, files = shared.choice.tokenizer(), shared.local(paths)
    named, asked = shared.task_name(task), as_text(question or f"Which {label}?")
    size = reader.size(files)
    with progress(shared.output, "counting", size) as advance:
        survey = Survey.of(reader.rows(files, columns, written, advance), shared.seed)
    survey.divide(*drawn)
    if survey.by != "column":
        warn_of_names(shared.output, *chosen(files, is_table))
    cut: Cut = {"sentences": words.sentences, "words": words.words}
    kind = survey.facts if facts == "auto" else facts
    source = {"format": "table", "path": as_given(paths), "facts": kind, "seed": shared.seed}
    about: dict[str, Any] = {"table": {**columns.as_json(), "facts": kind, **survey.as_json()}}
    write(
        shared,
        lambda advance: reader.read(
            reader.rows(files, columns, written, advance),
            survey.splits,
            named,
            asked,
            cut,
            kind,
            several=label_separator is not None or survey.several,
        ),
        size,
        source,
        words,
        about,
    )


def _shares(valid: float | None, test: float | None, split_column: str | None) -> tuple[float | None, float | None]:
    """Raises: UsageError where they can't be drawn."""
    if split_column is not None and not (valid is None and test is None):
        raise UsageError("--split-column says what each row is for; --valid and --test draw it: choose one of them")
    if (valid or 0) + (test or 0) >= 1:
        raise UsageError("--valid and --test together leave nothing to train on")
    return valid, test


def _columns(inputs: str, label: str, split: str | None, separator: str | None) -> Columns:
    """Raises: UsageError where a column has two parts to play."""
    from dmn_cli.data.formats.table import Columns
    from dmn_cli.notation import as_text

    if separator == "":
        raise UsageError("--label-separator is empty")
    columns = Columns(column_names(inputs), as_text(label), split and as_text(split), separator and as_text(separator))
    for name in columns.all:
        if columns.all.count(name) > 1:
            raise UsageError(f"the column {name!r} is named twice", hint="The answer must not be in the text.")
    return columns
