"""What all `dmn prepare` commands share: their options, and the way from stories to a data set."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_type_hints

import typer

from dmn_cli.cli.options import Force, Json, Quiet
from dmn_cli.cli.output import Output, plural, rows, stderr

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dmn_cli.data.tokenizers import Tokenizer, Untrained
    from dmn_cli.records import Story

Told = Callable[[Callable[[int], None]], "Iterable[tuple[str, Story]]"]
"""Tells (split, story) pairs from the start each time it is called; what it is called with is told of progress."""

_Seed = Annotated[int, typer.Option(help="Decides everything that is random.", min=0)]
_Words = Annotated[
    Literal["spacy", "whitespace", "sentencepiece"],
    typer.Option(
        "--tokenizer",
        help="What words are: spaCy's rules, whatever stands between blanks, or pieces of words that are learnt.",
    ),
]
_Case = Annotated[Literal["lower", "keep"], typer.Option(help="Whether words are lower-cased.")]
_Pieces = Annotated[
    str | None,
    typer.Option(
        metavar="N|FILE.model",
        help="For sentencepiece: how many pieces to learn from the training stories, 8000 if not said; or a model.",
        show_default=False,
    ),
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
    case: _Case = "lower"
    pieces: _Pieces = None
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

    def words(self) -> Tokenizer | Untrained:
        """The tokenizer that was chosen; `write` trains it where it is yet to learn its pieces."""
        from dmn_cli.data.tokenizers import choose

        return choose(self.tokenizer, self.language, self.case == "lower", self.pieces)


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
    shared: Shared, told: Told, total: int, source: dict[str, Any], tokenizer: Tokenizer | Untrained | None = None
) -> None:
    """Prepares what is told, in `total` units of progress, and says so."""
    from dmn_cli.data import writer

    start = time.perf_counter()
    tokenizer = _trained(shared, told, total, tokenizer or shared.words())
    with progress(shared.output, "reading", total) as advance, _exported(told(advance), shared.export) as passing:
        summary = writer.write(shared.out, passing, tokenizer, source)
    summary["seconds"] = round(time.perf_counter() - start, 3)
    shared.output.json({"out": str(shared.out), **summary})
    shared.output.result(describe(summary))
    shared.output.result(f"{shared.out} is ready. Next: dmn train {shared.out} --out RUN")


def _trained(shared: Shared, told: Told, total: int, tokenizer: Tokenizer | Untrained) -> Tokenizer:
    """The tokenizer itself, once it has learnt its pieces; for that the stories are told once more."""
    from dmn_cli.data.tokenizers import Untrained

    if not isinstance(tokenizer, Untrained):
        return tokenizer
    with progress(shared.output, "learning words", total) as advance:
        return tokenizer.train(_training_texts(told(advance)), shared.seed)


def _training_texts(stories: Iterable[tuple[str, Story]]) -> Iterator[str]:
    """All that is read in training; facts that are words as the text that they are of."""
    for split, story in stories:
        if split == "train":
            yield from [" ".join(story.facts)] if story.words else story.facts
            yield from (question.text for question in story.questions)


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
