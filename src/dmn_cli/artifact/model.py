"""A model: a network with all that it takes to ask it questions."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dmn_cli.data.words.spec import from_spec
from dmn_cli.data.words.tokenizer import Tokenizer
from dmn_cli.data.words.vocabulary import Vocabulary
from dmn_cli.errors import DataError, ModelError, UsageError
from dmn_cli.records.names import Names
from dmn_cli.records.network import Network, Sizes
from dmn_cli.records.text import Form
from dmn_cli.settings.networks import NETWORKS
from dmn_cli.settings.schema import NetworkSettings

AGAIN = "Copy the model directory again, or train it again."


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
    tokenizer_files: dict[str, bytes] = field(default_factory=dict)
    names: Names = field(default_factory=Names)  # that it can be told
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
) -> Model:
    """A new model with random weights."""
    network = NETWORKS[settings.network].build(settings, sizes)
    return Model(network, settings, vocabulary, sizes, tokenizer_spec, tasks, forms, preset)
