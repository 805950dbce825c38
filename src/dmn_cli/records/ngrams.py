"""N-grams of words as numbers, by array operations.

    key(w_1 … w_n) = ((w_1 P + w_2) P + …) P + w_n   mod 2^64,   P = 2^64 / φ, odd

Multiples of P lie as far from each other as numbers can (Knuth, vol. 3, sec. 6.4): keys of words and pairs are distinct
up to two million words, those of more are as good as distinct.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from dmn_cli.records.packing import move
from dmn_cli.records.ragged import spans

P = 0x9E3779B97F4A7C15 - (1 << 64)  # as int64


class NGrams(NamedTuple):
    """What the questions of a batch see as sets of n-grams. A text is a beginning of a story, as far as it is seen."""

    keys: Tensor  # (n,) the distinct ones of the first text, ascending, then those of the second, …
    text: Tensor  # (n,) whose each is
    text_of: Tensor  # (questions,) the text that each sees
    texts: int

    @classmethod
    def of(
        cls, sentences: Tensor, story: Tensor, story_of: Tensor, facts_seen: Tensor, affix: Tensor | None, longest: int
    ) -> NGrams:
        """longest: n, of words in a row, across sentences too. What says the form of a word isn't one of them.

        The rest is of a `Batch`.
        """
        rows, stories, of, seen = (column.cpu().numpy() for column in (sentences, story, story_of, facts_seen))
        real = rows != 0
        if affix is not None:
            real &= ~affix.cpu().numpy()
        length, words = real.sum(axis=1), rows[real]
        pairs, text_of = np.unique(of * (stories.shape[1] + 1) + seen, return_inverse=True)
        begun, upto = np.divmod(pairs, stories.shape[1] + 1)
        told = np.arange(stories.shape[1]) < upto[:, np.newaxis]  # (texts, facts)
        facts, text = stories[begun][told], np.repeat(np.arange(len(pairs)), upto)
        at = spans((np.cumsum(length) - length)[facts], length[facts])
        found, text = distinct(*keys(words[at], np.repeat(text, length[facts]), longest))
        arrays = map(torch.from_numpy, (found, text, text_of.astype(np.int64, copy=False)))
        return cls(*arrays, texts=len(pairs))

    def to(self, device: torch.device) -> NGrams:
        return NGrams(*(move(column, device) for column in self[:3]), texts=self.texts)


def keys(words: np.ndarray, text: np.ndarray, longest: int) -> tuple[np.ndarray, np.ndarray]:
    """All n-grams of texts that lie end to end, n from 1 to `longest`, and the text of each.

    words: (words,) ids; text: (words,) whose each is, ascending → (n,) int64, (n,)
    """
    ids, factor = words.astype(np.uint64), np.uint64(P % (1 << 64))
    key, begun = ids, text
    found, texts = [ids], [text]
    for n in range(1, longest):
        key, begun, last = key[:-1] * factor + ids[n:], begun[:-1], text[n:]
        inside = begun == last
        found.append(key[inside])
        texts.append(last[inside])
    return np.concatenate(found).view(np.int64), np.concatenate(texts)


def distinct(found: np.ndarray, text: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each n-gram of a text once, text by text, in ascending order. Takes and returns what `keys` returns."""
    order = np.lexsort((found, text))
    found, text = found[order], text[order]
    new = np.append(True, (found[1:] != found[:-1]) | (text[1:] != text[:-1]))[: len(found)]
    return found[new], text[new]
