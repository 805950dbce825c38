"""The sentences and answers of a split under random elements of its tasks' symmetries, in a model's numbers.

A sentence is a row of slots: a word that stays, or a form of an entity that may change. An element of the symmetries
says what each form becomes, so that sentences are renamed by array operations alone: distinct sentences of a batch stay
distinct, and are renamed once. Where every form is one word, slots are the words themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import product
from typing import NamedTuple

import numpy as np

from dmn_cli.data.store.layout import Ragged
from dmn_cli.data.store.reader import DataSet, Split
from dmn_cli.data.symmetries import Symmetries, folded
from dmn_cli.data.symmetries.spares import with_spares
from dmn_cli.data.words.affixes import affixes, is_affix
from dmn_cli.data.words.vocabulary import Vocabulary


class _Form(NamedTuple):
    """A form as it stands in a sentence."""

    text: str
    nth: int = 0  # which of its entity's forms it is
    capital: bool = False  # as its affixes have it
    affixed: bool = False


class Renamer:
    """Of one split of a data set, for a model."""

    def __init__(
        self,
        data: DataSet,
        split: Split,
        tasks: Mapping[str, Symmetries],
        vocabulary: Vocabulary,
        words: np.ndarray,
        answers: np.ndarray,
    ) -> None:
        """tasks: symmetries of those tasks that have any; vocabulary: the model's; words, answers: what the
        ids of the data set are there"""
        spared = with_spares(tasks)
        distinct = list(dict.fromkeys(symmetries for symmetries in tasks.values() if symmetries))
        numbers = [1 + distinct.index(tasks[task]) if tasks.get(task) else 0 for task in data.tasks]
        self._group_of = np.array(numbers, np.int64)  # (tasks,) which symmetries a task has; 0: none
        self._sentences = len(data.sentences.words.lengths)
        extended = {symmetries: spared[task] for task, symmetries in tasks.items()}
        self._groups = [
            _Group(data, split, symmetries, extended.get(symmetries, symmetries), vocabulary, words, answers)
            for symmetries in (Symmetries(), *distinct)
        ]

    def draw(self, tasks: np.ndarray, random: np.random.Generator, draws: int, *, spares: bool) -> Renamed:
        """Random elements for the stories of a batch: for those of the same symmetries up to `draws`, in turn.

        tasks: (stories,) of the data set; spares: whether they take part; without them half of the draws are without
        swaps too
        """
        group = self._group_of[tasks]
        drawn: list[_Drawn] = []
        of_story, first = np.empty(len(group), np.int64), 0
        for number in np.unique(group):
            own = np.flatnonzero(group == number)
            count = min(draws, len(own)) if number else 1
            of_story[own] = first + np.arange(len(own)) % count
            drawn.append(self._groups[number].draw(random, count, spares=spares))
            first += count
        return Renamed(self._sentences, drawn, of_story)


class Renamed:
    """The random elements that a batch is read under."""

    def __init__(self, sentences: int, drawn: Sequence[_Drawn], of_story: np.ndarray) -> None:
        """sentences: of the data set; of_story: (stories,) the element of each, numbered through all that were drawn"""
        self._sentences, self._drawn, self._of_story = sentences, drawn, of_story
        self._firsts = np.cumsum([0, *(one.count for one in drawn)])

    def keys(self, sentences: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Numbers that differ where sentences do, or the elements that they are read under.

        sentences: (n,) of the data set, of each story in turn; lengths: (stories,) how many each has
        """
        return sentences + np.repeat(self._of_story, lengths) * self._sentences

    def words(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Word ids of the model, end to end, and how many each sentence has. keys: (n,), ascending"""
        bounds = np.searchsorted(keys, self._firsts * self._sentences)
        parts = []
        for drawn, start, end, first in zip(self._drawn, bounds, bounds[1:], self._firsts, strict=False):
            element, sentence = np.divmod(keys[start:end], self._sentences)
            parts.append(drawn.words(sentence, element - first))
        ids, lengths = zip(*parts, strict=True)
        return np.concatenate(ids), np.concatenate(lengths)

    def answers(self, ids: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        """Answer ids of the model. ids: (n,) of the data set, of each story in turn; lengths: (stories,)"""
        return np.concatenate([drawn.answers() for drawn in self._drawn])[np.repeat(self._of_story, lengths), ids]


class _Drawn:
    """Some random elements of a group's symmetries: which entity each one becomes, and a product of swaps."""

    def __init__(self, group: _Group, orders: list[np.ndarray], turns: list[dict[str, str]]) -> None:
        """orders: of each class (count, entities)"""
        self.count = len(turns)
        self._group, self._orders, self._turns = group, orders, turns

    def words(self, sentences: np.ndarray, element: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Word ids of the model, end to end, and how many each sentence has. element: (n,) under which each is read"""
        slots, counts = self._group.slots(sentences)
        written = self._group.written(self._orders, self._turns)[np.repeat(element, counts), slots]
        ids, lengths = self._group.texts.take(written)
        so_far = np.concatenate([[0], np.cumsum(lengths)])
        return ids, np.diff(so_far[np.concatenate([[0], np.cumsum(counts)])])

    def answers(self) -> np.ndarray:
        """(count, answers) answer id of the data set → of the model"""
        return self._group.answered(self._orders, self._turns)


class _Moves(NamedTuple):
    """What can become what, as numbers: of a class, where things are, whose they are, and what they become."""

    place: np.ndarray  # (n,) slots, or answers of the data set
    entity: np.ndarray  # (n,) whose form each is
    becomes: np.ndarray  # (n, entities) texts, or answers of the model


class _Group:
    """Symmetries and the sentences of the tasks that have them."""

    def __init__(
        self,
        data: DataSet,
        split: Split,
        symmetries: Symmetries,
        spared: Symmetries,
        vocabulary: Vocabulary,
        words: np.ndarray,
        answers: np.ndarray,
    ) -> None:
        """spared: the symmetries with spares; the others as for `Renamer`"""
        self._data, self._split, self._symmetries, self._spared = data, split, symmetries, spared
        self._vocabulary, self._words, self._answers = vocabulary, words, answers
        self._items = data.vocabulary.words.items
        self._forms: dict[_Form, int] = {}  # → slot
        self._sentences: dict[int, np.ndarray] = {}  # → slots
        self._entities: dict[str, list[int]] = {}  # form → which forms of its entity it is
        for entities in symmetries.classes:
            for entity in entities:
                for nth, form in enumerate(entity):
                    self._entities.setdefault(form, []).append(nth)
        for swap in symmetries.swaps:
            for form in (form for pair in swap for form in pair):
                self._entities.setdefault(form, [0])
        affixed = bool(data.summary["tokenizer"].get("affixes"))
        self._plain = not symmetries or (symmetries.of_words and not affixed)
        if self._plain:
            ids = data.vocabulary.words.ids
            self._forms = {_Form(form, nths[0]): ids[form] for form, nths in self._entities.items() if form in ids}
        by_case = folded(data.vocabulary.answers.items)
        known = {form: by_case[form.casefold()] for form in self._entities if form.casefold() in by_case}
        self._answering = {form: data.vocabulary.answers.ids[answer] for form, answer in known.items()}
        self._said = folded(vocabulary.answers.items)
        self._answer_moves = self._answer_movements()
        self._rows: list[list[int]] = [[i] for i in self._words.tolist()]
        self._row_of: dict[tuple[str, bool, bool], int] = {}
        self._texts: Ragged | None = None
        self._prepare()

    def draw(self, random: np.random.Generator, count: int, *, spares: bool) -> _Drawn:
        """All permutations of a class are equally likely, and so are all products of swaps.

        Without spares, half of the draws have no swaps: where each turn of the compass is as likely as its opposite,
        the gradient says nothing at first of which is which (docs/log.md).
        """
        orders = []
        for known, every in zip(self._symmetries.classes, self._spared.classes, strict=True):
            taking_part = len(every) if spares else len(known)
            order = np.tile(np.arange(len(every)), (count, 1))
            order[:, :taking_part] = random.permuted(order[:, :taking_part], axis=1)
            orders.append(order)
        turns = self._symmetries.turns(random, count)
        if self._symmetries.swaps and not spares:
            turns = [turn if swapped else {} for turn, swapped in zip(turns, random.random(count) < 0.5, strict=True)]
        return _Drawn(self, orders, turns)

    @property
    def texts(self) -> Ragged:
        """All that a slot can become, as word ids of the model: the words of the data set first."""
        if self._texts is None or len(self._texts.offsets) <= len(self._rows):
            lengths = np.fromiter(map(len, self._rows), np.int64, len(self._rows))
            ids = np.concatenate([np.array(row, np.int64) for row in self._rows])
            self._texts = Ragged(np.concatenate([[0], np.cumsum(lengths)]), ids)
        return self._texts

    def written(self, orders: list[np.ndarray], turns: list[dict[str, str]]) -> np.ndarray:
        """(count, slots) What each slot that was met so far becomes, as a row of `texts`."""
        if len(self._forms) != self._prepared:
            self._prepare()
        rows = np.tile(self._stay, (len(turns), 1))
        _move(rows, self._moves, orders)
        for row, turn in zip(rows, turns, strict=True) if self._symmetries.swaps else ():
            for form, slot in self._swapped:
                if form.text in turn:
                    row[slot] = self._row(form, turn[form.text])
        return rows

    def answered(self, orders: list[np.ndarray], turns: list[dict[str, str]]) -> np.ndarray:
        """(count, answers) What each answer of the data set becomes: answer ids of the model."""
        answers = np.tile(self._answers, (len(turns), 1))
        _move(answers, self._answer_moves, orders)
        for row, turn in zip(answers, turns, strict=True) if self._symmetries.swaps else ():
            for form, answer in self._answering.items():
                if form in turn and turn[form].casefold() in self._said:
                    row[answer] = self._answer_id(turn[form])
        return answers

    def _prepare(self) -> None:
        """Works out what each form that was met so far can become."""
        self._prepared = len(self._forms)
        slots = max([len(self._words), *(slot + 1 for slot in self._forms.values())])
        self._stay = np.arange(slots)
        swapped = {form for swap in self._symmetries.swaps for pair in swap for form in pair}
        self._swapped = [(form, slot) for form, slot in self._forms.items() if form.text in swapped]
        for form, slot in self._forms.items():
            self._stay[slot] = self._row(form, form.text)
        self._moves = []
        for known, every in zip(self._symmetries.classes, self._spared.classes, strict=True):
            owner = {form: n for n, entity in enumerate(known) for form in entity}
            own = [(form, slot) for form, slot in self._forms.items() if form.text in owner]
            becomes = [[self._row(form, entity[form.nth]) for entity in every] for form, _ in own]
            self._moves.append(
                _Moves(
                    np.array([slot for _, slot in own], np.int64),
                    np.array([owner[form.text] for form, _ in own], np.int64),
                    np.array(becomes, np.int64).reshape(len(own), len(every)),
                )
            )

    def _answer_movements(self) -> list[_Moves]:
        moves = []
        for known, every in zip(self._symmetries.classes, self._spared.classes, strict=True):
            found: dict[int, tuple[int, list[int]]] = {}  # answer → whose it is, and what it becomes
            for nth in range(len(known[0])):
                for n, entity in enumerate(known):
                    if entity[nth] in self._answering and all(e[nth].casefold() in self._said for e in every):
                        images = [self._answer_id(e[nth]) for e in every]
                        found.setdefault(self._answering[entity[nth]], (n, images))
            moves.append(
                _Moves(
                    np.array(list(found), np.int64),
                    np.array([n for n, _ in found.values()], np.int64),
                    np.array([images for _, images in found.values()], np.int64).reshape(len(found), len(every)),
                )
            )
        return moves

    def _answer_id(self, text: str) -> int:
        return self._vocabulary.answers.ids[self._said[text.casefold()]]

    def _row(self, form: _Form, text: str) -> int:
        """The row of `texts` with a text in a form's place."""
        key = (text, form.capital, form.affixed)
        if key not in self._row_of:
            self._row_of[key] = len(self._rows)
            self._rows.append(self._written(form, text))
        return self._row_of[key]

    def slots(self, sentences: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of some sentences, end to end, and how many each has."""
        if self._plain:
            return self._data.sentences.words.take(sentences)
        rows = [self._sentence(number) for number in sentences.tolist()]
        return np.concatenate([np.empty(0, np.int64), *rows]), np.array([len(row) for row in rows], np.int64)

    def _written(self, form: _Form, text: str) -> list[int]:
        written = []
        for word in text.split(" "):
            written.append(self._id(word))
            if form.affixed:
                written += map(self._id, affixes(word[:1].upper() + word[1:] if form.capital else word))
        return written

    def _id(self, word: str) -> int:
        return self._vocabulary.words.ids.get(word, 1)

    def _sentence(self, number: int) -> np.ndarray:
        if number not in self._sentences:
            ids, _ = self._data.sentences.words.take(np.array([number]))
            self._sentences[number] = np.array(self._parsed(ids.tolist()), np.int64)
        return self._sentences[number]

    def _parsed(self, ids: list[int]) -> list[int]:
        """The slots of a sentence: the longest form that fits is taken, from left to right."""
        parts: list[tuple[list[int], str, bool, bool]] = []  # word ids, and the form that they are, if any
        words = [self._items[i] for i in ids]
        at = 0
        while at < len(words):
            end, form, capital, affixed = self._form_at(words, at)
            parts.append((ids[at:end], form, capital, affixed))
            at = end
        ways = [self._entities[form] if form else [0] for _, form, _, _ in parts]
        nths = next(iter(product(*ways)))
        if any(len(way) > 1 for way in ways):
            texts = [form or " ".join(self._items[i] for i in part) for part, form, _, _ in parts]
            nths = next((way for way in product(*ways) if self._makes_sense(texts, way)), nths)
        slots: list[int] = []
        for (part, form, capital, affixed), nth in zip(parts, nths, strict=True):
            if form:
                slots.append(self._slot(_Form(form, nth, capital, affixed)))
            else:
                slots += part
        return slots

    def _slot(self, form: _Form) -> int:
        return self._forms.setdefault(form, len(self._words) + len(self._forms))

    def _form_at(self, words: Sequence[str], at: int) -> tuple[int, str, bool, bool]:
        """The form that begins there, "" where none does; where it ends; and how its affixes, if any, have it."""
        plain, ends = [], []
        end = at
        while end < len(words) and len(plain) < self._longest:
            plain.append(words[end])
            end += 1
            while end < len(words) and is_affix(words[end]):
                end += 1
            ends.append(end)
        for n in range(len(plain), 0, -1):
            form = " ".join(plain[:n])
            if form in self._entities:
                shapes = [word for word in words[at : ends[n - 1]] if is_affix(word)]
                return ends[n - 1], form, bool(shapes) and shapes[0].startswith(" X"), bool(shapes)
        return ends[0], "", False, False

    @cached_property
    def _longest(self) -> int:
        return max((form.count(" ") + 1 for form in self._entities), default=1)

    def _makes_sense(self, texts: Sequence[str], nths: Sequence[int]) -> bool:
        """Whether the sentence is known with another entity in the place of those whose forms are written alike."""
        for entities in self._symmetries.classes:
            alike = {form for entity in entities if len(set(entity)) < len(entity) for form in entity}
            for other in entities:
                if alike.isdisjoint(texts) or not alike.isdisjoint(other):
                    continue
                words = [other[n] if text in alike else text for text, n in zip(texts, nths, strict=True)]
                if tuple(" ".join(words).split(" ")) in self._known:
                    return True
        return False

    @cached_property
    def _known(self) -> set[tuple[str, ...]]:
        """The sentences of the split, without affixes."""
        stories = np.arange(self._split.stories)
        numbers = np.union1d(self._split.facts.take(stories)[0], self._split.questions.take(stories)[0])
        ids, lengths = self._data.sentences.words.take(numbers)
        rows = np.split(ids, np.cumsum(lengths)[:-1])
        return {tuple(w for w in (self._items[i] for i in row) if not is_affix(w)) for row in rows}


def _move(rows: np.ndarray, moves: Sequence[_Moves], orders: Sequence[np.ndarray]) -> None:
    """Puts what moves in its new place. rows: (count, places); orders: of each class (count, entities)"""
    for (place, entity, becomes), order in zip(moves, orders, strict=True):
        rows[:, place] = becomes[np.arange(len(place)), order[:, entity]]
