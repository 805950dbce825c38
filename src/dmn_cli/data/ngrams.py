"""The n-grams that a model of some data sets knows: those that at least two of their training texts have; and how much
each says of an answer, by naive Bayes.

    w_g = max_c log (P(g | c) / P(g | not c)),    P(g | c) = (1 + n_gc) / (|T| + Σ_h n_hc)

n_gc: how many texts with c in an answer have g; T: all n-grams that are known. With two answers w_g is the size of the
log-count ratio of Wang & Manning 2012 (sec. 2.1); as a factor of what an n-gram adds it is from Li et al. 2016 (COLING,
"Weighted neural bag-of-n-grams model", sec. 3).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from dmn_cli.data.batches import Batches
from dmn_cli.records.ngrams import distinct, keys
from dmn_cli.records.ragged import spans

_LEAST = 2  # texts
_AT_A_TIME = 10_000  # stories


class Known(NamedTuple):
    """N-grams, and how much each says."""

    keys: np.ndarray  # (n,) int64, ascending
    w: np.ndarray  # (n,) float32, at least 0


NONE = Known(np.empty(0, np.int64), np.empty(0, np.float32))


def of_training(train: Sequence[Batches], longest: int) -> Known:
    """longest: how many words an n-gram has at most"""
    grams, texts = _counted(found for _, _, found, _ in _texts(train, longest))
    known = grams[texts >= _LEAST]
    return Known(known, _says(train, longest, known))


def _says(train: Sequence[Batches], longest: int, known: np.ndarray) -> np.ndarray:
    """w of the n-grams that are known. (n,) float32"""
    answers = max((len(batches.vocabulary.answers) for batches in train), default=0)

    def found() -> Iterator[np.ndarray]:
        """One number for each n-gram and each word of the answers of each text that has it."""
        for batches, stories, gram, text in _texts(train, longest):
            row = np.searchsorted(known, gram)
            real = known[np.minimum(row, len(known) - 1)] == gram if len(known) else np.zeros(len(row), bool)
            answer, many = batches.answer_words(stories)
            row, text = row[real], text[real]
            each = answer[spans((np.cumsum(many) - many)[text], many[text])]
            yield np.repeat(row, many[text]) * answers + each

    pairs, n = _counted(found())
    g, c = np.divmod(pairs, max(1, answers))
    of_answer, of_gram = np.bincount(c, n, answers), np.bincount(g, n, len(known))
    inside = (1 + n) / (len(known) + of_answer[c])
    outside = (1 + of_gram[g] - n) / (len(known) + of_answer.sum() - of_answer[c])
    w = np.zeros(len(known), np.float32)
    np.maximum.at(w, g, np.log(inside / outside).astype(np.float32))
    return w


def _texts(train: Sequence[Batches], longest: int) -> Iterator[tuple[Batches, np.ndarray, np.ndarray, np.ndarray]]:
    """Some stories at a time, the distinct n-grams of each, end to end, and which of the stories has them."""
    for batches in train:
        for first in range(0, batches.split.stories, _AT_A_TIME):
            stories = np.arange(first, min(first + _AT_A_TIME, batches.split.stories))
            words, lengths = batches.text(stories)
            yield batches, stories, *distinct(*keys(words, np.repeat(np.arange(len(stories)), lengths), longest))


def _counted(parts: Iterator[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The distinct numbers of all parts, ascending, and how often each is there."""
    each = [np.unique(part, return_counts=True) for part in parts]
    found, at = np.unique(np.concatenate([NONE.keys, *(numbers for numbers, _ in each)]), return_inverse=True)
    return found, np.bincount(at, np.concatenate([np.empty(0), *(counts for _, counts in each)]), len(found))
