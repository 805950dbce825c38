"""Word vectors that a data set is given once its stories are written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from dmn_cli.data.store.layout import SPLITS, VECTORS
from dmn_cli.data.vectors.found import FoundVectors
from dmn_cli.data.words.affixes import is_affix
from dmn_cli.data.words.vocabulary import Vocabulary

Vectors = Callable[[Path, Vocabulary], FoundVectors]
"""Finds vectors for the vocabulary of the data set in a folder, whose stories are all written."""


def attach(folder: Path, vocabulary: Vocabulary, vectors: Vectors) -> dict[str, Any]:
    """Writes the vectors, adds the extra words to the vocabulary, and returns what dataset.json says about them."""
    found = vectors(folder, vocabulary)
    wanted = len(vocabulary.words)
    vocabulary.extra = found.extra
    vocabulary.words.add_unseen(found.extra)
    ids = np.array([vocabulary.words.ids[word] for word in found.words], np.int32)
    (folder / VECTORS).write_bytes(save({"ids": ids, "vectors": found.vectors}))
    known = np.zeros(len(vocabulary.words), bool)
    known[ids] = True
    words = np.array([not is_affix(word) for word in vocabulary.words.items])
    return {
        "file": VECTORS,
        "origin": found.origin,
        "size": found.vectors.shape[1],
        "found": int(known[:wanted].sum()),
        "by_case": len(found.by_case),
        "extra": len(found.extra),
        "coverage": {
            split: _coverage(known[words], np.array(vocabulary.words.counts[split])[words]) for split in SPLITS
        },
    }


def _coverage(known: np.ndarray, counts: np.ndarray) -> dict[str, int]:
    """How many of a split's words have a vector: distinct words (types), and all of their occurrences (tokens)."""
    return {
        "types": int((counts > 0).sum()),
        "types_found": int((counts[known] > 0).sum()),
        "tokens": int(counts.sum()),
        "tokens_found": int(counts[known].sum()),
    }
