"""The networks that can be chosen by name: `model.network` in a preset, a TOML file or config.json."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple

from dmn_cli.settings.schema import DmnSettings, NetworkSettings, or_auto

if TYPE_CHECKING:
    from dmn_cli.records.network import Network, Sizes


class Kind(NamedTuple):
    """A kind of network."""

    title: str  # as the model card names it
    settings: type[NetworkSettings]  # its keys in the table [model]
    build: Callable[[Any, Sizes], Network]  # from these settings, with random weights


def _dmn(settings: DmnSettings, sizes: Sizes) -> Network:
    from dmn_cli.model.network import DynamicMemoryNetwork

    return DynamicMemoryNetwork(**asdict(sizes), **settings.model_dump(exclude={"network"}))


DEFAULT = "dmn"  # where no network is named
NETWORKS: dict[str, Kind] = {DEFAULT: Kind("Dynamic Memory Network", DmnSettings, _dmn)}


def network_settings(table: dict[str, Any], *, auto: bool = False) -> NetworkSettings:
    """The table [model] as the settings of the network that it names. auto: whether keys may be "auto"

    Raises: KeyError where there is no such network; pydantic.ValidationError
    """
    schema = NETWORKS[table.get("network", DEFAULT)].settings
    return (or_auto(schema) if auto else schema).model_validate(table)


def as_table(settings: NetworkSettings) -> dict[str, Any]:
    """The table [model]; it names the network unless that is the DMN."""
    return settings.model_dump(exclude={"network"} if settings.network == DEFAULT else set())
