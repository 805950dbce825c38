"""Prepared texts → batches of sentences of like length, in the ids of a model's vocabulary, by array operations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dmn_cli.data.text.store import Text
from dmn_cli.data.words.vocabulary import Vocabulary
from dmn_cli.errors import DataError
from dmn_cli.records.batch import padded

_HELD_OUT = 500  # of so many sentences, one is held out
_MOST_HELD_OUT = 10_000  # words
_POOL = 64  # batches: sentences are sorted by length only among those of about so many


@dataclass(frozen=True)
class Plan:
    """The batches of an epoch, in their order."""

    sentences: np.ndarray  # in the order of the batches before these were shuffled
    start: np.ndarray  # (batches + 1,) where each begins in there
    turn: np.ndarray  # (batches,) the one that comes first, second, …

    def __len__(self) -> int:
        return len(self.turn)

    def __getitem__(self, n: int) -> np.ndarray:
        at = self.turn[n]
        return self.sentences[self.start[at] : self.start[at + 1]]


class TextBatches:
    """Several texts as one. A sentence is its number among those of all."""

    def __init__(self, texts: Sequence[Text], vocabulary: Vocabulary) -> None:
        self.texts, self.vocabulary = texts, vocabulary
        self._first = np.cumsum([0, *(text.sentences for text in texts)])
        ids = vocabulary.words.ids
        self._ids = [np.array([ids.get(word, 1) for word in text.items], np.int64) for text in texts]
        self.steps = np.concatenate([text.steps for text in texts])  # of each sentence

    @cached_property
    def counts(self) -> np.ndarray:
        """How often each word of the vocabulary occurs; 0 of what isn't a word to be foretold: padding, the unknown
        word, and what says the form of a word. (words,)"""
        counts = np.zeros(len(self.vocabulary.words), np.int64)
        for text, ids in zip(self.texts, self._ids, strict=True):
            np.add.at(counts, ids, text.counts)
        counts[:2] = 0
        counts[self.vocabulary.words.affixes()] = 0
        if not counts.any():
            named = ", ".join(name for text in self.texts for name in text.names)
            hint = "--extra-words N lets it know the N most frequent ones."
            raise DataError(f"{named}: has no word that the model knows", hint=hint)
        return counts

    @cached_property
    def held_out(self) -> np.ndarray:
        """The sentences that are never trained on."""
        every = np.arange(0, len(self.steps), _HELD_OUT)
        return every[: max(1, int(np.searchsorted(np.cumsum(self.steps[every]), _MOST_HELD_OUT)))]

    def plan(self, seed: int, epoch: int, words: int) -> Plan:
        """words: of a batch"""
        random = np.random.default_rng([seed, epoch])
        order = random.permutation(np.setdiff1d(np.arange(len(self.steps), dtype=np.int32), self.held_out))
        pool = np.arange(len(order)) // max(1, round(_POOL * words / self.steps.mean()))
        order = order[np.lexsort((self.steps[order], pool))]
        filled = np.cumsum(self.steps[order], dtype=np.int64) - self.steps[order]
        cut = np.flatnonzero(np.diff(filled // words)) + 1
        return Plan(order, np.concatenate([[0], cut, [len(order)]]), random.permutation(len(cut) + 1))

    def take(self, sentences: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Some sentences: their word ids, padded by 0, and which say the form of the word before.
        (sentences, words) twice"""
        rows: list[tuple[np.ndarray, np.ndarray | None, np.ndarray]] = []
        of = np.searchsorted(self._first, sentences, side="right") - 1
        for n in np.unique(of):
            text = self.texts[n]
            taken, lengths = text.take(sentences[of == n] - self._first[n])
            rows.append((self._ids[n][taken], None if text.affixes is None else text.affixes[taken], lengths))
        lengths = np.concatenate([row[2] for row in rows])
        ids = padded(np.concatenate([row[0] for row in rows]), lengths, 0)
        affix = [row[1] for row in rows if row[1] is not None]
        return ids, padded(np.concatenate(affix), lengths, 0).astype(bool) if affix else None
