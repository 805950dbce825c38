"""dmn prepare: anything → a data set."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from dmn_cli.cli.options import Force, Json, Quiet
from dmn_cli.cli.output import Output, plural, rows, stderr
from dmn_cli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dmn_cli.data.tokenizers import Tokenizer
    from dmn_cli.records import Story

app = typer.Typer(no_args_is_help=True, help="Read data, and write it as a data set that dmn train and dmn eval read.")

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
    tokenizer: Words = "spacy",
    language: Language = "en",
    export: Export = None,
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
    _check_out(out, force, export)

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
            _write(output, out, found.stories(seed, advance), source, _tokenizer(tokenizer, language), export)


@app.command()
def jsonl(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH", help="Files of JSON lines, plain or .gz.", show_default=False),
    ],
    out: Out,
    task: Annotated[
        str | None,
        typer.Option(help="The task of the lines that name none, if not the name of --out.", show_default=False),
    ] = None,
    tokenizer: Words = "spacy",
    language: Language = "en",
    export: Export = None,
    seed: Seed = 1,
    force: Force = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Prepare JSON lines: any task that can be put as a story, a question and an answer.

    A line is an object with "story" (a list of facts, or a text), "question" and "answer" (a text, or a list of them),
    and, if you like, "support" (positions of facts, from 0), "task" and "split" (train, valid or test).

    Without a split, a line is of the one that its file is named after (test.jsonl), or of the training. Where no line
    is of the validation, a tenth of the training stories is held out by the seed.

    Example: dmn prepare jsonl train.jsonl test.jsonl --out data/mine
    """
    output = Output(as_json=json, quiet=quiet)
    _check_out(out, force, export)

    from dmn_cli.data.formats import jsonl as reader

    words = _tokenizer(tokenizer, language)
    source = {"format": "jsonl", "path": ", ".join(map(str, paths)), "seed": seed}
    with _progress(output, "reading", sum(path.stat().st_size for path in paths if path.is_file())) as advance:
        told = reader.read(paths, task or out.name, seed, words.sentences, advance)
        _write(output, out, told, source, words, export)


@app.command()
def sst(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH",
            help="trainDevTestTrees_PTB.zip as downloaded, its unpacked folder, or train.txt, dev.txt, test.txt.",
            show_default=False,
        ),
    ],
    out: Out,
    classes: Annotated[Literal["5", "2"], typer.Option(help="2: negative or positive, and neutral is left out.")] = "5",
    phrases: Annotated[
        Literal["all", "root"],
        typer.Option(help="Train on all labelled phrases, each once, or on whole sentences."),
    ] = "all",
    tokenizer: Words = "spacy",
    language: Language = "en",
    export: Export = None,
    seed: Seed = 1,
    force: Force = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Prepare the Stanford Sentiment Treebank (Socher et al. 2013). Words are facts; validation and test are sentences.

    Example: dmn prepare sst trainDevTestTrees_PTB.zip --classes 2 --out data/sst2
    """
    output = Output(as_json=json, quiet=quiet)
    _check_out(out, force, export)

    from dmn_cli.data.formats import sst as reader

    files = reader.find(paths)
    source = {
        "format": "sst",
        "path": ", ".join(map(str, paths)),
        "classes": int(classes),
        "phrases": phrases,
        "seed": seed,
    }
    with _progress(output, "reading", sum(file.size for file in files)) as advance:
        told = reader.read(files, 5 if classes == "5" else 2, phrases, seed, advance)
        _write(output, out, told, source, _tokenizer(tokenizer, language), export)


@app.command()
def story(
    out: Out,
    tasks: Annotated[str, typer.Option(help="Which of the twenty families, for example 1,2,5-7.")] = "1-20",
    questions: Annotated[
        int,
        typer.Option(help="For each family: so many to train and validate on, a tenth as many to test on.", min=20),
    ] = 1000,
    facts: Annotated[
        str | None,
        typer.Option(
            metavar="MIN-MAX",
            help="How long stories are, instead of as long as bAbI's. Their questions then come at their end.",
            show_default=False,
        ),
    ] = None,
    distractors: Annotated[
        int, typer.Option(help="More facts in each story, about people whom no question is about.", min=0)
    ] = 0,
    people: Annotated[int | None, typer.Option(help="How many there are.", show_default=False)] = None,
    places: Annotated[int | None, typer.Option(help="How many there are.", show_default=False)] = None,
    things: Annotated[int | None, typer.Option(help="How many there are.", show_default=False)] = None,
    names: Annotated[
        Literal["usual", "held-out"],
        typer.Option(help="held-out: the people of the test stories have names that never occur in training."),
    ] = "usual",
    format_: Annotated[
        Literal["dmn", "babi"],
        typer.Option("--format", help="A data set for dmn, or bAbI's text files, for any program that reads these."),
    ] = "dmn",
    tokenizer: Words = "spacy",
    language: Language = "en",
    export: Export = None,
    seed: Seed = 1,
    force: Force = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make stories in the built-in world: all twenty bAbI families, told and asked about as there, without end.

    Example: dmn prepare story --tasks 1,2 --questions 10000 --out data/world
    """
    output = Output(as_json=json, quiet=quiet)
    wanted = [f"qa{n}" for n in _numbers(tasks, 20)]

    from dmn_cli.data.formats import babi, story_world
    from dmn_cli.data.splits import hold_out_of_training

    if export and format_ == "babi":
        raise UsageError("--export writes JSON lines, --format babi writes text: choose one of them")
    dials = story_world.Dials(_range(facts), distractors, people, places, things, names == "held-out")
    story_world.check(wanted, dials)
    counts = {"train": questions, "test": questions // 10}
    source = {"format": "story", "tasks": wanted, "questions": questions, "seed": seed, **dials.turned()}

    def told(advance: Callable[[int], None]) -> Iterator[tuple[str, str, Iterator[Story]]]:
        for split, count in counts.items():
            for task in wanted:
                yield split, task, _counted(story_world.stories(task, count, seed, split, dials), advance)

    def to_learn_from(advance: Callable[[int], None]) -> Iterator[tuple[str, Story]]:
        for split, _, stories in told(advance):
            yield from hold_out_of_training(((split, story) for story in stories), seed)

    _check_out(out, force, export)
    with _progress(output, "telling", len(wanted) * sum(counts.values())) as advance:
        if format_ == "dmn":
            _write(output, out, to_learn_from(advance), source, _tokenizer(tokenizer, language), export)
        else:
            start = time.perf_counter()
            babi.write(out, told(advance), source)
            seconds = round(time.perf_counter() - start, 3)
            output.json({"out": str(out), "tasks": wanted, "questions": counts, "seconds": seconds})
            output.result(f"{out} is ready. Next: dmn prepare babi {out} --out DATA")


def _counted(stories: Iterable[Story], advance: Callable[[int], None]) -> Iterator[Story]:
    for story in stories:
        advance(len(story.questions))
        yield story


def _range(text: str | None) -> tuple[int, int] | None:
    """'5-20' → (5, 20), '20' → (20, 20). Raises: UsageError"""
    if text is None:
        return None
    least, dash, most = (part.strip() for part in text.partition("-"))
    if not (least.isdecimal() and (most.isdecimal() or not dash)) or not 1 <= int(least) <= int(most or least):
        raise UsageError(f"--facts {text!r} is not a range", hint="For example: --facts 5-20")
    return int(least), int(most or least)


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


def _check_out(out: Path, force: bool, export: Path | None) -> None:
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


def _tokenizer(kind: str, language: str) -> Tokenizer:
    from dmn_cli.data.tokenizers import KINDS

    return KINDS[kind](language)


def _write(
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
