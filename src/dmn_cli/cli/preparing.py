"""What all `dmn prepare` commands share: their options, and the way from stories to a data set."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints

import typer

from dmn_cli.cli.options import Force, Json, Quiet
from dmn_cli.cli.output import Output, plural, rows, stderr

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dmn_cli.data.tokenizers import Tokenizer
    from dmn_cli.records import Story

Told = Callable[[Callable[[int], None]], "Iterable[tuple[str, Story]]"]
"""Tells (split, story) pairs from the start each time it is called; what it is called with is told of progress."""

_Seed = Annotated[int, typer.Option(help="Decides everything that is random.", min=0)]
_Words = Annotated[
    Literal["spacy", "whitespace"],
    typer.Option("--tokenizer", help="What words are: spaCy's rules, or whatever stands between blanks."),
]
_Export = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Write it all as JSON lines too, as dmn prepare jsonl reads it.", show_default=False
    ),
]


@dataclass(frozen=True)
class Shared:
    """The options that every command has after its own."""

    out: Annotated[Path, typer.Option("--out", help="The data set to write: a new folder.", show_default=False)]
    tokenizer: _Words = "spacy"
    language: Annotated[str, typer.Option(help="Whose rules spaCy takes: en, de, fr, xx, …")] = "en"
    export: _Export = None
    seed: _Seed = 1
    force: Force = False
    json: Json = False
    quiet: Quiet = False

    @property
    def output(self) -> Output:
        return Output(as_json=self.json, quiet=self.quiet)

    def check_out(self) -> None:
        """Raises: UsageError where something stands in the way of the output, before any work is done."""
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

        check_output(self.out, force=self.force, ours=ours)
        if self.export:
            check_output(self.export, force=self.force)

    def words(self) -> Tokenizer:
        """The tokenizer that was chosen."""
        from dmn_cli.data.tokenizers import KINDS

        return KINDS[self.tokenizer](self.language)


def shares_options(function: Callable[..., None]) -> Callable[..., None]:
    """Gives a command, whose last parameter is `shared: Shared`, the options of Shared after its own."""
    own = list(inspect.signature(function).parameters.values())[:-1]
    hints = get_type_hints(function, include_extras=True)
    shared_hints = get_type_hints(Shared, include_extras=True)
    keyword = inspect.Parameter.KEYWORD_ONLY
    own = [p.replace(annotation=hints[p.name], kind=keyword) for p in own]
    defaults = inspect.signature(Shared).parameters
    shared = [p.replace(annotation=shared_hints[p.name], kind=keyword) for p in defaults.values()]

    def command(**options: Any) -> None:
        given = {field.name: options.pop(field.name) for field in fields(Shared)}
        function(**options, shared=Shared(**given))

    parameters = [p for p in own if p.default is p.empty] + shared[:1] + [p for p in own if p.default is not p.empty]
    command.__signature__ = inspect.Signature(parameters + shared[1:])  # type: ignore[attr-defined]
    command.__name__, command.__doc__ = function.__name__, function.__doc__
    return command


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


def write(
    shared: Shared, told: Told | list[Told], total: int, source: dict[str, Any], tokenizer: Tokenizer | None = None
) -> None:
    """Prepares what is told, in `total` units of progress, and says so. Of several, some stories of each in turn."""
    from dmn_cli.data.ahead import ahead
    from dmn_cli.data.chunks import chunks
    from dmn_cli.data.writer import write_chunks

    start = time.perf_counter()
    with _exported(told if isinstance(told, list) else [told], shared.export) as passing:
        makes = [lambda advance, told=one: chunks(told(advance)) for one in passing]
        with ahead(makes, processes=1 if shared.export else None) as coming:
            tokenizer = tokenizer or shared.words()
            with progress(shared.output, "reading", total) as advance:
                summary = write_chunks(shared.out, coming(advance), tokenizer, source)
    summary["seconds"] = round(time.perf_counter() - start, 3)
    _warn(shared.output, summary)
    shared.output.json({"out": str(shared.out), **summary})
    shared.output.result(describe(summary))
    shared.output.result(f"{shared.out} is ready. Next: dmn train {shared.out} --out RUN")


def _warn(output: Output, summary: dict[str, Any]) -> None:
    """Of test questions that a model may simply remember."""
    seen, of = summary["seen_in_training"]["test"], summary["questions_of"]["test"]
    if seen:
        counts = [f"{n:,} of {of[task]:,} test questions of {task}" for task, n in seen.items()]
        output.warning(f"{', '.join(counts)} also occur in training, with the same story")


@contextmanager
def _exported(told: list[Told], export: Path | None) -> Iterator[list[Told]]:
    """Tell the same; the stories that were taken have been written to the file, if there is to be one."""
    if export is None:
        yield told
        return
    from dmn_cli.data.formats import jsonl
    from dmn_cli.files import atomic_file

    with atomic_file(export) as file:

        def passing(told: Told, advance: Callable[[int], None]) -> Iterator[tuple[str, Story]]:
            for split, story in told(advance):
                file.writelines(line.encode() for line in jsonl.lines(split, story))
                yield split, story
            file.flush()  # of the process that tells

        yield [partial(passing, one) for one in told]


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
