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
from dmn_cli.data.symmetries.tables import permuted
from dmn_cli.records.ragged import spans

_DEVIATIONS = 4.0  # standard deviations that chance isn't believed to make: much is asked at once
_ENOUGH = 12  # stories in which something is said with one of two words, and not with the other,
_STORIES = 100  # and in which each has to be, for anything to be claimed
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
        seen = int(asked.position.sum()) * sentences.shape[1]
        some = some[:: max(1, -(-seen // _WORDS))]
        seen = asked.position[some]
        question = np.repeat(some, seen)
        fact = spans(asked.facts.offsets[asked.story[some]].astype(np.int64), seen)
        has = np.append(words, False)[sentences[asked.facts.values[fact]]].any(axis=1)
        question, fact = question[has], fact[has]
        new = _new(asked.facts, sentences)[fact]
        answers, lengths = asked.answers.take(np.arange(len(asked.story)))
        answer = np.full((len(asked.story), int(lengths.max(initial=0))), -1)
        answer[np.arange(answer.shape[1]) < lengths[:, None]] = answers
        self._answer = (mixed(answer.astype(np.uint64)) * draws(answer.shape[1]))[question]
        of_question = sentences[asked.question]
        name = np.append(names | words, False)
        self._facts = sentences[asked.facts.values[fact]]
        self._named = _roles(self._facts, np.where(new, _NEW, _NAME), name, of_question[question], answer[question])
        self._full = _roles(self._facts, self._facts, name, of_question[question], answer[question])
        self._guess = sentences[asked.guess][question]
        self._guessed = _roles(self._guess, self._guess, name, of_question[question], answer[question])
        self._question, self._story = asked.question[question], asked.story[question]

    def alike(self, a: int, b: int) -> bool:
        """Whether chance explains in what stories differ when two words change places. Stories are independent of one
        another, and so is by how much each speaks for one of the words."""
        here = np.flatnonzero(((self._facts == a) | (self._facts == b)).any(1))
        story = self._story[here]
        often = [len(distinct(story[(self._facts[here] == word).any(1)])) for word in (a, b)]
        if min(often) < _STORIES:
            return False
        said, swapped = (self._said(here, {a: one, b: other}) for one, other in ((a, b), (b, a)))
        keys = numbered(np.concatenate([*said, *swapped]))
        story, question = (np.tile(each[here], 2 * len(said)) for each in (self._story, self._question))
        sign = np.repeat([1, -1], len(keys) // 2)
        rows = np.stack([keys, story, question, sign], axis=1)
        rows = rows[distinct_rows(rows)[0]]  # the same question again says nothing new
        first, of = distinct_rows(rows[:, :2])
        surplus, key = np.bincount(of, rows[:, 3]), rows[first, 0]
        total, squares = np.bincount(key, surplus), np.bincount(key, surplus**2)
        return bool((np.abs(total) <= _DEVIATIONS * squares**0.5)[np.bincount(key, surplus != 0) >= _ENOUGH].all())

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
        full = number(self._facts, self._full, factor[:width]) + number(self._guess, self._guessed, factor[width:])
        return [named, *(named + word for word in answer.T), full + answer.sum(1)]


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
