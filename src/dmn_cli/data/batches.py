"""Stories → Batch, by array operations alone.

The unit is the story, with all of its questions, so that the network reads it once. A batch takes stories of like
length until it has about `batch_size` questions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dmn_cli.data.arrays import from_arrays, padded
from dmn_cli.data.store import DataSet, Split, spans
from dmn_cli.data.vocabulary import Vocabulary, mapping
from dmn_cli.records import Batch

_POOL = 50  # stories are sorted by length among those of about so many batches, so that batches stay random


@dataclass(frozen=True)
class Batches:
    """The batches of one split of a data set, in the numbers of a model's vocabulary."""

    data: DataSet
    split: Split
    words: np.ndarray  # word id of the data set → of the model
    answers: np.ndarray  # the same for answers; -1: the model can't say it
    tasks: list[str]  # what a batch's tasks are numbered by
    task_ids: np.ndarray  # task id of the data set → of `tasks`

    @classmethod
    def of(cls, data: DataSet, split: str, vocabulary: Vocabulary, tasks: list[str] | None = None) -> Batches:
        """`tasks`: those of several data sets that go together; else the data set's own."""
        words = mapping(data.vocabulary.words, vocabulary.words, missing=1)
        answers = mapping(data.vocabulary.answers, vocabulary.answers, missing=-1)
        tasks = data.tasks if tasks is None else tasks
        return cls(data, data.split(split), words, answers, tasks, np.array([tasks.index(t) for t in data.tasks]))

    def plan(self, batch_size: int, random: np.random.Generator | None = None) -> list[np.ndarray]:
        """Which stories go into which batch: shuffled by `random`, or in order of length without."""
        n = self.split.stories
        order = np.arange(n) if random is None else random.permutation(n)
        questions = self.split.questions.lengths[order]
        pool = np.cumsum(questions) // (batch_size * _POOL) if random is not None else np.zeros(n, int)
        order = order[np.lexsort((self.split.facts.lengths[order], pool))]
        filled = np.cumsum(self.split.questions.lengths[order]) - self.split.questions.lengths[order]
        cuts = np.flatnonzero(np.diff(filled // batch_size)) + 1
        batches = np.split(order, cuts)
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
        each = np.isin(asked, self.data.questions_of_each)
        ended = np.flatnonzero(~each)
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
            each=each,
            answer=answer,
            support=padded(*split.supports.take(rows), -1),
            task=np.repeat(self.task_ids[split.task[stories]], questions),
        )

    def question_rows(self, stories: np.ndarray) -> np.ndarray:
        """The numbers, in the split, of all questions of some stories."""
        offset = self.split.question_offset
        return spans(offset[stories], offset[stories + 1] - offset[stories])

    def _words(self, sentences: np.ndarray) -> np.ndarray:
        values, lengths = self.data.sentences.words.take(sentences)
        return padded(self.words[values], lengths, 0)
