"""Stories of one task → the evidence in them: atoms, distinct sentences, and what each answer rests on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np

from dmn_cli.data.store.layout import Ragged
from dmn_cli.data.store.reader import Column, DataSet, Split
from dmn_cli.data.symmetries import folded
from dmn_cli.data.symmetries.counting import by_story, distinct
from dmn_cli.data.symmetries.evidence import Evidence
from dmn_cli.data.symmetries.names import Words, joined, several_words
from dmn_cli.data.symmetries.tables import padded
from dmn_cli.data.symmetries.telling import Asked
from dmn_cli.data.symmetries.units import Sized
from dmn_cli.data.words.affixes import is_affix
from dmn_cli.data.words.vocabulary import Vocabulary
from dmn_cli.records.ragged import spans

STORIES = 20_000  # looked at, at most
_LEAST_STORIES, _LEAST_QUESTIONS = 50, 200  # fewer say nothing for sure
_FACTS = 1_000_000
_LEAST_ASKED, _MOST_ASKED = 2000, 5000  # questions whose support is looked at:
_PER_SENTENCE = 6  # so many for each distinct sentence, or as many as there are
_SENTENCES = 10_000  # distinct ones; where there are more, fewer stories are looked at
_ONCE = 0.8  # of all facts; where as many occur in one story each,
_WORDS = 500  # and have more words than this, they are plain text
_LONGEST = 10  # words of an answer, on average


def read(data: DataSet, split: Split, task: int, supports: Ragged | None = None) -> Evidence | None:
    """What the stories of a task show; None where they are too few, or aren't made of forms that recur, as plain text
    isn't, or are words and tags. supports: what each question rests on, if not what the split says"""
    stories = np.flatnonzero(split.task == task)
    if len(stories) < _LEAST_STORIES or split.questions.lengths[stories].sum() < _LEAST_QUESTIONS:
        return None
    stories = stories[:: -(-len(stories) // STORIES)]
    stories = stories[: int(np.searchsorted(np.cumsum(split.facts.lengths[stories], dtype=np.int64), _FACTS)) + 1]
    sentences = len(data.sentences.words.lengths)
    while True:
        facts, questions = Ragged.of(*split.facts.take(stories)), Ragged.of(*split.questions.take(stories))
        fact_numbers, fact_counts = _by_story(facts, sentences)
        asked_numbers, asked_counts = _by_story(questions, sentences)
        numbers = distinct(np.concatenate([fact_numbers, asked_numbers]))
        if len(numbers) <= _SENTENCES:
            break
        stories = stories[::2]
    words, lengths = _words(data, numbers)
    once = fact_counts[fact_counts == 1].sum() > _ONCE * fact_counts.sum()
    if (
        len(stories) < _LEAST_STORIES
        or (once and len(distinct(words)) > _WORDS)
        or (data.forms and any(any(data.forms.get(data.sentences.text(number), ())) for number in asked_numbers))
    ):
        return None
    place = np.zeros(sentences, np.int64)
    place[numbers] = np.arange(len(numbers))
    among = Ragged(facts.offsets, place[facts.values])
    asked = _asked(split, stories, among, place[questions.values], len(numbers), supports or split.supports)
    if len(asked.answers.values) > _LONGEST * len(asked.story):
        return None
    counts = np.zeros((2, len(numbers)), np.int64)
    counts[0, place[fact_numbers]], counts[1, place[asked_numbers]] = fact_counts, asked_counts
    return _evidence(padded(words, lengths), counts, asked, data.vocabulary)


def _evidence(words: np.ndarray, counts: np.ndarray, asked: _Questions, vocabulary: Vocabulary) -> Evidence:
    """words: of each distinct sentence, padded with -1; counts: (2, sentences) in how many stories each is a fact, and
    a question"""
    fact_counts, question_counts = counts
    items = vocabulary.answers.items
    answers = {i: items[i].casefold() for i in distinct(asked.answers.values).tolist()}
    said = _rows([[vocabulary.words.ids.get(word, 0) for word in answer.split()] for answer in answers.values()])
    several = several_words(words[fact_counts > 0], [words[question_counts > 0], said], len(vocabulary.words))
    atoms, sentences = _atoms(words, several, vocabulary.words.items)
    index = {atom: n for n, atom in enumerate(atoms)}
    known = folded(index)
    code = np.zeros(len(items), np.int64)
    for i, answer in answers.items():
        code[i] = index.setdefault(known.get(answer) or answer, len(index))
    coded = Ragged(asked.answers.offsets, code[asked.answers.values])
    if 2 * np.count_nonzero(np.diff(asked.supports.offsets)) > len(asked.story):
        units, about = _units(asked, coded, _supporting(asked)), None
    else:
        named = [set(row[row >= 0].tolist()) for row in sentences]
        telling = set(distinct(sentences[fact_counts > 0]).tolist()) - _common(named, fact_counts)
        guess = _guessed(asked, [words & telling for words in named], named)
        units = _units(asked, coded, guess) + _neighbours(asked)
        rests_on = np.zeros(len(asked.story), np.int64)
        rests_on[asked.position > 0] = guess.values
        about = Asked(asked.story, asked.question, asked.position, rests_on, asked.facts, coded)
    return Evidence(list(index), sentences, fact_counts, question_counts, units, about)


def _atoms(words: np.ndarray, names: Mapping[int, Sequence[Words]], items: list[str]) -> tuple[list[str], np.ndarray]:
    """The atoms of sentences, in the order in which they first occur, and the sentences as such, padded with -1.

    names: of several words, by their first word
    """
    several: dict[Words, int] = {}
    if names:

        def number(name: Words) -> int:
            return name[0] if len(name) == 1 else several.setdefault(name, len(items) + len(several))

        words = _rows([[*map(number, joined(tuple(row[row >= 0].tolist()), names))] for row in words])
    flat = words[words >= 0]
    first = np.full(len(items) + len(several), len(flat))
    first[flat[::-1]] = np.arange(len(flat))[::-1]
    used = np.argsort(first)[: np.count_nonzero(first < len(flat))]
    atom = np.full(len(first) + 1, -1)
    atom[used] = np.arange(len(used))
    texts = [*items, *(" ".join(items[word] for word in name) for name in several)]
    return [texts[i] for i in used.tolist()], atom[words]


def _by_story(sentences: Ragged, highest: int) -> tuple[np.ndarray, np.ndarray]:
    """The distinct sentences of stories, in order, and in how many of them each is."""
    lengths = np.diff(sentences.offsets)
    return by_story(sentences.values, np.repeat(np.arange(len(lengths)), lengths), highest)


def _words(data: DataSet, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The words of some sentences, without their affixes, end to end, and how many each has."""
    ids, lengths = data.sentences.words.take(numbers)
    items = data.vocabulary.words.items
    affix = np.zeros(len(items), bool)
    for i in distinct(ids).tolist():
        affix[i] = is_affix(items[i])
    row = np.repeat(np.arange(len(numbers)), lengths)[~affix[ids]]
    return ids[~affix[ids]], np.bincount(row, minlength=len(numbers))


def _rows(rows: Sequence[Sequence[int]]) -> np.ndarray:
    return padded(np.array([*chain.from_iterable(rows)], np.int64), np.array([*map(len, rows)], np.int64))


class _Questions(NamedTuple):
    """Some of the questions about some stories. Sentences are positions in a list of distinct ones."""

    story: np.ndarray  # (questions,) positions in the list of stories
    facts: Ragged  # of each story
    question: np.ndarray  # (questions,)
    position: np.ndarray  # (questions,)
    answers: Ragged  # of each question: answer ids
    supports: Ragged


def _asked(
    split: Split, stories: np.ndarray, facts: Ragged, asked: np.ndarray, sentences: int, supports: Ragged | Column
) -> _Questions:
    """sentences: how many distinct ones there are"""
    lengths = split.questions.lengths[stories]
    rows = spans(split.question_offset[stories], lengths)
    wanted = min(max(_PER_SENTENCE * sentences, _LEAST_ASKED), _MOST_ASKED)
    some = slice(None, None, -(-len(rows) // wanted))
    rows = rows[some]
    return _Questions(
        np.repeat(np.arange(len(stories)), lengths)[some],
        facts,
        asked[some],
        split.positions.take(stories)[0][some],
        Ragged.of(*split.answers.take(rows)),
        Ragged.of(*supports.take(rows)),
    )


def _units(asked: _Questions, answers: Ragged, facts: Ragged) -> list[Sized]:
    """Units by how many sentences and how many words of an answer they have, each once for a story.

    facts: the sentences that an answer rests on, of each question; questions without are left out
    answers: atoms
    """
    sizes, answer_sizes = np.diff(facts.offsets), np.diff(answers.offsets)
    found = []
    for kind in distinct(sizes << 32 | answer_sizes).tolist():
        size, answer_size = kind >> 32, kind & 0xFFFFFFFF
        if not size:
            continue
        rows = np.flatnonzero((sizes == size) & (answer_sizes == answer_size))
        which = np.hstack([facts.take(rows)[0].reshape(-1, size), asked.question[rows, None]])
        found.append(Sized.of_table(which, answers.take(rows)[0].reshape(-1, answer_size), asked.story[rows]))
    return found


def _supporting(asked: _Questions) -> Ragged:
    """The supporting facts of each question, as sentences."""
    lengths = np.diff(asked.supports.offsets)
    starts = np.repeat(asked.facts.offsets[asked.story], lengths)
    return Ragged(asked.supports.offsets, asked.facts.values[starts + asked.supports.values])


def _guessed(asked: _Questions, about: list[set[int]], names: list[set[int]]) -> Ragged:
    """The fact that each question's answer may rest on: of those that it has most words in common with, the last.

    about: the words of sentences, as questions; names: as facts
    """
    found = np.empty(len(asked.story), np.int64)
    for n, (story, question, position) in enumerate(
        zip(asked.story.tolist(), asked.question.tolist(), asked.position.tolist(), strict=True)
    ):
        start = int(asked.facts.offsets[story])
        seen = asked.facts.values[start : start + position].tolist()
        words = about[question]
        found[n] = max(reversed(seen), key=lambda fact: len(words & names[fact]), default=0)
    told = asked.position > 0
    return Ragged.of(found[told], told.astype(np.int64))


def _neighbours(asked: _Questions) -> list[Sized]:
    """Facts that follow one another, as units that have no answer."""
    values = asked.facts.values
    story = np.repeat(np.arange(len(asked.facts.offsets) - 1), np.diff(asked.facts.offsets))
    which = np.stack([values[:-1], values[1:]], axis=1)[story[:-1] == story[1:]]
    story = story[:-1][story[:-1] == story[1:]]
    return [Sized.of_table(which, np.empty((len(which), 0), np.int64), story)] if len(which) else []


def _common(named: list[set[int]], counts: np.ndarray) -> set[int]:
    """Words of half of all facts or more."""
    often: dict[int, int] = defaultdict(int)
    for words, count in zip(named, counts.tolist(), strict=True):
        for word in words:
            often[word] += count
    return {word for word, count in often.items() if 2 * count >= counts.sum()}
