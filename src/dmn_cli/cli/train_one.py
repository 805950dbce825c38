"""dmn train: one training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dmn_cli.cli.output import plural, wrapped
from dmn_cli.cli.train_asked import Asked, then
from dmn_cli.cli.train_read import read_first
from dmn_cli.cli.train_stop import until_interrupted

if TYPE_CHECKING:
    from dmn_cli.training.events import Finished
    from dmn_cli.training.loop import Training
    from dmn_cli.training.start import Start


def train_one(asked: Asked) -> None:
    """Trains, and says what came of it. Raises: Interrupted where it was asked to stop"""
    from dmn_cli.cli.train_progress import introduce, watch
    from dmn_cli.training.events import Stopped
    from dmn_cli.training.loop import Training

    output = asked.output
    start = _started(asked)
    known = (asked.data_sets, asked.out, asked.settings, asked.device)
    training = Training(*known, processes=asked.processes, start=start, goes_on=asked.resume)
    if start and not (start.read_here or asked.resume):
        output.note(wrapped(f"begins with {training.learner.taken}"))
    if asked.resume and asked.started_again:
        training.take_up()
    elif asked.resume:
        training.resume()
    if asked.resume:
        output.note(_resuming(training))
    elif not (start and start.read_here):
        training.begin(force=asked.force)
    introduce(output, training)
    with until_interrupted(asked) as stop, output.warned():
        last = watch(output, training, stop)
    if isinstance(last, Stopped):
        raise stop.stopped(last)
    _report(asked, last)


def _resuming(training: Training) -> str:
    state = training.state
    if not state.network:
        return "beginning: it was stopped before its first checkpoint"
    return f"resuming at epoch {state.epoch}, step {state.step}"


def _started(asked: Asked) -> Start | None:
    """What the training begins from, if there is something. Texts are read first, and the run is made for them."""
    from dmn_cli.training.run import Run
    from dmn_cli.training.start import Start, joint_from
    from dmn_cli.training.to_read import ToRead

    run = asked.out
    if asked.resume:
        start, to_read = Start.load(run), ToRead.load(run)
    else:
        start = Start.of_run(asked.start_from) if asked.start_from else None
        joint_from(start, asked.data_sets, asked.settings)
        to_read = None
        if asked.read:
            to_read = found = ToRead.of(asked.read, asked.extra_words, asked.data_sets, asked.settings)

            def also() -> None:
                if start:
                    start.save(run)
                found.save(run)

            Run(run).begin(asked.settings, asked.data_sets, force=asked.force, also=also)
    if to_read and not (start and start.read_here):
        read_first(asked, to_read, start)
        start = Start.load(run)
    return start


def _report(asked: Asked, finished: Finished) -> None:
    model = asked.out / "model"
    asked.output.json(
        {
            "run": str(asked.out),
            "model": str(model),
            "epochs": finished.epochs,
            "reason": finished.reason,
            "best": finished.best,
            "seconds": finished.seconds,
        }
    )
    done = f"Done after {plural(finished.epochs, 'epoch')}, {finished.seconds:.0f} s: {finished.reason}.\n"
    kept = (
        f"The model of epoch {finished.best['epoch']} is kept: {100 * finished.best['accuracy']:.2f} % of validation.\n"
    )
    asked.output.result(f"{wrapped(done + kept)}\n{then(f'{model} is ready.', asked.next)}")
