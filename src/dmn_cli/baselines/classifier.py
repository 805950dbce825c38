"""What networks share that classify texts: the words that a question sees, and one softmax over the classes.

    p(y | text) = softmax(s / T)      s: what a network makes of a text, (answers,); T: its temperature

No answer is empty, so the end token isn't a class: where it is the target, the text has no class (`Batch.nodes`).
"""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from dmn_cli.records.batch import END, Batch
from dmn_cli.records.network import Answered, Likeliest, Losses, Network


class Classifier(Network):
    """A network that gives each text one of several answers, of one word each."""

    classifies = True

    def arrange(self, batch: Batch) -> Batch:
        _ = batch.word_packings
        return batch

    @abstractmethod
    def scores(self, batch: Batch) -> Tensor:
        """s of what each question sees: (questions, answers)"""

    def losses(self, batch: Batch, supervision: str | None) -> Losses:
        s, right = sayable(self.scores(batch), batch), batch.answer[:, 0]
        smoothed = cross_entropy(s, right, self.label_smoothing) if self.label_smoothing else None
        return Losses(cross_entropy(s, right), None, smoothed)

    @torch.no_grad()
    def answer(self, batch: Batch, *, with_loss: bool = False) -> Answered:
        s = sayable(self.scores(batch), batch)
        uncalibrated, y = s.softmax(dim=1).max(dim=1)
        confidence = (s / self.temperature).softmax(dim=1).amax(dim=1)
        loss = cross_entropy(s, batch.answer[:, 0]) if with_loss else None
        return Answered(_closed(y), confidence, None, loss, uncalibrated)

    @torch.no_grad()
    def answer_logits(self, batch: Batch) -> tuple[Tensor, Tensor]:
        right = batch.answer[:, 0]
        return sayable(self.scores(batch), batch)[right >= 0], right[right >= 0]

    @torch.no_grad()
    def likeliest(self, batch: Batch, k: int) -> Likeliest:
        s = sayable(self.scores(batch), batch) / self.temperature
        p, y = s.softmax(dim=1).topk(min(k, s.shape[1]), dim=1)
        return Likeliest(_closed(y), p)


def cross_entropy(s: Tensor, right: Tensor, smoothing: float = 0.0) -> Tensor:
    """-log p(right), 0 where that is -1, smoothed over what can be said. s: (n, answers); right: (n,) → (n,)"""
    log_p = s.log_softmax(dim=1)
    loss = -log_p.gather(1, right.clamp(min=0).unsqueeze(1)).squeeze(1)
    if smoothing:
        can = s > -torch.inf
        loss = (1 - smoothing) * loss - smoothing * log_p.where(can, 0.0).sum(dim=1) / can.sum(dim=1)
    return loss.where(right >= 0, 0.0)


def sayable(s: Tensor, batch: Batch) -> Tensor:
    """-inf for what is no answer. (questions, answers)"""
    if batch.barred is not None:
        s = s.masked_fill(batch.barred, -torch.inf)
    end = torch.arange(s.shape[1], device=s.device) == END
    return s.masked_fill(end, -torch.inf)


def _closed(y: Tensor) -> Tensor:
    """Answers of one word, closed by the end token. (…) → (…, 2)"""
    return torch.stack([y, torch.full_like(y, END)], dim=-1)


def texts(batch: Batch) -> tuple[Tensor, Tensor]:
    """What each question sees as one row of words: (questions, words) ids, padded by 0, and its length, (questions,)"""
    packings, facts = batch.word_packings, batch.fact_packings.facts
    stories = packings.stories
    last = packings.seen.index[facts.last]  # where the last word lies that each question sees
    length = stories.cell[last] % stories.steps + 1
    words = stories.unpack(packings.words, 0)[batch.story_of, : int(length.max())]
    return words * (torch.arange(words.shape[1], device=words.device) < length.unsqueeze(1)), length
