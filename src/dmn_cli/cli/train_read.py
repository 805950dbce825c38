"""dmn train --read: the network learns to read before it is trained."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dmn_cli.cli.output import Output, duration, plural, progress, stderr, wrapped
from dmn_cli.cli.train_asked import Asked
from dmn_cli.cli.train_stop import Stop, until_interrupted

if TYPE_CHECKING:
    from dmn_cli.training.reading import Measured, Read, ReadingEvent
    from dmn_cli.training.start import Start
    from dmn_cli.training.to_read import ToRead

_A_LINE_EVERY = 60.0  # seconds, where nobody watches a terminal


def read_first(asked: Asked, to_read: ToRead, start: Start | None) -> None:
    """Reads; the run then has what its training begins from. Raises: Interrupted where it was asked to stop"""
    from dmn_cli.training.reading import ReadingStopped

    output, run = asked.output, asked.out
    try:
        with progress(output, "splitting texts into words", to_read.unprepared(run)) as advance:
            texts = to_read.texts(run, asked.data_sets[0], advance)
    except KeyboardInterrupt as interrupt:
        raise Stop(asked).to_continue("while texts were split into words") from interrupt
    reading = to_read.reading(texts, run, asked.data_sets, asked.settings, asked.device, start)
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
