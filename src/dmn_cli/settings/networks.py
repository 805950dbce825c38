"""The networks that can be chosen by name: `model.network` in a preset, a TOML file or config.json."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple

from dmn_cli.settings.memory_networks import Memn2nSettings, MemnnSettings
from dmn_cli.settings.schema import DmnSettings, NetworkSettings, or_auto
from dmn_cli.settings.sentiment import (
    BiLstmSettings,
    DcnnSettings,
    DrnnSettings,
    MvRnnSettings,
    RntnSettings,
    SentenceCnnSettings,
    TreeLstmSettings,
)

if TYPE_CHECKING:
    from dmn_cli.records.network import Network, Sizes


class Kind(NamedTuple):
    """A kind of network."""

    title: str  # as the model card names it
    settings: type[NetworkSettings]  # its keys in the table [model]
    build: Callable[[Any, Sizes], Network]  # from these settings, with random weights


def _dmn(settings: DmnSettings, sizes: Sizes) -> Network:
    from dmn_cli.model.network import DynamicMemoryNetwork

    given = asdict(sizes)
    del given["answer_words"]  # it has no use for them
    return DynamicMemoryNetwork(**given, **keys(settings))


def _bi_lstm(settings: BiLstmSettings, sizes: Sizes) -> Network:
    from dmn_cli.baselines.bi_lstm import BiLstm

    return BiLstm(sizes, **keys(settings))


def _sentence_cnn(settings: SentenceCnnSettings, sizes: Sizes) -> Network:
    from dmn_cli.baselines.sentence_cnn import SentenceCnn

    return SentenceCnn(sizes, **keys(settings, "hidden"))


def _dcnn(settings: DcnnSettings, sizes: Sizes) -> Network:
    from dmn_cli.baselines.dcnn import Dcnn

    return Dcnn(sizes, **keys(settings))


def _tree_lstm(settings: TreeLstmSettings, sizes: Sizes) -> Network:
    from dmn_cli.baselines.tree_lstm import TreeLstm

    return TreeLstm(sizes, **keys(settings))


def _rntn(settings: RntnSettings, sizes: Sizes) -> Network:
    from dmn_cli.baselines.rntn import Rntn

    return Rntn(sizes, **keys(settings))


def _mv_rnn(settings: MvRnnSettings, sizes: Sizes) -> Network:
    from dmn_cli.baselines.mv_rnn import MvRnn

    return MvRnn(sizes, **keys(settings))


def _drnn(settings: DrnnSettings, sizes: Sizes) -> Network:
    from dmn_cli.baselines.drnn import Drnn

    return Drnn(sizes, **keys(settings))


def _memnn(settings: MemnnSettings, sizes: Sizes) -> Network:
    from dmn_cli.baselines.memnn import MemNN

    return MemNN(sizes, **keys(settings))


def _memn2n(settings: Memn2nSettings, sizes: Sizes) -> Network:
    from dmn_cli.baselines.memn2n import MemN2N

    return MemN2N(sizes, **keys(settings))


def keys(settings: NetworkSettings, *without: str) -> dict[str, Any]:
    """Those that a network is built from."""
    return settings.model_dump(exclude={"network", *without})


DEFAULT = "dmn"  # where no network is named
NETWORKS: dict[str, Kind] = {
    DEFAULT: Kind("Dynamic Memory Network", DmnSettings, _dmn),
    "memnn": Kind("Memory Network", MemnnSettings, _memnn),
    "memn2n": Kind("End-To-End Memory Network", Memn2nSettings, _memn2n),
    "bi-lstm": Kind("bi-directional LSTM with max pooling", BiLstmSettings, _bi_lstm),
    "sentence-cnn": Kind("convolutional network for sentences", SentenceCnnSettings, _sentence_cnn),
    "dcnn": Kind("dynamic convolutional network", DcnnSettings, _dcnn),
    "tree-lstm": Kind("constituency Tree-LSTM", TreeLstmSettings, _tree_lstm),
    "rntn": Kind("recursive neural tensor network", RntnSettings, _rntn),
    "mv-rnn": Kind("matrix-vector recursive network", MvRnnSettings, _mv_rnn),
    "drnn": Kind("deep recursive network", DrnnSettings, _drnn),
}


def network_settings(table: dict[str, Any], *, auto: bool = False) -> NetworkSettings:
    """The table [model] as the settings of the network that it names. auto: whether keys may be "auto"

    Raises: KeyError where there is no such network; pydantic.ValidationError
    """
    schema = NETWORKS[table.get("network", DEFAULT)].settings
    return (or_auto(schema) if auto else schema).model_validate(table)


def as_table(settings: NetworkSettings) -> dict[str, Any]:
    """The table [model]; it names the network unless that is the DMN."""
    return settings.model_dump(exclude={"network"} if settings.network == DEFAULT else set())
