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
from dmn_cli.data.arrays import from_arrays, padded
from dmn_cli.errors import DataError
from dmn_cli.evaluation.reading import effective_gates, facts_read
from dmn_cli.records import Batch, Form

_MAX_BATCH = 256
_CACHE = 100_000  # distinct sentences remembered


@dataclass(frozen=True)
class Answer:
    """What the model says, and why."""

    text: str
    confidence: float  # the probability that it gives to the whole answer
    facts: list[str]
    gates: list[list[float]]  # [pass][fact]: how far each pass let each fact through
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
            "gates": [[round(g, 6) for g in row] for row in self.gates],
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


class Predictor:
    """Loads a model once and answers questions with it."""

    def __init__(self, path: Path, device: torch.device | str = "cpu") -> None:
        """Raises: ModelError where the model is missing, damaged or too new."""
        self.model = model_directory.load(path, device)
        self.device = torch.device(device)
        self.tokenizer = self.model.tokenizer()
        self._encoded: dict[str, Encoded] = {}
        self._forms = {tuple(self.tokenizer(question)): form for question, form in self.model.forms.items()}

    def form(self, question: str) -> Form:
        """How the model learnt to take this question, which is told by its words."""
        return self._forms.get(tuple(self.tokenizer(question)), Form()) if self._forms else Form()

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
            words = self.tokenizer(text)
            if not words:
                raise DataError(f"a fact or question without words: {text!r}")
            known = self.model.vocabulary.words.ids
            ids = np.array([known.get(word, 1) for word in words])
            if len(self._encoded) >= _CACHE:
                self._encoded.clear()
            runs = [list(run) for is_known, run in groupby(words, known.__contains__) if not is_known]
            encoded = self._encoded[text] = Encoded(ids, [word for run in runs for word in self.tokenizer.spelled(run)])
        return encoded

    def unknown_words(self, texts: Sequence[str]) -> list[str]:
        """The words of some sentences that the model never saw in training, each once."""
        return list(dict.fromkeys(word for text in texts for word in self.encode(text).unknown))

    def answer(self, facts: Sequence[str], question: str) -> Answer:
        """Raises: DataError where the story has no facts, or a fact or the question has no words."""
        return self.answer_all([(facts, question)])[0]

    def answer_all(self, asked: Sequence[tuple[Sequence[str], str]]) -> list[Answer]:
        """Answers (facts, question) pairs, in their order. Raises as `answer` does."""
        answers = []
        for start in range(0, len(asked), _MAX_BATCH):
            answers += self._answer_batch(asked[start : start + _MAX_BATCH])
        return answers

    def _answer_batch(self, asked: Sequence[tuple[Sequence[str], str]]) -> list[Answer]:
        forms = [self.form(question) for _, question in asked]
        batch = self._batch(asked, forms)
        words, confidence, episode = self.model.network.answer(batch.to(self.device))
        gates = effective_gates(episode)
        read = facts_read(gates)
        return [
            Answer(
                text=self.model.vocabulary.answer_text(words[i].tolist(), each=forms[i].each),
                confidence=float(confidence[i]),
                facts=list(facts),
                gates=gates[i, :, : len(facts)].tolist(),
                read=torch.nonzero(read[i, : len(facts)]).flatten().tolist(),
                unknown=self.unknown_words([*facts, question]),
                each=self.model.vocabulary.answer_words(words[i].tolist()) if forms[i].each else None,
            )
            for i, (facts, question) in enumerate(asked)
        ]

    def _batch(self, asked: Sequence[tuple[Sequence[str], str]], forms: list[Form]) -> Batch:
        facts = _Sentences()
        questions = _Sentences()
        for story, _ in asked:
            if not story:
                raise DataError("the story is empty", hint="Give at least one fact before the question.")
            facts.point_at(story)
        for _, question in asked:
            questions.point_at([question])
        tables = []
        for sentences in (facts, questions):
            tokens = [self.encode(text).ids for text in sentences.number]
            tables.append(padded(np.concatenate(tokens), np.array([len(t) for t in tokens]), 0))
        n = len(asked)
        length = np.array([len(story) for story, _ in asked])
        return from_arrays(
            sentences=tables[0],
            story=padded(np.array(facts.pointers), length, 0),
            story_length=length,
            question_sentences=tables[1],
            question=np.array(questions.pointers),
            story_of=np.arange(n),
            facts_seen=length,
            each=np.array([form.each for form in forms]),
            answer=np.zeros((n, 1)),
            support=np.full((n, 1), -1),
            task=np.zeros(n),
        )


class _Sentences:
    """Distinct texts in the order of their first use, and who points at which."""

    def __init__(self) -> None:
        self.number: dict[str, int] = {}
        self.pointers: list[int] = []

    def point_at(self, texts: Sequence[str]) -> None:
        self.pointers += [self.number.setdefault(text, len(self.number)) for text in texts]
