"""A model that can be asked. One question, a stream and the prompt all go through here, and so get the same answers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from dmn_cli.answering.answer import Answer
from dmn_cli.answering.bound import Bound
from dmn_cli.answering.encoder import MAX_BATCH, REMEMBERED, AskedBatch, Encoder
from dmn_cli.artifact import directory
from dmn_cli.artifact.model import Model
from dmn_cli.data.words.vocabulary import NOTHING, answer_text
from dmn_cli.records.batch import Batch
from dmn_cli.records.output import facts_read


class Computed(NamedTuple):
    """What the network answers to a batch; each array has one row for each question."""

    words: np.ndarray  # (questions, steps) answer ids
    confidence: np.ndarray  # (questions,)
    gates: np.ndarray  # (questions, passes, facts) as they counted, to six decimals; no passes where there are no gates
    read: np.ndarray  # (questions, facts)
    top: tuple[np.ndarray, np.ndarray] | None = None  # the likeliest answers: see `records.network.Likeliest`


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
    ) -> None:
        """path: a run, a model directory, or "demo" for the model that comes with dmn; or a model that is on the
        device already; device: cpu, cuda or cuda:N;
        max_batch, remembered, bind: see `Encoder`; top: how many of the likeliest answers are told, beside the one
        that is given; abstain_below: the confidence that an answer needs, or the model abstains; why: whether answers
        say which facts they need.

        Raises: ModelError where the model is missing, damaged or too new."""
        self.model = path if isinstance(path, Model) else directory.load(Path(path), device)
        self.device, self.top, self.abstain_below, self.why = torch.device(device), top, abstain_below, why
        self.encoder = Encoder(self.model, max_batch=max_batch, remembered=remembered, bind=bind)

    def answer(self, story: str | Sequence[str], question: str) -> Answer:
        """Raises: DataError where the story has no facts, or a fact or the question has no words."""
        return self.answer_all([(story, question)])[0]

    def answer_all(self, asked: Sequence[tuple[str | Sequence[str], str]]) -> list[Answer]:
        """Answers (story, question) pairs, in their order, many of them at once. Raises as `answer` does."""
        told = [(self.encoder.story(s, question) if isinstance(s, str) else s, question) for s, question in asked]
        answers = self._answered(told, self.top)
        return self.explained(told, answers) if self.why else answers

    def explained(self, asked: Sequence[tuple[Sequence[str], str]], answers: Sequence[Answer]) -> list[Answer]:
        """Answers to (facts, question) pairs with the facts that they need."""
        from dmn_cli.answering.needs import with_needs

        return with_needs(asked, answers, partial(self._answered, top=0))

    def likeliest(self, facts: Sequence[str], question: str, k: int) -> list[tuple[str, float]]:
        """The k likeliest answers and their probabilities; none where each fact is answered. Raises as `answer` does,
        and UsageError where the network tells its first answer alone."""
        [answer] = self._answered([(facts, question)], k)
        return answer.top or []

    def _answered(self, asked: Sequence[tuple[Sequence[str], str]], top: int) -> list[Answer]:
        batches = self.encoder.batches(asked)
        return self.answers(asked, batches, [self.compute(part.batch, top) for part in batches])

    def compute(self, batch: Batch, top: int = 0) -> Computed:
        """Runs the network on one batch. top: as of `Predictor`"""
        batch = self.model.network.arrange(batch).to(self.device)
        answered = self.model.network.answer(batch)
        gates = answered.gates
        if gates is None:
            gates = answered.confidence.new_zeros(len(batch), 0, batch.story.shape[1])
        columns = answered.words, answered.confidence, gates, facts_read(gates)
        words, confidence, gates, read = (tensor.cpu().numpy() for tensor in columns)
        likeliest = None
        if top and not batch.per_fact_among[1]:
            several, probability = self.model.network.likeliest(batch, top)
            likeliest = several.cpu().numpy(), probability.cpu().numpy()
        return Computed(words, confidence, gates.astype(np.float64).round(6), read, likeliest)

    def answers(
        self,
        asked: Sequence[tuple[Sequence[str], str]],
        batches: Sequence[AskedBatch],
        computed: Sequence[Computed],
    ) -> list[Answer]:
        """The answers to (facts, question) pairs, in their order, from what the network computed for their batches."""
        answers: list[Answer | None] = [None] * len(asked)
        for (places, batch, strange), columns in zip(batches, computed, strict=True):
            rows = zip(places, batch.per_fact.tolist(), *(column.tolist() for column in columns[:4]), strict=True)
            for row, (place, per_fact, words, confidence, gates, read) in enumerate(rows):
                facts, question = asked[place]
                names, unknown = strange.get(place), list[str]()
                if names is not None:
                    unknown = self.encoder.unknown_words([*facts, question])
                elif nowhere := self.encoder.nowhere(facts, question):
                    names = Bound(nowhere=nowhere)
                said = self.model.vocabulary.answer_words(words, names.said if names else NOTHING)
                answers[place] = Answer(
                    text=answer_text(said, per_fact=per_fact),
                    confidence=confidence,
                    facts=list(facts),
                    gates=[gate[: len(facts)] for gate in gates],
                    read=[fact for fact, was_read in enumerate(read[: len(facts)]) if was_read],
                    unknown=unknown,
                    names=names,
                    words=tuple(said),
                    by_fact=said if per_fact else None,
                    top=None if columns.top is None or per_fact else self._top(columns.top, row, names),
                    abstains=confidence < self.abstain_below,
                    any_order=self.encoder.form(question).any_order,
                )
        return [answer for answer in answers if answer is not None]

    def _top(self, top: tuple[np.ndarray, np.ndarray], row: int, names: Bound | None) -> list[tuple[str, float]]:
        """The likeliest answers to the question in a row of a batch, and their probabilities."""
        said = names.said if names else NOTHING
        words, probability = (column[row].tolist() for column in top)
        return [
            (self.model.vocabulary.answer_text(ids, said), p) for ids, p in zip(words, probability, strict=True) if p
        ]
