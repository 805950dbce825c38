"""How a training goes, on stderr: a line for each epoch, on a terminal with a bar below them. All fit 80 columns."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dmn_cli.cli.output import Output, duration, plural, stderr, wrapped
from dmn_cli.cli.plots import draw_curves
from dmn_cli.kernels.tune import compiled
from dmn_cli.machine.device import describe
from dmn_cli.training.events import Epoch, Event, Finished, Step, Stopped
from dmn_cli.training.loop import Training

BAR = 20  # columns
_ANEW = "       the loss falls no further: begun anew from other weights"


def introduce(output: Output, training: Training) -> None:
    """What is trained, where, and on how much."""
    learner = training.learner
    machine = describe(training.device, learner.processes, compiled=compiled())
    weights = sum(parameter.numel() for parameter in learner.network.parameters())
    questions = plural(learner.questions, "question")
    for remark in training.remarks:
        output.warning(wrapped(remark))
    output.note(wrapped(f"{training.settings.preset} on {machine}: {weights:,} weights, {questions}"))
    if learner.decided:
        values = (f"{key.partition('.')[2]} {value}" for key, value in learner.decided.items())
        output.note(wrapped(f"decided: {', '.join(values)}"))


def watch(output: Output, training: Training, stop: Callable[[], bool]) -> Finished | Stopped:
    """Trains to the end, or until it is to stop, and draws how it went."""
    event: Event | None = None
    with _shown(output, training) as show:
        for event in training.events(stop):
            show(event)
    assert isinstance(event, Finished | Stopped)
    draw_curves(output, training.run.path)
    return event


class _Clock:
    """How long a training still takes, from how long it took so far in this session."""

    def __init__(self, training: Training) -> None:
        self._training = training
        # in the middle of an epoch it isn't known yet how much of it is done
        self._began = None if training.state.step else (time.perf_counter(), training.state.epoch - 1.0)

    def left(self, event: Step | Epoch) -> str:
        """At most, as far as is known; empty where nothing is."""
        done = event.epoch - 1 + event.step / event.steps if isinstance(event, Step) else float(event.epoch)
        now = time.perf_counter()
        if self._began is None:
            self._began = now, done
        since, before = self._began
        last = self._training.last_epoch
        return duration((now - since) / (done - before) * (last - done)) if before < done < last else ""


class _Table:
    """The epochs, with a header above the first one."""

    def __init__(self) -> None:
        self._header: list[str] = []

    def lines(self, event: Epoch, left: str) -> list[str]:
        cells = {
            "epoch": f"{event.epoch}",
            "time": f"{event.seconds:.0f} s",
            "loss": f"{event.loss:.4f}",
            **({"gates": f"{event.gate_loss:.4f}"} if event.gate_loss or "gates" in self._header else {}),
            "validation": f"{100 * event.validation.accuracy:.2f} %",
            " loss": f"{event.validation.loss:.4f}",
            **({} if event.changed is None else {"other names": f"{100 * event.changed:.2f} %"}),
            "max left": left,
        }
        new = [] if self._header else [_line(list(cells), list(cells))]
        self._header = self._header or list(cells)
        row = _line(list(cells), list(cells.values())) + ("  best" if event.best else "")
        return [*new, row.rstrip(), *([_ANEW] if event.anew else [])]


_WIDTHS = {"time": 7, "loss": 6, "gates": 6, " loss": 6}


def _line(names: list[str], cells: list[str]) -> str:
    return "  ".join(cell.rjust(_WIDTHS.get(name, len(name))) for name, cell in zip(names, cells, strict=True))


@contextmanager
def _shown(output: Output, training: Training) -> Iterator[Callable[[Event], None]]:
    """Yields a function that shows one event."""
    clock, table = _Clock(training), _Table()
    if output.live:
        with _live(training, clock, table) as show:
            yield show
        return

    def show_lines(event: Event) -> None:
        if isinstance(event, Step | Epoch):
            left = clock.left(event)
            if isinstance(event, Epoch):
                output.note("\n".join(table.lines(event, left)))

    yield show_lines


@contextmanager
def _live(training: Training, clock: _Clock, table: _Table) -> Iterator[Callable[[Event], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (
        *(TextColumn("{task.description}"), BarColumn(BAR), MofNCompleteColumn()),
        TextColumn("{task.fields[left]}"),
    )
    with Progress(*columns, console=stderr(), transient=True, redirect_stdout=False) as progress:
        bar = progress.add_task(f"epoch {training.state.epoch}", total=None, left="")

        def show(event: Event) -> None:
            if not isinstance(event, Step | Epoch):
                return
            left = clock.left(event)
            if isinstance(event, Epoch):
                for line in table.lines(event, left):
                    style = "green" if line.endswith("best") else None
                    progress.console.print(line, style=style, markup=False, highlight=False)
                progress.update(bar, completed=0)
            else:
                description = f"epoch {event.epoch}/{training.last_epoch}  loss {event.loss:.4f}"
                at_most = f"{left} left at most" if left else ""
                progress.update(bar, description=description, completed=event.step, total=event.steps, left=at_most)

        yield show
