"""dmn prepare story: stories of the built-in world."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from dmn_cli.cli.output import progress
from dmn_cli.cli.prepare.options import Label, Share, Shared, numbers, shares_options, unanswerable
from dmn_cli.cli.prepare.write import write
from dmn_cli.errors import UsageError

if TYPE_CHECKING:
    from dmn_cli.data.prepare import Reader
    from dmn_cli.records.text import Story


@shares_options
def command(
    tasks: Annotated[str, typer.Option(help="Which of the twenty families, for example 1,2,5-7.")] = "1-20",
    questions: Annotated[
        int,
        typer.Option(
            help="How many each family has to train and validate on; a tenth as many are added to test on.", min=20
        ),
    ] = 1000,
    facts: Annotated[
        str | None,
        typer.Option(
            metavar="MIN-MAX",
            help="How many facts a story has, instead of as many as in bAbI. Its questions then come at its end.",
            show_default=False,
        ),
    ] = None,
    distractors: Annotated[
        int, typer.Option(help="Facts to add to each story, about people whom no question asks about.", min=0)
    ] = 0,
    people: Annotated[int | None, typer.Option(help="How many people there are.", show_default=False)] = None,
    places: Annotated[int | None, typer.Option(help="How many places there are.", show_default=False)] = None,
    things: Annotated[int | None, typer.Option(help="How many things there are.", show_default=False)] = None,
    names: Annotated[
        Literal["usual", "held-out"],
        typer.Option(help="held-out: the people of the test stories have names that never occur in training."),
    ] = "usual",
    format_: Annotated[
        Literal["dmn", "babi"],
        typer.Option("--format", help="A data set for dmn, or bAbI's text files for any program that reads them."),
    ] = "dmn",
    unanswerable_: Share = 0.0,
    unknown_label: Label = None,
    *,
    shared: Shared,
) -> None:
    """Make stories of the built-in world: all twenty bAbI families, told and asked about as in bAbI, without end.

    Example: dmn prepare story --tasks 1,2 --questions 10000 --out data/world
    """
    wanted = [f"qa{n}" for n in numbers(tasks, 20)]

    from dmn_cli.data.formats import story_world
    from dmn_cli.data.formats.splits import hold_out

    if shared.export and format_ == "babi":
        raise UsageError("--export writes JSON lines, --format babi writes text: choose one of them")
    if (shared.vectors or shared.train_vectors) and format_ == "babi":
        raise UsageError("--format babi writes text, which has no word vectors")
    if unanswerable_ and format_ == "babi":
        raise UsageError("--format babi writes text, which doesn't say which questions are unanswerable")
    added = unanswerable(unanswerable_, unknown_label, lambda: story_world.bears, wanted)
    dials = story_world.Dials(_range(facts), distractors, people, places, things, names == "held-out")
    story_world.check(wanted, dials)
    counts = {"train": questions, "test": questions // 10}
    source = {"format": "story", "tasks": wanted, "questions": questions, "seed": shared.seed, **dials.turned()}

    def told(split: str, task: str, advance: Callable[[int], None]) -> Iterator[Story]:
        return _counted(story_world.stories(task, counts[split], shared.seed, split, dials), advance)

    def held_out(split: str, task: str, advance: Callable[[int], None]) -> Iterator[tuple[str, Story]]:
        return hold_out(((split, story) for story in told(split, task, advance)), shared.seed)

    shared.check()
    total = len(wanted) * sum(counts.values())
    if format_ == "babi":
        _write_text(shared, told, wanted, counts, total, source)
    else:
        readers: list[Reader] = [partial(held_out, split, task) for split in counts for task in wanted]
        write(shared, readers, total, source, unanswerable=added)


def _write_text(
    shared: Shared,
    told: Callable[[str, str, Callable[[int], None]], Iterator[Story]],
    tasks: list[str],
    counts: dict[str, int],
    total: int,
    source: dict[str, Any],
) -> None:
    """Writes bAbI's text files: one for each split and task. counts: the questions of a task in each split"""
    from dmn_cli.data.formats import babi_files

    start = time.perf_counter()
    with progress(shared.output, "telling", total) as advance:
        files = ((split, task, told(split, task, advance)) for split in counts for task in tasks)
        babi_files.write(shared.out, files, source)
    seconds = round(time.perf_counter() - start, 3)
    shared.output.json({"out": str(shared.out), "tasks": tasks, "questions": counts, "seconds": seconds})
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
