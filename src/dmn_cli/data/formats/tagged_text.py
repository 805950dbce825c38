"""Sentences with a part-of-speech tag for each word, in all formats that such text comes in.

conllu      1 <tab> I <tab> _ <tab> PRON <tab> PRP …    Universal Dependencies: see `tagged_columns.py`
columns     I PRP B-NP                                  CoNLL-2000 and 2003: see there, too
slash       I/PRP see/VBP ./.                           Brown, the Penn Treebank's `tagged`
underscore  I_PRP see_VBP ._.                           MASC, the Stanford tagger
trees       (S (NP (PRP I)) (VP (VBP see)) (. .))       the Penn Treebank's `combined`
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Literal

from dmn_cli.data.formats.tagged_columns import (
    PIECES,
    Lines,
    Sentence,
    Shape,
    checked_tag,
    checked_word,
    columns,
    conllu,
    global_columns,
    no_tag,
    row,
    wrong,
)
from dmn_cli.errors import DataError
from dmn_cli.notation import decoded

Format = Literal["conllu", "columns", "slash", "underscore", "trees"]
Column = Literal["upos", "xpos"]

_HEAD = 1 << 16  # characters by which a format is recognised
_PARTS = re.compile(r"[()]|[^() \t\r\n\f\v]+")
_TREE = re.compile(r"\s*\((?s:.*?)\(\s*[^\s()]+\s+[^\s()]+\s*\)")
_ESCAPED = re.compile(r"\\([/*])")
_BRACKETS = {"-LRB-": "(", "-RRB-": ")", "-LSB-": "[", "-RSB-": "]", "-LCB-": "{", "-RCB-": "}"}
_MOST_PIECES = 8  # of a word with blanks in it; more of them are words without tags


def read(
    lines: Iterable[bytes],
    name: str,
    format_: Format | None = None,
    column: Column = "upos",
    *,
    word_column: int | None = None,
    tag_column: int | None = None,
    sure: bool = True,
) -> Iterator[Sentence]:
    """The sentences of one file, none of them empty. If no format is given, it is the one that the file looks like.

    `column` is for conllu; `word_column` and `tag_column`, counted from 1, are for columns. A file that doesn't look
    like any format is an error if it is `sure` that it has sentences; otherwise it has none.

    Raises: DataError, with file:line, at the first line that isn't as it should be.
    """
    every, head, format_ = _recognised(lines, name, format_, sure=sure)
    if format_ == "conllu":
        yield from conllu(every, name, 3 if column == "upos" else 4)
    elif format_ == "columns":
        yield from columns(every, name, Shape.of(head, name, word_column, tag_column, column.upper()))
    elif format_ == "trees":
        yield from _trees(every, name)
    elif format_ == "underscore":
        yield from _underscore(every, name)
    elif format_ == "slash":
        yield from (_chunks if any(_is_chunk(text) for _, text in head) else _slash)(every, name)


def described(
    lines: Iterable[bytes],
    name: str,
    format_: Format | None = None,
    column: Column = "upos",
    *,
    word_column: int | None = None,
    tag_column: int | None = None,
    sure: bool = True,
) -> str | None:
    """How `read` reads a file, for a person; None: it has no sentences. Raises: as `read` does, of the first lines"""
    _, head, format_ = _recognised(lines, name, format_, sure=sure)
    if format_ == "columns":
        return f"columns, {Shape.of(head, name, word_column, tag_column, column.upper()).described()}"
    return f"conllu, tags from {column.upper()}" if format_ == "conllu" else format_


def _recognised(
    lines: Iterable[bytes], name: str, format_: Format | None, *, sure: bool
) -> tuple[Lines, list[tuple[int, str]], Format | None]:
    """All lines, the first of them, and the format; None where there are no sentences."""
    numbered = _decoded(lines, name)
    head: list[tuple[int, str]] = []
    size = 0
    for line in numbered:
        head.append(line)
        size += len(line[1]) + 1
        if size > _HEAD:
            break
    texts = [text for _, text in head if text.strip()]
    if not texts:
        return (), head, None
    format_ = format_ or looks_like(texts, name)
    if format_ is None and sure:
        raise DataError(
            "looks like none of the formats that tagged text comes in",
            where=name,
            hint="Give its format with --format: conllu, columns, slash, underscore or trees.",
        )
    return chain(head, numbered), head, format_


def looks_like(lines: list[str], name: str) -> Format | None:
    """The format of most of the first lines, none of which is empty. `name`: of the file."""
    if global_columns([(1, lines[0])]):
        return "columns"
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    if name.endswith((".conllu", ".conllu.gz")) or any(
        len(fields) == 10 and fields[0][:1].isdigit() for fields in rows
    ):
        return "conllu"
    pieces = [piece for line in lines if not _is_chunk_end(line) for piece in PIECES.findall(line)]
    pieces = [piece for piece in pieces if piece not in ("[", "]")]
    marked = {mark: sum(0 < piece.rfind(mark) < len(piece) - 1 for piece in pieces) for mark in "/_"}
    if 2 * max(marked.values()) > len(pieces):
        return "slash" if marked["/"] >= marked["_"] else "underscore"
    if _TREE.match("\n".join(lines)):
        return "trees"
    said = [line for line in lines if not line.startswith("#")] or lines
    (width, count), *_ = Counter(len(row(line)) for line in said).most_common(1)
    return "columns" if width > 1 and count > 1 and 2 * count > len(said) else None


def _decoded(lines: Iterable[bytes], name: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(lines, start=1):
        yield number, decoded(line, name, number).rstrip("\r\n")


def _slash(lines: Lines, name: str) -> Iterator[Sentence]:
    """Each line is a sentence."""
    for number, line in lines:
        pairs = [_slashed(piece, name, number) for piece in PIECES.findall(line)]
        if pairs:
            yield Sentence([word for word, _ in pairs], [tag for _, tag in pairs])


def _chunks(lines: Lines, name: str) -> Iterator[Sentence]:
    """The Penn Treebank's `tagged`: noun phrases in brackets, several lines to a sentence.

    A sentence ends after a word with the tag `.` that isn't in brackets, and at a line of `====`; empty lines end none.
    NLTK's reader has the same rule.
    """
    words: list[str] = []
    tags: list[str] = []
    inside = False
    for number, line in lines:
        pieces = PIECES.findall(line)
        if _is_chunk_end(line):
            pieces, inside = [], False
            if words:
                yield Sentence(words, tags)
                words, tags = [], []
        for piece in pieces:
            if piece in ("[", "]"):
                inside = piece == "["
                continue
            word, tag = _slashed(piece, name, number)
            words.append(word)
            tags.append(tag)
            if tag == "." and not inside:
                yield Sentence(words, tags)
                words, tags = [], []
    if words:
        yield Sentence(words, tags)


def _is_chunk(line: str) -> bool:
    return line.startswith("[ ") or _is_chunk_end(line)


def _is_chunk_end(line: str) -> bool:
    return line.startswith("=====") and not line.strip().strip("=")


def _slashed(piece: str, name: str, number: int) -> tuple[str, str]:
    word, mark, tag = piece.rpartition("/")
    if not mark:
        word, tag = piece, ""
    return checked_word(_unescaped(word), name, number), checked_tag(tag, word, name, number)


def _underscore(lines: Lines, name: str) -> Iterator[Sentence]:
    """Each line is a sentence. A word may have blanks in it, like MASC's `D. C._NNP`, and even a line end.

    A tag without a word, as there are some in MASC, is left out.
    """
    words: list[str] = []
    tags: list[str] = []
    begun: list[tuple[str, int]] = []  # pieces of a word whose tag comes later, and their lines
    for number, line in lines:
        pieces = PIECES.findall(line)
        for piece in pieces:
            word, mark, tag = piece.rpartition("_")
            if not mark:
                begun.append((piece, number))
                continue
            if len(begun) > _MOST_PIECES:
                break
            word = " ".join([*(piece for piece, _ in begun), word]).strip()
            begun = []
            if word:
                words.append(word)
                tags.append(checked_tag(tag, word, name, number))
        if begun and (not pieces or len(begun) > _MOST_PIECES):
            break
        if words and not begun:
            yield Sentence(words, tags)
            words, tags = [], []
    if begun:
        raise no_tag(begun[0][0], name, begun[0][1])


def _trees(lines: Lines, name: str) -> Iterator[Sentence]:
    """Each tree is a sentence, on one line or several. Words with the tag -NONE- aren't spoken, and are left out."""
    words: list[str] = []
    tags: list[str] = []
    labels: list[str] = []  # of the open nodes
    inside: list[str | None] = []  # the word of each; "" where it has nodes
    began = 0
    for number, line in lines:
        for part in _PARTS.findall(line):
            if part == "(":
                if not labels:
                    began = number
                elif inside[-1] or (not labels[-1] and len(labels) > 1):
                    raise wrong(
                        f"{inside[-1]!r} is beside a node"
                        if inside[-1]
                        else f"the tree is not balanced: the one that begins in line {began} isn't closed before this",
                        name,
                        number,
                    )
                else:
                    inside[-1] = ""
                labels.append("")
                inside.append(None)
            elif not labels:
                raise wrong("the tree is not balanced: it is closed before its end", name, number)
            elif part == ")":
                tag, word = labels.pop(), inside.pop()
                if word is None:
                    raise wrong("a node has no words", name, number)
                if word and tag != "-NONE-":
                    words.append(_BRACKETS.get(word) or _unescaped(word))
                    tags.append(tag)
                if not labels and words:
                    yield Sentence(words, tags)
                    words, tags = [], []
            elif not labels[-1] and inside[-1] is None:
                labels[-1] = part
            elif inside[-1] is None:
                inside[-1] = part
            else:
                raise no_tag(part, name, number)
    if labels:
        raise wrong(f"the tree is not balanced: {len(labels)} open nodes at the end of the file", name, began)


def _unescaped(word: str) -> str:
    return _ESCAPED.sub(r"\1", word) if "\\" in word else word
