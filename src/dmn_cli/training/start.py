"""What a network begins from: weights of one that has read, or that was trained on something else.

Words are mapped by name. Of the other parameters those are taken that have the same name and shape and that another
task can use too (`Network.transferable`). checkpoints/start.safetensors of a run keeps all of it, so that `--resume`
needs nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dmn_cli.artifact import directory
from dmn_cli.data.joint import Joint
from dmn_cli.data.store.reader import DataSet
from dmn_cli.data.words.vocabulary import SPARE, Vocabulary
from dmn_cli.errors import UsageError
from dmn_cli.records.network import Network
from dmn_cli.settings.schema import NetworkSettings, Settings
from dmn_cli.training import saved

START = Path("checkpoints") / "start"  # with the suffix that `saved` gives it
FORMAT_VERSION = 2
_SHAPES = ("network", "hidden", "reader", "sentence", "reset")  # settings that must be the same


@dataclass(frozen=True)
class Start:
    """Words, and the weights that know them."""

    words: list[str]
    vectors: Tensor  # (words, word_size)
    weights: dict[str, Tensor]  # by parameter
    model: dict[str, Any]  # those settings of the network that must be the same
    read: list[dict[str, Any]]  # what it has read: `Model.read`
    read_here: bool = False  # whether it was the run itself that read the last of these

    @classmethod
    def of(
        cls,
        network: Network,
        vocabulary: Vocabulary,
        settings: NetworkSettings,
        read: list[dict[str, Any]],
        *,
        read_here: bool = False,
    ) -> Start:
        """Raises: UsageError where the network has no words that another could begin with."""
        table = network.word_table
        if table is None:
            raise UsageError("a network without words can't be started from")
        items = vocabulary.words.items
        kept = [i for i, word in enumerate(items) if i > 1 and not word.startswith(SPARE)]
        weights = {
            name: parameter.detach().cpu().clone()
            for name, parameter in network.named_parameters()
            if name.startswith(network.transferable) and parameter is not table.weight
        }
        vectors = table.weight.detach().cpu()[kept].clone()
        given = settings.model_dump()
        same = {key: given.get(key) for key in _SHAPES}
        return cls([items[i] for i in kept], vectors, weights, same, read, read_here)

    @classmethod
    def of_run(cls, path: Path) -> Start:
        """What a run had learnt by reading; where it read nothing, and of a model directory, what it knows after its
        training. Raises: ModelError; UsageError where it is an ensemble."""
        begun = cls.load(path)
        if begun and begun.read_here:
            return replace(begun, read_here=False)
        model = directory.load(path)
        if model.ensemble > 1:
            raise UsageError(
                f"is an ensemble of {model.ensemble} networks",
                where=path,
                hint="Start from one of them: the run that made it has a folder for each, seed-1, seed-2, …",
            )
        return cls.of(model.network, model.vocabulary, model.settings, model.read)

    @classmethod
    def named(cls, words: list[str], word_size: int) -> Start:
        """One that has words and nothing to give, for a process whose weights come from another."""
        return cls(words, torch.zeros(len(words), word_size), {}, {}, [])

    @property
    def word_size(self) -> int:
        return self.vectors.shape[1]

    def check(self, settings: NetworkSettings) -> None:
        """Raises: UsageError where a network of these settings can't begin with it."""
        given = settings.model_dump()
        if (network := self.model.get("network", settings.network)) != settings.network:
            raise UsageError(
                f"what is started from is another kind of network: {network}, not {settings.network}",
                hint="Give the --preset that it was trained with; its config.toml says which.",
            )
        other = [f"model.{key}={value}" for key, value in self.model.items() if given.get(key) != value]
        if other:
            raise UsageError(
                "what is started from is another kind of network",
                hint=f"Give its settings: {' '.join(f'--set {setting}' for setting in other)}",
            )

    def rows(self, vocabulary: Vocabulary) -> np.ndarray:
        """The ids in a vocabulary of those words that it has."""
        ids = vocabulary.words.ids
        return np.array([ids[word] for word in self.words if word in ids], np.int64)

    @torch.no_grad()
    def give(self, network: Network, vocabulary: Vocabulary) -> str:
        """Sets the weights of a network, and says in words what was taken."""
        table = network.word_table
        assert table is not None
        ids = vocabulary.words.ids
        known = [i for i, word in enumerate(self.words) if word in ids]
        table.weight[torch.from_numpy(self.rows(vocabulary))] = self.vectors[known].to(table.weight)
        own, parts = dict(network.named_parameters()), set()
        for name, tensor in self.weights.items():
            if name in own and own[name].shape == tensor.shape:
                own[name].copy_(tensor)
                parts.add(name.partition(".")[0].replace("_", " "))
        return ", ".join([f"the vectors of {len(known):,} words", *sorted(parts - {"word vectors"})])

    def save(self, run: Path) -> None:
        saved.save((run / START).with_suffix(saved.SUFFIX), FORMAT_VERSION, asdict(self))

    @classmethod
    def load(cls, run: Path) -> Start | None:
        """That of a run; None where it has none. Raises: ModelError where it is damaged or of a newer dmn."""
        path = saved.find(run / START)
        return path and saved.load(path, range(FORMAT_VERSION + 1), lambda values: cls(**values), what="")


def joint_from(
    start: Start | None, data: Sequence[DataSet], settings: Settings, more_words: Sequence[str] = ()
) -> Joint:
    """Data sets, whose model shall also know the words that it begins with, and more.

    Raises: UsageError where they don't go together, or the model can't begin with these weights.
    """
    symmetries = settings.training.symmetries
    if start is None:
        return Joint.of(data, symmetries=symmetries, more_words=more_words)
    start.check(settings.model)
    words = [*start.words, *more_words]
    return Joint.of(data, symmetries=symmetries, more_words=words, vector_size=start.word_size)
