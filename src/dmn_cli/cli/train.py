"""dmn train: data sets → a run, with the best model in it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from dmn_cli.cli.input import check_once
from dmn_cli.cli.options import Device, Force, Json, Quiet
from dmn_cli.cli.output import Output
from dmn_cli.cli.torchrun import launched
from dmn_cli.cli.train_asked import (
    Asked,
    data_before,
    keys_given,
    new_settings,
    settings_again,
    settings_to_resume,
    suited,
)
from dmn_cli.cli.train_one import train_one
from dmn_cli.cli.train_seeds import first_seed, train_seeds
from dmn_cli.cli.train_tune import train_tune
from dmn_cli.errors import UsageError

_EXTRA_WORDS = 20_000


def command(
    out: Annotated[Path, typer.Option("--out", help="The run to write: a new folder.", show_default=False)],
    data: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="DATA",
            help="Data sets made by dmn prepare; one model learns them all. With --resume those that the run began "
            "with, if none are given.",
            show_default=False,
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help="dmn-plus, dmn (the original), text (natural text), dmn-image (pictures), or a system to compare "
            "with: memnn, memn2n; bi-lstm, sentence-cnn, dcnn; of trees tree-lstm, rntn, mv-rnn, drnn. If it isn't "
            "said: dmn-plus, or text, dmn-image or tree-lstm where the data are such.",
            show_default=False,
        ),
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
    restarts: Annotated[
        int | None,
        typer.Option(metavar="K", help="The same with K seeds, from --seed on.", min=2, max=1000, show_default=False),
    ] = None,
    ensemble: Annotated[
        int | None,
        typer.Option(
            metavar="K",
            help="The same, and keep all K networks as one model, K times as slow to ask.",
            min=2,
            max=1000,
            show_default=False,
        ),
    ] = None,
    tune: Annotated[
        str | None,
        typer.Option(
            metavar="BUDGET",
            help="Look for better settings by validation: 200k-questions, which repeats exactly, or 20m.",
            show_default=False,
        ),
    ] = None,
    read: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="PATH",
            help="Text to learn to read from before the training: plain, .gz, .xz, an archive or a folder of .txt "
            "files, or what dmn prepare text made. May be repeated.",
            show_default=False,
        ),
    ] = None,
    extra_words: Annotated[
        int | None,
        typer.Option(
            help="With --read: know this many words more than the data, the most frequent first (20000 by default).",
            min=0,
            show_default=False,
        ),
    ] = None,
    start_from: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            help="Begin with what another run had learnt by reading, or with the words and the reading of a trained "
            "model, whatever its data were.",
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
    processes: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="So many processes of this machine compute a batch, which must have at least as many parts "
            "(training.parts); it changes nothing but the time. For several machines, or GPUs, there is torchrun.",
            min=1,
            show_default=False,
        ),
    ] = None,
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
    modes = {"seeds": seeds, "restarts": restarts, "ensemble": ensemble, "tune": tune}
    given = [name for name, value in modes.items() if value is not None]
    if len(given) > 1:
        raise UsageError(f"--{given[0]} and --{given[1]} can't be given together")
    mode = given[0] if given else None
    if seeds is not None and seed is not None:
        raise UsageError("--seed and --seeds can't be given together", hint="Give --seeds alone.")
    if extra_words is not None and not read:
        raise UsageError("--extra-words is for texts that are read", hint="Give --read PATH too.")
    if read and given:
        then = f"Train once with --read, then start from that run: --start-from RUN --{given[0]} …"
        hint = then if tune is None else "Look for settings without it."
        raise UsageError(f"--read and --{given[0]} can't be given together", hint=hint)
    if start_from and tune is not None:
        raise UsageError("--start-from and --tune can't be given together", hint="Look for settings without it.")
    overrides: dict[str, Any] = {
        "training.epochs": epochs,
        "training.seed": first_seed(seeds) if seeds is not None and not resume else seed,
        "training.vectors_rate": 0.0 if freeze_vectors else None,
    }
    chosen = [(key, value) for key, value in overrides.items() if value is not None]
    if launched() and (force or processes):
        _refuse_under_torchrun(force=force)

    from dmn_cli.settings.load import CONFIG

    if not resume:
        check_once(data or [])
        preset = suited(output, data or data_before(out, resume=False), preset, config)
    if launched() and not resume and (out / CONFIG).is_file():
        settings, resume = settings_again(out, preset, config, set_ or [], chosen), True
    elif resume:
        as_before = preset or config or set_ or force or read or start_from
        settings = settings_to_resume(out, chosen, mode, as_it_began=not as_before)
    else:
        settings = new_settings(out, preset, config, set_ or [], chosen, force=force)

    from dmn_cli.kernels.tune import tune as tune_kernels
    from dmn_cli.machine.device import choose_device
    from dmn_cli.training.lock import locked

    where = choose_device(device)
    if processes and where.type != "cpu":
        hint = "Start dmn train with torchrun --nproc-per-node N to use N GPUs."
        raise UsageError(f"--processes divides the work of a CPU, and this is {where}", hint=hint)
    with output.warned():
        tune_kernels(settings.model.hidden)
    words = _EXTRA_WORDS if extra_words is None else extra_words
    asked = Asked(
        output,
        data or data_before(out, resume=resume),
        out,
        settings,
        where,
        resume=resume,
        force=force,
        read=read or (),
        extra_words=words,
        start_from=start_from,
        processes=processes,
        started_again=launched(),
    )
    with locked(out):
        if tune is not None or (resume and (out / "tune.json").is_file()):
            train_tune(asked, tune, keys_given(config, set_ or [], chosen))
        elif given or (resume and (out / "seeds.json").is_file()):
            train_seeds(asked, seeds, restarts, ensemble)
        else:
            train_one(asked)


def _refuse_under_torchrun(*, force: bool) -> NoReturn:
    """Raises: UsageError"""
    if force:
        message = "--force would begin anew whenever torchrun starts dmn again"
        raise UsageError(message, hint="Delete the run, then begin without it.")
    raise UsageError("torchrun says how many processes there are", hint="Leave --processes out.")
