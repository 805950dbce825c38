"""dmn train: a data set → a run, with the best model in it."""

from __future__ import annotations

import shlex
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dmn_cli.cli.options import Device, Force, Json, Quiet
from dmn_cli.cli.output import Output, stderr
from dmn_cli.errors import Interrupted, UsageError

if TYPE_CHECKING:
    from dmn_cli.settings.schema import Settings
    from dmn_cli.training.events import Epoch, Event, Finished


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
        Path | None, typer.Option(help="A TOML file of settings, over the preset.", show_default=False)
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="One setting, for example model.passes=5.", show_default=False),
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="At most so many epochs.", min=1, show_default=False)] = None,
    seed: Annotated[
        int | None, typer.Option(help="Decides everything that is random.", min=0, show_default=False)
    ] = None,
    freeze_vectors: Annotated[
        bool,
        typer.Option(
            "--freeze-vectors", help="Keep the vectors that the data brings as they are: training.vectors_rate=0."
        ),
    ] = False,
    device: Device = "auto",
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was stopped or killed.")] = False,
    force: Force = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train a Dynamic Memory Network; the model that validates best is kept.

    Ctrl-C saves and says how to go on.

    Example: dmn train data/two --out runs/two --set model.passes=5
    """
    output = Output(as_json=json, quiet=quiet)
    overrides: dict[str, Any] = {
        "training.epochs": epochs,
        "training.seed": seed,
        "training.vectors_rate": 0.0 if freeze_vectors else None,
    }
    chosen = [(key, value) for key, value in overrides.items() if value is not None]
    settings = _settings(out, preset, config, set_ or [], chosen, resume, force)

    from dmn_cli.data.store.reader import DataSet
    from dmn_cli.kernels.tune import compiled, tune
    from dmn_cli.machine.device import choose_device, describe
    from dmn_cli.training.events import Finished, Stopped
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
    weights = sum(p.numel() for p in training.learner.network.parameters())
    questions = training.learner.questions
    machine = describe(where, training.learner.processes, compiled=compiled())
    output.note(f"{settings.preset} on {machine}: {weights:,} weights, {questions:,} questions")

    event: Event | None = None
    with _until_interrupted() as stop, output.warned(), _shown(output, settings) as show:
        for event in training.events(stop):
            show(event)
            if isinstance(event, Stopped):
                again = shlex.join(["dmn", "train", *map(str, data), "--out", str(out), "--resume"])
                raise Interrupted(
                    f"at epoch {event.epoch}, step {event.step}; everything is saved",
                    hint=f"Go on with: {again}",
                )
    assert isinstance(event, Finished)
    _report(output, out, data, event)  # once the bar is gone


def _report(output: Output, out: Path, data: list[Path], finished: Finished) -> None:
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
        f"Done after {finished.epochs} epochs, {finished.seconds:.0f} s: {finished.reason}.\n"
        f"The model of epoch {finished.best['epoch']} is kept: {100 * finished.best['accuracy']:.2f} % of validation.\n"
        f"{out / 'model'} is ready. Next: dmn eval {out} {' '.join(map(str, data))}"
    )


def _settings(
    out: Path,
    preset: str | None,
    config: Path | None,
    sets: list[str],
    chosen: list[tuple[str, Any]],
    resume: bool,
    force: bool,
) -> Settings:
    from dmn_cli.files import check_output
    from dmn_cli.settings.load import is_settings, load, parse_override

    if not resume:
        settings = load(preset, config, [*map(parse_override, sets), *chosen])
        check_output(out, force=force, ours=lambda run: is_settings(run / "config.toml"))
        return settings
    if preset or config or sets or force or any(key != "training.epochs" for key, _ in chosen):
        raise UsageError(
            "--resume goes on with the run's own settings",
            hint="Only --epochs and --device can be given with it.",
        )
    if not (out / "config.toml").is_file():
        raise UsageError("there is no run to resume", where=out)
    return load(config=out / "config.toml", overrides=chosen)


@contextmanager
def _until_interrupted() -> Iterator[Callable[[], bool]]:
    """Yields a question to ask between steps: has Ctrl-C or a termination signal come? A second one ends at once."""
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


@contextmanager
def _shown(output: Output, settings: Settings) -> Iterator[Callable[[Event], None]]:
    """Shows events: a bar and a line for each epoch on a terminal, plain lines elsewhere."""
    from dmn_cli.training.events import Epoch, Step

    if not output.live:

        def plain(event: Event) -> None:
            if isinstance(event, Epoch):
                output.note(epoch_line(event))

        yield plain
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=stderr(), transient=True, redirect_stdout=False) as progress:
        bar = progress.add_task("epoch 1", total=None)

        def live(event: Event) -> None:
            if isinstance(event, Epoch):
                progress.console.print(
                    epoch_line(event), style="green" if event.best else None, markup=False, highlight=False
                )
                progress.update(bar, completed=0)
            elif isinstance(event, Step):
                description = f"epoch {event.epoch}/{settings.training.epochs}  loss {event.loss:.4f}"
                progress.update(bar, description=description, completed=event.step, total=event.steps)

        yield live


def epoch_line(event: Epoch) -> str:
    best = "  best" if event.best else ""
    gates = f"  gates {event.gate_loss:.4f}" if event.gate_loss else ""  # none where no supporting facts are known
    return (
        f"epoch {event.epoch:>3}  {event.seconds:6.1f} s  loss {event.loss:.4f}{gates}  "
        f"validation {100 * event.validation.accuracy:6.2f} %  loss {event.validation.loss:.4f}{best}"
    )
