"""Settings from a preset, a TOML file and KEY=VALUE.

A preset is a complete file in `presets/`. `--config FILE` and `--set model.passes=5` override it, in this order. If
they name another network than the preset's (`model.network`), the preset's table [model] doesn't apply, and they have
to give all keys of that network. A run keeps the result as `CONFIG`.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from dmn_cli.errors import UsageError
from dmn_cli.notation import parse_toml
from dmn_cli.settings.networks import DEFAULT, NETWORKS, as_table, network_settings
from dmn_cli.settings.schema import AUTO, ReadingSettings, Settings, TrainingSettings, or_auto

CONFIG = "config.toml"  # of a run
PRESETS = resources.files("dmn_cli.settings.presets")


def presets(folder: Traversable = PRESETS) -> list[str]:
    names = [file.name for file in folder.iterdir()]
    return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))


def load(
    preset: str | None = None,
    config: Path | None = None,
    overrides: list[tuple[str, Any]] | None = None,
    *,
    of_run: bool = False,
    folder: Traversable = PRESETS,
) -> Settings:
    """A preset (by default the one that `config` names, or else dmn-plus), then a TOML file, then single keys.

    overrides: (dotted key, value) pairs; a string value is read as TOML where it is TOML; of_run: whether `config` is a
    run's own: a key that it lacks came later, and its default is how it was before, whatever the preset says now;
    folder: of presets

    Raises: UsageError for an unknown preset, network or key (with the nearest one), a value that doesn't fit, or one
    that is missing.
    """
    given = _read_toml(config.read_bytes, str(config)) if config else {}
    name = preset or given.pop("preset", "dmn-plus")
    given.pop("preset", None)
    if preset is None and config and name not in presets(folder):
        raise UsageError(
            f"there is no preset {name!r}", where=_line(config, "preset"), hint=_nearest(str(name), presets(folder))
        )
    if name not in presets(folder):
        raise UsageError(f"there is no preset {name!r}", hint=_nearest(name, presets(folder)))
    values = _preset(name, folder)
    chosen = [(key, value, config) for key, value in _flat(given)]
    chosen += [(key, _toml_value(value), None) for key, value in overrides or []]
    network = _network(values)
    if of_run:
        for key in _since(network):
            table, _, last = key.partition(".")
            values.get(table, {}).pop(last, None)
    for key, value, where in chosen:
        if key == "model.network":
            network = _known(value, where and _line(where, key))
    if network != _network(values):
        values["model"] = {}
    known = _keys(network)
    for key, value, where in chosen:
        if key not in known:
            place = where and _line(where, key)
            raise UsageError(f"there is no setting {key!r}", where=place, hint=_what_there_is(key, known))
        table, _, last = key.partition(".")
        values.setdefault(table, {})[last] = value
    found_in = {key: where for key, _, where in chosen}
    return from_dict({**values, "preset": name}, lambda key: (file := found_in.get(key)) and _line(file, key))


def preset_of(config: Path) -> Any:
    """The preset that a TOML file names; None: none. Raises: UsageError"""
    return _read_toml(config.read_bytes, str(config)).get("preset")


def keys_given(config: Path | None, overrides: list[tuple[str, Any]]) -> set[str]:
    """The dotted keys that a TOML file and single ones set. Raises: UsageError"""
    given = _read_toml(config.read_bytes, str(config)) if config else {}
    return {key for key, _ in [*_flat(given), *overrides]}


def _preset(name: str, folder: Traversable) -> dict[str, Any]:
    return _read_toml((folder / f"{name}.toml").read_bytes, name)


def _network(values: dict[str, Any]) -> Any:
    return values["model"].get("network", DEFAULT)


def _known(network: Any, where: str | None) -> str:
    """Raises: UsageError where there is no such network."""
    if isinstance(network, str) and network in NETWORKS:
        return network
    raise UsageError(f"there is no network {network!r}", where=where, hint=_nearest(str(network), list(NETWORKS)))


def _keys(network: str) -> list[str]:
    """All that can be set where this is the network."""
    return [*_fields(network)]


def _since(network: str) -> list[str]:
    """Those that have a default: files from before they were there lack them."""
    return [key for key, field in _fields(network).items() if not field.is_required() and key != "model.network"]


def _fields(network: str) -> dict[str, FieldInfo]:
    tables = {"model": NETWORKS[network].settings, "training": TrainingSettings, "reading": ReadingSettings}
    return {f"{table}.{key}": field for table, schema in tables.items() for key, field in schema.model_fields.items()}


def from_dict(values: dict[str, Any], where: Callable[[str], str | None] = lambda key: None) -> Settings:
    """where: file:line of the value of a dotted key, if it is known

    Raises: UsageError where there is no such network, or a value is missing or doesn't fit."""
    _known(_network(values), None)
    try:
        model = network_settings(values["model"], auto=True)
        training = or_auto(TrainingSettings).model_validate(values["training"])
        return Settings.model_validate({**values, "model": model, "training": training})
    except ValidationError as error:
        table = {Settings.__name__: (), TrainingSettings.__name__: ("training",)}.get(error.title, ("model",))
        raise _unfit([{**one, "loc": (*table, *one["loc"])} for one in error.errors()], where) from error


def _unfit(errors: list[dict[str, Any]], where: Callable[[str], str | None]) -> UsageError:
    """errors: as pydantic lists them"""
    missing = [_dotted(one) for one in errors if one["type"] == "missing"]
    if missing:
        hint = "Another network than the preset's needs all of its keys, from --config FILE or --set KEY=VALUE."
        return UsageError(f"not given: {', '.join(missing)}", hint=hint)
    first = errors[0]
    key = _dotted(first)
    if isinstance(first["input"], dict):  # keys that don't go together
        return UsageError(f"{key}: {first['msg'].removeprefix('Value error, ')}")
    or_auto = f", or {AUTO!r}" if any(AUTO in one["msg"] and _dotted(one) == key for one in errors[1:]) else ""
    said = f"{key} = {first['input']!r}: {first['msg'][0].lower()}{first['msg'][1:]}{or_auto}"
    return UsageError(said, where=where(key))


def _dotted(error: dict[str, Any]) -> str:
    """TABLE.KEY; of a key that can be one thing or another, without saying which."""
    return ".".join(map(str, error["loc"][:2]))


def as_dict(settings: Settings) -> dict[str, Any]:
    """What `from_dict` reads."""
    return {**settings.model_dump(), "model": as_table(settings.model)}


def is_settings(path: Path) -> bool:
    """Whether this is a run's `CONFIG`, of whatever version."""
    try:
        return {"preset", "model", "training"} <= _read_toml(path.read_bytes, str(path)).keys()
    except UsageError:
        return False


def to_toml(settings: Settings, *, folder: Traversable = PRESETS) -> str:
    """The settings as a TOML file that `--config` reads back."""
    values = as_dict(settings)
    if _network(_preset(settings.preset, folder)) != DEFAULT:  # which is then not what a table without a name means
        values["model"] = {"network": settings.model.network, **values["model"]}
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
        content = read()
    except OSError as error:
        raise UsageError(f"can't be read: {error.strerror}", where=name) from error
    return parse_toml(content, name)


def _toml_value(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return parse_toml(f"value = {value}".encode(), "")["value"]
    except (UsageError, UnicodeEncodeError):
        return value


def _flat(values: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    pairs = []
    for key, value in values.items():
        pairs += _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else [(prefix + key, value)]
    return pairs


def _line(file: Path, key: str) -> str:
    """file:line of a dotted key in a TOML file; the file alone where it isn't written on a line of its own."""
    table = ""
    for number, line in enumerate(file.read_text(encoding="utf-8-sig").splitlines(), start=1):
        name = line.partition("=")[0].partition("#")[0].replace(" ", "").replace('"', "").strip()
        if name.startswith("["):
            table = f"{name.strip('[]')}."
        if f"{table}{name}" == key or table == f"{key}.":
            return f"{file}:{number}"
    return str(file)


def _what_there_is(key: str, known: list[str]) -> str:
    """What can be set in place of a key that isn't there."""
    if within := [name for name in known if name.startswith(f"{key}.")]:
        return f"It is a table, of {', '.join(within)}."
    above = key.rpartition(".")[0]
    return f"{above} is a value, and no table." if above in known else _nearest(key, known)


def _nearest(name: str, known: list[str]) -> str:
    """'Did you mean …?', also for a key without its table; where nothing is near, the list of all."""
    by_last = {k.rpartition(".")[2]: k for k in reversed(known)}  # of two tables, the first
    last = name.rpartition(".")[2]
    close = (
        [by_last[k] for k in [last] if k in by_last]
        or difflib.get_close_matches(name, known, 1)
        or [by_last[k] for k in difflib.get_close_matches(last, list(by_last), 1)]
    )
    return f"Did you mean {close[0]}?" if close else f"There are: {', '.join(known)}."
