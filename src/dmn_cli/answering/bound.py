"""A sentence as the binder of names reads it, and what became of the names of a story."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from dmn_cli.answering.spelling import as_written
from dmn_cli.data.words.affixes import is_affix
from dmn_cli.data.words.tokenizer import Tokenizer


class Sentence(NamedTuple):
    """A fact, or a question."""

    text: str
    words: list[str]  # as the model reads them
    written: list[str]  # the same with the case as written
    affixes: list[list[str]]  # that follow each word (`data/words/affixes.py`)

    @classmethod
    def of(cls, text: str, tokenizer: Tokenizer) -> Sentence:
        words: list[str] = []
        following: list[list[str]] = []
        for word in tokenizer(text):
            if is_affix(word):
                following[-1].append(word)
            else:
                words.append(word)
                following.append([])
        return cls(text, words, tokenizer.words(text), following)

    def as_written(self, start: int, end: int) -> str:
        """Some of its words."""
        return as_written(self.text, self.written[start:end])


@dataclass
class Bound:
    """What became of the names of a story and its question."""

    sentences: list[str | tuple[str, ...]] = field(default_factory=list)  # to be read: texts, or words with spares
    spares: dict[str, tuple[int, int]] = field(default_factory=dict)  # a new name's words → its kind and spare
    names: dict[str, list[str]] = field(default_factory=dict)  # new names as written → some known ones of their kind
    said: dict[str, str] = field(default_factory=dict)  # spare → the name as written that it stands for
    meant: dict[str, str] = field(default_factory=dict)  # what may be a slip → what it may stand for
    too_many: list[str] = field(default_factory=list)  # names that no spare was left for
    unknown: list[str] = field(default_factory=list)  # words that the model can't make anything of
    nowhere: list[str] = field(default_factory=list)  # names that the question is about, and no fact has

    def as_json(self) -> dict[str, Any]:
        """What there is to say."""
        said = {
            "bound": self.names,
            "did_you_mean": self.meant,
            "too_many_names": self.too_many,
            "not_in_story": self.nowhere,
        }
        return {key: value for key, value in said.items() if value}

    def notes(self, heard: Collection[str] = ()) -> list[str]:
        """The same for a person, a line each, without what was said before."""
        left = {what: [one for one in ones if one not in heard] for what, ones in self._told.items()}
        left["Nowhere in the story"] = self.nowhere
        return [f"{what}: {', '.join(ones)}" for what, ones in left.items() if ones]

    @property
    def heard(self) -> set[str]:
        """What its notes say."""
        return {one for ones in self._told.values() for one in ones}

    @property
    def _told(self) -> dict[str, list[str]]:
        names = self.names.items()
        slips = {slip.casefold() for slip in self.meant}
        unknown = [word for word in self.unknown if word.casefold() not in slips]
        return {
            "New names": [f"{name} (like {', '.join(known)})" for name, known in names if name not in self.nowhere],
            "The model doesn't know": [*(f"{a} (did you mean {b}?)" for a, b in self.meant.items()), *unknown],
            "More new names than the model can tell apart": self.too_many,
        }
