"""dmn train: data sets → a run, with the best model in it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dmn_cli.cli.options import Device, Force, Json, Quiet
from dmn_cli.cli.output import Output, plural
from dmn_cli.errors import Interrupted, UsageError

if TYPE_CHECKING:
    from dmn_cli.settings.schema import Settings
    from dmn_cli.training.events import Event, Finished
    from dmn_cli.training.loop import Training


def command(
    data: Annotated[
        list[Path],
        typer.Argument(
            metavar="DATA", help="Data sets made by dmn prepare; one model learns them all.", show_default=False
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="The run to write: a new folder.", show_default=False)],
    preset: Annotated[
        str | None, typer.Option(help="dmn-plus (the default) or dmn, the original.", show_default=False)
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="A TOML file of settings, which override the preset's.", show_default=False)
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="One setting, for example model.passes=5.", show_default=False),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Train for at most this many epochs.", min=1, show_default=False)
    ] = None,
    seed: Annotated[int | None, typer.Option(help="The seed of everything random.", min=0, show_default=False)] = None,
    freeze_vectors: Annotated[
        bool,
        typer.Option(
            "--freeze-vectors", help="Don't train the word vectors that come with the data: training.vectors_rate=0."
        ),
    ] = False,
    device: Device = "auto",
    resume: Annotated[bool, typer.Option("--resume", help="Continue a run that was stopped or killed.")] = False,
    force: Force = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train a Dynamic Memory Network; the model that validates best is kept.

    Ctrl-C saves the run and says how to continue it.

    Example: dmn train data/two --out runs/two --set model.passes=5
    """
    output = Output(as_json=json, quiet=quiet)
    overrides: dict[str, Any] = {
        "training.epochs": epochs,
        "training.seed": seed,
        "training.vectors_rate": 0.0 if freeze_vectors else None,
    }
    chosen = [(key, value) for key, value in overrides.items() if value is not None]
    settings = _settings(out, preset, config, set_ or [], chosen, resume=resume, force=force)

    from dmn_cli.data.store.reader import DataSet
    from dmn_cli.kernels.tune import tune
    from dmn_cli.machine.device import choose_device
    from dmn_cli.training.loop import Training

    where = choose_device(device)
    with output.warned():
        tune(settings.model.hidden)
    training = Training([DataSet(path) for path in data], out, settings, where)
    if resume:
        training.resume()
        output.note(f"resuming at epoch {training.state.epoch}, step {training.state.step}")
    else:
        training.begin(force=force)
    output.note(_summary(training))
    if training.learner.decided:
        values = (f"{key.partition('.')[2]} {value}" for key, value in training.learner.decided.items())
        output.note(f"decided: {', '.join(values)}")
    finished = _trained(output, training, data, out)
    _report(output, finished, data, out)


def _settings(
    out: Path,
    preset: str | None,
    config: Path | None,
    sets: list[str],
    chosen: list[tuple[str, Any]],
    *,
    resume: bool,
    force: bool,
) -> Settings:
    """The settings of a new run, whose folder is free to be written, or of the run to resume. Raises: UsageError"""
    from dmn_cli.files import check_output
    from dmn_cli.settings.load import is_settings, load, parse_override

    if not resume:
        settings = load(preset, config, [*map(parse_override, sets), *chosen])
        check_output(out, force=force, ours=lambda run: is_settings(run / "config.toml"))
        return settings
    if preset or config or sets or force or any(key != "training.epochs" for key, _ in chosen):
        raise UsageError(
            "--resume continues with the run's own settings",
            hint="Only --epochs and --device can be given with it.",
        )
    if not (out / "config.toml").is_file():
        raise UsageError("there is no run to resume", where=out)
    return load(config=out / "config.toml", overrides=chosen)


def _summary(training: Training) -> str:
    """What is trained, where, and on how much."""
    from dmn_cli.kernels.tune import compiled
    from dmn_cli.machine.device import describe

    learner = training.learner
    machine = describe(training.device, learner.processes, compiled=compiled())
    weights = sum(parameter.numel() for parameter in learner.network.parameters())
    return f"{training.settings.preset} on {machine}: {weights:,} weights, {learner.questions:,} questions"


def _trained(output: Output, training: Training, data: list[Path], out: Path) -> Finished:
    """Trains to the end. Raises: Interrupted where it was asked to stop"""
    from dmn_cli.cli.train_progress import shown
    from dmn_cli.training.events import Finished, Stopped

    event: Event | None = None
    epochs = training.settings.training.epochs
    with _until_interrupted() as stop, output.warned(), shown(output, epochs) as show:
        for event in training.events(stop):
            show(event)
            if isinstance(event, Stopped):
                raise Interrupted(
                    f"at epoch {event.epoch}, step {event.step}; everything is saved",
                    hint=f"Continue with: {_resume_command(data, out)}",
                )
    assert isinstance(event, Finished)
    return event


def _resume_command(data: list[Path], out: Path) -> str:
    import shlex

    return shlex.join(["dmn", "train", *map(str, data), "--out", str(out), "--resume"])


@contextmanager
def _until_interrupted() -> Iterator[Callable[[], bool]]:
    """Yields what tells between steps whether Ctrl-C or a termination signal came. A second one ends dmn at once."""
    asked = False

    def handler(number: int, frame: object) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def _report(output: Output, finished: Finished, data: list[Path], out: Path) -> None:
    output.json(
        {
            "run": str(out),
            "model": str(out / "model"),
            "epochs": finished.epochs,
            "reason": finished.reason,
            "best": finished.best,
            "seconds": finished.seconds,
        }
    )
    output.result(
        f"Done after {plural(finished.epochs, 'epoch')}, {finished.seconds:.0f} s: {finished.reason}.\n"
        f"The model of epoch {finished.best['epoch']} is kept: {100 * finished.best['accuracy']:.2f} % of validation.\n"
        f"{out / 'model'} is ready. Next: dmn eval {out} {' '.join(map(str, data))}"
    )
