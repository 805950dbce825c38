"""What a run says of itself, without its data: settings, epochs, and the validation of its model."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dmn_cli.artifact import stored, trained_on
from dmn_cli.artifact.trained_on import TrainedOn
from dmn_cli.errors import ModelError
from dmn_cli.files import load_versioned_json
from dmn_cli.settings.load import as_dict, load

_SEEDS_VERSION = 1  # of seeds.json


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
    seed: int | None  # of which they are, where there were several: the best
    validation: dict[str, Any]  # of the model that is kept: a `Report` as JSON
    trained_on: list[TrainedOn]  # empty: unknown


def about(path: Path) -> About:
    """MODEL on the command line. Raises: ModelError where there is no model, or a file of it is damaged."""
    folder = stored.find(path)
    config = stored.read_config(folder)
    try:
        validation = json.loads((folder / "metrics.json").read_bytes())
        if not all({"accuracy", "questions"} <= figures.keys() for figures in validation["tasks"].values()):
            raise KeyError("accuracy")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError("is damaged: not the metrics that dmn writes", where=folder / "metrics.json") from error
    seed = _best_seed(path)
    name = path.resolve().name if folder != path else path.resolve().parent.name
    return About(
        name=name,
        path=path,
        preset=config["preset"],
        settings=_settings(path, config),
        epochs=epochs_of(path if seed is None else path / f"seed-{seed}"),
        seed=seed,
        validation=validation,
        trained_on=trained_on.read(path),
    )


def _settings(path: Path, config: dict[str, Any]) -> list[Setting]:
    """Those of config.toml; of a model without its run, those of the network alone."""
    preset = flat(as_dict(load(config["preset"])))
    decided = flat({"model": config["model"]})
    toml = path / "config.toml"
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


def _best_seed(path: Path) -> int | None:
    """None where it was trained with one seed alone. Raises: ModelError where seeds.json is damaged"""
    record = path / "seeds.json"
    if not record.is_file():
        return None
    try:
        return int(load_versioned_json(record, _SEEDS_VERSION, ModelError)["best"]["seed"])
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError("is damaged: not the record that dmn writes", where=record) from error


def epochs_of(run: Path) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl; none where there is no such file. A line that a kill has cut off is left out."""
    path = run / "metrics.jsonl"
    epochs = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        try:
            epochs.append(json.loads(line))
        except ValueError:
            break
    return epochs
