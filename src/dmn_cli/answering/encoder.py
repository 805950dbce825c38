"""Questions as text → batches for a network."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np

from dmn_cli.artifact.model import Model
from dmn_cli.errors import DataError
from dmn_cli.records.batch import FACTS, Batch, cuts, from_arrays, padded
from dmn_cli.records.text import Form

MAX_BATCH = 512  # questions
REMEMBERED = 4_000_000  # characters of distinct sentences


class Encoded(NamedTuple):
    ids: np.ndarray
    unknown: list[str]
    form: Form  # where it is a question


class Asked(NamedTuple):
    """Some questions as a batch."""

    places: list[int]  # of its questions among those that were asked
    batch: Batch


class Encoder:
    """Cuts text into words as the training data were, and puts them into the model's numbers."""

    def __init__(self, model: Model, *, max_batch: int = MAX_BATCH, remembered: int = REMEMBERED) -> None:
        """max_batch: questions; remembered: characters of distinct sentences, past which all are forgotten."""
        self.model, self.max_batch, self.remembered = model, max_batch, remembered
        self._forget()
        self._forms = {tuple(self.tokenizer(question)): form for question, form in model.forms.items()}

    def _forget(self) -> None:
        """Sentences are remembered, and a tokenizer may remember their words, so that memory would grow with them."""
        self.tokenizer = self.model.tokenizer()
        self._encoded: dict[str, Encoded] = {}
        self._remembered = 0

    def form(self, question: str) -> Form:
        """How the model learnt to take this question, which is told by its words. Raises as `encode` does."""
        return self.encode(question).form

    def story(self, value: str | Sequence[str], question: str) -> list[str]:
        """A story as facts: a list as it is, a text cut into sentences, or into words where the question is about
        words."""
        if not isinstance(value, str):
            return [fact.strip() for fact in value]
        return self.tokenizer.words(value) if self.form(question).words else self.tokenizer.sentences(value)

    def encode(self, text: str) -> Encoded:
        """A sentence as word ids. Raises: DataError where it has no words."""
        encoded = self._encoded.get(text)
        if encoded is None:
            if self._remembered > self.remembered:
                self._forget()
            encoded = self._encoded[text] = self._encode(text)
            self._remembered += len(text)
        return encoded

    def _encode(self, text: str) -> Encoded:
        words = self.tokenizer(text)
        if not words:
            raise DataError(f"a fact or question without words: {text!r}")
        known = self.model.vocabulary.words.ids
        ids = np.array([known.get(word, 1) for word in words])
        runs = [list(run) for is_known, run in groupby(words, known.__contains__) if not is_known]
        unknown = [word for run in runs for word in self.tokenizer.spelled(run)]
        return Encoded(ids, unknown, self._forms.get(tuple(words), Form()))

    def unknown_words(self, texts: Sequence[str]) -> list[str]:
        """The words of some sentences that the model never saw in training, each once."""
        unknown = [word for encoded in map(self.encode, texts) for word in encoded.unknown]
        return list(dict.fromkeys(unknown))

    def batches(self, asked: Sequence[tuple[Sequence[str], str]]) -> list[Asked]:
        """Puts (facts, question) pairs into batches of stories of like length. A story, or the beginning of another
        one, is read once for all of its questions. Raises as `answer` does.
        """
        if not asked:
            return []
        facts, questions = _Sentences(), _Sentences()
        stories = [facts.numbers(story) for story, _ in asked]
        if not all(stories):
            raise DataError("the story is empty", hint="Give at least one fact before the question.")
        question = [questions.number(text) for _, text in asked]
        tokens = [[self.encode(text).ids for text in sentences.texts] for sentences in (facts, questions)]
        each = [self.form(text).each for _, text in asked]
        batches = []
        together = _shared(stories, self.max_batch)
        length_of = np.array([len(stories[places[0]]) for places in together])
        asked_of = np.array([len(places) for places in together])
        for told in np.split(np.arange(len(together)), cuts(length_of, asked_of, self.max_batch, FACTS)):
            places = [place for i in told for place in together[i]]
            story = [stories[together[i][0]] for i in told]
            length = length_of[told]
            sentences, pointers = np.unique(np.concatenate(story), return_inverse=True)
            asks, pointer = np.unique([question[place] for place in places], return_inverse=True)
            batch = from_arrays(
                sentences=_rectangle([tokens[0][number] for number in sentences]),
                story=padded(pointers, length, 0),
                story_length=length,
                question_sentences=_rectangle([tokens[1][number] for number in asks]),
                question=pointer,
                story_of=np.repeat(np.arange(len(told)), asked_of[told]),
                facts_seen=np.array([len(stories[place]) for place in places]),
                each=np.array([each[place] for place in places]),
                answer=np.zeros((len(places), 1)),
                support=np.full((len(places), 1), -1),
                task=np.zeros(len(places)),
            )
            batches.append(Asked(places, batch))
        return batches


def _shared(stories: list[list[int]], max_batch: int) -> list[list[int]]:
    """The places of equal stories, and of those that others begin with, together; the longest of them comes first."""
    together: list[list[int]] = []
    first: list[int] = []
    for place in sorted(range(len(stories)), key=stories.__getitem__, reverse=True):
        story = stories[place]
        if first[: len(story)] == story and len(together[-1]) < min(max_batch, FACTS // len(first)):
            together[-1].append(place)
        else:
            first = story
            together.append([place])
    return sorted(together, key=lambda places: len(stories[places[0]]))


def _rectangle(rows: list[np.ndarray]) -> np.ndarray:
    """Rows of numbers, filled up with 0."""
    return padded(np.concatenate(rows), np.array([len(row) for row in rows]), 0)


class _Sentences:
    """Distinct texts, numbered in the order of their first use."""

    def __init__(self) -> None:
        self.texts: dict[str, int] = {}

    def number(self, text: str) -> int:
        return self.texts.setdefault(text, len(self.texts))

    def numbers(self, texts: Sequence[str]) -> list[int]:
        known = self.texts
        return [known.setdefault(text, len(known)) for text in texts]
