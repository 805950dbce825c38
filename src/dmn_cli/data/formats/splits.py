"""Which stories are trained on and which are held out: as a file or a line says, or at random."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import PurePath
from typing import TypeVar

import numpy as np

S = TypeVar("S")

_NAMES = {
    "train": "train training trn",
    "valid": "valid validation validate val dev devel development eval evaluation evaluate testa",
    "test": "test testing tst testb",  # testa and testb: as CoNLL-2003 calls them
}
SPLITS = tuple(_NAMES)
_SPLIT_OF = {name: split for split, names in _NAMES.items() for name in names.split()}
_CAPITAL_WITHIN = re.compile(r"(?<=[a-z])(?=[A-Z])")
_WORD = re.compile(r"[^\W\d_]+")
_OF_FILES = re.compile(r"(set|data|split|file)s?$")
_HELD_OUT = re.compile(r"test|valid|eval|h[eo]ld.?out", re.IGNORECASE)


def split_named(name: str) -> str | None:
    """The split that a word stands for, in any case: train, valid (or val, dev, eval, …) or test."""
    return _SPLIT_OF.get(name) or _SPLIT_OF.get(name.strip().lower())


def split_in_name(path: PurePath | str) -> str | None:
    """The split that a file is named after, as in trec.Test.jsonl, dev2.jsonl, TestSet.txt or en_ewt-ud-train.conllu.

    If it is named after none, the innermost of its folders that is called train, valid, test or the like decides.
    """
    *folders, name = PurePath(path).parts
    words = _WORD.findall(_CAPITAL_WITHIN.sub(" ", name).lower())
    named = (_SPLIT_OF.get(word) or _SPLIT_OF.get(_OF_FILES.sub("", word)) for word in words)
    return next((split for split in (*named, *map(split_named, reversed(folders))) if split), None)


def seems_held_out(path: PurePath | str) -> bool:
    """Whether a file is read as training data though whoever named it may have meant a test or validation file."""
    return split_in_name(path) is None and bool(_HELD_OUT.search(PurePath(path).name))


def hold_out(pairs: Iterable[tuple[str, S]], seed: int, every: int = 10) -> Iterator[tuple[str, S]]:
    """Moves one of each `every` training stories, chosen at random by the seed, to the validation split.

    Takes and yields (split, story) pairs, where anything may stand for a story, of which only `every` are held at a
    time. Other splits are left alone. A story is never divided. Of two or more stories at least one is held out.
    """
    random = np.random.default_rng(seed)
    block: list[S] = []
    full_blocks = 0
    for split, story in pairs:
        if split != "train":
            yield split, story
            continue
        block.append(story)
        if len(block) == every:
            yield from _marked(block, int(random.integers(every)))
            block, full_blocks = [], full_blocks + 1
    if full_blocks:  # the chance of each story stays 1 in `every`
        yield from _marked(block, int(random.integers(every)))
    else:
        yield from _marked(block, int(random.integers(len(block))) if len(block) > 1 else -1)


def _marked(block: list[S], chosen: int) -> Iterator[tuple[str, S]]:
    for i, story in enumerate(block):
        yield ("valid" if i == chosen else "train"), story
