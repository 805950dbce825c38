"""Which facts an answer needs: its question is asked again about stories without them, as anyone could ask it.

Names that nobody has seen are bound anew in each of these, and one that is left out with its fact can't be answered.
Where each fact is answered, none is left out: the answer would have another length.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from dmn_cli.answering.answer import Answer, Needs, Without
from dmn_cli.answering.pictures import Picture
from dmn_cli.records.left_out import LeftOut, search

Asked = Sequence[tuple[Sequence[str] | Picture, str]]
"""(facts, question) pairs, with a picture in place of facts that are its regions."""
AnswerAll = Callable[[Asked], list[Answer]]
"""Answers them, in their order."""

_AT_ONCE = 64  # questions; of each there may be as many shortened stories


def with_needs(asked: Asked, answers: Sequence[Answer], answer_all: AnswerAll) -> list[Answer]:
    """Some answers, and what each of them needs. asked: what they answer"""
    explained: list[Answer] = []
    for first in range(0, len(asked), _AT_ONCE):
        some = slice(first, first + _AT_ONCE)
        explained += _explained(asked[some], answers[some], answer_all)
    return explained


def _explained(asked: Asked, answers: Sequence[Answer], answer_all: AnswerAll) -> list[Answer]:
    told: list[list[Without]] = [[] for _ in answers]

    def changes(left: LeftOut) -> np.ndarray:
        others = answer_all(shortened(asked, left))
        found = [
            Without(facts, other.text, other.confidence, changed=not answers[row].same_as(other))
            for row, facts, other in zip(left.question.tolist(), left.positions(), others, strict=True)
        ]
        for row, one in zip(left.question.tolist(), found, strict=True):
            told[row].append(one)
        return np.array([one.changed for one in found])

    seen = np.array([len(answer.facts) if answer.by_fact is None else 0 for answer in answers])
    search(_chance(answers), seen, changes)
    return [
        answer if answer.by_fact is not None else answer._replace(needs=Needs(without))
        for answer, without in zip(answers, told, strict=True)
    ]


def shortened(asked: Asked, left: LeftOut) -> Asked:
    """Questions about stories from which facts are left out. asked: the whole ones"""
    rows = zip(left.question.tolist(), left.positions(), strict=True)
    return [(_without(asked[row][0], out), asked[row][1]) for row, out in rows]


def _without(story: Sequence[str] | Picture, out: tuple[int, ...]) -> Sequence[str] | Picture:
    if isinstance(story, Picture):
        return story.without(out)
    return [fact for at, fact in enumerate(story) if at not in out]


def _chance(answers: Sequence[Answer]) -> np.ndarray:
    """As of `records.left_out.Needs`."""
    chance = np.zeros((len(answers), max(len(answer.facts) for answer in answers)))
    for row, answer in zip(chance, answers, strict=True):
        row[: len(answer.facts)] = 1 - np.prod(1 - np.array(answer.gates).reshape(-1, len(answer.facts)), axis=0)
    return chance
