"""dmn train: one training."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dmn_cli.cli.output import plural
from dmn_cli.cli.train_asked import Asked
from dmn_cli.cli.train_stop import stopped, until_interrupted

if TYPE_CHECKING:
    from dmn_cli.training.events import Finished


def train_one(asked: Asked) -> None:
    """Trains, and says what came of it. Raises: Interrupted where it was asked to stop"""
    from dmn_cli.cli.train_progress import introduce, watch
    from dmn_cli.training.events import Stopped
    from dmn_cli.training.loop import Training

    output = asked.output
    training = Training(asked.data_sets, asked.out, asked.settings, asked.device)
    if asked.resume:
        training.resume()
        output.note(f"resuming at epoch {training.state.epoch}, step {training.state.step}")
    else:
        training.begin(force=asked.force)
    introduce(output, training)
    with until_interrupted() as stop, output.warned():
        last = watch(output, training, stop)
    if isinstance(last, Stopped):
        raise stopped(last, asked.data, asked.out)
    _report(asked, last)


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
    asked.output.result(
        f"Done after {plural(finished.epochs, 'epoch')}, {finished.seconds:.0f} s: {finished.reason}.\n"
        f"The model of epoch {finished.best['epoch']} is kept: {100 * finished.best['accuracy']:.2f} % of validation.\n"
        f"{model} is ready. Next: {asked.next}"
    )
