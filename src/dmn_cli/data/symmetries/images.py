"""What slots and answers become under random elements of a group of symmetries, in a model's numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from dmn_cli.data.store.layout import Ragged
from dmn_cli.data.store.reader import DataSet, Split
from dmn_cli.data.symmetries import Entity, Symmetries, folded
from dmn_cli.data.symmetries.slots import Form, Slots
from dmn_cli.data.words.affixes import affixes
from dmn_cli.data.words.vocabulary import Vocabulary


class ForModel(NamedTuple):
    """What the ids of a data set are to a model."""

    vocabulary: Vocabulary
    words: np.ndarray  # word id of the data set → of the model
    answers: np.ndarray  # answer id of the data set → of the model


class Elements:
    """Some random elements of a group: which entity each one becomes, and a product of swaps."""

    def __init__(self, group: Group, orders: list[np.ndarray], turns: list[dict[str, str]], turn: np.ndarray) -> None:
        """orders: of each class (count, entities); turns: distinct products; turn: (count,) which of these"""
        self.count, self.orders, self.turns, self.turn = len(turn), orders, turns, turn
        self._group = group

    def words(self, sentences: np.ndarray, element: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Word ids of the model, end to end, and how many each sentence has. element: (n,) under which each is read"""
        slots, counts = self._group.slots.of(sentences)
        written = self._group.written(self)[np.repeat(element, counts), slots]
        ids, lengths = self._group.texts.take(written)
        so_far = np.concatenate([[0], np.cumsum(lengths)])
        return ids, np.diff(so_far[np.concatenate([[0], np.cumsum(counts)])])

    def answers(self) -> np.ndarray:
        """(count, answers) answer id of the data set → of the model"""
        return self._group.answered(self)

    def apply(
        self, rows: np.ndarray, moves: Sequence[Moves], turned: Callable[[dict[str, str]], dict[int, int]]
    ) -> None:
        """Puts what moves in its new place. rows: (count, places); moves: of each class; turned: what a product of
        swaps puts in which place"""
        for each, order in zip(moves, self.orders, strict=True):
            rows[:, each.place] = each.becomes[np.arange(len(each.place)), order[:, each.entity]]
        for n, turn in enumerate(self.turns):
            if images := turned(turn):
                rows[np.ix_(self.turn == n, [*images])] = [*images.values()]


class Moves(NamedTuple):
    """What can become what, as numbers: of a class, where things are, whose they are, and what they become."""

    place: np.ndarray  # (n,) slots, or answers of the data set
    entity: np.ndarray  # (n,) whose form each is
    becomes: np.ndarray  # (n, entities) texts, or answers of the model

    @classmethod
    def of(cls, found: Mapping[int, tuple[int, Sequence[int]]], entities: int) -> Moves:
        """found: place → whose, and what it becomes"""
        becomes = np.array([images for _, images in found.values()], np.int64).reshape(len(found), entities)
        return cls(np.array([*found], np.int64), np.array([n for n, _ in found.values()], np.int64), becomes)


class Group:
    """Symmetries, for the sentences and answers of the tasks that have them."""

    def __init__(
        self, data: DataSet, split: Split, symmetries: Symmetries, spared: Symmetries, model: ForModel
    ) -> None:
        """spared: the symmetries with spares"""
        self.slots = Slots(data, split, symmetries)
        self._symmetries, self._spared, self._model = symmetries, spared, model
        by_case, ids = folded(data.vocabulary.answers.items), data.vocabulary.answers.ids
        self._answering = {
            form: ids[by_case[form.casefold()]] for form in symmetries.forms if form.casefold() in by_case
        }
        said, ids = folded(model.vocabulary.answers.items), model.vocabulary.answers.ids
        self._said = {text: ids[answer] for text, answer in said.items()}
        self._answer_moves = [self._answers_of(known, every) for known, every in self._classes]
        self._rows: list[list[int]] = [[i] for i in model.words.tolist()]
        self._row_of: dict[tuple[str, bool, bool], int] = {}
        self._texts: Ragged | None = None
        self._prepare()

    @property
    def _classes(self) -> Iterable[tuple[tuple[Entity, ...], tuple[Entity, ...]]]:
        """Each without spares, and with them."""
        return zip(self._symmetries.classes, self._spared.classes, strict=True)

    def draw(self, random: np.random.Generator, count: int, *, spares: bool) -> Elements:
        """All permutations of a class are equally likely, and so are all products of swaps.

        Without spares, half of the draws have no swaps: where each turn of the compass is as likely as its opposite,
        the gradient says nothing at first of which is which (docs/log.md).
        """
        orders = []
        for known, every in self._classes:
            taking_part = len(every) if spares else len(known)
            order = np.tile(np.arange(len(every)), (count, 1))
            order[:, :taking_part] = random.permuted(order[:, :taking_part], axis=1)
            orders.append(order)
        turns, turn = self._symmetries.turns(random, count)
        if self._symmetries.swaps and not spares:
            turns, turn = [{}, *turns], np.where(random.random(count) < 0.5, turn + 1, 0)
        return Elements(self, orders, turns, turn)

    @property
    def texts(self) -> Ragged:
        """All that a slot can become, as word ids of the model: the words of the data set first."""
        if self._texts is None or len(self._texts.offsets) <= len(self._rows):
            lengths = np.fromiter(map(len, self._rows), np.int64, len(self._rows))
            ids = np.concatenate([np.array(row, np.int64) for row in self._rows])
            self._texts = Ragged.of(ids, lengths)
        return self._texts

    def written(self, elements: Elements) -> np.ndarray:
        """(count, slots) What each slot that was met so far becomes, as a row of `texts`."""
        if len(self.slots.forms) != self._prepared:
            self._prepare()
        rows = np.tile(self._stay, (elements.count, 1))
        elements.apply(
            rows,
            self._moves,
            lambda turn: {s: self._row(form, turn[form.text]) for form, s in self._forms if form.text in turn},
        )
        return rows

    def answered(self, elements: Elements) -> np.ndarray:
        """(count, answers) What each answer of the data set becomes: answer ids of the model."""
        answers = np.tile(self._model.answers, (elements.count, 1))

        def turned(turn: dict[str, str]) -> dict[int, int]:
            images = {
                answer: self._said.get(turn[form].casefold())
                for form, answer in self._answering.items()
                if form in turn
            }
            return {answer: image for answer, image in images.items() if image is not None}

        elements.apply(answers, self._answer_moves, turned)
        return answers

    def _prepare(self) -> None:
        """Works out what each form that was met so far can become."""
        self._forms = [*self.slots.forms.items()]
        self._prepared = len(self._forms)
        self._stay = np.arange(max([len(self._model.words), *(slot + 1 for _, slot in self._forms)]))
        for form, slot in self._forms:
            self._stay[slot] = self._row(form, form.text)
        self._moves = [self._slots_of(known, every) for known, every in self._classes]

    def _slots_of(self, known: Sequence[Entity], every: Sequence[Entity]) -> Moves:
        owner = {form: n for n, entity in enumerate(known) for form in entity}
        own = [(form, slot) for form, slot in self._forms if form.text in owner]
        found = {slot: (owner[f.text], [self._row(f, entity[f.nth]) for entity in every]) for f, slot in own}
        return Moves.of(found, len(every))

    def _answers_of(self, known: Sequence[Entity], every: Sequence[Entity]) -> Moves:
        found: dict[int, tuple[int, list[int]]] = {}
        for nth in range(len(known[0])):
            images = [self._said[e[nth].casefold()] for e in every if e[nth].casefold() in self._said]
            for n, entity in enumerate(known):
                if entity[nth] in self._answering and len(images) == len(every):
                    found.setdefault(self._answering[entity[nth]], (n, images))
        return Moves.of(found, len(every))

    def _row(self, form: Form, text: str) -> int:
        """The row of `texts` with a text in a form's place."""
        key = (text, form.capital, form.affixed)
        if key not in self._row_of:
            self._row_of[key] = len(self._rows)
            self._rows.append(self._ids(form, text))
        return self._row_of[key]

    def _ids(self, form: Form, text: str) -> list[int]:
        words: list[str] = []
        for word in text.split(" "):
            words.append(word)
            if form.affixed:
                words += affixes(word[:1].upper() + word[1:] if form.capital else word)
        return [self._model.vocabulary.words.ids.get(word, 1) for word in words]
