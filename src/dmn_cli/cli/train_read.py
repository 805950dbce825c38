"""dmn train --read: the network learns to read before it is trained."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dmn_cli.cli.output import Output, duration, plural, progress, stderr, wrapped
from dmn_cli.cli.train_asked import Asked
from dmn_cli.cli.train_stop import ended_at_once, until_interrupted
from dmn_cli.errors import DataError, UsageError

if TYPE_CHECKING:
    from dmn_cli.training.reading import Measured, Read, Reading, ReadingEvent
    from dmn_cli.training.start import Start
    from dmn_cli.training.to_read import ToRead

_A_LINE_EVERY = 60.0  # seconds, where nobody watches a terminal


def read_first(asked: Asked, to_read: ToRead, start: Start | None) -> None:
    """Reads; the run then has what its training begins from. A new run that can't is removed.

    Raises: Interrupted where it was asked to stop; UsageError, DataError
    """
    from dmn_cli.files import clear
    from dmn_cli.settings.load import CONFIG
    from dmn_cli.training.reading import ReadingStopped
    from dmn_cli.training.resuming import check_data
    from dmn_cli.training.run import Run

    output, run = asked.output, asked.out
    if asked.resume:
        check_data(run, None, asked.data_sets)
        Run(run).renew(asked.settings, asked.data_sets)
    try:
        reading = _opened(asked, to_read, start)
    except (UsageError, DataError):
        if not asked.resume:
            clear(run, last=CONFIG)
        raise
    for remark in reading.resume():
        output.warning(wrapped(remark))
    words = len(reading.learner.joint.vocabulary.words)
    going_on = f", resuming at word {reading.state.words:,}" if reading.state.words else ""
    with until_interrupted(asked) as stop, output.warned(), _shown(output) as show:
        output.note(wrapped(f"reading {plural(reading.words, 'word')}, {words:,} of them distinct{going_on}"))
        for event in reading.events(stop):
            if isinstance(event, ReadingStopped):
                raise stop.to_continue(f"after {plural(event.words, 'word')} were read")
            show(event)
        if stop():
            raise stop.to_continue("after all was read")


def _opened(asked: Asked, to_read: ToRead, start: Start | None) -> Reading:
    """The texts, split into words. Raises: as `read_first` does"""
    with (
        ended_at_once(asked, "while texts were split into words"),
        progress(asked.output, "splitting texts into words", to_read.unprepared(asked.out)) as advance,
    ):
        texts = to_read.texts(asked.out, asked.data_sets[0], advance)
    return to_read.reading(texts, asked.out, asked.data_sets, asked.settings, asked.device, start)


@contextmanager
def _shown(output: Output) -> Iterator[Callable[[ReadingEvent], None]]:
    """Yields a function that shows one event: a bar on a terminal, a line now and then elsewhere."""
    from dmn_cli.training.reading import Measured, Read

    if not output.live:
        said = time.perf_counter()

        def line(event: ReadingEvent) -> None:
            nonlocal said
            if isinstance(event, Measured):
                output.note(_measured(event))
            elif isinstance(event, Read) and time.perf_counter() - said > _A_LINE_EVERY:
                said = time.perf_counter()
                output.note(f"{100 * event.words / event.of:.0f} % read  {_going(event)}")

        yield line
        return

    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    columns = (TextColumn("reading"), BarColumn(20), TaskProgressColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=stderr(), transient=True, redirect_stdout=False) as bar:
        task = bar.add_task("", total=None)

        def show(event: ReadingEvent) -> None:
            if isinstance(event, Measured):
                bar.console.print(_measured(event), markup=False, highlight=False)
            elif isinstance(event, Read):
                bar.update(task, description=_going(event), completed=event.words, total=event.of)

        yield show


def _going(event: Read) -> str:
    left = duration(event.seconds_left)
    return f"loss {event.loss:.3f}  {event.words_per_second:,.0f} words/s  {left} left"


def _measured(event: Measured) -> str:
    over = "  read" if event.over else ""
    return (
        f"{plural(event.words, 'word')}  {event.seconds:.0f} s  perplexity {event.perplexity:.1f} held out  "
        f"{event.words_per_second:,.0f} words/s{over}"
    )
