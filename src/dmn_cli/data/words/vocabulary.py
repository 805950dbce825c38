"""The ids of words and of answers.

Two lists: the words that are read, and the words that answers consist of. A data set's vocabulary covers all of its
splits, and says how often each word occurs in which; a model's covers only what its training data has, so that nothing
of a test set reaches it. The words themselves map the ids of one to those of the other (`mapping`).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from dmn_cli.data.words.affixes import is_affix
from dmn_cli.errors import DataError
from dmn_cli.files import load_versioned_json, write_json
from dmn_cli.records.spelling import Spelling

FORMAT_VERSION = 1
PADDING, UNKNOWN = " <pad>", "<unk>"  # word ids 0 and 1; no word of a text begins with a blank
SPARE = "\t"  # how a word begins that no text has, and that stands for names (data/symmetries/spares.py)
NOTHING: Mapping[str, str] = MappingProxyType({})
ANSWER_SEPARATOR = ","
END = "<end>"  # answer id 0: it closes every answer


class Index:
    """A growing list of strings, whose positions are their ids, and how often each occurs in each split."""

    def __init__(self, items: list[str], counts: dict[str, list[int]] | None = None) -> None:
        self.items = items
        self.ids = {item: i for i, item in enumerate(items)}
        self.counts = counts or {}

    @cached_property
    def spelling(self) -> Spelling:
        """The letters of all of them, once there are no more to come."""
        return Spelling(self.items)

    def affixes(self) -> np.ndarray:
        """Which words say the form of the word before: (words,) bool"""
        return np.array([is_affix(item) and item != PADDING for item in self.items])

    def add(self, item: str) -> int:
        i = self.ids.setdefault(item, len(self.items))
        if i == len(self.items):
            self.items.append(item)
        return i

    def add_unseen(self, items: Iterable[str]) -> None:
        """Adds strings that occur in no split."""
        for item in items:
            self.add(item)
        for counts in self.counts.values():
            counts += [0] * (len(self) - len(counts))

    def restricted_to(self, split: str, keep: int) -> Index:
        """Those that occur in a split, after the first `keep`, which are special."""
        counts = self.counts[split]
        return Index([item for i, item in enumerate(self.items) if i < keep or counts[i]])

    def __len__(self) -> int:
        return len(self.items)


@dataclass
class Vocabulary:
    words: Index = field(default_factory=lambda: Index([PADDING, UNKNOWN]))
    answers: Index = field(default_factory=lambda: Index([END]))
    extra: list[str] = field(default_factory=list)  # words that training lacks, but that have a vector

    def of_training(self) -> Vocabulary:
        """What a model may know: the words and answers of the training split, followed by the extra words."""
        words = self.words.restricted_to("train", 2)
        return Vocabulary(Index(words.items + self.extra), self.answers.restricted_to("train", 1), self.extra)

    @classmethod
    def joined(cls, parts: Iterable[Vocabulary]) -> Vocabulary:
        """The words and answers of several vocabularies, each once, in the order in which they first occur."""
        joined = cls()
        for part in parts:
            for item in part.words.items:
                joined.words.add(item)
            for item in part.answers.items:
                joined.answers.add(item)
        return joined

    def spare_answers(self) -> np.ndarray | None:
        """Which answers are spares: (answers,) bool; None where there are none."""
        spares = np.array([answer.startswith(SPARE) for answer in self.answers.items])
        return spares if spares.any() else None

    def words_of_answers(self) -> tuple[int, ...]:
        """The id, as a word that is read, of each word of answers; 1: it is none."""
        return tuple(self.words.ids.get(answer, 1) for answer in self.answers.items)

    def answer_words(self, ids: Iterable[int], said: Mapping[str, str] = NOTHING) -> list[str]:
        """The words of a decoded answer, up to its end token. said: what spares stand for; others are unknown"""
        words = [self.answers.items[i] for i in itertools.takewhile(bool, ids)]
        return [said.get(word, UNKNOWN) if word[:1] == SPARE else word for word in words]

    def answer_text(self, ids: Iterable[int], said: Mapping[str, str] = NOTHING, *, per_fact: bool = False) -> str:
        return answer_text(self.answer_words(ids, said), per_fact=per_fact)

    def save(self, path: Path) -> None:
        write_json(
            path,
            {
                "format_version": FORMAT_VERSION,
                "words": self.words.items,
                "answers": self.answers.items,
                "word_counts": self.words.counts,
                "answer_counts": self.answers.counts,
                **({"extra": self.extra} if self.extra else {}),
            },
        )

    @classmethod
    def load(cls, path: Path, error: type[DataError] | type[Exception] = DataError) -> Vocabulary:
        """Raises `error` (DataError for a data set, ModelError for a model) where the file is missing or invalid."""
        saved = load_versioned_json(path, FORMAT_VERSION, error)
        try:
            words = _index(saved["words"], saved["word_counts"], [PADDING, UNKNOWN])
            answers = _index(saved["answers"], saved["answer_counts"], [END])
            extra = _texts(saved.get("extra", []))
        except (AttributeError, KeyError, TypeError, ValueError) as cause:
            raise error("is not a vocabulary of dmn", where=path) from cause  # type: ignore[call-arg]
        return cls(words, answers, extra)


def _index(items: Any, counts: Any, first: list[str]) -> Index:
    """Raises: AttributeError, TypeError, ValueError where it isn't what `save` writes."""
    found = Index(_texts(items), {split: list(of) for split, of in counts.items()})
    if found.items[: len(first)] != first or len(found.ids) != len(items):
        raise ValueError("the first ones, or one that is there twice")
    for of in found.counts.values():
        if len(of) != len(items) or not all(type(n) is int and 0 <= n < 1 << 62 for n in of):
            raise ValueError("counts")
    return found


def _texts(value: Any) -> list[str]:
    """Raises: TypeError, ValueError where it isn't a list of texts that UTF-8 can encode."""
    if not isinstance(value, list):
        raise TypeError("texts")
    "".join(value).encode()
    return value


def answer_text(words: Iterable[str], *, per_fact: bool = False) -> str:
    """The words of an answer as one text: joined by commas, as in bAbI, or by blanks if there is one for each fact."""
    return (" " if per_fact else ANSWER_SEPARATOR).join(words)


def mapping(source: Index, target: Index, missing: int) -> np.ndarray:
    """id in `source` → id in `target`, as an int64 array; what `target` lacks gets the id `missing`."""
    return np.array([target.ids.get(item, missing) for item in source.items], dtype=np.int64)
