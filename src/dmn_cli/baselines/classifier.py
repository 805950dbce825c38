"""What networks share that classify texts: the words that a question sees, and one softmax over the classes.

    p(y | text) = softmax(s / T)      s: what a network makes of a text, (answers,); T: its temperature

No answer is empty, so the end token isn't a class: where it is the target, the text has no class (`Batch.nodes`).
"""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from dmn_cli.baselines.stepwise import Scores, StepwiseNetwork, ended
from dmn_cli.records.batch import END, Batch
from dmn_cli.records.network import Losses


class Classifier(StepwiseNetwork):
    """A network that gives each text one of several answers, of one word each."""

    classifies = True

    def arrange(self, batch: Batch) -> Batch:
        _ = batch.word_packings
        return batch

    @abstractmethod
    def classes(self, batch: Batch) -> Tensor:
        """s of what each question sees: (questions, answers)"""

    def scores(self, batch: Batch) -> Scores:
        return Scores(ended(without_end(self.classes(batch)).unsqueeze(1), 2), None)

    def losses(self, batch: Batch, supervision: str | None) -> Losses:
        s, right = without_end(self.classes(batch)), batch.answer[:, 0]
        smoothed = cross_entropy(s, right, self.label_smoothing) if self.label_smoothing else None
        return Losses(cross_entropy(s, right), None, smoothed)


def cross_entropy(s: Tensor, right: Tensor, smoothing: float = 0.0) -> Tensor:
    """-log p(right), 0 where that is -1, smoothed over what can be said. s: (n, answers); right: (n,) → (n,)"""
    log_p = s.log_softmax(dim=1)
    loss = -log_p.gather(1, right.clamp(min=0).unsqueeze(1)).squeeze(1)
    if smoothing:
        can = s > -torch.inf
        loss = (1 - smoothing) * loss - smoothing * log_p.where(can, 0.0).sum(dim=1) / can.sum(dim=1)
    return loss.where(right >= 0, 0.0)


def without_end(s: Tensor) -> Tensor:
    """-inf for the end token. (questions, answers)"""
    return s.masked_fill(torch.arange(s.shape[1], device=s.device) == END, -torch.inf)


def texts(batch: Batch) -> tuple[Tensor, Tensor]:
    """What each question sees as one row of words: (questions, words) ids, padded by 0, and its length, (questions,)"""
    packings, facts = batch.word_packings, batch.fact_packings.facts
    stories = packings.stories
    last = packings.seen.index[facts.last]  # where the last word lies that each question sees
    length = stories.cell[last] % stories.steps + 1
    words = stories.unpack(packings.words, 0)[batch.story_of, : int(length.max())]
    return words * (torch.arange(words.shape[1], device=words.device) < length.unsqueeze(1)), length
