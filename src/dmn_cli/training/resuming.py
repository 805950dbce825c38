"""What a run may be resumed with: the data and the settings that it began with. What may differ is said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dmn_cli.artifact import trained_on
from dmn_cli.data.store.reader import DataSet
from dmn_cli.errors import ModelError, UsageError
from dmn_cli.training.checkpoint import Checkpoint
from dmn_cli.training.saved import AGAIN
from dmn_cli.wording import plural

_MAY_DIFFER = {"epochs", "checkpoints", "save_minutes"}  # of [training]: no step depends on them


def check_data(run: Path, state: Checkpoint | None, data: Sequence[DataSet]) -> None:
    """state: None where there is no checkpoint yet

    Raises: UsageError, which says what differs, where these aren't the data sets that the run began with.
    """
    try:
        known = trained_on.read(run)
    except ModelError:
        known = []  # the checkpoint knows better
    before = {one.name: one.fingerprint for one in known}
    now = {one.summary.get("name", one.path.name): one.fingerprint for one in data}
    fingerprint = " ".join(one.fingerprint for one in known) if state is None else state.data
    if not fingerprint or fingerprint == " ".join(one.fingerprint for one in data):
        return
    said = [
        *(f"{name} was not given" for name in before if name not in now),
        *(f"{name} is new" for name in now if before and name not in before),
        *(f"{name} has changed" for name in now if name in before and now[name] != before[name]),
    ]
    differ = f": {', '.join(said or ['they are in another order'])}" if before else ""
    raise UsageError(
        f"this run was trained on other data{differ}",
        where=run,
        hint="Give the data set that it began with, as it was, or train anew with another --out.",
    )


def check_settings(run: Path, before: dict[str, Any], now: dict[str, Any]) -> None:
    """before, now: all of them. Raises: UsageError, which says what differs, where a step would be another"""
    known, given = _flat(before), _flat(now)
    differ = [f"{key} was {known[key]}, is {given[key]}" for key in given if known.get(key, given[key]) != given[key]]
    if differ:
        raise UsageError(
            f"the settings have changed since: {'; '.join(differ)}",
            where=run,
            hint="Put config.toml back as it was, or train anew with another --out.",
        )


def _flat(settings: dict[str, Any]) -> dict[str, Any]:
    tables = {table: keys for table, keys in settings.items() if isinstance(keys, dict)}
    return {
        f"{table}.{key}": value
        for table, keys in tables.items()
        for key, value in keys.items()
        if table != "training" or key not in _MAY_DIFFER
    }


@contextmanager
def fitting(run: Path) -> Iterator[None]:
    """Here a network and its optimiser take what a checkpoint says of them. Raises: ModelError where that can't be"""
    try:
        yield
    except (RuntimeError, KeyError, ValueError, TypeError, AttributeError, IndexError) as error:  # as torch has it
        raise ModelError("the checkpoint is damaged: it is of another network", where=run, hint=AGAIN) from error


def check_epochs(run: Path, state: Checkpoint, epochs: int) -> None:
    """epochs: that it is to have. Raises: UsageError where there is nothing left to train"""
    before = epochs_before(state, epochs)
    if state.finished and (epochs <= state.epoch or epochs == before):
        raise UsageError(
            f"the training is over: {state.finished}",
            where=run,
            hint=f"Go on for longer with --resume --epochs N, more than {state.epoch}; a learning rate that falls "
            "over all epochs then rises again.",
        )
    if epochs < state.epoch:
        raise UsageError(
            f"epoch {state.epoch} has begun, so it can't end after {plural(epochs, 'epoch')}",
            where=run,
            hint=f"Give --epochs {state.epoch} or more.",
        )


def epochs_before(state: Checkpoint, epochs: int) -> int:
    """What it was to have until now. epochs: from now on"""
    known = state.settings.get("training", {}).get("epochs")
    return known or (state.epoch if state.finished else epochs)


def differently_computed(state: Checkpoint, now: dict[str, Any]) -> list[str]:
    """A remark, if what computes isn't what did before. now: as `Checkpoint.computed_by`"""
    before = state.computed_by
    differ = [key for key in now if before and before.get(key) != now[key]]
    if not differ:
        return []
    said = [", ".join(f"{key} {values.get(key)}" for key in differ) for values in (before, now)]
    return [
        f"computed with {said[0]} before, with {said[1]} now: the last bits of the weights will not be those of a "
        "training that was never stopped"
    ]


def longer(epochs: int, epochs_before: int, rate: float, rate_before: float) -> str:
    """A remark, where it is to have another number of epochs. rate: of the next step; rate_before: of the last one"""
    said = f"{plural(epochs, 'epoch')} instead of {epochs_before}"
    if rate <= rate_before:
        return said
    return f"{said}: the learning rate falls over all of them, so it rises again, from {rate_before:g} to {rate:g}"
