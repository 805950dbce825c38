"""Vectors that were found or trained, and which words could do with one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dmn_cli.data.words.tokenizer import Tokenizer
from dmn_cli.data.words.vocabulary import PADDING, UNKNOWN, Vocabulary

Progress = Callable[[int], None]


@dataclass(frozen=True)
class FoundVectors:
    """Words, and a vector for each."""

    words: list[str]  # those that were wanted and found, in the order in which they were wanted; then the extra ones
    vectors: np.ndarray  # (words, size) float32
    by_case: list[str] = field(default_factory=list)  # those of the words whose entry is spelled in another case
    extra: list[str] = field(default_factory=list)  # the first of the file that were asked for beyond those wanted
    origin: dict[str, Any] = field(default_factory=dict)  # where they come from, for people


def training_words(vocabulary: Vocabulary) -> set[str]:
    words = vocabulary.words
    return {word for word, count in zip(words.items, words.counts["train"], strict=True) if count}


def unknown_to_training(vocabulary: Vocabulary, tokenizer: Tokenizer) -> Callable[[str], bool]:
    """Whether a word could be read in a question to come, though the training split lacks it."""
    known = training_words(vocabulary) | {PADDING, UNKNOWN}
    return lambda word: word not in known and tokenizer.spelled(tokenizer(word)) == [word]
