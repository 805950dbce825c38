"""How words are written, as the bytes of UTF-8: no list of characters has to be kept, and none is unknown. Without
torch, which data are prepared without."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from dmn_cli.records.ragged import spans

BYTES = 257  # 0 is the letter of a word without any, byte b is b + 1
_MOST = 32  # bytes of a word: of a longer one the first and the last half of these
_NONE = ("\t", "")  # how words begin that nobody writes: spares, which stand for names


class Spelling:
    """The letters of a list of words, which grows no more."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words = words

    @cached_property
    def _ragged(self) -> tuple[np.ndarray, np.ndarray]:
        """Bytes + 1 end to end, and where each word begins; its end is last."""
        spelled = [b"" if word[:1] in _NONE else _cut(word.encode(errors="replace")) for word in self._words]
        letters = np.frombuffer(b"".join(one or b"\0" for one in spelled), np.uint8).astype(np.int64) + 1
        lengths = np.array([len(one) for one in spelled], np.int64)
        ends = np.cumsum(lengths.clip(min=1))
        letters[(ends - 1)[lengths == 0]] = 0
        return letters, np.concatenate([[0], ends])

    def take(self, words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The letters of some words, end to end, and how many each has, one at least. words: (n,) positions"""
        letters, start = self._ragged
        lengths = start[words + 1] - start[words]
        return letters[spans(start[words], lengths)], lengths


def _cut(word: bytes) -> bytes:
    return word if len(word) <= _MOST else word[: _MOST // 2] + word[-_MOST // 2 :]


class Spelled(NamedTuple):
    """The words of a batch's sentences as they were written, those that the model doesn't know too."""

    words: np.ndarray  # (words of all,) positions in `spelling`, sentence by sentence
    spelling: Spelling
