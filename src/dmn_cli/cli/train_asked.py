"""What dmn train is asked for, whatever kind of training it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dmn_cli.cli.output import Output, wrapped
from dmn_cli.errors import UsageError

if TYPE_CHECKING:
    import torch

    from dmn_cli.data.store.reader import DataSet
    from dmn_cli.settings.schema import Settings

KINDS = {  # by its record, the options that a run can be changed by
    "seeds.json": ("seeds", "restarts", "ensemble"),
    "tune.json": ("tune",),
}
_USUAL = ("epochs",)  # of one training


@dataclass(frozen=True)
class Asked:
    output: Output
    data: list[Path]
    out: Path
    settings: Settings
    device: torch.device
    resume: bool
    force: bool
    read: Sequence[Path] = ()
    extra_words: int = 0
    start_from: Path | None = None
    processes: int | None = None  # as for `Learner`
    started_again: bool = False  # perhaps, by torchrun: a training that is over by now is no mistake

    @cached_property
    def data_sets(self) -> list[DataSet]:
        from dmn_cli.data.store.reader import DataSet

        return [DataSet(path) for path in self.data]

    @property
    def next(self) -> str:
        """The command that measures what came of it."""
        return f"dmn eval {self.out} {' '.join(map(str, self.data))}"


def then(said: str, command: str) -> str:
    """What is said, and which command comes next, on one line where that fits."""
    line = f"{said} Next: {command}"
    return line if len(line) <= 80 else f"{wrapped(said)}\nNext: {command}"


def data_before(run: Path, *, resume: bool) -> list[Path]:
    """The data sets that a run began with, where none are given. Raises: UsageError where nothing says which"""
    from dmn_cli.artifact import trained_on

    known = next(filter(None, map(trained_on.read, [run, *sorted(run.glob("*/"))])), []) if resume else []
    if not known:
        raise UsageError("DATA is missing: the data sets to train on", hint=f"dmn train DATA --out {run}")
    return [one.path for one in known]


def suited(output: Output, data: Sequence[Path], preset: str | None, config: Path | None) -> str | None:
    """The preset that is asked for, or else the one that suits the data; None: the usual one, or the file's.

    Raises: DataError where a data set can't be read; UsageError where the file can't."""
    from dmn_cli.data.store.reader import summary_of
    from dmn_cli.settings.load import preset_of
    from dmn_cli.training import suits

    if preset or (config and preset_of(config)) or not (found := suits.suited([*map(summary_of, data)])):
        return preset
    output.note(f"preset {found.name}: {found.why}")
    return found.name


def new_settings(
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
    from dmn_cli.settings.load import CONFIG, is_settings, load, parse_override
    from dmn_cli.training.lock import half_begun

    settings = load(preset, config, [*map(parse_override, sets), *chosen])
    is_run, begun = is_settings(out / CONFIG), half_begun(out)
    if is_run and not force:
        raise UsageError(
            "there is a run here already",
            where=out,
            hint="Continue it with --resume, choose another --out, or overwrite it with --force.",
        )
    check_output(out, force=force or begun, ours=lambda _: is_run or begun)
    return settings


def settings_again(
    out: Path, preset: str | None, config: Path | None, sets: list[str], chosen: list[tuple[str, Any]]
) -> Settings:
    """Those of the run that is there, which the same command began. Raises: UsageError where another did"""
    from dmn_cli.settings.load import CONFIG, load, parse_override

    settings, before = load(preset, config, [*map(parse_override, sets), *chosen]), load(config=out / CONFIG)
    if settings != before:
        hint = "Give those that it began with, or choose another --out."
        raise UsageError("is a run with other settings", where=out, hint=hint)
    return settings


def keys_given(config: Path | None, sets: list[str], chosen: list[tuple[str, Any]]) -> set[str]:
    """The keys that were set by hand, dotted."""
    from dmn_cli.settings.load import keys_given, parse_override

    return keys_given(config, [*map(parse_override, sets), *chosen])


def settings_to_resume(out: Path, chosen: list[tuple[str, Any]], mode: str | None, *, as_it_began: bool) -> Settings:
    """Those of the run that is there. chosen: what is to differ; mode: the option that was given of those that say what
    kind of training it is; as_it_began: whether nothing else was given that would change it

    Raises: UsageError
    """
    from dmn_cli.settings.load import CONFIG, load

    changeable = next((options for record, options in KINDS.items() if (out / record).is_file()), _USUAL)
    other_kind = mode is not None and mode not in changeable
    if not as_it_began or any(key.removeprefix("training.") not in changeable for key, _ in chosen):
        ours = (mode,) if other_kind else changeable
        options = ", ".join(f"--{option}" for option in ours)
        raise UsageError(
            "--resume continues with the run's own settings",
            hint=f"Only {options}, --device and --processes can be given with it.",
        )
    if not (out / CONFIG).is_file():
        raise UsageError("there is no run to resume", where=out, hint="Begin one by the same command without --resume.")
    if other_kind:
        kind = (
            "of one seed"
            if changeable == _USUAL
            else f"that was made with {' or '.join(f'--{option}' for option in changeable)}"
        )
        raise UsageError(f"is a run {kind}", where=out, hint="Continue it with --resume alone.")
    return load(config=out / CONFIG, overrides=chosen, of_run=True)
