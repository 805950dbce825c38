"""A model that is asked things. One-shot, stream and prompt all answer through here, and so answer alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from dmn_cli import model_directory
from dmn_cli.data.arrays import FACTS, cuts, from_arrays, padded
from dmn_cli.errors import DataError
from dmn_cli.evaluation.reading import effective_gates, facts_read
from dmn_cli.records import Batch, Form

_MAX_BATCH = 512  # questions
_REMEMBERED = 4_000_000  # characters of distinct sentences


@dataclass(frozen=True)
class Answer:
    """What the model says, and why."""

    text: str
    confidence: float  # the probability that it gives to the whole answer
    facts: list[str]
    gates: list[list[float]]  # [pass][fact]: how far each pass let each fact through, to six decimals
    read: list[int]  # positions of the facts that it read (see evaluation.reading.facts_read)
    unknown: list[str]  # words of the story and the question that it never saw in training
    each: list[str] | None = None  # one word for each fact, where the question asks for that

    @property
    def shown(self) -> str:
        """The answer for a person: tags beside their words."""
        if self.each is None:
            return self.text
        return " ".join(f"{fact}/{word}" for fact, word in zip(self.facts, self.each, strict=True))

    def as_json(self) -> dict[str, Any]:
        return {
            "answer": self.text,
            **({} if self.each is None else {"answers": self.each}),
            "confidence": round(self.confidence, 6),
            "gates": self.gates,
            "facts": self.facts,
            "read": self.read,
            "unknown_words": self.unknown,
        }


def naming(unknown: list[str]) -> str:
    """What to tell a person about unknown words; nothing where there are none."""
    return f"The model doesn't know: {', '.join(unknown)}" if unknown else ""


class Encoded(NamedTuple):
    ids: np.ndarray
    unknown: list[str]
    form: Form  # where it is a question


class Asked(NamedTuple):
    """Some questions as a batch."""

    places: list[int]  # of its questions among those that were asked
    batch: Batch


class Computed(NamedTuple):
    """What the network says of a batch; all arrays have a row a question."""

    words: np.ndarray  # (questions, steps) answer ids
    confidence: np.ndarray
    gates: np.ndarray  # (questions, passes, facts) as they counted, to six decimals
    read: np.ndarray  # (questions, facts)


class Predictor:
    """Loads a model once and answers questions with it.

    `answer` and `answer_all` go through three steps: `batches` puts questions into numbers, `compute` asks the network,
    and `said` puts its answers into words.
    """

    def __init__(self, path: Path, device: torch.device | str = "cpu") -> None:
        """Raises: ModelError where the model is missing, damaged or too new."""
        self.model = model_directory.load(path, device)
        self.device = torch.device(device)
        self._forget()
        self._forms = {tuple(self.tokenizer(question)): form for question, form in self.model.forms.items()}

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
            if self._remembered > _REMEMBERED:
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

    def answer(self, facts: Sequence[str], question: str) -> Answer:
        """Raises: DataError where the story has no facts, or a fact or the question has no words."""
        return self.answer_all([(facts, question)])[0]

    def answer_all(self, asked: Sequence[tuple[Sequence[str], str]]) -> list[Answer]:
        """Answers (facts, question) pairs, in their order. Raises as `answer` does."""
        batches = self.batches(asked)
        return self.said(asked, batches, [self.compute(part.batch) for part in batches])

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
        together = _shared(stories)
        length_of = np.array([len(stories[places[0]]) for places in together])
        asked_of = np.array([len(places) for places in together])
        for told in np.split(np.arange(len(together)), cuts(length_of, asked_of, _MAX_BATCH, FACTS)):
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

    def compute(self, batch: Batch) -> Computed:
        """Asks the network."""
        words, confidence, episode = self.model.network.answer(batch.to(self.device))
        gates = effective_gates(episode)
        numbers = [tensor.cpu().numpy() for tensor in (words, confidence, gates, facts_read(gates))]
        numbers[2] = numbers[2].astype(np.float64).round(6)
        return Computed(*numbers)

    def said(
        self,
        asked: Sequence[tuple[Sequence[str], str]],
        batches: Sequence[Asked],
        computed: Sequence[Computed],
    ) -> list[Answer]:
        """The answers to (facts, question) pairs, in their order, from what the network says of their `batches`."""
        answers: list[Answer | None] = [None] * len(asked)
        for (places, batch), numbers in zip(batches, computed, strict=True):
            rows = zip(places, batch.each.tolist(), *(column.tolist() for column in numbers), strict=True)
            for place, each, words, confidence, gates, read in rows:
                facts, question = asked[place]
                answers[place] = Answer(
                    text=self.model.vocabulary.answer_text(words, each=each),
                    confidence=confidence,
                    facts=list(facts),
                    gates=[gate[: len(facts)] for gate in gates],
                    read=[fact for fact, was_read in enumerate(read[: len(facts)]) if was_read],
                    unknown=self.unknown_words([*facts, question]),
                    each=self.model.vocabulary.answer_words(words) if each else None,
                )
        return [answer for answer in answers if answer is not None]


def _shared(stories: list[list[int]]) -> list[list[int]]:
    """The places of equal stories, and of those that others begin with, together; the longest of them comes first."""
    together: list[list[int]] = []
    first: list[int] = []
    for place in sorted(range(len(stories)), key=stories.__getitem__, reverse=True):
        story = stories[place]
        if first[: len(story)] == story and len(together[-1]) < min(_MAX_BATCH, FACTS // len(first)):
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
