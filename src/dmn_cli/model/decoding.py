"""The answers that one network gives, or several together: the likeliest word at each step.

    p_t(y) = 1/K Σ_k p_t^k(y | y_1 … y_{t-1}),   y_t = argmax_y p_t(y)

All of them are told the same word before. With one network this is greedy decoding.

No answer is empty, and a fact is never left out: where the end token can't come, words are chosen by a softmax over the
others, of each network.

How sure they are of an answer is the product over its words of softmax(log p_t / T). The temperature T (Guo et al.
2017, arXiv 1706.04599) is fitted once they are trained (evaluation/calibration.py), and changes no answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from dmn_cli.model.objective import answer_loss
from dmn_cli.records.batch import END, Batch
from dmn_cli.records.network import Answered
from dmn_cli.records.packing import Packing


class Speaker(Protocol):
    """Says one word after another."""

    def __call__(self, before: Tensor | None) -> Tensor:
        """The logits of the rows that have this step, (rows, answers). before: what was said by the rows of the step
        before, (rows,); None: it is the first"""
        ...

    def following(self, rows: Tensor) -> Speaker:
        """One that goes on from here with some rows, in their order, each as often as it is named. rows: (rows',)"""
        ...


class Reading(NamedTuple):
    """What a network made of a batch, and how it answers."""

    gates: Tensor | None  # (questions, passes, facts) as they counted; None: it has none
    packing: Packing  # of (questions, facts)
    max_steps: int  # of an answer that is given once, its end token counted
    once: Callable[[], Speaker]  # of all questions, in their order
    at_each: Callable[[], Speaker] | None  # of all questions, in the order of the packing; None: it can't
    forced: Callable[[], Tensor]  # logits given the right words before: (questions, steps, answers)


def answered(readings: Sequence[Reading], batch: Batch, temperature: float, *, with_loss: bool) -> Answered:
    """What they answer together; the gates are the mean of theirs."""
    words, confidence = decode(readings, batch, temperature)
    calibrated, uncalibrated = confidence.unbind(dim=1)
    gates = [reading.gates for reading in readings if reading.gates is not None]
    loss = answer_loss(together([reading.forced() for reading in readings]), batch) if with_loss else None
    return Answered(words, calibrated, torch.stack(gates).mean(dim=0) if gates else None, loss, uncalibrated)


def answer_logits(readings: Sequence[Reading], batch: Batch) -> tuple[Tensor, Tensor]:
    """As of `Network`: what they say together at each step of the right answers."""
    real = batch.answer >= 0
    logits = together([sayable(reading.forced(), batch) for reading in readings])
    return logits[real], batch.answer[real]


def sayable(logits: Tensor, batch: Batch) -> Tensor:
    """Logits with -inf for what is never said: an end first, or where there is a word for each fact, and what is
    barred. (questions, steps, answers)"""
    if batch.barred is not None:
        logits = logits.masked_fill(batch.barred.unsqueeze(1), -torch.inf)
    no_end = batch.per_fact.unsqueeze(1) | (torch.arange(logits.shape[1], device=logits.device) == 0)
    end = logits[..., END : END + 1].masked_fill(no_end.unsqueeze(2), -torch.inf)
    return torch.cat([end, logits[..., END + 1 :]], dim=2)


def decode(readings: Sequence[Reading], batch: Batch, temperature: float) -> tuple[Tensor, Tensor]:
    """The likeliest word at each step, until the end token, or until the last fact.

    Returns the answers (questions, steps), END from each one's end on, and the probability of each whole answer, its
    end included, among all that can be said: (questions, 2), at the temperature and at 1.
    """
    any_per_fact, all_per_fact = batch.per_fact_among
    max_steps = readings[0].max_steps
    each = [reading.at_each() for reading in readings if reading.at_each] if any_per_fact else []
    if not each:
        return decode_once([reading.once() for reading in readings], max_steps, batch.barred, temperature)
    words, confidence = decode_at_each(each, readings[0].packing, batch.barred, temperature)
    if all_per_fact:
        return words, confidence
    said, likely = decode_once([reading.once() for reading in readings], max_steps, batch.barred, temperature)
    steps = max(words.shape[1], said.shape[1])
    words, said = (F.pad(w, (0, steps - w.shape[1]), value=END) for w in (words, said))
    per_fact = batch.per_fact.unsqueeze(1)
    return torch.where(per_fact, words, said), torch.where(per_fact, confidence, likely)


def decode_once(
    speakers: Sequence[Speaker], max_steps: int, barred: Tensor | None = None, temperature: float = 1.0
) -> tuple[Tensor, Tensor]:
    """One word at least, and then until the end token. barred: as of `Batch`"""
    y, log_p = likeliest([speak(None) for speak in speakers], barred, temperature, may_end=False)
    words, ended = [y], torch.zeros_like(y, dtype=torch.bool)
    for _ in range(1, max_steps):
        y, log_p_t = likeliest([speak(y) for speak in speakers], barred, temperature, may_end=True)
        words.append(y.where(~ended, END))
        log_p = log_p + log_p_t.where(~ended.unsqueeze(1), 0.0)
        ended = ended | (y == END)
        if bool(ended.all()):
            break
    return torch.stack(words, dim=1), log_p.exp()


def decode_at_each(
    speakers: Sequence[Speaker], packing: Packing, barred: Tensor | None = None, temperature: float = 1.0
) -> tuple[Tensor, Tensor]:
    """One word for each fact. The longest rows come first, so that step t is of the rows that have one."""
    if barred is not None:
        barred = barred.expand(len(packing.order), -1).index_select(0, packing.order)
    y, log_p = likeliest([speak(None) for speak in speakers], barred, temperature, may_end=False)
    words = [y]
    for n in packing.counts[1:]:
        those = None if barred is None else barred[:n]
        y, log_p_t = likeliest([speak(y) for speak in speakers], those, temperature, may_end=False)
        words.append(y)
        log_p[:n] += log_p_t
    confidence = torch.empty_like(log_p).index_copy_(0, packing.order, log_p.exp())
    return packing.unpack(torch.cat(words), fill=END), confidence


def likeliest(
    logits: Sequence[Tensor], barred: Tensor | None, temperature: float, *, may_end: bool
) -> tuple[Tensor, Tensor]:
    """The likeliest words, the end token among them if it may come, and the logarithms of their probabilities at the
    temperature and at 1.

    logits: of each network, (rows, answers); barred: (rows or 1, answers) → (rows,), (rows, 2)
    """
    scores = said_together(logits, barred, may_end=may_end)
    log_p, y = torch.log_softmax(scores, dim=1).max(dim=1, keepdim=True)
    calibrated = log_p
    if temperature != 1:
        calibrated = torch.log_softmax(scores / temperature, dim=1).gather(1, y)
    return y.squeeze(1), torch.cat([calibrated, log_p], dim=1)


def said_together(logits: Sequence[Tensor], barred: Tensor | None, *, may_end: bool) -> Tensor:
    """Logits of all that can be said, -inf for the rest: (rows, answers). Takes what `likeliest` takes."""
    can = [scores if barred is None else scores.masked_fill(barred, -torch.inf) for scores in logits]
    if not may_end:
        for scores in can:
            scores[:, END] = -torch.inf
    return together(can)


def together(logits: Sequence[Tensor]) -> Tensor:
    """Logits whose softmax is the mean of theirs, over the last dimension."""
    if len(logits) == 1:
        return logits[0]
    return torch.stack([torch.log_softmax(scores, dim=-1) for scores in logits]).logsumexp(dim=0)
