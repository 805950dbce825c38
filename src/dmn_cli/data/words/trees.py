"""Binary trees in brackets, as words in post-order: what tree systems read.

    (3 (2 It) (4 (2 's) (4 good)))   →   it " )2" 's " )2" good " )4" " )4" " )3"

A word that begins with a blank, as no word of a text does, closes each node: with the node's label, or " )" where it
has none. A leaf is a word and what closes it. Labels are numbers; any other, like NP, is none. A node with one branch
is that branch, in brackets of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from dmn_cli.data.words.tokenizer import SpacyTokenizer, WhitespaceTokenizer
from dmn_cli.data.words.vocabulary import END, Index
from dmn_cli.errors import DataError
from dmn_cli.records.text import NO_LABEL, WORD

CLOSED = " )"  # how a word begins that closes a node
MOST_WORDS = 2000  # of a tree, whose depth the time to read it grows with
_MOST_LABELS = 10
_PARTS = re.compile(r"[()]|[^\s()]+", re.ASCII)  # 8 1/2 is a word of the treebank, with a blank that isn't ASCII's
_BRACKETS = {"-LRB-": "(", "-RRB-": ")"}
HINT = "Write it as a binary tree; labels may be left out: (3 (2 It) (4 (2 's) (4 good)))"


class NoTree(DataError):
    """Text where there has to be a tree: what was asked has to be written differently."""

    exit_code = 2

    def __init__(self, message: str) -> None:
        super().__init__(message, hint=HINT)


class TreeTokenizer:
    """Trees as words. Other texts, like questions, are split by another tokenizer."""

    def __init__(self, tokenizer: SpacyTokenizer | WhitespaceTokenizer, labels: Sequence[str]) -> None:
        """labels: the answer that each label stands for, from 0 on; "": none, as neutral where there are two classes"""
        self.tokenizer, self.labels = tokenizer, [*labels]

    @property
    def spec(self) -> dict[str, Any]:
        return {**self.tokenizer.spec, "trees": self.labels}

    @property
    def files(self) -> dict[str, bytes]:
        return self.tokenizer.files

    def __call__(self, text: str) -> list[str]:
        """Raises: NoTree where a text in brackets is none."""
        if not is_tree(text):
            return self.tokenizer(text)
        return post_order(text, len(self.labels), self.tokenizer.cased)

    def words(self, text: str) -> list[str]:
        return self.spelled(post_order(text)) if is_tree(text) else self.tokenizer.words(text)

    def spelled(self, words: list[str]) -> list[str]:
        return [word for word in words if not word.startswith(CLOSED)]

    def sentences(self, text: str) -> list[str]:
        """Its trees, each of which may take several lines; the sentences of a text without any."""
        return split(text) if is_tree(text) else self.tokenizer.sentences(text)


def is_tree(text: str) -> bool:
    """Whether a text has to be one, or several."""
    text = text.strip()
    return text.startswith("(") and text.endswith(")")


def unescaped(part: str) -> str:
    """A word of the Penn Treebank as it is written elsewhere."""
    return _BRACKETS.get(part) or part.replace("\\/", "/")


def split(text: str) -> list[str]:
    """The trees of a text. Raises: NoTree where a bracket is closed that isn't open"""
    trees, begin, depth = [], 0, 0
    for place, part in enumerate(text):
        depth += (part == "(") - (part == ")")
        if depth < 0:
            raise NoTree("the tree is closed before its end")
        if part == ")" and depth == 0:
            trees.append(text[begin : place + 1].strip())
            begin = place + 1
    return [*trees, *filter(None, [text[begin:].strip()])]


def post_order(text: str, labels: int = 0, cased: Callable[[str], str] = str) -> list[str]:
    """A tree as words. labels: how many there are

    Raises: NoTree
    """
    words: list[str] = []
    told = 0  # leaves
    opened: list[tuple[list[str], int]] = []  # what stands in the nodes that aren't closed yet, and their branches
    done = False
    known = [str(n) for n in range(labels)]
    for part in _PARTS.findall(text):
        if done:
            raise NoTree("there is something after the tree")
        if part == "(":
            opened.append(([], 0))
        elif not opened:
            raise NoTree("is not a tree")
        elif part != ")":
            said, branches = opened[-1]
            if branches or len(said) == 2:
                raise NoTree(f"a node has {part[:40]!r} beside what it has already")
            said.append(part)
        else:
            said, branches = opened.pop()
            if branches > 2 or (branches and len(said) > 1):
                raise NoTree(f"a node has {branches} branches{' and a word' if len(said) > 1 else ''}, and not two")
            if not branches and not said:
                raise NoTree("a node has no words")
            if not branches:
                words.append(cased(unescaped(said.pop())))
                told += 1
                if told > MOST_WORDS:
                    raise NoTree(f"the tree has more than {MOST_WORDS:,} words")
            if branches != 1:
                label = said[0] if said else ""
                words.append(CLOSED + label if label in known else CLOSED)
            if opened:
                opened[-1] = opened[-1][0], opened[-1][1] + 1
            done = not opened
    if not done:
        raise NoTree(f"the tree is not balanced: {len(opened)} open nodes at its end")
    return words


def labels_of(spec: dict[str, Any]) -> list[str] | None:
    """Those of the trees of data with this tokenizer; None: they have no trees.

    Raises: TypeError where it isn't what `TreeTokenizer.spec` gives."""
    labels = spec.get("trees")
    if labels is None:
        return None
    if not isinstance(labels, list) or len(labels) > _MOST_LABELS or not all(isinstance(one, str) for one in labels):
        raise TypeError("trees")
    return labels


def nodes_of(labels: Sequence[str], words: Index, answers: Index) -> np.ndarray:
    """What each word says of a tree's node, as in `Batch.nodes`: (words,)"""
    found = np.full(len(words), WORD)
    if CLOSED in words.ids:
        found[words.ids[CLOSED]] = NO_LABEL
    for n, label in enumerate(labels):
        if (word := f"{CLOSED}{n}") in words.ids:
            found[words.ids[word]] = answers.ids.get(label or END, NO_LABEL)
    return found
