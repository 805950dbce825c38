"""Settings from a preset, a TOML file and KEY=VALUE.

A preset is a complete file in `presets/`. `--config FILE` and `--set model.passes=5` override it, in this order. A run
keeps the result as config.toml.
"""

from __future__ import annotations

import difflib
import json
import tomllib
from contextlib import suppress
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dmn_cli.errors import UsageError
from dmn_cli.settings.networks import NETWORKS, as_table, network_settings
from dmn_cli.settings.schema import NetworkSettings, Settings

_PRESETS = resources.files("dmn_cli.settings.presets")


def presets() -> list[str]:
    names = [file.name for file in _PRESETS.iterdir()]
    return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))


def load(
    preset: str | None = None, config: Path | None = None, overrides: list[tuple[str, Any]] | None = None
) -> Settings:
    """A preset (by default the one that `config` names, or else dmn-plus), then a TOML file, then single keys.

    overrides: (dotted key, value) pairs; a string value is read as TOML where it is TOML.

    Raises: UsageError for an unknown preset or key (with the nearest one), or a value that doesn't fit.
    """
    given = _read_toml(config.read_bytes, str(config)) if config else {}
    name = preset or given.get("preset", "dmn-plus")
    if not isinstance(name, str):
        raise UsageError(f"preset = {name!r}: input should be a name", where=config)
    if name not in presets():
        raise UsageError(f"there is no preset {name!r}", hint=_nearest(name, presets()))
    values = _read_toml((_PRESETS / f"{name}.toml").read_bytes, name)
    values["preset"] = name
    for key, value in _flat(given):
        if key != "preset":
            _set(values, key, value, str(config))
    for key, value in overrides or []:
        _set(values, key, _toml_value(value), None)
    return from_dict(values)


def from_dict(values: dict[str, Any]) -> Settings:
    """Raises: UsageError where a value is missing or doesn't fit."""
    try:
        return Settings.model_validate({**values, "model": _network(values["model"])})
    except ValidationError as error:
        first = error.errors()[0]
        prefix = ("model",) if error.title != Settings.__name__ else ()
        key = ".".join(str(part) for part in (*prefix, *first["loc"]))
        raise UsageError(f"{key} = {first['input']!r}: {first['msg'][0].lower()}{first['msg'][1:]}") from error


def _network(values: dict[str, Any]) -> NetworkSettings:
    """Raises: UsageError where there is no such network; pydantic.ValidationError"""
    try:
        return network_settings(values)
    except (KeyError, TypeError) as error:
        raise UsageError(
            f"there is no network {values['network']!r}", hint=f"There are: {', '.join(NETWORKS)}."
        ) from error


def as_dict(settings: Settings) -> dict[str, Any]:
    """What `from_dict` reads."""
    return {**settings.model_dump(), "model": as_table(settings.model)}


def is_settings(path: Path) -> bool:
    """Whether this is a run's config.toml, of whatever version."""
    try:
        return {"preset", "model", "training"} <= _read_toml(path.read_bytes, str(path)).keys()
    except UsageError:
        return False


def to_toml(settings: Settings) -> str:
    """The settings as a TOML file that `--config` reads back."""
    values = as_dict(settings)
    lines = [f"preset = {json.dumps(values.pop('preset'))}"]
    for table, keys in values.items():
        lines += ["", f"[{table}]", *(f"{key} = {json.dumps(value)}" for key, value in keys.items())]
    return "\n".join(lines) + "\n"


def parse_override(text: str) -> tuple[str, str]:
    """KEY=VALUE → (key, value). Raises: UsageError"""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise UsageError(f"--set {text!r} is not KEY=VALUE", hint="For example: --set model.passes=5")
    return key.strip(), value.strip()


def _read_toml(read: Any, name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(read().decode())
    except OSError as error:
        raise UsageError(f"can't be read: {error.strerror}", where=name) from error
    except (ValueError, RecursionError) as error:  # not TOML, not UTF-8, too long a number, too deep
        raise UsageError(f"is not TOML: {error}", where=name) from error


def _toml_value(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return tomllib.loads(f"value = {value}")["value"]
    except (ValueError, RecursionError):
        return value


def _flat(values: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    pairs = []
    for key, value in values.items():
        pairs += _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else [(prefix + key, value)]
    return pairs


def _set(values: dict[str, Any], key: str, value: Any, where: str | None) -> None:
    known = dict(_flat(values))
    known.pop("preset", None)
    if key not in known:
        raise UsageError(f"there is no setting {key!r}", where=where, hint=_nearest(key, list(known)))
    table, _, name = key.partition(".")
    if isinstance(known[key], float) and type(value) is int:
        with suppress(OverflowError):
            value = float(value)
    values[table][name] = value


def _nearest(name: str, known: list[str]) -> str:
    """'Did you mean …?', also for a key given without its table, or else everything there is."""
    by_last = {k.rpartition(".")[2]: k for k in known}
    last = name.rpartition(".")[2]
    close = (
        [by_last[k] for k in [last] if k in by_last]
        or difflib.get_close_matches(name, known, 1)
        or [by_last[k] for k in difflib.get_close_matches(last, list(by_last), 1)]
    )
    return f"Did you mean {close[0]}?" if close else f"There are: {', '.join(known)}."
