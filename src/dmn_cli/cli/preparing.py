"""What all `dmn prepare` commands share: their options, and the way from stories to a data set."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from dmn_cli.cli.output import Output, plural, rows, stderr

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dmn_cli.data.tokenizers import Tokenizer
    from dmn_cli.records import Story

Out = Annotated[Path, typer.Option("--out", help="The data set to write: a new folder.", show_default=False)]
Seed = Annotated[int, typer.Option(help="Decides everything that is random.", min=0)]
Words = Annotated[
    Literal["spacy", "whitespace"],
    typer.Option("--tokenizer", help="What words are: spaCy's rules, or whatever stands between blanks."),
]
Language = Annotated[str, typer.Option(help="Whose rules spaCy takes: en, de, fr, xx, …")]
Export = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Write it all as JSON lines too, as dmn prepare jsonl reads it.", show_default=False
    ),
]


def check_out(out: Path, force: bool, export: Path | None) -> None:
    from dmn_cli.data.formats.babi import SOURCE
    from dmn_cli.data.vocabulary import load_versioned_json
    from dmn_cli.errors import DataError
    from dmn_cli.files import check_output

    def ours(path: Path) -> bool:
        for name, key in (("dataset.json", "tokenizer"), (SOURCE, "tasks")):
            try:
                if key in load_versioned_json(path / name, 1 << 30, DataError):
                    return True
            except DataError:
                continue
        return False

    check_output(out, force=force, ours=ours)
    if export:
        check_output(export, force=force)


@contextmanager
def progress(output: Output, verb: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal; nothing elsewhere, since the summary says it all."""
    if not output.live:
        yield lambda n: None
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=stderr(), transient=True, redirect_stdout=False) as bar:
        task = bar.add_task(verb, total=total)
        yield lambda n: bar.advance(task, n)


def make_tokenizer(kind: str, language: str) -> Tokenizer:
    from dmn_cli.data.tokenizers import KINDS

    return KINDS[kind](language)


def write(
    output: Output,
    out: Path,
    stories: Iterable[tuple[str, Story]],
    source: dict[str, Any],
    tokenizer: Tokenizer,
    export: Path | None,
) -> None:
    from dmn_cli.data import writer

    start = time.perf_counter()
    with _exported(stories, export) as passing:
        summary = writer.write(out, passing, tokenizer, source)
    summary["seconds"] = round(time.perf_counter() - start, 3)
    output.json({"out": str(out), **summary})
    output.result(describe(summary))
    output.result(f"{out} is ready. Next: dmn train {out} --out RUN")


@contextmanager
def _exported(stories: Iterable[tuple[str, Story]], export: Path | None) -> Iterator[Iterable[tuple[str, Story]]]:
    """The same stories; those that were taken have been written to the file, if there is to be one."""
    if export is None:
        yield stories
        return
    from dmn_cli.data.formats import jsonl
    from dmn_cli.files import atomic_file

    with atomic_file(export) as file:

        def passing() -> Iterator[tuple[str, Story]]:
            for split, story in stories:
                file.writelines(line.encode() for line in jsonl.lines(split, story))
                yield split, story

        yield passing()


def describe(summary: dict[str, Any]) -> str:
    """What was read, for a person."""
    table = [("", "stories", "questions", "facts")]
    table += [
        (split, *(f"{counts[k]:,}" for k in ("stories", "questions", "facts")))
        for split, counts in summary["splits"].items()
    ]
    return (
        rows(table)
        + f"\n{plural(len(summary['tasks']), 'task')}, {summary['words']:,} words, {summary['answers']:,} answers, "
        + f"{summary['sentences']:,} distinct sentences; the longest story has {summary['longest_story']:,} facts."
    )
