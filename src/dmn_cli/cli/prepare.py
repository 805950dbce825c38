"""dmn prepare: anything → a data set."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dmn_cli.cli.options import Force, Json, Quiet
from dmn_cli.cli.output import Output, plural, rows, stderr
from dmn_cli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dmn_cli.records import Story

app = typer.Typer(no_args_is_help=True, help="Read data, and write it as a data set that dmn train and dmn eval read.")

Out = Annotated[Path, typer.Option("--out", help="The data set to write: a new folder.", show_default=False)]
Seed = Annotated[int, typer.Option(help="Decides everything that is random.", min=0)]


@app.command()
def babi(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH",
            help="The archive as downloaded, its unpacked folder, or single files.",
            show_default=False,
        ),
    ],
    out: Out,
    variant: Annotated[
        str, typer.Option(help="en, en-10k, shuffled, shuffled-10k, hn, hn-10k, en-valid or en-valid-10k.")
    ] = "en-10k",
    tasks: Annotated[str, typer.Option(help="Which of the twenty, for example 1,2,5-7.")] = "1-20",
    skip_missing: Annotated[
        bool, typer.Option("--skip-missing", help="Leave out, with a warning, tasks whose files are missing.")
    ] = False,
    seed: Seed = 1,
    force: Force = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Prepare bAbI tasks v1.2 (Weston et al. 2015).

    Where a variant has no validation files, a tenth of the training stories is held out by the seed.

    Example: dmn prepare babi tasks_1-20_v1-2.tar.gz --variant en-10k --tasks 1,2 --out data/two
    """
    output = Output(as_json=json, quiet=quiet)
    wanted = [f"qa{n}" for n in _numbers(tasks, 20)]
    _check_out(out, force)

    from dmn_cli.data.formats import babi as reader

    with reader.find(paths, variant, wanted, skip_missing=skip_missing) as found:
        for name in found.missing:
            output.warning(f"missing, so its task is left out: {name}")
        source = {
            "format": "babi",
            "path": ", ".join(map(str, paths)),
            "variant": variant,
            "seed": seed,
            "missing": found.missing,
        }
        with _progress(output, "reading", found.size) as advance:
            _write(output, out, found.stories(seed, advance), source)


@app.command()
def story(
    out: Out,
    tasks: Annotated[str, typer.Option(help="Which families: 1, 2 and 3 supporting facts.")] = "1-3",
    questions: Annotated[
        int,
        typer.Option(help="For each family: so many to train and validate on, a tenth as many to test on.", min=20),
    ] = 1000,
    seed: Seed = 1,
    force: Force = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make stories in the built-in world: people, places and things, told and asked about as in bAbI.

    Example: dmn prepare story --tasks 1,2 --questions 10000 --out data/world
    """
    output = Output(as_json=json, quiet=quiet)
    wanted = [f"qa{n}" for n in _numbers(tasks, 3)]
    _check_out(out, force)

    from dmn_cli.data.formats import story_world
    from dmn_cli.data.splits import hold_out

    def made(advance: Callable[[int], None]) -> Iterator[tuple[str, Story]]:
        for split, count in (("train", questions), ("test", questions // 10)):
            for task in wanted:
                told = story_world.stories(task, count, seed, split)
                for pair in hold_out(told, seed) if split == "train" else (("test", story) for story in told):
                    advance(len(pair[1].questions))
                    yield pair

    with _progress(output, "telling", len(wanted) * (questions + questions // 10)) as advance:
        _write(
            output,
            out,
            made(advance),
            {"format": "story", "tasks": wanted, "questions": questions, "seed": seed},
        )


def _numbers(text: str, highest: int) -> list[int]:
    """'1,2,5-7' → [1, 2, 5, 6, 7]. Raises: UsageError"""
    numbers: set[int] = set()
    for part in text.replace("qa", "").split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise UsageError(f"--tasks {text!r} is not a list of numbers", hint="For example: --tasks 1,2,5-7")
        numbers.update(range(int(first), min(int(last or first), highest + 1) + 1))
    if not numbers or min(numbers) < 1 or max(numbers) > highest:
        raise UsageError(f"--tasks {text!r}: the tasks are 1 to {highest}")
    return sorted(numbers)


def _check_out(out: Path, force: bool) -> None:
    from dmn_cli.data.vocabulary import load_versioned_json
    from dmn_cli.errors import DataError
    from dmn_cli.files import check_output

    def ours(path: Path) -> bool:
        try:
            return "tokenizer" in load_versioned_json(path / "dataset.json", 1 << 30, DataError)
        except DataError:
            return False

    check_output(out, force=force, ours=ours)


@contextmanager
def _progress(output: Output, verb: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal; nothing elsewhere, since the summary says it all."""
    if not output.live:
        yield lambda n: None
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=stderr(), transient=True, redirect_stdout=False) as progress:
        task = progress.add_task(verb, total=total)
        yield lambda n: progress.advance(task, n)


def _write(output: Output, out: Path, stories: Iterable[tuple[str, Story]], source: dict[str, Any]) -> None:
    from dmn_cli.data import writer
    from dmn_cli.data.tokenizers import SpacyTokenizer

    start = time.perf_counter()
    summary = writer.write(out, stories, SpacyTokenizer(), source)
    summary["seconds"] = round(time.perf_counter() - start, 3)
    output.json({"out": str(out), **summary})
    output.result(describe(summary))
    output.result(f"{out} is ready. Next: dmn train {out} --out RUN")


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
