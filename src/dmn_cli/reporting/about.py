"""What a run says of itself, without its data: settings, epochs, and the validation of its model."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dmn_cli.artifact import stored, trained_on
from dmn_cli.artifact.trained_on import TrainedOn
from dmn_cli.errors import DataError, ModelError
from dmn_cli.files import load_versioned_json
from dmn_cli.notation import load_object
from dmn_cli.settings.load import CONFIG, as_dict, load

_SEVERAL = {"seeds.json": "seed", "tune.json": "trial"}  # records of runs of several trainings, and what each is
_VERSION = 1  # of these


@dataclass(frozen=True)
class Setting:
    """A key, and its value here and in the preset."""

    key: str  # dotted
    value: Any
    preset: Any
    decided: Any = None  # what "auto" came to, where the model says so

    @property
    def differs(self) -> bool:
        return self.value != self.preset


@dataclass(frozen=True)
class About:
    """A run, or a model directory, from which less is known."""

    name: str
    path: Path
    preset: str
    settings: list[Setting]
    epochs: list[dict[str, Any]]  # lines of metrics.jsonl
    best: tuple[str, int] | None  # the seed or the trial that they are of, where there were several
    validation: dict[str, Any]  # of the model that is kept: a `Report` as JSON
    trained_on: list[TrainedOn]  # empty: unknown


def about(path: Path) -> About:
    """MODEL on the command line. Raises: ModelError where there is no model, or a file of it is damaged."""
    folder = stored.find(path)
    config = stored.read_config(folder)
    if not isinstance(config.get("model"), dict) or not isinstance(config.get("preset"), str):
        raise ModelError("is damaged: not what dmn writes", where=folder / stored.CONFIG, hint=stored.AGAIN)
    validation = stored.read_metrics(folder)
    best = _best(path)
    name = path.resolve().name if folder != path else path.resolve().parent.name
    return About(
        name=name,
        path=path,
        preset=config["preset"],
        settings=_settings(path, config),
        epochs=epochs_of(path / f"{best[0]}-{best[1]}" if best else path),
        best=best,
        validation=validation,
        trained_on=trained_on.read(path),
    )


def settings_file(run: Path) -> Path:
    """What its model was trained with: after a search, what that found."""
    found = run / "tuned.toml"
    return found if found.is_file() else run / CONFIG


def _settings(path: Path, config: dict[str, Any]) -> list[Setting]:
    """Those of the run; of a model without its run, those of the network alone."""
    preset = flat(as_dict(load(config["preset"])))
    decided = flat({"model": config["model"]})
    toml = settings_file(path)
    values = flat(as_dict(load(config=toml))) if toml.is_file() else decided
    return [
        Setting(key, value, preset.get(key), decided.get(key) if value == "auto" else None)
        for key, value in values.items()
    ]


def flat(tables: dict[str, Any]) -> dict[str, Any]:
    """Tables of settings under dotted keys; what is in no table is left out."""
    return {
        f"{table}.{key}": value
        for table, keys in tables.items()
        if isinstance(keys, dict)
        for key, value in keys.items()
    }


def _best(path: Path) -> tuple[str, int] | None:
    """None where there was one training alone, or nothing is found yet. Raises: ModelError where a record is damaged"""
    for name, kind in _SEVERAL.items():
        if (path / name).is_file():
            record = load_versioned_json(path / name, _VERSION, ModelError)
            if kind == "trial" and "best" not in record:
                return None
            try:
                return kind, int(record["best"][kind])
            except (KeyError, TypeError, ValueError, OverflowError) as error:
                raise ModelError("is damaged: not the record that dmn writes", where=path / name) from error
    return None


def epochs_of(run: Path) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl; none where there is no such file. A line that a kill has cut off is left out."""
    path = run / "metrics.jsonl"
    epochs: list[dict[str, Any]] = []
    for number, line in enumerate(path.read_bytes().splitlines() if path.is_file() else (), start=1):
        try:
            epochs.append(load_object(line, '{"epoch": 1, …}'))
        except DataError as error:
            if isinstance(error.__cause__, json.JSONDecodeError):
                break
            raise ModelError("is damaged: not the log that dmn writes", where=f"{path}:{number}") from error
    return epochs
