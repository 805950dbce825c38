"""The objective: J = α CE(gates) + β CE(answers)                       (Kumar et al. 2016, sec. 2.5)

CE(answers) can be smoothed: of K words, that an answer could have at a step, each is right a little (Szegedy et al.
2016, sec. 7). At ε = 0 it is the cross-entropy itself:

    CE_ε(y) = -(1 - ε) log p(y) - ε/K Σ_k log p(k)

CE(gates) teaches the gates where the data names supporting facts s_1 … s_n, in the order of the reasoning:

ordered     pass t must read s_t; the last pass must read what is left; passes after s_n must choose the end of passes,
            where the model has one. Softmax gates: -Σ_t Σ_i y_i^t log g_i^t. Sigmoid gates: binary cross-entropy of
            each gate.
any-pass    each supporting fact must be read in some pass, in an order of the model's own (noisy-or over the passes):
            -mean over s of log(1 - Π_t (1 - g_s^t)). The pass after n must choose the end of passes.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from dmn_cli.records.batch import Batch
from dmn_cli.records.output import Episode

_TINY = 1e-6


def answer_loss(logits: Tensor, batch: Batch, smoothing: float = 0.0) -> Tensor:
    """Cross-entropy of each answer, summed over its words and the end token, or over the facts.

    logits: (questions, steps, answers); smoothing: ε → (questions,)
    """
    loss = F.cross_entropy(
        logits.transpose(1, 2), batch.answer, ignore_index=-1, reduction="none", label_smoothing=smoothing
    )
    return loss.sum(dim=1)


def gate_loss(episode: Episode, batch: Batch, form: str, *, softmax: bool) -> Tensor:
    """Cross-entropy of the gates against the supporting facts; 0 where none are known: (questions,)

    form: a `GateSupervision`; softmax: whether the gates of a pass are one softmax, or each a sigmoid of its own
    """
    loss = any_pass_loss(episode, batch) if form == "any-pass" else ordered_loss(episode, batch, softmax=softmax)
    return loss * (batch.support >= 0).any(dim=1)


def any_pass_loss(episode: Episode, batch: Batch) -> Tensor:
    """(questions,)"""
    T = episode.gates.shape[1]
    real = batch.support >= 0
    n = real.sum(dim=1)
    at = batch.support.clamp(min=0).unsqueeze(1).expand(-1, T, -1)
    unread = torch.log1p(-episode.gates.gather(2, at).clamp(max=1 - _TINY))  # log (1 - g_s^t)
    if episode.stop is not None:  # only passes 1 … n count: the passes end there
        reading = torch.arange(T, device=n.device) < n.unsqueeze(1)
        unread = unread * reading.unsqueeze(2)
    read = -torch.expm1(unread.sum(dim=1))  # 1 - Π_t (1 - g)
    loss = -(torch.log(read.clamp(min=_TINY)) * real).sum(dim=1) / n.clamp(min=1)
    if episode.stop is not None:
        stop = episode.stop.gather(1, n.clamp(max=T - 1).unsqueeze(1)).squeeze(1)
        loss = loss - torch.log(stop.clamp(min=_TINY)) * (n < T)
    return loss


def ordered_targets(support: Tensor, passes: int, facts: int) -> tuple[Tensor, Tensor]:
    """What pass t must read: (questions, passes, facts), summing to 1 where it has something to read, and (questions,
    passes), True where it comes after the last supporting fact."""
    real = support >= 0
    n = real.sum(dim=1)
    turn = torch.arange(support.shape[1], device=support.device).clamp(max=passes - 1)
    at = (turn * facts + support).where(real, passes * facts)  # one more place, for what isn't there
    target = torch.zeros(len(support), passes * facts + 1, device=support.device).scatter_(1, at, 1.0)
    target = target[:, :-1].unflatten(1, (passes, facts))
    target = target / target.sum(dim=2, keepdim=True).clamp(min=1)
    return target, torch.arange(passes, device=support.device) >= n.unsqueeze(1)


def given_gates(support: Tensor, passes: int, facts: int, *, softmax: bool) -> Tensor:
    """Gates that read what pass t must read, and after the last supporting fact read it again: (questions, passes,
    facts), 0 where no supporting fact is known."""
    target, after = ordered_targets(support, passes, facts)
    for t in range(1, passes):
        target[:, t] = target[:, t - 1].where(after[:, t : t + 1], target[:, t])
    return target if softmax else (target > 0).to(target.dtype)


def ordered_loss(episode: Episode, batch: Batch, *, softmax: bool) -> Tensor:
    """(questions,), the mean over the passes that have a target."""
    _, T, facts = episode.gates.shape
    target, after = ordered_targets(batch.support, T, facts)
    g = episode.gates
    if episode.stop is not None:
        target = torch.cat([target, after.unsqueeze(2).to(target.dtype)], dim=2)
        g = torch.cat([g, episode.stop.unsqueeze(2)], dim=2)
    if softmax:
        loss = -(target * torch.log(g.clamp(min=_TINY))).sum(dim=2)
    else:
        real = torch.arange(facts, device=g.device) < batch.facts_seen.unsqueeze(1)
        real = F.pad(real, (0, g.shape[2] - facts), value=True).unsqueeze(1)
        hit = (target > 0).to(g.dtype)
        loss = (F.binary_cross_entropy(g, hit, reduction="none") * real).sum(dim=2)
    has_target = torch.ones_like(after) if episode.stop is not None else ~after
    return (loss * has_target).sum(dim=1) / has_target.sum(dim=1).clamp(min=1)
