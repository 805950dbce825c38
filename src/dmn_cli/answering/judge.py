"""A model judged on questions with names that it doesn't know, bound as `dmn ask` binds them."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch

from dmn_cli.answering.answer import same_answer
from dmn_cli.answering.asked import AskedBatch
from dmn_cli.answering.bound import Bound
from dmn_cli.answering.encoder import Encoder
from dmn_cli.answering.needs import shortened
from dmn_cli.artifact.model import Model
from dmn_cli.data.batches import Batches
from dmn_cli.data.words.affixes import is_affix
from dmn_cli.evaluation.metrics import Judged, judge, judge_batch
from dmn_cli.evaluation.needs import found
from dmn_cli.machine.device import networks_at_once
from dmn_cli.machine.processes import shared
from dmn_cli.machine.threads import in_order
from dmn_cli.records.batch import END, Batch, rectangle
from dmn_cli.records.left_out import LeftOut, Needs
from dmn_cli.records.network import Answered, Network
from dmn_cli.records.text import Example

_AT_ONCE = 20  # batches that are read together


class BindingJudge:
    """Judges as `evaluation.metrics.judge` does; and questions of stories with words that the model doesn't know as
    text, each by itself, so that the same names are bound as where it is asked."""

    def __init__(self, model: Model, *, why: bool = False, processes: int | None = None) -> None:
        """why, processes: as for `evaluation.metrics.judge`"""
        self.model, self.why, self.processes = model, why, processes
        self._encoding = threading.Lock()  # an encoder is of one thread at a time

    def __call__(self, network: Network, batches: Batches, batch_size: int, device: torch.device) -> Iterator[Judged]:
        """`network`: the model's"""
        same_words = batches.data.summary["tokenizer"] == self.model.tokenizer_spec
        strange = batches.strange_stories if self.model.names and same_words else np.empty(0, np.int64)
        if not len(strange):
            yield from judge(network, batches, batch_size, device, why=self.why, processes=self.processes)
            return
        known = np.setdiff1d(np.arange(batches.split.stories), strange)
        if len(known):
            options = {"stories": known, "why": self.why, "processes": self.processes}
            yield from judge(network, batches, batch_size, device, **options)
        rows = batches.question_rows(strange)
        encoder = Encoder(self.model, max_batch=batch_size)

        def judged(some: np.ndarray) -> list[Judged]:
            threads = 1 if self.processes else networks_at_once(device)
            examples = batches.data.examples(batches.split, some)
            parts = encoder.batches([encoder.asked(example.facts, example.question) for example in examples])
            work = partial(self._judged, network, batches, encoder, some, examples, device=device)
            return [*in_order(work, parts, threads)]

        at_once = batch_size * (1 if self.processes else _AT_ONCE)
        chunks = [rows[first : first + at_once] for first in range(0, len(rows), at_once)]
        for some in shared(judged, chunks, self.processes) if self.processes else map(judged, chunks):
            yield from some

    def _judged(
        self,
        network: Network,
        batches: Batches,
        encoder: Encoder,
        rows: np.ndarray,
        examples: Sequence[Example],
        part: AskedBatch,
        device: torch.device,
    ) -> Judged:
        """rows, examples: the questions that `part` is made of, among others"""
        places, batch, bound = part
        asked = [examples[place] for place in places]
        per_fact = batch.per_fact.tolist()
        answers = [
            self._answer_ids(example, encoder, bound.get(place), per_fact=each)
            for place, example, each in zip(places, asked, per_fact, strict=True)
        ]
        task_of = dict(zip(batches.data.tasks, batches.task_ids.tolist(), strict=True))
        forms = [self.model.form(example.question) for example in asked]
        batch = replace(
            batch,
            any_order=torch.tensor([form.any_order for form in forms]),
            answer=torch.from_numpy(rectangle(answers, -1)),
            support=torch.from_numpy(rectangle([example.support for example in asked], -1)),
            task=torch.tensor([task_of[example.task] for example in asked]),
        )
        find = partial(self._needs, network, encoder, asked, part.said, device) if self.why else None
        return judge_batch(network, batch, rows[places], device, part.said, find_needs=find)

    def _needs(
        self,
        network: Network,
        encoder: Encoder,
        examples: Sequence[Example],
        said: Sequence[Mapping[str, str]],
        device: torch.device,
        batch: Batch,
        answered: Answered,
    ) -> Needs:
        """As `evaluation.needs.FindNeeds`, but that names are bound anew in each shortened story. examples, said: those
        of the batch, and what spares stand for in each"""
        asked = [(example.facts, example.question) for example in examples]
        whole = self._words(answered, said)
        any_order = [self.model.form(example.question).any_order for example in examples]

        def changes(left: LeftOut) -> np.ndarray:
            with self._encoding:
                parts = encoder.batches([encoder.asked(*one) for one in shortened(asked, left)])
            changed = np.empty(len(left), bool)
            for part in parts:
                others = self._words(network.answer(part.batch.to(device)), part.said)
                for place, other in zip(part.places, others, strict=True):
                    row = left.question[place]
                    changed[place] = not same_answer(whole[row], other, any_order=any_order[row])
            return changed

        return found(batch, answered, changes)

    def _words(self, answered: Answered, said: Sequence[Mapping[str, str]]) -> list[list[str]]:
        """What is answered to each question. said: what spares stand for"""
        rows = zip(answered.words.tolist(), said, strict=True)
        return [self.model.vocabulary.answer_words(words, names) for words, names in rows]

    def _answer_ids(self, example: Example, encoder: Encoder, bound: Bound | None, *, per_fact: bool) -> list[int]:
        """The right answer; -1 where the model can't say a word of it."""
        ids = self.model.vocabulary.answers.ids
        words = example.answer
        if bound and encoder.binder:
            read = (" ".join(part for part in encoder.tokenizer(word) if not is_affix(part)) for word in words)
            meant = [encoder.binder.answer(text, bound, ids) for text in read]
            words = [
                spare if spare in ids and text not in ids else text for text, spare in zip(words, meant, strict=True)
            ]
        return [ids.get(word, -1) for word in words] + ([] if per_fact else [END])
