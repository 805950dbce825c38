"""Stories → Batch, by array operations alone.

The unit is the story with all of its questions, so that the network reads it once. A batch takes stories of similar
length until it has about `batch_size` questions.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from dmn_cli.data.store.layout import spans
from dmn_cli.data.store.reader import DataSet, Split
from dmn_cli.data.words.vocabulary import Vocabulary, mapping
from dmn_cli.records.batch import Batch, cuts, from_arrays, padded

_POOL = 50  # batches: stories are sorted by length only among those of about so many, so that batches stay random


def real_shares(batches: Iterable[Batch]) -> tuple[float, float]:
    """Which share of some batches isn't padding: of the facts that questions see, if each question had as many as the
    longest story of its batch; and of the words of distinct sentences, if each had as many as the longest of them."""
    facts, words = np.zeros(2, np.int64), np.zeros(2, np.int64)  # real, all
    for batch in batches:
        facts += int(batch.facts_seen.sum()), len(batch) * batch.story.shape[1]
        words += int((batch.sentences != 0).sum()), batch.sentences.numel()
    return float(facts[0] / facts[1]), float(words[0] / words[1])


@dataclass(frozen=True)
class Batches:
    """The batches of one split of a data set, with the ids of a model's vocabulary."""

    data: DataSet
    split: Split
    words: np.ndarray  # word id of the data set → of the model
    answers: np.ndarray  # answer id of the data set → of the model; -1: the model can't say it
    tasks: list[str]  # a batch's task ids are positions in it
    task_ids: np.ndarray  # task id of the data set → of `tasks`

    @classmethod
    def of(cls, data: DataSet, split: str, vocabulary: Vocabulary, tasks: list[str] | None = None) -> Batches:
        """`tasks`: those of all data sets that are used together; None: of this data set alone."""
        words = mapping(data.vocabulary.words, vocabulary.words, missing=1)
        answers = mapping(data.vocabulary.answers, vocabulary.answers, missing=-1)
        tasks = data.tasks if tasks is None else tasks
        return cls(data, data.split(split), words, answers, tasks, np.array([tasks.index(t) for t in data.tasks]))

    def plan(
        self, batch_size: int, random: np.random.Generator | None = None, *, facts: int | None = None
    ) -> list[np.ndarray]:
        """Which stories go into which batch: shuffled by `random`, or in order of length without.

        A batch ends once it has about `batch_size` questions, or they see about so many `facts`.
        """
        lengths, questions = self.split.facts.lengths, self.split.questions.lengths
        order = np.arange(len(lengths)) if random is None else random.permutation(len(lengths))
        pool = np.cumsum(questions[order]) // (batch_size * _POOL) if random is not None else 0 * order
        order = order[np.lexsort((lengths[order], pool))]
        batches = np.split(order, cuts(lengths[order], questions[order], batch_size, facts))
        if random is not None:
            random.shuffle(batches)
        return batches

    def batch(self, stories: np.ndarray) -> Batch:
        """The batch of some stories, all of their questions in order."""
        split = self.split
        sentences, story_length = split.facts.take(stories)
        distinct, story = np.unique(sentences, return_inverse=True)
        asked, questions = split.questions.take(stories)
        distinct_asked, question = np.unique(asked, return_inverse=True)
        rows = self.question_rows(stories)
        answer, answer_length = split.answers.take(rows)
        answer = padded(self.answers[answer], answer_length, -1)
        per_fact = np.isin(asked, self.data.questions_per_fact)
        ended = np.flatnonzero(~per_fact)
        if len(ended):
            answer = np.pad(answer, ((0, 0), (0, 1)), constant_values=-1)
            answer[ended, answer_length[ended]] = 0  # the end token
        positions, _ = split.positions.take(stories)
        return from_arrays(
            sentences=self._words(distinct),
            story=padded(story, story_length, 0),
            story_length=story_length,
            question_sentences=self._words(distinct_asked),
            question=question,
            story_of=np.repeat(np.arange(len(stories)), questions),
            facts_seen=positions,
            per_fact=per_fact,
            answer=answer,
            support=padded(*split.supports.take(rows), -1),
            task=np.repeat(self.task_ids[split.task[stories]], questions),
        )

    def asked(self, stories: np.ndarray) -> tuple[int, int]:
        """How many answers the questions of some stories ask for (one, or one for each fact that is seen), and for how
        many of the questions the supporting facts are known."""
        asked, _ = self.split.questions.take(stories)
        positions, _ = self.split.positions.take(stories)
        per_fact = np.isin(asked, self.data.questions_per_fact)
        known = self.split.supports.lengths[self.question_rows(stories)] > 0
        return int(np.where(per_fact, positions, 1).sum()), int(known.sum())

    def question_rows(self, stories: np.ndarray) -> np.ndarray:
        """The positions in the split of all questions of some stories."""
        offset = self.split.question_offset
        return spans(offset[stories], offset[stories + 1] - offset[stories])

    def _words(self, sentences: np.ndarray) -> np.ndarray:
        values, lengths = self.data.sentences.words.take(sentences)
        return padded(self.words[values], lengths, 0)
