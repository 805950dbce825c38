"""A model that can be asked. One question, a stream and the prompt all go through here, and so get the same answers."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from dmn_cli.answering.answer import Answer
from dmn_cli.answering.asked import Asked, AskedBatch
from dmn_cli.answering.bound import Bound
from dmn_cli.answering.encoder import MAX_BATCH, REMEMBERED, Encoder
from dmn_cli.answering.pictures import Picture, Told
from dmn_cli.artifact import directory
from dmn_cli.artifact.model import Model
from dmn_cli.data.words.vocabulary import NOTHING, answer_text
from dmn_cli.records.batch import Batch
from dmn_cli.records.output import facts_read
from dmn_cli.records.text import Form


class Computed(NamedTuple):
    """What the network answers to a batch; each array has one row for each question."""

    words: np.ndarray  # (questions, steps) answer ids
    confidence: np.ndarray  # (questions,)
    gates: np.ndarray  # (questions, passes, facts) as they counted; no passes where there are no gates
    top: tuple[np.ndarray, np.ndarray] | None = None  # the likeliest answers: see `records.network.Likeliest`


Retold = tuple[Sequence[str] | Picture, str]
"""Facts, or a picture in their place, and a question."""
Shown = tuple[list[str], list[list[float]], list[int]]
"""What an answer rests on: facts, `Answer.gates`, and positions of the facts that were read."""


class Predictor:
    """Loads a model once and answers questions with it: `Predictor("runs/two").answer(story, question)`.

    A story is a list of facts, or a text, which is split into its sentences (or words, where the question is about
    words) as the training data were.

    `answer` and `answer_all` take three steps: `Encoder.batches` turns questions into batches, `compute` runs the
    network, and `answers` turns what it computed into text.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | Model,
        device: torch.device | str = "cpu",
        *,
        max_batch: int = MAX_BATCH,
        remembered: int = REMEMBERED,
        bind: bool = True,
        top: int = 0,
        abstain_below: float = 0.0,
        why: bool = False,
        brief: bool = False,
    ) -> None:
        """path: a run, a model directory, or "demo" for the model that comes with dmn; or a model that is on the
        device already; device: cpu, cuda or cuda:N;
        max_batch, remembered, bind: see `Encoder`; top: how many of the likeliest answers are told, beside the one
        that is given; abstain_below: the confidence that an answer needs, or the model abstains; why: whether answers
        say which facts they need; brief: whether they lack facts, gates, and what is said of words and names.

        Raises: ModelError where the model is missing, damaged or too new."""
        self.model = path if isinstance(path, Model) else directory.load(Path(path), device)
        self.device, self.top, self.abstain_below = torch.device(device), top, abstain_below
        self.why, self.brief = why, brief
        self.encoder = Encoder(self.model, max_batch=max_batch, remembered=remembered, bind=bind)

    def answer(self, story: Told, question: str) -> Answer:
        """story: for a model that was taught about pictures, one: its file, its contents, or (height, width, 3) uint8

        Raises: DataError where the story has no facts, or a fact or the question has no words, or it is a picture that
        can't be read."""
        return self.answer_all([(story, question)])[0]

    def answer_all(self, asked: Sequence[tuple[Told, str]]) -> list[Answer]:
        """Answers (story, question) pairs, in their order, many of them at once. Raises as `answer` does."""
        return self.answer_encoded([self.encoder.asked(story, question) for story, question in asked])

    def answer_encoded(self, asked: Sequence[Asked]) -> list[Answer]:
        """The same for what the encoder has read."""
        answers = self._answered(asked, self.top)
        if not self.why or self.brief:
            return answers
        return self.explained([(one.told, one.question.text) for one in asked], answers)

    def explained(self, asked: Sequence[Retold], answers: Sequence[Answer]) -> list[Answer]:
        """Answers to (facts or picture, question) pairs with the facts that they need."""
        from dmn_cli.answering.needs import with_needs

        return with_needs(asked, answers, self._answered_alone)

    def likeliest(self, facts: Sequence[str] | Picture, question: str, k: int) -> list[tuple[str, float]]:
        """The k likeliest answers and their probabilities; none where each fact is answered. Raises as `answer` does,
        and UsageError where the network tells its first answer alone."""
        [answer] = self._answered([self.encoder.asked(facts, question)], k)
        return answer.top or []

    def _answered_alone(self, asked: Sequence[Retold]) -> list[Answer]:
        """Without other answers that are likely."""
        return self._answered([self.encoder.asked(facts, question) for facts, question in asked], top=0)

    def _answered(self, asked: Sequence[Asked], top: int) -> list[Answer]:
        batches = self.encoder.batches(asked)
        return self.answers(asked, batches, [self.compute(part.batch, top) for part in batches])

    def compute(self, batch: Batch, top: int = 0) -> Computed:
        """Runs the network on one batch. top: as of `Predictor`"""
        batch = self.model.network.arrange(batch).to(self.device)
        answered = self.model.network.answer(batch)
        gates = answered.gates
        if gates is None:
            gates = answered.confidence.new_zeros(len(batch), 0, batch.story.shape[1])
        words, confidence, gates = (tensor.cpu().numpy() for tensor in (answered.words, answered.confidence, gates))
        likeliest = None
        if top and not batch.per_fact_among[1]:
            several, probability = self.model.network.likeliest(batch, top)
            likeliest = several.cpu().numpy(), probability.cpu().numpy()
        return Computed(words, confidence, gates, likeliest)

    def answers(
        self, asked: Sequence[Asked], batches: Sequence[AskedBatch], computed: Sequence[Computed]
    ) -> list[Answer]:
        """The answers to questions, in their order, from what the network computed for their batches."""
        answers: dict[int, Answer] = {}
        spoken: dict[tuple[int, ...], tuple[tuple[str, ...], str]] = {}  # by the ids: much is said again and again
        for (places, _, strange), columns in zip(batches, computed, strict=True):
            told = [asked[place] for place in places]
            said = map(tuple, columns.words.tolist()), columns.confidence.tolist(), self._shown(columns, told)
            for row, (place, one, ids, confidence, shown) in enumerate(zip(places, told, *said, strict=True)):
                form, names = one.question.form, strange.get(place)
                if names is not None or form.per_fact:
                    words, text = self._spoken(ids, form, names)
                elif ids in spoken:
                    words, text = spoken[ids]
                else:
                    words, text = spoken[ids] = self._spoken(ids, form, None)
                top = None
                if columns.top is not None and not form.per_fact:
                    top = self._top(columns.top, row, names, (text, confidence))
                by_fact = [*words] if form.per_fact else None
                abstains = confidence < self.abstain_below
                unknown, picture = [], None
                if self.brief:
                    names = None
                else:
                    unknown, picture = [] if names is None else one.unknown_words, one.picture
                    if names is None and one.question.asked and (nowhere := self.encoder.nowhere(one)):
                        names = Bound(nowhere=nowhere)
                answers[place] = Answer(
                    text, confidence, *shown, unknown, names, words, by_fact, top, abstains, form.any_order, picture
                )
        return [answers[place] for place in range(len(asked))]

    def _spoken(self, ids: Sequence[int], form: Form, names: Bound | None) -> tuple[tuple[str, ...], str]:
        """An answer in words, and as text."""
        words = tuple(self.model.vocabulary.answer_words(ids, names.said if names else NOTHING))
        return words, answer_text(words, per_fact=form.per_fact)

    def _shown(self, columns: Computed, asked: Sequence[Asked]) -> Iterable[Shown]:
        """Facts, gates and positions of the facts that were read, of each question; none of these where it is brief."""
        if self.brief:
            return repeat(([], [], []), len(asked))
        row, fact = np.nonzero(facts_read(torch.from_numpy(columns.gates)).numpy())
        read, ends = fact.tolist(), np.searchsorted(row, np.arange(len(asked)), "right").tolist()
        gates = columns.gates.astype(np.float64).round(6).tolist()
        facts = [one.facts for one in asked]
        return [
            (told, [gate[: len(told)] for gate in passes], read[start:end])
            for told, passes, start, end in zip(facts, gates, [0, *ends[:-1]], ends, strict=True)
        ]

    def _top(
        self, top: tuple[np.ndarray, np.ndarray], row: int, names: Bound | None, answer: tuple[str, float]
    ) -> list[tuple[str, float]]:
        """The answer to the question in a row of a batch and the likeliest others, with their probabilities."""
        said = names.said if names else NOTHING
        words, probability = (column[row].tolist() for column in top)
        found = ((self.model.vocabulary.answer_text(ids, said), p) for ids, p in zip(words, probability, strict=True))
        return [answer, *(other for other in found if other[1] and other[0] != answer[0])][: len(words)]
