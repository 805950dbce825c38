"""dmn prepare: anything → a data set."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dmn_cli.cli.options import Force, Json, Quiet
from dmn_cli.cli.output import Output
from dmn_cli.cli.preparing import Export, Language, Out, Seed, Words, check_out, make_tokenizer, progress, write
from dmn_cli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dmn_cli.records import Story

app = typer.Typer(no_args_is_help=True, help="Read data, and write it as a data set that dmn train and dmn eval read.")


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
    check_out(out, force, export)

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
        with progress(output, "reading", found.size) as advance:
            write(output, out, found.stories(seed, advance), source, make_tokenizer(tokenizer, language), export)


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
    check_out(out, force, export)

    from dmn_cli.data.formats import jsonl as reader

    words = make_tokenizer(tokenizer, language)
    source = {"format": "jsonl", "path": ", ".join(map(str, paths)), "seed": seed}
    with progress(output, "reading", sum(path.stat().st_size for path in paths if path.is_file())) as advance:
        told = reader.read(paths, task or out.name, seed, words.sentences, advance)
        write(output, out, told, source, words, export)


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
    check_out(out, force, export)

    from dmn_cli.data.formats import sst as reader

    files = reader.find(paths)
    source = {
        "format": "sst",
        "path": ", ".join(map(str, paths)),
        "classes": int(classes),
        "phrases": phrases,
        "seed": seed,
    }
    with progress(output, "reading", sum(file.size for file in files)) as advance:
        told = reader.read(files, 5 if classes == "5" else 2, phrases, seed, advance)
        write(output, out, told, source, make_tokenizer(tokenizer, language), export)


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
    from dmn_cli.data.splits import hold_out

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
            yield from hold_out(((split, story) for story in stories), seed)

    check_out(out, force, export)
    with progress(output, "telling", len(wanted) * sum(counts.values())) as advance:
        if format_ == "dmn":
            write(output, out, to_learn_from(advance), source, make_tokenizer(tokenizer, language), export)
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
