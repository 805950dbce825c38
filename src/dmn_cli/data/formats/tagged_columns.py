"""Tagged text in columns: one word per line, and an empty line after each sentence.

conllu      1 <tab> I <tab> _ <tab> PRON <tab> PRP …    Universal Dependencies: ten columns, two of them with tags
columns     I PRP B-NP                                  CoNLL-2000 and 2003: word, tag and whatever follows
            # global.columns = ID FORM UPOS NER         CoNLL-U Plus: columns with names, divided by tabs
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
_NO_WORD = re.compile(r"\d+[-.]\d+", re.ASCII)  # ids of several words written as one, or of a word that isn't spoken
_CONLL_2009, _CONLL_2009_TAG = 13, 5  # how many columns it has at least, and which one has the tags
_LEMMAS = 0.25  # of all words with letters; tags repeat fewer
_ENOUGH = 50  # words that show whether there are more kinds of tags than of words
_EXAMPLES = 3
PIECES = re.compile(r"[^ \t\r\n\f\v]+")  # other blanks, like those in French numbers, are part of a word


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
            if _NO_WORD.fullmatch(fields[0]):
                continue
            raise wrong(
                f"the word's id is {fields[0][:20]!r}, where {len(words) + 1} comes next",
                name,
                number,
                "Words are numbered from 1 in each sentence, which ends with an empty line.",
            )
        words.append(checked_word(fields[1], name, number))
        tags.append(checked_tag(fields[column], fields[1], name, number))
    if words:
        yield Sentence(words, tags)


def row(line: str) -> list[str]:
    """The columns of a line, divided by tabs if it has any, else by blanks."""
    return line.split("\t") if "\t" in line else PIECES.findall(line)


def columns(lines: Lines, name: str, shape: Shape) -> Iterator[Sentence]:
    """Lines that begin with # between sentences are comments; lines with ids like `1-2` and `8.1` are left out.

    Raises: DataError, with file:line, where a line isn't like the others.
    """
    words: list[str] = []
    tags: list[str] = []
    width = 0
    for number, line in lines:
        fields = row(line)
        if not line.strip() or fields[0] == "-DOCSTART-":
            if words:
                yield Sentence(words, tags)
                words, tags = [], []
                width = 0 if shape.given else width  # some have a column for each verb of the sentence
            continue
        if line.startswith("#") and not words and shape.is_comment(line):
            continue
        if shape.id is not None and len(fields) > shape.id and _NO_WORD.fullmatch(fields[shape.id]):
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


class Shape(NamedTuple):
    """What the columns of a file are. They are counted from 0 here."""

    word: int
    tag: int
    width: int  # that most lines have
    tags: set[str]  # those of the first lines
    id: int | None = None  # the one that counts the words
    given: bool = False  # whether words and tags are in columns that somebody named
    examples: tuple[tuple[str, str], ...] = ()  # the first words with their tags
    comment: str = ""  # the first line that could be about a word, but is taken for a comment

    @classmethod
    def of(
        cls,
        head: list[tuple[int, str]],
        name: str,
        word_column: int | None,
        tag_column: int | None,
        named: str = "UPOS",
    ) -> Shape:
        """`head`: the first of the lines. `word_column` and `tag_column` are counted from 1; if they are None, the
        first column has the words, and the next one that isn't empty (`_`) the tags; or, where columns have names
        (CoNLL-U Plus), FORM and the one that is `named`.

        Raises: DataError where the columns weren't given and can't be these: one has only numbers, since often the
        first column counts the words; or the tags repeat the words, as lemmas do, or are of more kinds than these.
        """
        names = global_columns(head)
        rows, comments = _words_and_comments(head)
        width = Counter(len(fields) for _, fields in rows).most_common(1)[0][0] if rows else 0
        rows = [(number, fields) for number, fields in rows if len(fields) == width]
        numbers = [i for i in range(width) if len(rows) > 1 and all(_NUMBER.fullmatch(fields[i]) for _, fields in rows)]
        if names:
            word = _place(names, "FORM", name, "--word-column") if word_column is None else word_column - 1
            tag = _place(names, named, name, "--tag-column") if tag_column is None else tag_column - 1
            id_ = names.index("ID") if "ID" in names else None
        else:
            word = int(tag_column == 1) if word_column is None else word_column - 1
            after = (i for i in (*range(word + 1, width), *range(word)) if any(fields[i] != "_" for _, fields in rows))
            tag = next(after, word + 1) if tag_column is None else tag_column - 1
            id_ = 0 if 0 in numbers and 0 not in (word, tag) else None
            _check(rows, name, numbers, word, tag, word_column, tag_column)
        there = [(fields[word], fields[tag]) for _, fields in rows if max(word, tag) < width]
        given = bool(names) or (word_column is not None and tag_column is not None)
        shape = cls(word, tag, width, {tag for _, tag in there}, id_, given, tuple(there[:_EXAMPLES]))
        unsure = (line for line in comments if len(row(line)) == width and shape.is_comment(line))
        return shape._replace(comment=next(unsure, ""))

    def described(self) -> str:
        """For a person: which columns are read, and what stands in them."""
        if not self.examples:
            return f"words from column {self.word + 1}, tags from column {self.tag + 1}"
        words, tags = (", ".join(dict.fromkeys(column)) for column in zip(*self.examples, strict=True))
        comments = f"; lines like {self.comment[:40]!r} before a sentence are comments" if self.comment else ""
        return f"words from column {self.word + 1} ({words}), tags from column {self.tag + 1} ({tags}){comments}"

    def is_comment(self, line: str) -> bool:
        """Whether a line that begins with #, between sentences, isn't about a word like # or #this."""
        fields = row(line)
        if len(fields) != self.width or self.tag >= self.width:
            return True
        if "\t" in line:  # comments hardly have one, and even less one for each column
            return line.startswith("# ")
        return fields[self.tag] not in {*self.tags, "#"}


def _words_and_comments(head: list[tuple[int, str]]) -> tuple[list[tuple[int, list[str]]], list[str]]:
    """The numbered rows of words, and the lines before sentences that begin with #. Within one, they are words."""
    rows, comments, inside = [], [], False
    for number, line in head:
        if not line.strip() or line.startswith("-DOCSTART-"):
            inside = False
        elif line.startswith("#") and not inside:
            comments.append(line)
        elif not _NO_WORD.fullmatch((fields := row(line))[0]):
            rows.append((number, fields))
            inside = True
    return rows, comments


def global_columns(head: list[tuple[int, str]]) -> list[str]:
    """The names of the columns, where the first line says them, as in CoNLL-U Plus; else []."""
    first = head[0][1] if head else ""
    key, _, value = first.removeprefix("#").partition("=")
    return value.split() if first.startswith("#") and key.strip() == "global.columns" else []


def _place(names: list[str], wanted: str, name: str, option: str) -> int:
    if wanted not in names:
        there = ", ".join(f"{i} is {column}" for i, column in enumerate(names, start=1))
        raise wrong(f"has no column {wanted}", name, 1, f"Say which column it is with {option} N: {there}.")
    return names.index(wanted)


def _check(
    rows: list[tuple[int, list[str]]],
    name: str,
    numbers: list[int],
    word: int,
    tag: int,
    word_column: int | None,
    tag_column: int | None,
) -> None:
    """Raises: DataError where columns that weren't given can't be those of the words and the tags. numbers: the columns
    that have only numbers"""
    if not rows:
        return
    width = len(rows[0][1])
    usual = {word} if word_column is None else set()
    if tag_column is None and width > 2:  # else where would it be?
        usual.add(tag)
    if wrongly := usual.intersection(numbers):
        likely = next(i for i in range(min(wrongly) + 1, width + 2) if i not in numbers) + 1
        likely_tag = _CONLL_2009_TAG if width >= _CONLL_2009 and likely == 2 else likely + 1
        raise wrong(
            f"column {min(wrongly) + 1} has only numbers: is it the column of the "
            f"{'words' if min(wrongly) == word else 'tags'}?",
            name,
            rows[0][0],
            f"Say which columns these are, for example: --word-column {likely} --tag-column {likely_tag}",
        )
    if tag_column is not None or tag >= width:
        return
    pairs = [(fields[word], fields[tag]) for _, fields in rows if any(map(str.isalpha, fields[word]))]
    kinds, words = len({tag for _, tag in pairs}), len({word for word, _ in pairs})
    again = sum(word.casefold() == tag.casefold() for word, tag in pairs)
    if again > _LEMMAS * len(pairs):
        said = f"column {tag + 1} repeats words: are these lemmas, and not tags?"
    elif kinds > words and len(pairs) >= _ENOUGH:
        said = f"column {tag + 1} has more distinct entries than column {word + 1}: are these the words?"
    else:
        return
    hint = f"Say which columns these are, for example: --word-column {word + 1} --tag-column {tag + 2}"
    raise wrong(said, name, rows[0][0], hint)


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
