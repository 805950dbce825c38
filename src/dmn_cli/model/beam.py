"""The likeliest answers, not the likeliest alone: beam search over what is said once.

A beginning of an answer is worth the product of its words' probabilities. At each step the best beginnings go on, and
those that end are answers, at the latest at the longest answer that training had. Where every answer of the training is
one word, all first words go on: what is found is then exact, softmax over the first words times the probability that
the answer ends there. Otherwise twice as many go on as answers are asked for, 16 at least; the probabilities are still
those of whole answers.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from dmn_cli.model.decoding import Reading, Speaker, said_together
from dmn_cli.records.batch import END, Batch
from dmn_cli.records.network import Likeliest

_ROWS = 1 << 15  # beginnings that are followed at a time
_LEAST = 16


@torch.no_grad()
def likeliest(readings: Sequence[Reading], batch: Batch, k: int, temperature: float = 1.0) -> Likeliest:
    """The k likeliest answers of what is read, the likeliest first, where questions are answered once."""
    max_steps = readings[0].max_steps
    speakers = [reading.once() for reading in readings]
    first = _log_probabilities([speak(None) for speak in speakers], batch.barred, temperature, may_end=False)
    questions, answers = first.shape
    width = answers if max_steps == 2 else max(2 * k, _LEAST)
    found = [
        _search(speakers, first, rows, batch.barred, k, width, max_steps, temperature)
        for rows in torch.arange(questions, device=first.device).split(max(1, _ROWS // width))
    ]
    return Likeliest(torch.cat([words for words, _ in found]), torch.cat([log_p for _, log_p in found]).exp())


def _search(
    speakers: Sequence[Speaker],
    first: Tensor,
    questions: Tensor,
    barred: Tensor | None,
    k: int,
    width: int,
    max_steps: int,
    temperature: float,
) -> tuple[Tensor, Tensor]:
    """first: (all questions, answers), log p of the first words; questions: those that are looked at

    → (questions, k, max_steps), END from each one's end on; (questions, k), the logarithms of their probabilities
    """
    n = len(questions)
    log_p, y = first[questions].topk(min(width, first.shape[1]), dim=1)
    words = y.new_full((*y.shape, max_steps), END)
    words[:, :, 0] = y
    ended, ended_log_p = words.new_full((n, k, max_steps), END), log_p.new_full((n, k), -torch.inf)
    speakers = [speak.following(questions.repeat_interleave(y.shape[1])) for speak in speakers]
    for t in range(1, max_steps):
        each_barred = barred
        if barred is not None and len(barred) > 1:
            each_barred = barred[questions].repeat_interleave(y.shape[1], dim=0)
        said = [speak(y.flatten()) for speak in speakers]
        each = _log_probabilities(said, each_barred, temperature, may_end=True)
        each = log_p.unsqueeze(2) + each.unflatten(0, y.shape)
        ended, ended_log_p = _best(ended, ended_log_p, words, each[:, :, END], k)
        each[:, :, END] = -torch.inf
        offset = torch.arange(n, device=y.device).unsqueeze(1) * y.shape[1]
        log_p, at = each.flatten(1).topk(min(width, each[0].numel()), dim=1)
        before, y = at // each.shape[2], at % each.shape[2]
        words = words.gather(1, before.unsqueeze(2).expand(-1, -1, max_steps))
        words[:, :, t] = y
        if bool((log_p[:, 0] <= ended_log_p[:, -1]).all()):  # none that goes on can become better
            break
        speakers = [speak.following((offset + before).flatten()) for speak in speakers]
    return ended, ended_log_p


def _log_probabilities(logits: Sequence[Tensor], barred: Tensor | None, temperature: float, *, may_end: bool) -> Tensor:
    """Of all that can be said, at the temperature: (rows, answers). Takes what `decoding.likeliest` takes."""
    return torch.log_softmax(said_together(logits, barred, may_end=may_end) / temperature, dim=1)


def _best(words: Tensor, log_p: Tensor, more: Tensor, more_log_p: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k likeliest of some answers and some more."""
    words, log_p = torch.cat([words, more], dim=1), torch.cat([log_p, more_log_p], dim=1)
    log_p, at = log_p.topk(k, dim=1)
    return words.gather(1, at.unsqueeze(2).expand(-1, -1, words.shape[2])), log_p
