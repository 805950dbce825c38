"""A model: a network with all that it takes to ask it questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dmn_cli.artifact.stored import AGAIN
from dmn_cli.data.words.spec import from_spec
from dmn_cli.data.words.tokenizer import Tokenizer
from dmn_cli.data.words.vocabulary import Vocabulary
from dmn_cli.errors import DataError, ModelError, UsageError
from dmn_cli.records.names import Names
from dmn_cli.records.network import Network, Sizes
from dmn_cli.records.text import Form, TableForm
from dmn_cli.settings.networks import NETWORKS
from dmn_cli.settings.schema import NetworkSettings


@dataclass
class Model:
    network: Network
    settings: NetworkSettings
    vocabulary: Vocabulary
    sizes: Sizes
    tokenizer_spec: dict[str, Any]
    tasks: list[str]
    forms: dict[str, Form]
    preset: str
    ensemble: int = 1  # how many networks answer as one
    tokenizer_files: dict[str, bytes] = field(default_factory=dict)
    names: Names = field(default_factory=Names)  # that it can be told
    question: str | None = None  # the only one that it was taught
    table: TableForm | None = None  # how the table that it was taught from is read
    texts: bool = False  # each of its stories is a text, which has nothing to do with the one before
    read: list[dict[str, Any]] = field(default_factory=list)  # texts: name, words, fingerprint, perplexity
    seed: int | list[int] | None = None  # of its training, or of those of an ensemble; None: not known
    folder: Path | None = None  # where it was loaded from

    def form(self, question: str) -> Form:
        return self.forms.get(question, Form())

    def tokenizer(self) -> Tokenizer:
        """Raises: ModelError where this dmn or its spaCy doesn't know it, or one of its files is damaged."""
        try:
            return from_spec(self.tokenizer_spec, self.tokenizer_files)
        except DataError as error:
            raise ModelError(f"its tokenizer is damaged: {error.message}", where=self.folder, hint=AGAIN) from error
        except (KeyError, TypeError, UsageError) as error:
            raise ModelError(f"is damaged: its tokenizer is {self.tokenizer_spec}", where=self.folder) from error


def build(
    settings: NetworkSettings,
    vocabulary: Vocabulary,
    sizes: Sizes,
    tokenizer_spec: dict[str, Any],
    tasks: list[str],
    forms: dict[str, Form],
    preset: str,
    ensemble: int = 1,
) -> Model:
    """A new model with random weights."""
    networks = [NETWORKS[settings.network].build(settings, sizes) for _ in range(ensemble)]
    network = networks[0] if ensemble == 1 else together(networks)
    return Model(network, settings, vocabulary, sizes, tokenizer_spec, tasks, forms, preset, ensemble)


def together(networks: Sequence[Network]) -> Network:
    """Networks of one kind as one. Raises: UsageError where they can't answer together."""
    from dmn_cli.model.ensemble import Ensemble
    from dmn_cli.model.speaking import SpeakingNetwork

    speaking = [network for network in networks if isinstance(network, SpeakingNetwork)]
    if len(speaking) < len(networks):
        raise UsageError("networks of this kind can't answer together", hint="Keep the best one with --restarts.")
    return Ensemble(speaking)
