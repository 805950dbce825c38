"""What is asked, with its words as numbers: sentences, questions about stories, and some of these as a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import NamedTuple

import numpy as np

from dmn_cli.answering.bound import Bound
from dmn_cli.answering.pictures import Picture
from dmn_cli.data.words.vocabulary import NOTHING
from dmn_cli.records.batch import Batch
from dmn_cli.records.packing import ranked
from dmn_cli.records.text import Form


class Encoded(NamedTuple):
    """A sentence, or a question."""

    number: int  # no other has it
    text: str  # without blanks around it; of one that was given as words, nothing
    ids: np.ndarray  # (words,) word ids
    affix: np.ndarray  # (words,) True for those that say the form of the word before
    unknown: list[str]  # its words that the vocabulary lacks
    form: Form  # of the question, where it is one
    named: int  # which known names are in it, as the bits of a number
    asked: int  # those that it is about, where it is a question
    words: list[str]  # where the model reads letters


class Asked(NamedTuple):
    """A question about a story."""

    story: list[Encoded]
    question: Encoded
    picture: Picture | None = None  # of which the facts are regions

    @property
    def told(self) -> list[str] | Picture:
        """The story, as it can be asked about again."""
        return self.picture or self.facts

    @property
    def facts(self) -> list[str]:
        return [*map(_TEXT, self.story)]

    @property
    def unknown_words(self) -> list[str]:
        """The words that never occurred in training, each once."""
        return [*dict.fromkeys(word for sentence in (*self.story, self.question) for word in sentence.unknown)]


_NUMBER, _TEXT = itemgetter(0), itemgetter(1)  # of `Encoded`; an attribute takes longer
_STORY, _QUESTION = itemgetter(0), itemgetter(1)  # of `Asked`


class AskedBatch(NamedTuple):
    """Some of the questions that were asked, as a batch."""

    places: list[int]  # where its questions are among all that were asked
    batch: Batch
    strange: dict[int, Bound]  # of those that have words which the model doesn't know: what became of their names

    @property
    def said(self) -> list[Mapping[str, str]]:
        """What spares stand for in each of its questions."""
        return [self.strange[place].said if place in self.strange else NOTHING for place in self.places]


class Numbered(NamedTuple):
    """Sentences, numbered in the order of their first use."""

    number: np.ndarray  # (sentences,)
    distinct: list[Encoded]

    @classmethod
    def of(cls, sentences: list[Encoded]) -> Numbered:
        numbers = np.fromiter(map(_NUMBER, sentences), np.int64, len(sentences))
        numbers -= numbers.min()
        order, first, number = ranked(numbers, int(numbers.max()) + 1)
        first_use = order[first]
        by_first_use = np.argsort(first_use)
        place = np.empty_like(by_first_use)
        place[by_first_use] = np.arange(len(place))
        return cls(place[number], [sentences[i] for i in first_use[by_first_use]])

    def among(self, number: np.ndarray) -> tuple[list[Encoded], np.ndarray]:
        """Some of them: the distinct ones, and which of these each is. number: (some,)"""
        order, first, which = ranked(number, len(self.distinct))
        return [self.distinct[i] for i in number[order[first]]], which


def numbered(asked: Sequence[Asked]) -> tuple[Numbered, Numbered]:
    """The facts of all stories, one after the other, and the questions."""
    return (
        Numbered.of([*chain.from_iterable(map(_STORY, asked))]),
        Numbered.of([*map(_QUESTION, asked)]),
    )
