"""Tagged text in columns: a word a line, an empty line after each sentence.

conllu      1 <tab> I <tab> _ <tab> PRON <tab> PRP …    Universal Dependencies: ten columns, two of them with tags
columns     I PRP B-NP                                  CoNLL-2000 and 2003: word, tag and whatever follows
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from dmn_cli.errors import DataError

Lines = Iterable[tuple[int, str]]
"""Numbered from 1, without their ends."""

_NUMBER = re.compile(r"\d+([-.]\d+)*", re.ASCII)
PIECES = re.compile(r"[^ \t\r\n\f\v]+")  # other blanks, as French has them in numbers, are of the word


class Sentence(NamedTuple):
    words: list[str]
    tags: list[str]  # one for each word


def conllu(lines: Lines, name: str, column: int) -> Iterator[Sentence]:
    words: list[str] = []
    tags: list[str] = []
    number_of: dict[str, int] = {}  # sent_id → line
    for number, line in lines:
        if not line.strip():
            if words:
                yield Sentence(words, tags)
                words, tags = [], []
            continue
        if line.startswith("#"):
            key, _, value = line[1:].partition("=")
            value = value.strip()
            if key.strip() == "sent_id" and number_of.setdefault(value, number) != number:
                raise wrong(f"sentence {value!r} is in line {number_of[value]} already", name, number)
            continue
        fields = line.split("\t")
        if len(fields) != 10:
            raise wrong(
                f"a column is missing: the line has {len(fields)}, not 10"
                if len(fields) < 10
                else f"the line has {len(fields)} columns, not 10",
                name,
                number,
                "The columns of CoNLL-U are divided by tabs.",
            )
        if fields[0] != str(len(words) + 1):
            if re.fullmatch(r"\d+[-.]\d+", fields[0]):  # several words in one, or a word that isn't said
                continue
            raise wrong(
                f"the word's id is {fields[0][:20]!r}, where {len(words) + 1} comes next",
                name,
                number,
                "Words are counted from 1 in each sentence, and an empty line ends it.",
            )
        words.append(checked_word(fields[1], name, number))
        tags.append(checked_tag(fields[column], fields[1], name, number))
    if words:
        yield Sentence(words, tags)


def row(line: str) -> list[str]:
    """The columns of a line, divided by tabs if it has any, else by blanks."""
    return line.split("\t") if "\t" in line else PIECES.findall(line)


def columns(
    lines: Lines, head: list[tuple[int, str]], name: str, word_column: int | None, tag_column: int | None
) -> Iterator[Sentence]:
    """`head`: the first of the lines. The columns are counted from 1; None: the first one has the words, and the next
    one that isn't empty (`_`) the tags. A line that begins with # before a sentence is a comment.

    Raises: DataError, with file:line, where a line isn't like the others; or where these columns can't be meant, since
    there are only numbers in them, as where the first one counts the words.
    """
    shape = _Shape.of(head, name, word_column, tag_column)
    words: list[str] = []
    tags: list[str] = []
    width = 0
    for number, line in lines:
        fields = row(line)
        if not line.strip() or fields[0] == "-DOCSTART-":
            if words:
                yield Sentence(words, tags)
                words, tags = [], []
            continue
        if line.startswith("#") and not words and shape.is_comment(fields):
            continue
        width = width or len(fields)
        least = max(width, shape.word + 1, shape.tag + 1)
        if len(fields) != least:
            raise wrong(
                f"a column is missing: the line has {len(fields)}, not {least}"
                if len(fields) < least
                else f"the line has {len(fields)} columns, and those before it have {width}",
                name,
                number,
                "A line is a word, its tag, and whatever follows, divided by blanks or tabs.",
            )
        word = fields[shape.word]
        words.append(checked_word(word, name, number))
        tags.append(checked_tag(fields[shape.tag], word, name, number))
    if words:
        yield Sentence(words, tags)


class _Shape(NamedTuple):
    """What the columns of a file are, counted from 0."""

    word: int
    tag: int
    width: int  # that most lines have
    tags: set[str]  # of the first lines

    @classmethod
    def of(cls, head: list[tuple[int, str]], name: str, word_column: int | None, tag_column: int | None) -> _Shape:
        """Raises: DataError where the usual columns can't be meant."""
        rows = [(number, row(line)) for number, line in head if line.strip() and not line.startswith(("#", "-DOC"))]
        width = Counter(len(fields) for _, fields in rows).most_common(1)[0][0] if rows else 0
        rows = [(number, fields) for number, fields in rows if len(fields) == width]
        word = int(tag_column == 1) if word_column is None else word_column - 1
        after = (i for i in (*range(word + 1, width), *range(word)) if any(fields[i] != "_" for _, fields in rows))
        tag = next(after, word + 1) if tag_column is None else tag_column - 1
        numbers = [i for i in range(width) if len(rows) > 1 and all(_NUMBER.fullmatch(fields[i]) for _, fields in rows)]
        usual = {word} if word_column is None else set()
        if tag_column is None and width > 2:  # else where would it be?
            usual.add(tag)
        if wrongly := usual.intersection(numbers):
            likely = next(i for i in range(min(wrongly) + 1, width + 2) if i not in numbers) + 1
            raise wrong(
                f"column {min(wrongly) + 1} has only numbers: is it the column of the "
                f"{'words' if min(wrongly) == word else 'tags'}?",
                name,
                rows[0][0],
                f"Say which columns are read, for example: --word-column {likely} --tag-column {likely + 1}",
            )
        return cls(word, tag, width, {fields[tag] for _, fields in rows if tag < width})

    def is_comment(self, fields: list[str]) -> bool:
        """Whether a line that begins with #, where a sentence may begin, is none about a word like # or #this."""
        return len(fields) != self.width or self.tag >= self.width or fields[self.tag] not in {*self.tags, "#"}


def checked_word(word: str, name: str, number: int) -> str:
    if not word.strip():
        raise wrong("the word is missing", name, number)
    return word


def checked_tag(tag: str, word: str, name: str, number: int) -> str:
    if tag in ("", "_") or not tag.strip():
        raise no_tag(word, name, number)
    return tag


def no_tag(word: str, name: str, number: int) -> DataError:
    return wrong(f"a tag is missing: {word[:60]!r} has none", name, number)


def wrong(message: str, name: str, number: int, hint: str | None = None) -> DataError:
    return DataError(message, where=f"{name}:{number}", hint=hint)
