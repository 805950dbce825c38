"""Word vectors that were found or trained, and which words can use one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dmn_cli.data.words.tokenizer import Tokenizer
from dmn_cli.data.words.vocabulary import PADDING, UNKNOWN, Vocabulary
from dmn_cli.errors import DataError

Progress = Callable[[int], None]


@dataclass(frozen=True)
class FoundVectors:
    """Words, and the vector of each."""

    words: list[str]  # those that were wanted and found, in the order in which they were wanted, then the extra ones
    vectors: np.ndarray  # (words, size) float32
    by_case: list[str] = field(default_factory=list)  # the words whose entry is spelled in another case
    extra: list[str] = field(default_factory=list)  # the first entries that were accepted as extra words
    origin: dict[str, Any] = field(default_factory=dict)  # where the vectors come from, for dataset.json


def training_words(vocabulary: Vocabulary) -> set[str]:
    """The words that occur in the training split."""
    words = vocabulary.words
    return {word for word, count in zip(words.items, words.counts["train"], strict=True) if count}


def unknown_to_training(vocabulary: Vocabulary, tokenizer: Tokenizer) -> Callable[[str], bool]:
    """Says of a word whether a question may have it (the tokenizer yields it as one word) though training lacks it."""
    known = training_words(vocabulary) | {PADDING, UNKNOWN}

    def keeps(word: str) -> bool:
        try:
            return word not in known and tokenizer.spelled(tokenizer(word)) == [word]
        except DataError:  # half of a tree
            return False

    return keeps
