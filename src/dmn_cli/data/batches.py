"""Stories → Batch, by array operations alone.

The unit is the story with all of its questions, so that the network reads it once. A batch takes stories of similar
length until it has about `batch_size` questions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from dmn_cli.data.store.reader import DataSet, Split
from dmn_cli.data.symmetries import Symmetries
from dmn_cli.data.symmetries.images import ForModel
from dmn_cli.data.symmetries.renamer import Renamed, Renamer
from dmn_cli.data.thinning import Told
from dmn_cli.data.words.trees import nodes_of
from dmn_cli.data.words.vocabulary import Vocabulary, mapping
from dmn_cli.records.batch import Batch, cuts, from_arrays, padded
from dmn_cli.records.ragged import spans
from dmn_cli.records.spelling import Spelled
from dmn_cli.records.text import WORD

_AT_A_TIME = 10_000  # stories that are searched for words
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
    vocabulary: Vocabulary  # the model's
    words: np.ndarray  # word id of the data set → of the model
    answers: np.ndarray  # answer id of the data set → of the model; -1: the model can't say it
    tasks: list[str]  # a batch's task ids are positions in it
    task_ids: np.ndarray  # task id of the data set → of `tasks`
    renamer: Renamer | None = None  # what can change names in them
    spares: np.ndarray | None = None  # (answers of the model,) True for spares, where it has any
    affixes: tuple[np.ndarray, np.ndarray] | None = None  # which words of the data set, of the model, are affixes
    nodes: np.ndarray | None = None  # (words of the data set,) as `Batch.nodes`, where its facts are trees

    @classmethod
    def of(
        cls,
        data: DataSet,
        split: str,
        vocabulary: Vocabulary,
        tasks: list[str] | None = None,
        symmetries: Mapping[str, Symmetries] | None = None,
    ) -> Batches:
        """`tasks`: those of all data sets that are used together; None: of this data set alone. `symmetries`: of the
        tasks whose names may change."""
        words = mapping(data.vocabulary.words, vocabulary.words, missing=1)
        answers = mapping(data.vocabulary.answers, vocabulary.answers, missing=-1)
        tasks = data.tasks if tasks is None else tasks
        task_ids = np.array([tasks.index(t) for t in data.tasks])
        opened = data.split(split)
        model = ForModel(vocabulary, words, answers)
        renamer = Renamer(data, opened, symmetries, model) if symmetries else None
        return cls(
            data,
            opened,
            vocabulary,
            words,
            answers,
            tasks,
            task_ids,
            renamer,
            vocabulary.spare_answers(),
            _affixes(data, vocabulary),
            None if data.labels is None else nodes_of(data.labels, data.vocabulary.words, vocabulary.answers),
        )

    def plan(
        self,
        batch_size: int,
        random: np.random.Generator | None = None,
        *,
        facts: int | None = None,
        stories: np.ndarray | None = None,
    ) -> list[np.ndarray]:
        """Which stories go into which batch, all or some `stories`: shuffled by `random`, or in order of length without
        it.

        A batch ends once it has about `batch_size` questions, or they see about so many `facts`.
        """
        lengths, questions = self.split.facts.lengths, self.split.questions.lengths
        order = np.arange(len(lengths)) if stories is None else stories
        if random is not None:
            order = random.permutation(order)
        pool = np.cumsum(questions[order]) // (batch_size * _POOL) if random is not None else 0 * order
        order = order[np.lexsort((lengths[order], pool))]
        batches = np.split(order, cuts(lengths[order], questions[order], batch_size, facts))
        if random is not None:
            random.shuffle(batches)
        return batches

    def few(self, questions: int) -> np.ndarray | None:
        """Stories with about so many questions of each task whose names change, evenly from all of its stories, and
        all stories of the others. None: these are all there are."""
        asked, chosen = self.split.questions.lengths, np.ones(self.split.stories, bool)
        for task in self.renamer.tasks if self.renamer else ():
            own = np.flatnonzero(self.split.task == task)
            if (every := asked[own].sum() / questions) > 1:
                chosen[own] = False
                chosen[own[np.arange(0, len(own), every).astype(int)]] = True
        return None if chosen.all() else np.flatnonzero(chosen)

    def batch(
        self,
        stories: np.ndarray,
        random: np.random.Generator | None = None,
        *,
        draws: int = 1,
        spares: bool = True,
        thin: np.random.Generator | None = None,
    ) -> Batch:
        """The batch of some stories, all of their questions in order.

        random: draws new names, where names may change; draws: how many times, for stories in turn; spares: whether
        they take part; thin: draws which facts are left out
        """
        split = self.split
        asked, questions = split.questions.take(stories)
        rows = self.question_rows(stories)
        answer, answer_length = split.answers.take(rows)
        told = Told(*split.facts.take(stories), questions, split.positions.take(stories)[0], *split.supports.take(rows))
        if thin is not None:
            told = told._replace(unanswerable=self.data.unanswerable(split, rows)).thinned(thin)
        sentences, wording, renamed = told.facts, asked, None
        if random is not None and self.renamer:
            renamed = self.renamer.draw(split.task[stories], random, draws, spares=spares)
            sentences, wording = renamed.keys(sentences, told.lengths), renamed.keys(asked, questions)
            answers_of = np.add.reduceat(answer_length, np.cumsum(questions) - questions)
            answer = renamed.answers(answer, answers_of)
        else:
            answer = self.answers[answer]
        distinct, story = np.unique(sentences, return_inverse=True)
        pictures: dict[str, np.ndarray | None] = {}
        if self.data.pictures:
            seen, which = self.data.pictures.take(self.split.name, stories)
            form = self.data.pictures.form
            pictures = {"vectors": seen.reshape(-1, form.width)} if form.width else {"pictures": seen}
            story = (which[:, np.newaxis] * form.regions + np.arange(form.regions)).flatten()
        distinct_asked, question = np.unique(wording, return_inverse=True)
        words, lengths, affix, spelled = self._told(distinct, renamed)
        answer = padded(answer, answer_length, -1)
        nodes = None
        if self.nodes is not None:
            nodes = padded(self.nodes[self.data.sentences.words.take(distinct)[0]], lengths, WORD)
        per_fact = np.isin(asked, self.data.questions_per_fact)
        ended = np.flatnonzero(~per_fact)
        if len(ended):
            answer = np.pad(answer, ((0, 0), (0, 1)), constant_values=-1)
            answer[ended, answer_length[ended]] = 0  # the end token
        return from_arrays(
            sentences=_rectangle(words, lengths),
            story=padded(story, told.lengths, 0),
            story_length=told.lengths,
            question_sentences=_rectangle(*self._told(distinct_asked, renamed)[:2]),
            question=question,
            story_of=np.repeat(np.arange(len(stories)), questions),
            facts_seen=told.positions,
            per_fact=per_fact,
            answer=answer,
            support=padded(told.supports, told.supporting, -1),
            task=np.repeat(self.task_ids[split.task[stories]], questions),
            any_order=np.isin(asked, sets) if len(sets := self.data.questions_in_any_order) else None,
            barred=self.spares[np.newaxis] if self.spares is not None and random is None else None,
            affix=None if affix is None else _rectangle(affix, lengths),
            spelled=spelled,
            nodes=nodes,
            regions=self.data.pictures.form.regions if self.data.pictures else 0,
            **pictures,
        )

    def asked(self, stories: np.ndarray) -> tuple[int, int]:
        """How many answers the questions of some stories ask for (one, or one for each fact that is seen), and for how
        many of the questions the supporting facts are known."""
        asked, _ = self.split.questions.take(stories)
        positions, _ = self.split.positions.take(stories)
        per_fact = np.isin(asked, self.data.questions_per_fact)
        known = self.split.supports.lengths[self.question_rows(stories)] > 0
        return int(np.where(per_fact, positions, 1).sum()), int(known.sum())

    @cached_property
    def strange_stories(self) -> np.ndarray:
        """The stories with words, in a fact or a question, that the model doesn't know. (n,) ascending"""
        split, strange = self.split, np.zeros(self.split.stories, bool)
        if not (self.words[2:] == 1).any():
            return np.flatnonzero(strange)
        for first in range(0, split.stories, _AT_A_TIME):
            stories = np.arange(first, min(first + _AT_A_TIME, split.stories))
            for column in (split.facts, split.questions):
                sentences, counts = column.take(stories)
                distinct, at = np.unique(sentences, return_inverse=True)
                ids, lengths, *_ = self._told(distinct, None)
                unknown = np.zeros(len(distinct), bool)
                unknown[np.repeat(np.arange(len(distinct)), lengths)[ids == 1]] = True
                strange[np.repeat(stories, counts)[unknown[at]]] = True
        return np.flatnonzero(strange)

    def text(self, stories: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The words of all facts of some stories, end to end, without what says their form, and how many each has."""
        sentences, facts = self.split.facts.take(stories)
        words, lengths, affix, _ = self._told(sentences, None)
        story = np.repeat(np.repeat(np.arange(len(stories)), facts), lengths)
        if affix is not None:
            words, story = words[~affix], story[~affix]
        return words, np.bincount(story, minlength=len(stories))

    def answer_words(self, stories: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The distinct words of the right answers of each story, end to end, as the model numbers them, and how many
        each has."""
        answer, length = self.split.answers.take(self.question_rows(stories))
        of_question = np.repeat(np.arange(len(stories)), self.split.questions.lengths[stories])
        many = len(self.vocabulary.answers)
        known = np.unique(np.repeat(of_question, length) * many + self.answers[answer])
        story, words = np.divmod(known, many)
        return words, np.bincount(story, minlength=len(stories))

    def question_rows(self, stories: np.ndarray) -> np.ndarray:
        """The positions in the split of all questions of some stories."""
        offset = self.split.question_offset
        return spans(offset[stories], offset[stories + 1] - offset[stories])

    def _told(self, sentences: np.ndarray, renamed: Renamed | None) -> _Words:
        """renamed: where names have changed"""
        of_data, of_model = self.affixes or (None, None)
        if renamed is not None:
            words, lengths = renamed.words(sentences)
            affix = None if of_model is None else of_model[words]
            return _Words(words, lengths, affix, Spelled(words, self.vocabulary.words.spelling))
        ids, lengths = self.data.sentences.words.take(sentences)
        affix = None if of_data is None else of_data[ids]
        return _Words(self.words[ids], lengths, affix, Spelled(ids, self.data.vocabulary.words.spelling))


class _Words(NamedTuple):
    """The words of some sentences, end to end."""

    ids: np.ndarray  # of the model
    lengths: np.ndarray  # (sentences,)
    affix: np.ndarray | None  # as `Batch.affix`; None where no word is an affix
    spelled: Spelled


def _affixes(data: DataSet, vocabulary: Vocabulary) -> tuple[np.ndarray, np.ndarray] | None:
    if not data.summary["tokenizer"].get("affixes"):
        return None
    return data.vocabulary.words.affixes(), vocabulary.words.affixes()


def _rectangle(ids: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    return padded(ids, lengths, 0)
