"""Sentences as rows of slots: words that stay, and forms of names, which may change.

Where every form is one word, slots are the words themselves. Else a sentence is read when it is first met.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import product
from typing import NamedTuple

import numpy as np

from dmn_cli.data.store.reader import DataSet, Split
from dmn_cli.data.symmetries import Symmetries
from dmn_cli.data.words.affixes import is_affix


class Form(NamedTuple):
    """A form as it stands in a sentence."""

    text: str
    nth: int = 0  # which of its entity's forms it is
    capital: bool = False  # as its affixes have it
    affixed: bool = False


class _Part(NamedTuple):
    """Words of a sentence side by side."""

    ids: list[int]
    form: Form | None  # None: a word that stays


class Slots:
    """Of the sentences of a data set, for the symmetries of some tasks."""

    def __init__(self, data: DataSet, split: Split, symmetries: Symmetries) -> None:
        self.forms: dict[Form, int] = {}  # those that were met so far → their slots
        self._data, self._split, self._classes = data, split, symmetries.classes
        self._items = data.vocabulary.words.items
        self._nths: dict[str, list[int]] = {}  # form → which forms of its entity it is
        for entities in symmetries.classes:
            for entity in entities:
                for nth, form in enumerate(entity):
                    self._nths.setdefault(form, []).append(nth)
        for form in (form for swap in symmetries.swaps for pair in swap for form in pair):
            self._nths.setdefault(form, [0])
        self._longest = max((form.count(" ") + 1 for form in self._nths), default=1)
        self._read: dict[int, np.ndarray] = {}  # sentences → slots
        affixed = bool(data.summary["tokenizer"].get("affixes"))
        self._plain = not symmetries or (symmetries.of_words and not affixed)
        if self._plain:
            ids = data.vocabulary.words.ids
            self.forms = {Form(form, nths[0]): ids[form] for form, nths in self._nths.items() if form in ids}

    def of(self, sentences: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of some sentences, end to end, and how many each has."""
        if self._plain:
            return self._data.sentences.words.take(sentences)
        rows = [self._sentence(number) for number in sentences.tolist()]
        return np.concatenate([np.empty(0, np.int64), *rows]), np.array([len(row) for row in rows], np.int64)

    def _sentence(self, number: int) -> np.ndarray:
        if number not in self._read:
            ids, _ = self._data.sentences.words.take(np.array([number]))
            self._read[number] = np.array(self._slots(ids.tolist()), np.int64)
        return self._read[number]

    def _slots(self, ids: list[int]) -> list[int]:
        slots: list[int] = []
        for ids_here, form in self._parts(ids):
            slots += ids_here if form is None else [self.forms.setdefault(form, len(self._items) + len(self.forms))]
        return slots

    def _parts(self, ids: list[int]) -> list[_Part]:
        """The longest form that fits is taken, from left to right; of several ways to read the forms the first by which
        the sentence makes sense, or else the first."""
        parts: list[_Part] = []
        words = [self._items[i] for i in ids]
        at = 0
        while at < len(words):
            form, end = self._form_at(words, at)
            parts.append(_Part(ids[at:end], form))
            at = end
        ways = [[0] if form is None else self._nths[form.text] for _, form in parts]
        nths = [way[0] for way in ways]
        if any(len(way) > 1 for way in ways):
            texts = [form.text if form else " ".join(self._items[i] for i in ids) for ids, form in parts]
            nths = next((way for way in product(*ways) if self._makes_sense(texts, way)), nths)
        return [_Part(ids, form and form._replace(nth=nth)) for (ids, form), nth in zip(parts, nths, strict=True)]

    def _form_at(self, words: Sequence[str], at: int) -> tuple[Form | None, int]:
        """The form that begins there, None where none does, and where it, or the word, ends with its affixes."""
        plain, ends = [], []
        end = at
        while end < len(words) and len(plain) < self._longest:
            plain.append(words[end])
            end += 1
            while end < len(words) and is_affix(words[end]):
                end += 1
            ends.append(end)
        for n in range(len(plain), 0, -1):
            text = " ".join(plain[:n])
            if text in self._nths:
                shapes = [word for word in words[at : ends[n - 1]] if is_affix(word)]
                return Form(text, 0, bool(shapes) and shapes[0].startswith(" X"), bool(shapes)), ends[n - 1]
        return None, ends[0]

    def _makes_sense(self, texts: Sequence[str], nths: Sequence[int]) -> bool:
        """Whether the sentence is known with another entity in the place of those whose forms are written alike."""
        for entities in self._classes:
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
