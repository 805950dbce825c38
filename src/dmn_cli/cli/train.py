"""dmn train: data sets → a run, with the best model in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dmn_cli.cli.options import Device, Force, Json, Quiet
from dmn_cli.cli.output import Output, plural
from dmn_cli.cli.train_seeds import parse, train_seeds
from dmn_cli.cli.train_stop import stopped, until_interrupted
from dmn_cli.errors import UsageError

if TYPE_CHECKING:
    from dmn_cli.settings.schema import Settings
    from dmn_cli.training.events import Finished


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
    seeds: Annotated[
        str | None,
        typer.Option(
            "--seeds",
            metavar="SEEDS",
            help="Train once for each of them, 1-5 or 1,3,7, and keep the model of the best.",
            show_default=False,
        ),
    ] = None,
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
    several = parse(seeds) if seeds is not None else []
    if several and seed is not None:
        raise UsageError("--seed and --seeds can't be given together", hint="Give --seeds alone.")
    overrides: dict[str, Any] = {
        "training.epochs": epochs,
        "training.seed": several[0] if several and not resume else seed,
        "training.vectors_rate": 0.0 if freeze_vectors else None,
    }
    chosen = [(key, value) for key, value in overrides.items() if value is not None]
    if resume:
        as_it_began = not (preset or config or set_ or force)
        settings = _settings_to_resume(out, chosen if as_it_began else None, several=bool(several))
    else:
        settings = _settings(out, preset, config, set_ or [], chosen, force=force)

    from dmn_cli.data.store.reader import DataSet
    from dmn_cli.kernels.tune import tune
    from dmn_cli.machine.device import choose_device
    from dmn_cli.training.loop import Training

    where = choose_device(device)
    with output.warned():
        tune(settings.model.hidden)
    if several or (resume and _has_seeds(out)):
        train_seeds(output, data, out, settings, several, where, resume=resume, force=force)
        return
    from dmn_cli.cli.train_progress import introduce, watch
    from dmn_cli.training.events import Stopped

    training = Training([DataSet(path) for path in data], out, settings, where)
    if resume:
        training.resume()
        output.note(f"resuming at epoch {training.state.epoch}, step {training.state.step}")
    else:
        training.begin(force=force)
    introduce(output, training)
    with until_interrupted() as stop, output.warned():
        last = watch(output, training, stop)
    if isinstance(last, Stopped):
        raise stopped(last, data, out)
    _report(output, last, data, out)


def _settings(
    out: Path,
    preset: str | None,
    config: Path | None,
    sets: list[str],
    chosen: list[tuple[str, Any]],
    *,
    force: bool,
) -> Settings:
    """Those of a new run, whose folder is free to be written. Raises: UsageError"""
    from dmn_cli.files import check_output
    from dmn_cli.settings.load import is_settings, load, parse_override

    settings = load(preset, config, [*map(parse_override, sets), *chosen])
    check_output(out, force=force, ours=lambda run: is_settings(run / "config.toml"))
    return settings


def _settings_to_resume(out: Path, chosen: list[tuple[str, Any]] | None, *, several: bool) -> Settings:
    """Those of the run that is there. chosen: what is to differ; None: more than can; several: whether seeds are given

    Raises: UsageError
    """
    from dmn_cli.settings.load import load

    changeable = "seeds" if several or _has_seeds(out) else "epochs"
    if chosen is None or any(key != f"training.{changeable}" for key, _ in chosen):
        raise UsageError(
            "--resume continues with the run's own settings",
            hint=f"Only --{changeable} and --device can be given with it.",
        )
    if not (out / "config.toml").is_file():
        raise UsageError("there is no run to resume", where=out)
    if several and not _has_seeds(out):
        raise UsageError("is a run of one seed", where=out, hint="Continue it with --resume alone.")
    return load(config=out / "config.toml", overrides=chosen)


def _has_seeds(out: Path) -> bool:
    return (out / "seeds.json").is_file()


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
