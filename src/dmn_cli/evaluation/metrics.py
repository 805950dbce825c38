"""Questions → figures: pure functions of a network's answers and gates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from dmn_cli.data.batches import Batches
from dmn_cli.evaluation.needs import FindNeeds, needs_of
from dmn_cli.evaluation.right import right_answers
from dmn_cli.machine.device import networks_at_once
from dmn_cli.machine.processes import shared
from dmn_cli.machine.threads import in_order
from dmn_cli.records.batch import END, FACTS, Batch
from dmn_cli.records.left_out import Needs
from dmn_cli.records.network import Network
from dmn_cli.records.output import facts_read


@dataclass(frozen=True)
class Judged:
    """One batch, answered and judged; all arrays have a row for each question."""

    rows: np.ndarray  # the number of each question in its split
    words: np.ndarray  # (questions, steps) answer ids
    answer: np.ndarray  # (questions, steps') the right ones, as in `Batch`
    per_fact: np.ndarray  # whether each fact is answered
    confidence: np.ndarray
    uncalibrated: np.ndarray  # the confidence at temperature 1
    right: np.ndarray  # how many of its answers are right
    answers: np.ndarray  # how many it asks for: 1, or one for each fact
    loss: np.ndarray
    task: np.ndarray
    facts_read: np.ndarray  # (questions, facts)
    hits: np.ndarray  # supporting facts that were read
    read: np.ndarray  # facts that were read, of the questions whose supporting facts are known
    supports: np.ndarray  # supporting facts; 0 where the network has no gates, and so reads none
    said: list[Mapping[str, str]] | None = None  # what spares stand for, where they stand for anything
    supporting: np.ndarray | None = None  # (questions, facts) True at the supporting facts, where `needs` are known
    needs: Needs | None = None  # which facts the answers need, where that was asked for


def judge(
    network: Network,
    batches: Batches,
    batch_size: int,
    device: torch.device,
    *,
    stories: np.ndarray | None = None,
    names: int | None = None,
    thin: int | None = None,
    why: bool = False,
    processes: int | None = None,
) -> Iterator[Judged]:
    """Answers every question of a split, or of some stories of it, once, in batches of stories of similar length,
    several side by side. why: finds the facts that the answers need, too; processes: that share the work, None: threads
    of this one do

    names, thin: as for `judge_stories`
    """
    plan = batches.plan(batch_size, facts=FACTS, stories=stories)
    find = partial(needs_of, network, device, batch_size) if why else None
    judged = partial(judge_stories, network, batches, device=device, names=names, thin=thin, find_needs=find)
    return shared(judged, plan, processes) if processes else in_order(judged, plan, networks_at_once(device))


def judge_stories(
    network: Network,
    batches: Batches,
    stories: np.ndarray,
    device: torch.device,
    *,
    names: int | None = None,
    thin: int | None = None,
    find_needs: FindNeeds | None = None,
) -> Judged:
    """Answers the questions of some stories. names: a seed by which they are changed; thin: one by which facts are left
    out; None: they are as they are; find_needs: as for `judge_batch`"""
    named, thinned = (
        None if seed is None else np.random.default_rng([seed, int(stories[0])]) for seed in (names, thin)
    )
    batch = batches.batch(stories, named, draws=len(stories), thin=thinned)
    return judge_batch(network, batch, batches.question_rows(stories), device, find_needs=find_needs)


@torch.inference_mode()
def judge_batch(
    network: Network,
    batch: Batch,
    rows: np.ndarray,
    device: torch.device,
    said: list[Mapping[str, str]] | None = None,
    *,
    find_needs: FindNeeds | None = None,
) -> Judged:
    """Answers the questions of a batch. rows: their numbers in the split; said: see `Judged`; find_needs: finds what
    the answers need, where that is asked for"""
    network.eval()
    told, batch = batch, network.arrange(batch).to(device)
    answered = network.answer(batch, with_loss=True)
    words, confidence, gates, loss, uncalibrated = answered
    assert loss is not None  # it was asked for
    uncalibrated = confidence if uncalibrated is None else uncalibrated
    supporting = _support_mask(batch)
    read = torch.zeros_like(supporting) if gates is None else facts_read(gates)
    known = supporting.any(dim=1, keepdim=True)
    said_and_right = (words, batch.answer, batch.per_fact, confidence, uncalibrated, right_answers(words, batch))
    columns = (*said_and_right, batch.answers_asked, loss, batch.task, read)
    supports = supporting.sum(1) if gates is not None else torch.zeros_like(batch.task)
    counts = ((read & supporting).sum(1), (read & known).sum(1), supports)
    judged = Judged(rows, *(tensor.cpu().numpy() for tensor in (*columns, *counts)), said=said)
    if find_needs is None:
        return judged
    return replace(judged, supporting=supporting.cpu().numpy(), needs=find_needs(told, answered))


def _support_mask(batch: Batch) -> Tensor:
    """(questions, facts) True at the supporting facts."""
    mask = torch.zeros(len(batch), batch.story.shape[1] + 1, dtype=torch.bool, device=batch.support.device)
    at = batch.support.masked_fill(batch.support < 0, batch.story.shape[1])
    return mask.scatter_(1, at, value=True)[:, :-1]


@dataclass
class Tally:
    """Sums of one task."""

    questions: int = 0
    answers: int = 0
    right: int = 0
    exact: int = 0
    unknown: int = 0  # answers with a word that the network doesn't know
    loss: float = 0.0  # of the others
    hits: int = 0
    read: int = 0
    supports: int = 0

    def figures(self) -> dict[str, float | int]:
        """accuracy, questions and loss (0 where no answer is known). Where facts are answered one by one, accuracy and
        loss are of these answers, and there are also their number and the share of questions without a mistake; where
        the loss leaves answers out, how many; where supporting facts are known and the network has gates, precision and
        recall of the facts that were read."""
        figures: dict[str, float | int] = {
            "accuracy": self.right / self.answers,
            "questions": self.questions,
            "loss": self.loss / max(1, self.answers - self.unknown),
        }
        if self.unknown:
            figures["unknown_answers"] = self.unknown
        if self.answers != self.questions:
            figures["answers"] = self.answers
            figures["exact"] = self.exact / self.questions
        if self.supports:
            figures["gate_precision"] = self.hits / max(1, self.read)
            figures["gate_recall"] = self.hits / self.supports
        return figures


def tally(judged: Judged, tallies: list[Tally]) -> None:
    """Adds a judged batch to the tallies, one for each task of the data set."""
    unknown = _unknown(judged)
    columns = {
        "answers": judged.answers,
        "right": judged.right,
        "exact": judged.right == judged.answers,
        "unknown": unknown,
        "loss": np.where(judged.per_fact | (unknown == 0), judged.loss, 0),
        "hits": judged.hits,
        "read": judged.read,
        "supports": judged.supports,
    }
    questions = np.bincount(judged.task, minlength=len(tallies))
    for name, column in columns.items():
        sums = np.bincount(judged.task, weights=column, minlength=len(tallies))
        for task in np.flatnonzero(questions):
            value = float(sums[task]) if name == "loss" else int(sums[task])
            setattr(tallies[task], name, getattr(tallies[task], name) + value)
    for task in np.flatnonzero(questions):
        tallies[task].questions += int(questions[task])


def _unknown(judged: Judged) -> np.ndarray:
    """How many right answers to each question have a word that the network doesn't know (-1). (questions,)"""
    steps, ended = np.arange(judged.answer.shape[1]), (judged.answer == END).cumsum(axis=1) > 0
    asked = np.where(judged.per_fact[:, np.newaxis], steps < judged.answers[:, np.newaxis], ~ended)
    missing = (judged.answer == -1) & asked
    return np.where(judged.per_fact, missing.sum(axis=1), missing.any(axis=1))
