"""Words that only facts have, where supporting facts aren't known: whether stories tell one from another.

If two such words can change places, a story with both exchanged is as likely as it was, and its questions and answers
stay as they are. So whatever is said of a fact and of what is asked and answered about it, is said as often with the
one word as with the other. What is said here is a fact, its names only by whether they are asked about, are the answer,
or are new in the story; the same and a word of the answer; and the fact in full, with the answer and the last fact that
has a word of the question.

    got and dropped: * got the *            what is new is got, and never dropped
    evening and morning: this evening Q1 went to the A     where she was before isn't where she was in the evening
    wolves and cats: mice are afraid of wolves, Q1 is a mouse, answer wolf
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dmn_cli.data.store.layout import Ragged
from dmn_cli.data.symmetries.counting import distinct, distinct_rows, draws, mixed, numbered
from dmn_cli.data.symmetries.tables import padded, permuted
from dmn_cli.records.ragged import spans

_DEVIATIONS = 3.5  # standard deviations that chance isn't believed to make; much is asked at once
_ENOUGH = 12  # stories in which something is said with one of two words, and not with the other,
_STORIES = 100  # and in which each has to be, for anything to be claimed
_NOTHING = 1e-9  # what is left of a surplus that is none
_WORDS = 2_000_000  # of facts, at most
_ASKED, _ANSWER, _NAME, _NEW = (n << 32 for n in range(1, 5))  # above all atoms


@dataclass
class Asked:
    """Questions about stories. Sentences are rows of a table of atoms."""

    story: np.ndarray  # (questions,)
    question: np.ndarray  # (questions,) sentences
    position: np.ndarray  # (questions,) how many facts of its story each sees
    guess: np.ndarray  # (questions,) sentences: what each answer may rest on
    facts: Ragged  # of each story: sentences
    answers: Ragged  # of each question: atoms

    def seen(self, question: int) -> np.ndarray:
        """The sentences that a question sees, itself among them."""
        start = int(self.facts.offsets[self.story[question]])
        return np.append(self.facts.values[start : start + self.position[question]], self.question[question])


class Telling:
    """What is said of the facts that questions see."""

    def __init__(self, asked: Asked, sentences: np.ndarray, words: np.ndarray, names: np.ndarray) -> None:
        """sentences: (sentences, width) atoms, padded with -1; words: (atoms,) bool, those to be compared; names:
        (atoms,) bool, all that may be names"""
        self._atoms = len(words)
        some = np.arange(len(asked.story))
        some = some[:: max(1, -(-int(asked.position.sum()) * sentences.shape[1] // _WORDS))]
        seen = asked.position[some]
        question = np.repeat(some, seen)
        fact = spans(asked.facts.offsets[asked.story[some]].astype(np.int64), seen)
        has = np.append(words, False)[sentences[asked.facts.values[fact]]].any(axis=1)
        question, fact = question[has], fact[has]
        new = _new(asked.facts, sentences)[fact]
        answer = padded(*asked.answers.take(np.arange(len(asked.story))))
        self._answer = (mixed(answer.astype(np.uint64)) * draws(answer.shape[1]))[question]
        of_question = sentences[asked.question]
        name = np.append(names | words, False)
        self._facts = sentences[asked.facts.values[fact]]
        self._named = _roles(self._facts, np.where(new, _NEW, _NAME), name, of_question[question], answer[question])
        self._full = _roles(self._facts, self._facts, name, of_question[question], answer[question])
        self._guess = sentences[asked.guess][question]
        self._guess_named = _roles(
            self._guess, np.full_like(self._guess, _NAME), name, of_question[question], answer[question]
        )
        self._guess_full = _roles(self._guess, self._guess, name, of_question[question], answer[question])
        self._story, self._asked = asked.story[question], asked.question[question] << 40 | fact

    def alike(self, a: int, b: int) -> bool:
        """Whether chance explains in what stories differ when two words change places, of which one may be rarer.
        Stories are independent of one another, and so is by how much each speaks for one of the words."""
        with_a, with_b = ((self._facts == word).any(1) for word in (a, b))
        here = np.flatnonzero(with_a | with_b)
        if min(len(distinct(self._story[have])) for have in (with_a, with_b)) < _STORIES:
            return False
        said, swapped = (self._said(here, {a: one, b: other}) for one, other in ((a, b), (b, a)))
        key = numbered(np.concatenate([*said, *swapped]))
        share = np.count_nonzero(with_a) / (np.count_nonzero(with_a) + np.count_nonzero(with_b))
        weight = np.where(with_a, 1 - share, share)[here]
        weight = np.concatenate([np.tile(weight, len(said)), -np.tile(weight, len(said))])
        story, asked = (np.tile(each[here], 2 * len(said)) for each in (self._story, self._asked))
        once, _ = distinct_rows(np.stack([key, asked, weight > 0], axis=1))  # asked again, a fact says nothing new
        first, of = distinct_rows(np.stack([key, story], axis=1)[once])
        surplus, key = np.bincount(of, weight[once]), key[once][first]
        total, squares = np.bincount(key, surplus), np.bincount(key, surplus**2)
        often = np.bincount(key, np.abs(surplus) > _NOTHING) >= _ENOUGH
        return bool((np.abs(total) <= _DEVIATIONS * squares**0.5)[often].all())

    def _said(self, here: np.ndarray, written: Mapping[int, int]) -> list[np.ndarray]:
        """Numbers for all that is said of some facts, with some words written as others."""
        becomes = permuted(written, self._atoms)
        moving = np.zeros(self._atoms + 1, bool)
        moving[[*written]] = True

        def number(rows: np.ndarray, coded: np.ndarray, factor: np.ndarray) -> np.ndarray:
            coded = np.where(moving[rows[here]], becomes[rows[here]], coded[here])
            return (mixed(coded.astype(np.uint64)) * factor).sum(1)

        width = self._facts.shape[1]
        factor, answer = draws(2 * width), self._answer[here]
        named = number(self._facts, self._named, factor[:width])
        full = number(self._facts, self._full, factor[:width]) + number(self._guess, self._guess_full, factor[width:])
        guess = number(self._guess, self._guess_named, factor[width:])
        return [named, *(named + word for word in answer.T), named + guess, full + answer.sum(1)]


def _new(facts: Ragged, sentences: np.ndarray) -> np.ndarray:
    """(facts, width) bool Which words of facts no earlier one of their story has."""
    story = np.repeat(np.arange(len(facts.offsets) - 1), np.diff(facts.offsets))
    rows = sentences[facts.values]
    _, first = np.unique(np.where(rows >= 0, story[:, None] * (sentences.max() + 1) + rows, -1), return_index=True)
    new = np.zeros(rows.size, bool)
    new[first] = True
    return new.reshape(rows.shape)


def _roles(
    rows: np.ndarray, names: np.ndarray, name: np.ndarray, question: np.ndarray, answer: np.ndarray
) -> np.ndarray:
    """Atoms of sentences, and of names only what they are: in the question or in the answer, by their place there; else
    what `names` says. All (n, width), but name: (atoms + 1,) bool"""
    named = name[rows]
    code = np.where(named, names, rows)
    for role, others in ((_ANSWER, answer), (_ASKED, question)):
        for place, atom in enumerate(others.T):
            code = np.where(named & (rows == atom[:, None]), role + place, code)
    return code
