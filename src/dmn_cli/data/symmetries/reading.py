"""Stories of one task → the evidence in them: atoms, distinct sentences, and what each answer rests on."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

import numpy as np

from dmn_cli.data.store.layout import Ragged, spans
from dmn_cli.data.store.reader import DataSet, Split
from dmn_cli.data.symmetries import folded
from dmn_cli.data.symmetries.evidence import Evidence
from dmn_cli.data.symmetries.names import Words, joined, several_words
from dmn_cli.data.symmetries.tables import padded
from dmn_cli.data.words.affixes import is_affix

STORIES = 20_000  # looked at, at most
_LEAST_STORIES, _LEAST_QUESTIONS = 50, 200  # fewer say nothing for sure
_FACTS = 1_000_000
_QUESTIONS = 5000  # whose support is looked at
_SENTENCES = 10_000  # distinct ones; where there are more, fewer stories are looked at
_ONCE = 0.8  # of all facts; where as many occur in one story each,
_WORDS = 500  # and have more words than this, they are plain text
_ANSWERS = 2000  # that are looked for among what their questions see, where support is unknown
_LONGEST = 10  # words of an answer, on average


def read(data: DataSet, split: Split, task: int) -> Evidence | None:
    """What the stories of a task show; None where they are too few, or aren't made of forms that recur, as plain text
    isn't, or are words and tags."""
    stories = np.flatnonzero(split.task == task)
    if len(stories) < _LEAST_STORIES or split.questions.lengths[stories].sum() < _LEAST_QUESTIONS:
        return None
    stories = stories[:: -(-len(stories) // STORIES)]
    stories = stories[: int(np.searchsorted(np.cumsum(split.facts.lengths[stories], dtype=np.int64), _FACTS)) + 1]
    while True:
        fact_numbers, fact_counts = _by_story(*split.facts.take(stories))
        asked_numbers, asked_counts = _by_story(*split.questions.take(stories))
        numbers = np.union1d(fact_numbers, asked_numbers)
        if len(numbers) <= _SENTENCES:
            break
        stories = stories[::2]
    words = _texts(data, numbers)
    once = fact_counts[fact_counts == 1].sum() > _ONCE * fact_counts.sum()
    if (
        len(stories) < _LEAST_STORIES
        or (once and len({word for sentence in words for word in sentence}) > _WORDS)
        or any(any(data.forms.get(data.sentences.text(number), ())) for number in asked_numbers)
    ):
        return None
    asked = _asked(split, stories, numbers)
    if len(asked.answers.values) > _LONGEST * len(asked.story):
        return None
    return _evidence(
        words,
        _spread(fact_counts, np.isin(numbers, fact_numbers)),
        _spread(asked_counts, np.isin(numbers, asked_numbers)),
        asked,
        data.vocabulary.answers.items,
    )


def _evidence(
    words: list[Words], fact_counts: np.ndarray, question_counts: np.ndarray, asked: _Questions, items: list[str]
) -> Evidence:
    """words: of each distinct sentence; items: the answers that there are"""
    answers = {int(i): items[i].casefold() for i in np.unique(asked.answers.values)}
    names = several_words(
        [words[i] for i in np.flatnonzero(fact_counts)],
        [words[i] for i in np.flatnonzero(question_counts)] + [tuple(answer.split()) for answer in answers.values()],
    )
    index: dict[str, int] = {}
    sentences = padded([[index.setdefault(w, len(index)) for w in joined(sentence, names)] for sentence in words])
    known = folded(index)
    code = np.zeros(len(items), np.int64)
    for i, answer in answers.items():
        code[i] = index.setdefault(known.get(answer) or answer, len(index))
    coded = Ragged(asked.answers.offsets, code[asked.answers.values])
    if 2 * np.count_nonzero(np.diff(asked.supports.offsets)) > len(asked.story):
        units, seen = _units(asked, coded, _supporting(asked)), None
    else:
        named = [set(row[row >= 0].tolist()) for row in sentences]
        telling = set(np.unique(sentences[fact_counts > 0]).tolist()) - _common(named, fact_counts)
        units = _units(asked, coded, _guessed(asked, [words & telling for words in named], named))
        if len((neighbours := _neighbours(asked))[0]):
            units.append(neighbours)
        seen = _seen(asked, coded)
    return Evidence(list(index), sentences, fact_counts, question_counts, units, seen)


def _by_story(ids: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct sentences of some stories, in order, and in how many of them each is."""
    story = np.repeat(np.arange(len(lengths)), lengths)
    once = np.unique((story << 32) | ids) & 0xFFFFFFFF
    return np.unique(once, return_counts=True)


def _spread(counts: np.ndarray, where: np.ndarray) -> np.ndarray:
    found = np.zeros(len(where), np.int64)
    found[where] = counts
    return found


def _texts(data: DataSet, numbers: np.ndarray) -> list[Words]:
    """The words of some sentences, without their affixes."""
    ids, lengths = data.sentences.words.take(numbers)
    items = data.vocabulary.words.items
    ends = np.cumsum(lengths)
    return [
        tuple(word for word in map(items.__getitem__, ids[end - length : end].tolist()) if not is_affix(word))
        for end, length in zip(ends, lengths, strict=True)
    ]


class _Questions(NamedTuple):
    """Some of the questions about some stories. Sentences are positions in a list of distinct ones."""

    story: np.ndarray  # (questions,) positions in the list of stories
    facts: Ragged  # of each story
    question: np.ndarray  # (questions,)
    position: np.ndarray  # (questions,)
    answers: Ragged  # of each question: answer ids
    supports: Ragged


def _asked(split: Split, stories: np.ndarray, numbers: np.ndarray) -> _Questions:
    facts, fact_lengths = split.facts.take(stories)
    asked, lengths = split.questions.take(stories)
    rows = spans(split.question_offset[stories], lengths)
    some = slice(None, None, -(-len(rows) // _QUESTIONS))
    rows = rows[some]
    return _Questions(
        np.repeat(np.arange(len(stories)), lengths)[some],
        _ragged(np.searchsorted(numbers, facts), fact_lengths),
        np.searchsorted(numbers, asked)[some],
        split.positions.take(stories)[0][some],
        _ragged(*split.answers.take(rows)),
        _ragged(*split.supports.take(rows)),
    )


def _ragged(values: np.ndarray, lengths: np.ndarray) -> Ragged:
    return Ragged(np.concatenate([[0], np.cumsum(lengths)]), values)


def _units(asked: _Questions, answers: Ragged, facts: Ragged) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Units by how many sentences and how many words of an answer they have, each once for a story.

    facts: the sentences that an answer rests on, of each question; questions without are left out
    answers: atoms
    """
    sizes, answer_sizes = np.diff(facts.offsets), np.diff(answers.offsets)
    kinds = np.unique(np.stack([sizes, answer_sizes]), axis=1).T
    found = []
    for size, answer_size in kinds[kinds[:, 0] > 0]:
        rows = np.flatnonzero((sizes == size) & (answer_sizes == answer_size))
        table = np.hstack(
            [
                facts.take(rows)[0].reshape(-1, size),
                asked.question[rows, None],
                answers.take(rows)[0].reshape(-1, answer_size),
                asked.story[rows, None],
            ]
        )
        table = np.unique(table, axis=0)
        found.append((table[:, : size + 1], table[:, size + 1 : -1], table[:, -1]))
    return found


def _supporting(asked: _Questions) -> Ragged:
    """The supporting facts of each question, as sentences."""
    lengths = np.diff(asked.supports.offsets)
    starts = np.repeat(asked.facts.offsets[asked.story], lengths)
    return Ragged(asked.supports.offsets, asked.facts.values[starts + asked.supports.values])


def _guessed(asked: _Questions, about: list[set[int]], names: list[set[int]]) -> Ragged:
    """The fact that each question's answer may rest on: the last one that it has a word in common with.

    about: the words of sentences, as questions; names: as facts
    """
    found = np.empty(len(asked.story), np.int64)
    for n, (story, question, position) in enumerate(
        zip(asked.story.tolist(), asked.question.tolist(), asked.position.tolist(), strict=True)
    ):
        start = int(asked.facts.offsets[story])
        seen = asked.facts.values[start : start + position].tolist()
        words = about[question]
        found[n] = next((fact for fact in reversed(seen) if not words.isdisjoint(names[fact])), seen[-1] if seen else 0)
    return (
        _ragged(found, (asked.position > 0).astype(np.int64))
        if (asked.position > 0).all()
        else _ragged(found[asked.position > 0], (asked.position > 0).astype(np.int64))
    )


def _seen(asked: _Questions, answers: Ragged) -> list[tuple[set[int], list[int]]]:
    """The sentences that a question sees, itself among them, and its answer; of some questions."""
    found = []
    for n in range(min(len(asked.story), _ANSWERS)):
        start = int(asked.facts.offsets[asked.story[n]])
        visible = asked.facts.values[start : start + asked.position[n]].tolist()
        found.append(({*visible, int(asked.question[n])}, answers.take(np.array([n]))[0].tolist()))
    return found


def _neighbours(asked: _Questions) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Facts that follow one another, as units that have no answer."""
    values = asked.facts.values
    story = np.repeat(np.arange(len(asked.facts.offsets) - 1), np.diff(asked.facts.offsets))
    table = np.stack([values[:-1], values[1:], story[:-1]], axis=1)[story[:-1] == story[1:]]
    table = np.unique(table, axis=0)
    return table[:, :2], np.empty((len(table), 0), np.int64), table[:, 2]


def _common(named: list[set[int]], counts: np.ndarray) -> set[int]:
    """Words of half of all facts or more."""
    often: dict[int, int] = defaultdict(int)
    for words, count in zip(named, counts.tolist(), strict=True):
        for word in words:
            often[word] += count
    return {word for word, count in often.items() if 2 * count >= counts.sum()}
