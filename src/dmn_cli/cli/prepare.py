"""dmn prepare: anything → a data set."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from dmn_cli.cli.output import progress
from dmn_cli.cli.prepare_options import Shared, shares_options
from dmn_cli.cli.preparing import as_given, write
from dmn_cli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dmn_cli.records import Story

app = typer.Typer(no_args_is_help=True, help="Read data, and write it as a data set that dmn train and dmn eval read.")


@app.command()
@shares_options
def babi(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH",
            help="The archive as downloaded, its unpacked folder, or single files; or its URL, or babi, to fetch it.",
            show_default=False,
        ),
    ],
    variant: Annotated[
        str, typer.Option(help="en, en-10k, shuffled, shuffled-10k, hn, hn-10k, en-valid or en-valid-10k.")
    ] = "en-10k",
    tasks: Annotated[str, typer.Option(help="Which of the twenty, for example 1,2,5-7.")] = "1-20",
    skip_missing: Annotated[
        bool, typer.Option("--skip-missing", help="Leave out, with a warning, tasks whose files are missing.")
    ] = False,
    *,
    shared: Shared,
) -> None:
    """Prepare bAbI tasks v1.2 (Weston et al. 2015).

    Where a variant has no validation files, a tenth of the training stories is held out by the seed.

    Example: dmn prepare babi tasks_1-20_v1-2.tar.gz --variant en-10k --tasks 1,2 --out data/two
    """
    wanted = [f"qa{n}" for n in _numbers(tasks, 20)]
    shared.check_out()

    from dmn_cli.data.formats import babi as reader

    with reader.find(shared.local(paths, "babi"), variant, wanted, skip_missing=skip_missing) as found:
        for name in found.missing:
            shared.output.warning(f"missing, so its task is left out: {name}")
        source = {
            "format": "babi",
            "path": as_given(paths),
            "variant": variant,
            "seed": shared.seed,
            "missing": found.missing,
        }
        write(shared, lambda advance: found.stories(shared.seed, advance), found.size, source)


@app.command()
@shares_options
def jsonl(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH", help="Files of JSON lines, plain or .gz, or URLs of such.", show_default=False),
    ],
    task: Annotated[
        str | None,
        typer.Option(help="The task of the lines that name none, if not the name of --out.", show_default=False),
    ] = None,
    facts: Annotated[
        Literal["sentences", "words"],
        typer.Option(help="What a story that is a text is cut into, where its line doesn't say."),
    ] = "sentences",
    *,
    shared: Shared,
) -> None:
    """Prepare JSON lines: any task that can be put as a story, a question and an answer.

    A line is an object with "story" (a list of facts, or a text), "question" and "answer" (a text, or a list of them),
    and, if you like, "support" (positions of facts, from 0), "task", "split" (train, valid or test), "facts" ("words",
    where facts are words), "each" (true, where the answer has a text for each fact) and "id", which no two lines share.

    Without a split, a line is of the one that its file is named after (test.jsonl), or of the training. Where no line
    is of the validation, a tenth of the training stories is held out by the seed.

    Example: dmn prepare jsonl train.jsonl test.jsonl --out data/mine
    """
    shared.check_out()

    from dmn_cli.data.formats import jsonl as reader

    words, files = shared.words(), shared.local(paths)
    cut: reader.Cut = {"sentences": words.sentences, "words": words.words}
    source = {"format": "jsonl", "path": as_given(paths), "facts": facts, "seed": shared.seed}
    total = sum(path.stat().st_size for path in files if path.is_file())
    named = task or shared.out.name
    write(shared, lambda advance: reader.read(files, named, shared.seed, cut, facts, advance), total, source, words)


@app.command()
@shares_options
def sst(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH",
            help="trainDevTestTrees_PTB.zip as downloaded, its unpacked folder, or train.txt, dev.txt, test.txt; "
            "or its URL, or sst, to fetch it.",
            show_default=False,
        ),
    ],
    classes: Annotated[Literal["5", "2"], typer.Option(help="2: negative or positive, and neutral is left out.")] = "5",
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
    shared.check_out()

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


@app.command()
@shares_options
def tagged(
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
        typer.Option(help="Of CoNLL-U: the universal tags, or those of the language."),
    ] = "upos",
    format_: Annotated[
        Literal["auto", "conllu", "columns", "slash", "underscore", "trees"],
        typer.Option("--format", help="How the tags are written; auto: what each file looks like."),
    ] = "auto",
    task: Annotated[str | None, typer.Option(help="The task's name, if not that of --out.", show_default=False)] = None,
    *,
    shared: Shared,
) -> None:
    """Prepare text with a part-of-speech tag for each word. Words are facts, and the answer has a tag for each.

    Reads CoNLL-U, columns (CoNLL-2000), word/TAG, word_TAG and Penn trees. A file is of the split that it is named
    after (train, dev or test), or of the training. Without a dev file a tenth of the training sentences is held out
    by the seed; without a test file the test split is empty.

    Example: dmn prepare tagged UD_English-EWT.tar.gz --column xpos --out data/ewt
    """
    shared.check_out()

    from dmn_cli.data.formats import tagged as reader

    known = None if format_ == "auto" else format_
    sources = reader.find(shared.local(paths, "ewt"), known)
    source = {
        "format": "tagged",
        "path": as_given(paths),
        "column": column,
        "written": format_,
        "seed": shared.seed,
    }
    named = task or shared.out.name
    total = sum(found.size for found in sources)
    write(shared, lambda advance: reader.read(sources, named, shared.seed, column, known, advance), total, source)


@app.command()
@shares_options
def story(
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
    *,
    shared: Shared,
) -> None:
    """Make stories in the built-in world: all twenty bAbI families, told and asked about as there, without end.

    Example: dmn prepare story --tasks 1,2 --questions 10000 --out data/world
    """
    wanted = [f"qa{n}" for n in _numbers(tasks, 20)]

    from dmn_cli.data.formats import babi, story_world
    from dmn_cli.data.splits import hold_out

    if shared.export and format_ == "babi":
        raise UsageError("--export writes JSON lines, --format babi writes text: choose one of them")
    if (shared.vectors or shared.train_vectors) and format_ == "babi":
        raise UsageError("--format babi writes text, which has no word vectors")
    dials = story_world.Dials(_range(facts), distractors, people, places, things, names == "held-out")
    story_world.check(wanted, dials)
    counts = {"train": questions, "test": questions // 10}
    source = {"format": "story", "tasks": wanted, "questions": questions, "seed": shared.seed, **dials.turned()}

    def of(split: str, task: str, advance: Callable[[int], None]) -> Iterator[Story]:
        return _counted(story_world.stories(task, counts[split], shared.seed, split, dials), advance)

    def to_learn_from(split: str, task: str, advance: Callable[[int], None]) -> Iterator[tuple[str, Story]]:
        return hold_out(((split, story) for story in of(split, task, advance)), shared.seed)

    files = [(split, task) for split in counts for task in wanted]
    shared.check_out()
    total = len(wanted) * sum(counts.values())
    if format_ == "dmn":
        write(shared, [partial(to_learn_from, *file) for file in files], total, source)
        return
    start = time.perf_counter()
    with progress(shared.output, "telling", total) as advance:
        babi.write(shared.out, ((*file, of(*file, advance)) for file in files), source)
    seconds = round(time.perf_counter() - start, 3)
    shared.output.json({"out": str(shared.out), "tasks": wanted, "questions": counts, "seconds": seconds})
    shared.output.result(f"{shared.out} is ready. Next: dmn prepare babi {shared.out} --out DATA")


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
