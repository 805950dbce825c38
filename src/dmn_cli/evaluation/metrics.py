"""Questions → figures: pure functions of a network's answers and gates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from dmn_cli.data.batches import Batches
from dmn_cli.machine.device import networks_at_once
from dmn_cli.machine.threads import in_order
from dmn_cli.records.batch import END, FACTS, Batch
from dmn_cli.records.network import Network
from dmn_cli.records.output import facts_read


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


def judge(
    network: Network,
    batches: Batches,
    batch_size: int,
    device: torch.device,
    *,
    stories: np.ndarray | None = None,
    names: int | None = None,
    thin: int | None = None,
) -> Iterator[Judged]:
    """Answers every question of a split, or of some stories of it, once, in batches of stories of similar length,
    several side by side.

    names, thin: as for `judge_stories`
    """
    plan = batches.plan(batch_size, facts=FACTS, stories=stories)
    judged = partial(judge_stories, network, batches, device=device, names=names, thin=thin)
    return in_order(judged, plan, networks_at_once(device))


def judge_stories(
    network: Network,
    batches: Batches,
    stories: np.ndarray,
    device: torch.device,
    *,
    names: int | None = None,
    thin: int | None = None,
) -> Judged:
    """Answers the questions of some stories. names: a seed by which they are changed; thin: one by which facts are left
    out; None: they are as they are"""
    named, thinned = (
        None if seed is None else np.random.default_rng([seed, int(stories[0])]) for seed in (names, thin)
    )
    batch = batches.batch(stories, named, draws=len(stories), thin=thinned)
    return judge_batch(network, batch, batches.question_rows(stories), device)


@torch.inference_mode()
def judge_batch(
    network: Network,
    batch: Batch,
    rows: np.ndarray,
    device: torch.device,
    said: list[Mapping[str, str]] | None = None,
) -> Judged:
    """Answers the questions of a batch. rows: their numbers in the split; said: see `Judged`"""
    network.eval()
    batch = network.arrange(batch).to(device)
    words, confidence, gates, loss, uncalibrated = network.answer(batch, with_loss=True)
    assert loss is not None  # it was asked for
    uncalibrated = confidence if uncalibrated is None else uncalibrated
    supporting = _support_mask(batch)
    read = torch.zeros_like(supporting) if gates is None else facts_read(gates)
    known = supporting.any(dim=1, keepdim=True)
    said_and_right = (words, batch.answer, batch.per_fact, confidence, uncalibrated, right_answers(words, batch))
    columns = (*said_and_right, batch.answers_asked, loss, batch.task, read)
    supports = supporting.sum(1) if gates is not None else torch.zeros_like(batch.task)
    counts = ((read & supporting).sum(1), (read & known).sum(1), supports)
    return Judged(rows, *(tensor.cpu().numpy() for tensor in (*columns, *counts)), said=said)


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
    loss: float = 0.0
    hits: int = 0
    read: int = 0
    supports: int = 0

    def figures(self) -> dict[str, float | int]:
        """accuracy, questions and loss. Where facts are answered one by one, accuracy and loss are of these answers,
        and there are also their number and the share of questions without a mistake; where supporting facts are known
        and the network has gates, precision and recall of the facts that were read."""
        figures: dict[str, float | int] = {
            "accuracy": self.right / self.answers,
            "questions": self.questions,
            "loss": self.loss / self.answers,
        }
        if self.answers != self.questions:
            figures["answers"] = self.answers
            figures["exact"] = self.exact / self.questions
        if self.supports:
            figures["gate_precision"] = self.hits / max(1, self.read)
            figures["gate_recall"] = self.hits / self.supports
        return figures


def tally(judged: Judged, tallies: list[Tally]) -> None:
    """Adds a judged batch to the tallies, one for each task of the data set."""
    columns = {
        "answers": judged.answers,
        "right": judged.right,
        "exact": judged.right == judged.answers,
        "loss": judged.loss,
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
