"""Stories with their names changed, as text: what an oracle reads to say whether they still mean what they meant."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from oracles import ORACLES

from dmn_cli.data.store.reader import DataSet
from dmn_cli.data.store.writer import write
from dmn_cli.data.symmetries import Renaming, Symmetries, folded
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
        renaming = symmetries.draw(rng)
        facts = [written(renaming, fact, known, names) for fact in story.facts]
        for q in story.questions:
            read = ORACLES[story.task](facts[: q.position], written(renaming, q.text, known, names))
            right.append(read == renaming.answer(q.answer, answers))
    return sum(right) / len(right)
