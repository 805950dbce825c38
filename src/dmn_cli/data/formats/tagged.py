"""Text with a part-of-speech tag for each word: files, folders and archives, as downloaded.

The words of a sentence are its facts, and its one question has a tag for each of them as the answer. The formats are
those of `tagged_text.py`.

In a folder or an archive, files about the data aren't read: README, LICENSE and the like, NLTK's categories, markup. A
text that is there in several formats, as `combined/wsj_0001.mrg`, `tagged/wsj_0001.pos` and `raw/wsj_0001`, is read
once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from dmn_cli.data.formats import tagged_text
from dmn_cli.data.formats.splits import hold_out, split_in_name
from dmn_cli.data.formats.tagged_columns import Sentence
from dmn_cli.data.formats.tagged_text import Column, Format
from dmn_cli.data.sources import archives, compressed
from dmn_cli.errors import DataError
from dmn_cli.records.text import Question, Story

QUESTION = "What are the tags?"
_FORMAT_OF: dict[str, Format] = {".conllu": "conllu", ".mrg": "trees", ".pos": "slash"}  # the richest first
_ABOUT = re.compile(
    r"(readme|licen[cs]e|copying|copyright|authors|contributing|change(s|log)|cats|categories)([-_.].*)?", re.I
)
_NAMED = 3  # files that are read alike are named, if they are no more
_OTHER = {".md", ".rst", ".html", ".htm", ".xml", ".json", ".pdf", ".prd"}  # .prd: trees without tags


class Chosen(NamedTuple):
    """A path, and which of its files are read."""

    path: Path
    chosen: frozenset[str]  # their names in the archive or the folder
    size: int  # bytes on disk


def find(paths: list[Path], format_: Format | None = None) -> list[Chosen]:
    """Which files are to be read. If a format is given, a text's file that is named after it is preferred.

    Raises: UsageError where there is no such path; DataError where an archive is damaged, or there is nothing to read.
    """
    sources = []
    for path in paths:
        names = archives.names(path)
        alone = len(names) == 1 and not path.is_dir()
        chosen = frozenset(names if alone else _chosen(names, format_))
        sources.append(Chosen(path, chosen, archives.size([path], chosen.__contains__)))
    if not any(source.chosen for source in sources):
        raise DataError("has no tagged text", where=", ".join(map(str, paths)))
    return sources


def read(
    sources: list[Chosen],
    task: str,
    seed: int,
    column: Column = "upos",
    format_: Format | None = None,
    progress: Callable[[int], None] = lambda n: None,
    *,
    word_column: int | None = None,
    tag_column: int | None = None,
) -> Iterator[tuple[str, Story]]:
    """(split, story) pairs. A file belongs to the split that it, or its folder, is named after, or else to training.

    If none belongs to the validation split, a tenth of the training sentences is held out. `column`, `word_column` and
    `tag_column` are as `tagged_text.read` takes them. `progress` takes the bytes on disk that have been read since the
    last call.

    Raises: DataError, with file:line, at the first line that isn't as it should be, or where there is no sentence.
    """
    read_text = partial(
        tagged_text.read, format_=format_, column=column, word_column=word_column, tag_column=tag_column
    )
    pairs = _stories(sources, task, read_text, progress)
    validated = any(split_in_name(name) == "valid" for source in sources for name in source.chosen)
    count = 0
    for count, pair in enumerate(pairs if validated else hold_out(pairs, seed), start=1):  # noqa: B007
        yield pair
    if not count:
        raise DataError("has no sentence with tags", where=", ".join(str(source.path) for source in sources))


def describe(sources: list[Chosen], column: Column, format_: Format | None, **columns: int | None) -> list[str]:
    """A line for each split and way of reading, and which files are read so. Takes what `read` takes; what is wrong
    with a file is left for that to say."""
    found: dict[tuple[str, str], list[str]] = {}
    for source in sources:
        for member in archives.members(source.path, source.chosen.__contains__):
            with suppress(DataError):
                lines, sure = member.lines(), _is_sure(member, source)
                way = tagged_text.described(lines, member.name, format_, column, sure=sure, **columns)
                if way is None:
                    continue
                found.setdefault((split_in_name(member.inner) or "train", way), []).append(member.inner)
    return [
        f"{split}: {', '.join(names) if len(names) <= _NAMED else f'{len(names)} files'} ({way})"
        for (split, way), names in found.items()
    ]


def _is_sure(member: archives.Member, source: Chosen) -> bool:
    """Whether a file must have sentences."""
    return (
        bool(split_in_name(PurePosixPath(member.inner).name))
        or member.name == str(source.path)
        or compressed.suffix(member.inner) in _FORMAT_OF
    )


def _stories(
    sources: list[Chosen],
    task: str,
    read_text: Callable[..., Iterator[Sentence]],
    progress: Callable[[int], None],
) -> Iterator[tuple[str, Story]]:
    for source in sources:
        for member in archives.members(source.path, source.chosen.__contains__, progress):
            split = split_in_name(member.inner)
            for words, tags in read_text(member.lines(), member.name, sure=_is_sure(member, source)):
                question = Question(QUESTION, len(words), tuple(tags), per_fact=True)
                yield split or "train", Story(task, tuple(words), (question,), facts_are_words=True)


def _chosen(names: list[str], format_: Format | None) -> list[str]:
    """Those that are data; of those whose names differ only in folder and suffix, the one in the best format."""

    def rank(name: str) -> int:
        suffix = compressed.suffix(name)
        if _FORMAT_OF.get(suffix) == format_ is not None:
            return 0
        return 1 + list(_FORMAT_OF).index(suffix) if suffix in _FORMAT_OF else 1 + len(_FORMAT_OF)

    data = [name for name in names if compressed.suffix(name) in _FORMAT_OF or not _is_about(name)]
    best: dict[str, int] = {}
    for name in data:
        best[_stem(name)] = min(rank(name), best.get(_stem(name), rank(name)))
    return [name for name in data if rank(name) == best[_stem(name)]]


def _is_about(name: str) -> bool:
    return compressed.suffix(name) in _OTHER or bool(_ABOUT.fullmatch(PurePosixPath(name).name))


def _stem(name: str) -> str:
    """A file's name without its folder and its suffixes."""
    return compressed.bare(PurePosixPath(name).name).stem
