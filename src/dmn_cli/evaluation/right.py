"""Which answers are right."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from dmn_cli.records.batch import END, Batch


def right_answers(words: Tensor, batch: Batch) -> Tensor:
    """How many answers to each question are right. A question that is answered once has 0 or 1, and a list of words
    counts only if all of it is right, in its order or, where the answer is a set, in any; of the others, each fact with
    the right answer counts. An answer word that the model doesn't know (-1 before the end) is never right.

    words: (questions, steps) as decoded, END from each one's end on → (questions,)
    """
    steps = max(words.shape[1], batch.answer.shape[1])
    ended = (batch.answer == END).cumsum(dim=1) > 0
    answer = batch.answer.masked_fill(ended, END)
    same = F.pad(words, (0, steps - words.shape[1]), value=END) == F.pad(
        answer, (0, steps - answer.shape[1]), value=END
    )
    real = torch.arange(steps, device=words.device) < batch.facts_seen.unsqueeze(1)
    right = torch.where(batch.per_fact, (same & real).sum(dim=1), same.all(dim=1).long())
    return right if batch.any_order is None else torch.where(batch.any_order, _same_sets(words, answer), right)


def _same_sets(words: Tensor, answer: Tensor) -> Tensor:
    """Whether the distinct words of two answers are the same. Both: (questions, steps), END from the end on, -1 where
    unknown → (questions,) 0 or 1"""
    size = int(max(words.max(), answer.max())) + 2
    sets = [torch.zeros(len(of), size, dtype=torch.bool, device=of.device) for of in (words, answer)]
    for members, of in zip(sets, (words, answer), strict=True):
        members.scatter_(1, of + 1, value=True)[:, END + 1] = False
    return (sets[0] == sets[1]).all(dim=1).long()
