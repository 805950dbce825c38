"""The letters of a batch's words (`spelling.py`), as a network reads them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from dmn_cli.records.packing import Packing, Pointers, parts_moved
from dmn_cli.records.spelling import BYTES, Spelled


@dataclass(frozen=True)
class Letters:
    """The letters of the distinct words of a batch."""

    packing: Packing  # of (distinct words, letters)
    letters: Pointers  # (packed,) at the BYTES
    from_end: Pointers  # (packed,) at those of `packing.mirror`
    word: Pointers  # (steps,) at the distinct word that each step of its sentences is

    @classmethod
    def of(cls, spelled: Spelled, begins: np.ndarray, steps: Packing) -> Letters:
        """begins: (words of all,) True for words that begin a step; steps: of (sentences, steps). On the CPU."""
        distinct, which = np.unique(spelled.words[begins], return_inverse=True)
        word = np.empty(len(which), np.int64)
        word[steps.by_row.numpy()] = which
        letters, lengths = spelled.spelling.take(distinct)
        packing = Packing.of(torch.from_numpy(lengths))
        packed = torch.from_numpy(np.empty_like(letters)).index_copy_(0, packing.by_row, torch.from_numpy(letters))
        return cls(
            packing,
            Pointers.of(packed, BYTES),
            Pointers.of(packed.index_select(0, packing.mirror), BYTES),
            Pointers.of(torch.from_numpy(word), len(distinct)),
        )

    def to(self, device: torch.device) -> Letters:
        return Letters(**parts_moved(self, device))
