"""Stories less one or two of their facts: which facts are left out, and what a batch then is.

An answer *needs* a fact without which it would be another (representation erasure, Li, Monroe and Jurafsky 2016, arXiv
1612.08220). Each fact is left out by itself; and where the answer stays without any one of them, each pair. Of a long
story these are the facts that were let through with the highest chance: 64 one by one, and the pairs of 12.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from dmn_cli.records.batch import Batch, padded

SINGLES = 64  # facts of a story that are left out one by one, at most
PAIRED = 12  # facts of a story that are left out two by two, at most


@dataclass(frozen=True)
class LeftOut:
    """Shortened stories, a row for each."""

    question: np.ndarray  # (stories,) the question that it is about
    facts: np.ndarray  # (stories, 2) positions of what is left out: two facts, or one and then -1

    def of(self, rows: np.ndarray) -> LeftOut:
        return LeftOut(self.question[rows], self.facts[rows])

    def positions(self) -> list[tuple[int, ...]]:
        """What is left out of each."""
        return [tuple(fact for fact in facts if fact >= 0) for facts in self.facts.tolist()]

    def __len__(self) -> int:
        return len(self.question)


@dataclass(frozen=True)
class Needs:
    """What was left out of some questions' stories, those with one fact less first, and what came of it."""

    left: LeftOut
    changed: np.ndarray  # (stories,) True where the answer is another than to the whole story
    chance: np.ndarray  # (questions, facts) that a fact was let through in some pass: see `records.output`

    @property
    def alone(self) -> np.ndarray:
        """Which rows have one fact less. (stories,)"""
        return self.left.facts[:, 1] < 0

    def needed(self, question: int) -> list[tuple[int, ...]]:
        """What the answer to a question needs: facts, or where it needs none alone, pairs; by their positions."""
        return self.left.of(self.changed & (self.left.question == question)).positions()


def search(chance: np.ndarray, seen: np.ndarray, changes: Callable[[LeftOut], np.ndarray]) -> Needs:
    """Leaves out facts of the stories of some questions, one by one, and then two by two where no answer changed.

    chance: (questions, facts) as of `Needs`; seen: (questions,) how many facts each question sees; changes: answers
    shortened stories, and says of each whether its answer is another, (stories,) bool. It is called twice at most.
    """
    one = singles(chance, seen)
    changed = changes(one) if len(one) else np.zeros(0, bool)
    same = np.ones(len(seen), bool)
    same[one.question[changed]] = False
    two = pairs(chance, np.where(same, seen, 0))
    if len(two):
        changed = np.concatenate([changed, changes(two)])
    both = LeftOut(np.concatenate([one.question, two.question]), np.concatenate([one.facts, two.facts]))
    return Needs(both, changed, chance)


def singles(chance: np.ndarray, seen: np.ndarray) -> LeftOut:
    """Each fact, in the order of the story. No story is left without a fact. Takes what `search` takes."""
    question, fact = np.nonzero(_highest(chance, seen, SINGLES) & (seen > 1)[:, np.newaxis])
    return LeftOut(question, np.column_stack([fact, np.full_like(fact, -1)]))


def pairs(chance: np.ndarray, seen: np.ndarray) -> LeftOut:
    """Each two facts, in the order of the story. Takes what `search` takes."""
    question, fact = np.nonzero(_highest(chance, seen, PAIRED) & (seen > 2)[:, np.newaxis])
    first, second = np.triu_indices(PAIRED, k=1)
    counts = np.bincount(question, minlength=len(seen))
    begin = np.cumsum(counts) - counts
    row, which = np.nonzero(second < counts[:, np.newaxis])
    return LeftOut(row, np.column_stack([fact[begin[row] + at[which]] for at in (first, second)]))


def _highest(chance: np.ndarray, seen: np.ndarray, most: int) -> np.ndarray:
    """The facts with the highest chance, of equals the first; `most` of each question. (questions, facts) bool"""
    order = np.argsort(np.where(np.arange(chance.shape[1]) < seen[:, np.newaxis], -chance, np.inf), 1, kind="stable")
    among = np.arange(chance.shape[1]) < np.minimum(seen, most)[:, np.newaxis]
    highest = np.zeros(chance.shape, bool)
    np.put_along_axis(highest, order, among, axis=1)
    return highest


def without(batch: Batch, left: LeftOut) -> Batch:
    """The questions of a batch, each about a story with less facts; sentences, answers and the like are as they were,
    and no supporting facts are known. On the CPU, where `batch` is."""
    rows = torch.from_numpy(left.question)
    kept = np.arange(batch.story.shape[1]) < batch.facts_seen[rows].numpy()[:, np.newaxis]
    for fact in left.facts.T:
        there = np.flatnonzero(fact >= 0)
        kept[there, fact[there]] = False
    lengths = kept.sum(axis=1)
    told = batch.story[batch.story_of[rows]].numpy()[kept]
    barred, any_order = batch.barred, batch.any_order
    return replace(
        batch,
        story=torch.from_numpy(padded(told, lengths, 0)),
        story_length=torch.from_numpy(lengths),
        question=batch.question[rows],
        story_of=torch.arange(len(left)),
        facts_seen=torch.from_numpy(lengths),
        per_fact=batch.per_fact[rows],
        answer=batch.answer[rows],
        support=torch.full((len(left), 1), -1),
        task=batch.task[rows],
        barred=barred if barred is None or len(barred) == 1 else barred[rows],
        any_order=None if any_order is None else any_order[rows],
    )
