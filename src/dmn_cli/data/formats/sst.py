"""The Stanford Sentiment Treebank (Socher et al. 2013), in the Penn Treebank format as downloaded.

    (3 (2 It) (4 (4 (2 's) (3 (2 a) (4 (3 lovely) (2 film)))) (2 .)))

One tree per line, with a label from 0 (very negative) to 4 (very positive) at every node. The words of a sentence are
its facts, and the question is always the same. Training can use every labelled phrase (Kumar et al. 2016, sec. 4.3),
each distinct one once; validation and test sets have whole sentences only.

For systems that read trees a sentence is one fact, its tree, in all splits; training can use the label of every node.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from random import Random
from typing import Literal, NamedTuple

from dmn_cli.data.sources import archives
from dmn_cli.data.words import trees
from dmn_cli.errors import DataError, UsageError
from dmn_cli.notation import decoded
from dmn_cli.records.text import Question, Story

QUESTION = "What is the sentiment?"
FIVE = ("very negative", "negative", "neutral", "positive", "very positive")
TWO = ("negative", "negative", None, "positive", "positive")  # neutral is left out
_SPLITS = {"train.txt": "train", "dev.txt": "valid", "test.txt": "test"}
_MOST_WORDS = 1 << 20  # of all phrases of a tree together
_LABEL = re.compile(r"\(\d\s")
_PARTS = re.compile(r"[()]|[^\s()]+")


class Phrase(NamedTuple):
    label: int
    words: tuple[str, ...]


class _File(NamedTuple):
    name: str  # where a person would look for it
    split: str
    path: Path
    inner: str  # its name in the archive or the folder at `path`

    @property
    def size(self) -> int:
        """The bytes on disk that are read for it: those of the whole archive, if it is in one."""
        return archives.size([self.path], self.inner.__eq__)


def find(paths: list[Path]) -> list[_File]:
    """train.txt, dev.txt and test.txt, or those of them that there are, in an archive, in a folder or by themselves.

    Raises: UsageError where there is none; DataError where an archive is damaged.
    """
    files = [file for path in paths for file in _in(path)]
    if not files:
        raise DataError("has no train.txt, dev.txt or test.txt", where=", ".join(map(str, paths)))
    splits = [file.split for file in files]
    for file in files:
        if splits.count(file.split) > 1:
            raise UsageError(f"there are two files for {file.split}", where=file.name)
    return sorted(files, key=lambda file: list(_SPLITS.values()).index(file.split))


def read(
    files: list[_File],
    classes: Literal[2, 5],
    phrases: Literal["all", "root"],
    seed: int,
    progress: Callable[[int], None] = lambda n: None,
) -> Iterator[tuple[str, Story]]:
    """(split, story) pairs. Without a dev.txt, about a tenth of the training sentences is held out, with their phrases.

    `progress` takes the bytes on disk that have been read since the last call.

    Raises: DataError, with file:line, at the first tree that isn't one.
    """
    answers = FIVE if classes == 5 else TWO
    seen: set[Phrase] = set()
    for split, line, where in _split_lines(files, seed, progress):
        nodes = parse(line, where)
        every = split == "train" and phrases == "all"
        for phrase in nodes if every else nodes[-1:]:
            answer = answers[phrase.label]
            if answer is None or (every and phrase in seen):
                continue
            if every:
                seen.add(phrase)
            words = phrase.words
            yield (
                split,
                Story(f"sst{classes}", words, (Question(QUESTION, len(words), (answer,)),), facts_are_words=True),
            )


def read_trees(
    files: list[_File],
    classes: Literal[2, 5],
    phrases: Literal["all", "root"],
    seed: int,
    progress: Callable[[int], None] = lambda n: None,
) -> Iterator[tuple[str, Story]]:
    """The same with one fact, the tree, in each story. Of two classes, a neutral sentence is left out, and a neutral
    node within another is kept (Tai et al. 2015). phrases: root: nodes below the root have no labels

    Raises: DataError, with file:line, at the first tree that isn't one, or has a node of more than two branches.
    """
    answers = FIVE if classes == 5 else TWO
    for split, line, where in _split_lines(files, seed, progress):
        answer = answers[parse(line, where)[-1].label]
        text = line.decode().strip()
        try:
            trees.post_order(text)
        except trees.NoTree as error:
            raise DataError(error.message, where=where, hint=trees.HINT) from error
        if answer is None:
            continue
        if phrases == "root":
            text = text[:2] + _LABEL.sub("(", text[2:])
        yield split, Story(f"sst{classes}", (text,), (Question(QUESTION, 1, (answer,)),))


def labels(classes: Literal[2, 5]) -> list[str]:
    """The answer that each label of a tree stands for; "": none."""
    return [answer or "" for answer in (FIVE if classes == 5 else TWO)]


def parse(line: bytes, where: str) -> list[Phrase]:
    """The labelled phrases of a tree; the last one is the whole sentence.

    Raises: DataError
    """

    def wrong(message: str) -> DataError:
        return DataError(message, where=where, hint="Each line has a tree like (3 (2 Good) (2 .)).")

    parts = iter(_PARTS.findall(decoded(line, where)))
    words: list[str] = []
    done: list[Phrase] = []
    told = 0  # words of the phrases
    opened: list[tuple[int, int]] = []  # (label, position of the first word) of the nodes that aren't closed yet
    for part in parts:
        if part == "(":
            label = next(parts, "nothing")
            if label not in ("0", "1", "2", "3", "4"):
                raise wrong(f"a node's label is {label[:20]!r}, not 0 to 4")
            if done and not opened:
                raise wrong("there is more than one tree")
            opened.append((int(label), len(words)))
        elif not opened:
            raise wrong("the tree is not balanced: it is closed before its end" if done else "is not a tree")
        elif part == ")":
            label, first = opened.pop()
            if first == len(words):
                raise wrong("a node has no words")
            told += len(words) - first
            if told > _MOST_WORDS:
                raise wrong("the nodes are too deep in each other, with too many words")
            done.append(Phrase(label, tuple(words[first:])))
        else:
            words.append(trees.unescaped(part))
    if opened or not done:
        raise wrong(f"the tree is not balanced: {len(opened)} open nodes at the end of the line")
    return done


def _in(path: Path) -> list[_File]:
    files = []
    for member in archives.members(path, lambda inner: PurePosixPath(inner).name in _SPLITS):
        split = _SPLITS.get(PurePosixPath(member.inner).name)
        if split is None:  # the member is `path` itself
            raise UsageError("is neither an archive nor named train.txt, dev.txt or test.txt", where=path)
        files.append(_File(member.name, split, path, member.inner))
    return files


def _split_lines(files: list[_File], seed: int, progress: Callable[[int], None]) -> Iterator[tuple[str, bytes, str]]:
    """The trees of all files: split, line and file:line."""
    held_out = 0.0 if any(file.split == "valid" for file in files) else 0.1
    random = Random(seed)
    for file in files:
        for number, line in _lines(file, progress):
            split = "valid" if file.split == "train" and random.random() < held_out else file.split
            yield split, line, f"{file.name}:{number}"


def _lines(file: _File, progress: Callable[[int], None]) -> Iterator[tuple[int, bytes]]:
    """The lines that aren't empty, with their numbers."""
    for member in archives.members(file.path, file.inner.__eq__, progress):
        for number, line in enumerate(member.lines(), start=1):
            if line.strip():
                yield number, line
