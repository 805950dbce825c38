"""Stories with their names changed, as text: what an oracle reads to say whether they still mean what they meant."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from oracles import ORACLES

from dmn_cli.data.store.reader import DataSet
from dmn_cli.data.store.writer import write
from dmn_cli.data.symmetries import Symmetries, folded
from dmn_cli.records.text import Story

_WORD = re.compile(r"\w+|[^\w\s]")


class Words:
    """Words in lower case and signs, by a regular expression."""

    spec: dict[str, Any] = {"kind": "whitespace"}  # noqa: RUF012
    files: dict[str, bytes] = {}  # noqa: RUF012

    def __call__(self, text: str) -> list[str]:
        return _WORD.findall(text.lower())

    def words(self, text: str) -> list[str]:
        return _WORD.findall(text)

    def spelled(self, words: list[str]) -> list[str]:
        return words

    def sentences(self, text: str) -> list[str]:
        return text.splitlines()


def data_set(folder: Path, stories: Iterable[Story]) -> DataSet:
    """The stories as training data."""
    write(folder, (("train", story) for story in stories), Words(), {})
    return DataSet(folder)


def without_support(story: Story) -> Story:
    return story._replace(questions=tuple(q._replace(support=()) for q in story.questions))


class Renaming:
    """An element of a group of symmetries: what each form becomes. All permutations of a class are equally likely, and
    so are all products of swaps.

    A form that is two forms of its entity, as "sheep" is, has two images, "mouse" and "mice".
    """

    def __init__(self, symmetries: Symmetries, rng: np.random.Generator) -> None:
        images: dict[str, list[str]] = {}
        for entities in symmetries.classes:
            for entity, i in zip(entities, rng.permutation(len(entities)), strict=True):
                for form, image in zip(entity, entities[i], strict=True):
                    images.setdefault(form, []).append(image)
        turns, turn = symmetries.turns(rng, 1)
        self.images = {form: [*dict.fromkeys(image)] for form, image in images.items()}
        self.images |= {form: [image] for form, image in turns[turn[0]].items()}
        self._folded = {form.casefold(): image for form, image in self.images.items()}

    def sentence(self, words: Sequence[str], known: Collection[tuple[str, ...]] = ()) -> list[str]:
        """A sentence, as its words, written anew. The longest form that fits is taken, from left to right. `known`: of
        several ways to write a form, one is taken that makes one of these, or else the first."""
        parts: list[list[tuple[str, ...]]] = []  # what each can become
        at = 0
        while at < len(words):
            ends = range(len(words), at, -1)
            end = next((end for end in ends if " ".join(words[at:end]) in self.images), at + 1)
            text = " ".join(words[at:end])
            parts.append([tuple(image.split(" ")) for image in self.images.get(text, [text])])
            at = end
        ways = [[word for part in way for word in part] for way in product(*parts)]
        return next((way for way in ways if tuple(way) in known), ways[0])

    def answer(self, words: Sequence[str], known: Mapping[str, str]) -> tuple[str, ...]:
        """An answer, as its words. `known`: the answers that there are, by what they are in lower case (`casefold`)."""
        return tuple(self._answer(word, known) for word in words)

    def _answer(self, word: str, known: Mapping[str, str]) -> str:
        images = self._folded.get(word.casefold(), (word,))
        return next((known[image.casefold()] for image in images if image.casefold() in known), word)


def written(renaming: Renaming, text: str, known: set[tuple[str, ...]], names: set[str]) -> str:
    """A sentence with its names changed. `names`: words that begin with a capital wherever the text has it so."""
    before = _WORD.findall(text)
    after = renaming.sentence([word.lower() for word in before], known)
    capital = any(word[0].isupper() and word.lower() in names for word in before)
    words = [word.capitalize() if capital and word in names else word for word in after]
    if before[0][0].isupper():
        words[0] = words[0][0].upper() + words[0][1:]
    return re.sub(r" (?=[.?])", "", " ".join(words))


def agreement(stories: Sequence[Story], symmetries: Symmetries, rng: np.random.Generator) -> float:
    """How often an oracle gives a question about a story with its names changed the answer changed with them."""
    texts = {text for story in stories for text in (*story.facts, *(q.text for q in story.questions))}
    known = {tuple(_WORD.findall(text.lower())) for text in texts}
    names = {word.lower() for text in texts for word in _WORD.findall(text)[1:] if word[0].isupper()}
    names |= {fact.split()[0].lower() for story in stories for fact in story.facts if " is " in fact} - {"the"}
    answers = folded(answer for story in stories for q in story.questions for answer in q.answer)
    right: list[bool] = []
    for story in stories:
        renaming = Renaming(symmetries, rng)
        facts = [written(renaming, fact, known, names) for fact in story.facts]
        for q in story.questions:
            read = ORACLES[story.task](facts[: q.position], written(renaming, q.text, known, names))
            right.append(read == renaming.answer(q.answer, answers))
    return sum(right) / len(right)
