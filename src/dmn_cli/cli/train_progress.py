"""How a training goes, on stderr: a bar and a line for each epoch on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dmn_cli.cli.output import Output, stderr
from dmn_cli.cli.plots import draw_curves
from dmn_cli.kernels.tune import compiled
from dmn_cli.machine.device import describe
from dmn_cli.training.events import Epoch, Event, Finished, Step, Stopped
from dmn_cli.training.loop import Training


def introduce(output: Output, training: Training) -> None:
    """What is trained, where, and on how much."""
    learner = training.learner
    machine = describe(training.device, learner.processes, compiled=compiled())
    weights = sum(parameter.numel() for parameter in learner.network.parameters())
    output.note(f"{training.settings.preset} on {machine}: {weights:,} weights, {learner.questions:,} questions")
    if learner.decided:
        values = (f"{key.partition('.')[2]} {value}" for key, value in learner.decided.items())
        output.note(f"decided: {', '.join(values)}")


def watch(output: Output, training: Training, stop: Callable[[], bool]) -> Finished | Stopped:
    """Trains to the end, or until it is to stop, and draws how it went."""
    event: Event | None = None
    with shown(output, training.settings.training.epochs) as show:
        for event in training.events(stop):
            show(event)
    assert isinstance(event, Finished | Stopped)
    draw_curves(output, training.run.path)
    return event


@contextmanager
def shown(output: Output, epochs: int) -> Iterator[Callable[[Event], None]]:
    """Yields a function that shows one event. epochs: that are trained at most"""
    if output.live:
        with _live(epochs) as show:
            yield show
    else:
        yield lambda event: output.note(_line(event)) if isinstance(event, Epoch) else None


@contextmanager
def _live(epochs: int) -> Iterator[Callable[[Event], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=stderr(), transient=True, redirect_stdout=False) as progress:
        bar = progress.add_task("epoch 1", total=None)

        def show(event: Event) -> None:
            if isinstance(event, Epoch):
                style = "green" if event.best else None
                progress.console.print(_line(event), style=style, markup=False, highlight=False)
                progress.update(bar, completed=0)
            elif isinstance(event, Step):
                description = f"epoch {event.epoch}/{epochs}  loss {event.loss:.4f}"
                progress.update(bar, description=description, completed=event.step, total=event.steps)

        yield show


def _line(event: Epoch) -> str:
    best = "  best" if event.best else ""
    gates = f"  gates {event.gate_loss:.4f}" if event.gate_loss else ""  # none where no supporting facts are known
    anew = "  the loss falls no further: begun anew from other weights" if event.anew else ""
    changed = "" if event.changed is None else f"  other names {100 * event.changed:6.2f} %"
    return (
        f"epoch {event.epoch:>3}  {event.seconds:6.1f} s  loss {event.loss:.4f}{gates}  "
        f"validation {100 * event.validation.accuracy:6.2f} %  loss {event.validation.loss:.4f}{changed}{best}{anew}"
    )
