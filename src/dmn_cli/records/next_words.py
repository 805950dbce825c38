"""NextWords: sentences of plain text, and at each word the one after it and the one before it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dmn_cli.records.batch import Texts
from dmn_cli.records.packing import parts_moved

SENTENCE_END = 0  # the class of what comes after the last word, and before the first one
UNKNOWN_WORD = -1  # where there is no class, since the word is unknown


@dataclass(frozen=True)
class NextWords:
    """Word w is of class w; no word is 0, which is SENTENCE_END. Classes are counted among those of the batch."""

    texts: Texts
    classes: Tensor  # (classes,) the words that are read or sampled, after SENTENCE_END
    words: Tensor  # (words of all steps,) the class of each, in the order of the texts
    after: Tensor  # (packed,) the class of the word after each step, or UNKNOWN_WORD
    before: Tensor  # (packed,) the same of the word before
    sampled: Tensor  # (sampled,) the classes that each word is compared with, SENTENCE_END first

    @classmethod
    def of(cls, sentences: np.ndarray, affix: np.ndarray | None, sampled: np.ndarray) -> NextWords:
        """sentences, affix: (sentences, words), as of `Batch`; sampled: (n,) distinct words"""
        texts = Texts.of(torch.from_numpy(sentences), None if affix is None else torch.from_numpy(affix))
        distinct = texts.words.distinct.numpy()
        classes = np.union1d(np.append(SENTENCE_END, distinct), sampled)
        words = np.searchsorted(classes, distinct)[texts.words.pointers.index.numpy()]
        step = words[texts.start.numpy()]
        step = np.where(classes[step] == 1, UNKNOWN_WORD, step)
        rows = len(texts.packing.order)
        going_on = texts.packing.going_on.numpy()  # whose next steps are those that aren't the first of their row
        after, before = np.full((2, len(step)), SENTENCE_END)
        after[going_on] = step[rows:]
        before[rows:] = step[going_on]
        places = np.searchsorted(classes, np.append(SENTENCE_END, sampled))
        return cls(texts, *map(torch.from_numpy, (classes, words, after, before, places)))

    def to(self, device: torch.device) -> NextWords:
        return self if device.type == "cpu" else NextWords(**parts_moved(self, device))
