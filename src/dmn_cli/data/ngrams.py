"""The n-grams that a model of some data sets knows: those that at least two of their training texts have."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dmn_cli.data.batches import Batches
from dmn_cli.records.ngrams import distinct, keys

_LEAST = 2  # texts
_AT_A_TIME = 10_000  # stories


def of_training(train: Sequence[Batches], longest: int) -> np.ndarray:
    """Their keys, ascending. longest: how many words an n-gram has at most → (n,) int64"""
    found, counts = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for batches in train:
        for first in range(0, batches.split.stories, _AT_A_TIME):
            words, lengths = batches.text(np.arange(first, min(first + _AT_A_TIME, batches.split.stories)))
            each, _ = distinct(*keys(words, np.repeat(np.arange(len(lengths)), lengths), longest))
            those, texts = np.unique(each, return_counts=True)
            found.append(those)
            counts.append(texts)
    those, at = np.unique(np.concatenate(found), return_inverse=True)
    return those[np.bincount(at, np.concatenate(counts), minlength=len(those)) >= _LEAST]
