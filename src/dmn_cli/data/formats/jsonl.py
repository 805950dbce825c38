"""JSON lines: any task that can be put as a story, a question and an answer.

    {"story": ["Mary moved to the bathroom.", "John went to the hallway."], "question": "Where is Mary?",
     "answer": "bathroom", "support": [0], "task": "qa1", "split": "train"}
    {"story": "Mary moved.", "facts": "words", "question": "What are the tags?",
     "answer": ["NOUN", "VERB", "PUNCT"], "each": true}

`story` is a list of facts, or a text, which is cut into sentences; or into words, where `facts` is "words", and then a
list is one of words, too. `answer` is a text, or a list of them where an answer has several words; each text is one
class, whatever it says, and a number, true or false is the text that it is written as. Where `each` is true there is
one for each fact. `support` has the positions of the supporting facts, from 0, in the order of the reasoning. Only
story, question and answer are needed, the others may be null, and other keys are ignored; but no two lines have one
`id`.

Lines of a task that follow one another, each story going on where the one before ended, are questions about one story,
which is then read once for all of them.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeGuard

from dmn_cli.data.formats.splits import hold_out, split_in_name, split_named
from dmn_cli.data.sources import archives
from dmn_cli.errors import DataError
from dmn_cli.files import load_object, to_json
from dmn_cli.records.text import Question, Story

Facts = Literal["sentences", "words"]
Cut = Mapping[Facts, Callable[[str], list[str]]]
"""How a text is cut into facts."""

_REQUIRED = ("story", "question", "answer")
_KEYS = {*_REQUIRED, "support", "task", "split", "facts", "each", "id"}
_MAX_LINE = 1 << 26
_SPLIT = re.compile(rb'"split"\s*:\s*"(\w+)"')


class _Asked(NamedTuple):
    """What a line says."""

    split: str
    task: str
    words: bool  # the facts are words
    facts: tuple[str, ...]
    question: Question


def read(
    paths: list[Path],
    task: str,
    seed: int,
    cut: Cut,
    facts: Facts = "sentences",
    progress: Callable[[int], None] = lambda n: None,
) -> Iterator[tuple[str, Story]]:
    """(split, story) pairs. Where no line is of the validation, a tenth of the training stories is held out.

    A path is a file, or a folder or an archive, of which all that is_jsonl is read. `task` is that of the lines that
    name none, and `facts` says what texts are cut into where the line doesn't. `progress` takes the bytes on disk that
    have been read since the last call, `size` of them in all.

    Raises: DataError, with file:line, at the first line that isn't as above; UsageError where a file isn't there.
    """
    ids = _Ids()
    validated = any(_says_valid(path) for path in paths)
    for path in paths:
        told = _stories(_asked(path, task, cut, facts, ids, progress))
        yield from told if validated else hold_out(told, seed)


def is_jsonl(name: str) -> bool:
    """Of an archive or a folder, what is named so, compressed or not. (A file by itself may have any name.)"""
    return archives.suffix(name) in (".jsonl", ".ndjson")


def size(paths: list[Path]) -> int:
    """The bytes on disk of all that `read` reads."""
    return archives.size(paths, is_jsonl)


def names(paths: list[Path]) -> list[str]:
    """Of all files that `read` reads; of one in an archive or a folder, its name in there."""
    return [name for path in paths for name in archives.names(path) if is_jsonl(name) or path.name == name]


def lines(split: str, story: Story) -> Iterator[str]:
    """One story, as `read` reads it: a line for each question."""
    for question in story.questions:
        one = len(question.answer) == 1 and not question.each
        line = {
            "story": story.facts[: question.position],
            "facts": "words" if story.words else None,
            "question": question.text,
            "answer": question.answer[0] if one else question.answer,
            "each": question.each or None,
            "support": question.support or None,
            "task": story.task,
            "split": split,
        }
        yield to_json({key: value for key, value in line.items() if value is not None}) + "\n"


def _stories(asked: Iterator[_Asked]) -> Iterator[tuple[str, Story]]:
    """Questions about one growing story are put together."""
    last: _Asked | None = None
    questions: list[Question] = []
    for line in asked:
        if last and not (line[:3] == last[:3] and line.facts[: len(last.facts)] == last.facts):
            yield last.split, Story(last.task, last.facts, tuple(questions), last.words)
            questions = []
        questions.append(line.question)
        last = line
    if last:
        yield last.split, Story(last.task, last.facts, tuple(questions), last.words)


class _Ids:
    """Which ids there were, and where: 64 bits of each."""

    def __init__(self) -> None:
        self.lines: dict[int, int] = {}  # hash → file and line
        self.files: list[str] = []  # those that have been read, and the one that is

    def add(self, value: str | float, number: int) -> None:
        """That of a line of the last file. Raises: DataError where another line has it."""
        key = int.from_bytes(hashlib.blake2b(repr(value).encode(), digest_size=8).digest(), "big")
        here = len(self.files) - 1 << 48 | number
        there = self.lines.setdefault(key, here)
        if there != here:
            first = f"{self.files[there >> 48]}:{there & (1 << 48) - 1}"
            raise DataError(f'"id" {repr(value)[:60]} is also that of {first}', hint="An id is of one line only.")


def _asked(
    path: Path, task: str, cut: Cut, facts: Facts, ids: _Ids, progress: Callable[[int], None]
) -> Iterator[_Asked]:
    for member in _members(path, progress):
        usual = split_in_name(member.inner) or "train"
        ids.files.append(member.name)
        for number, line in enumerate(member.lines(_MAX_LINE), start=1):
            if not line.strip():
                continue
            try:
                record = _record(line)
                if (value := record.get("id")) is not None:
                    if not isinstance(value, str | int | float):
                        raise DataError('"id" is neither a text nor a number')
                    ids.add(value, number)
                yield _parse(record, line, usual, task, cut, facts)
            except DataError as error:
                raise DataError(error.message, where=f"{member.name}:{number}", hint=error.hint) from error


def _members(path: Path, progress: Callable[[int], None] = lambda n: None) -> Iterator[archives.Member]:
    """Raises: UsageError where there is no such path; DataError where it holds no JSON lines, or is damaged."""
    found = False
    for member in archives.members(path, is_jsonl, progress, max_bytes=archives.LARGE):
        found = True
        yield member
    if not found:
        raise DataError("holds no file named .jsonl", where=path)


def _record(line: bytes) -> dict[str, Any]:
    """Raises: DataError"""
    try:
        return load_object(line, '{"story": [...], "question": "...", "answer": "..."}')
    except DataError as error:
        if isinstance(error.__cause__, UnicodeDecodeError):
            raise DataError(f"byte {error.__cause__.start + 1} of the line is not UTF-8") from error
        raise


def _parse(record: dict[str, Any], line: bytes, split: str, task: str, cut: Cut, usual: Facts) -> _Asked:
    """`split`, `task` and `usual` are of lines that say nothing else. Raises: DataError"""
    for key in _REQUIRED:
        if key not in record:
            raise _missing(record, key)

    def given(key: str, otherwise: Any) -> Any:
        """What isn't needed may be null, too."""
        return otherwise if record.get(key) is None else record[key]

    story, question = record["story"], record["question"]
    kind = given("facts", usual if isinstance(story, str) else "sentences")
    if not isinstance(kind, str) or kind not in ("sentences", "words"):
        raise DataError('"facts" is neither "sentences" nor "words"')
    facts = tuple(cut[kind](story)) if isinstance(story, str) and _is_text(story) else _texts(story)
    if not facts:
        raise DataError('"story" is neither a text nor a list of texts, with at least one fact')
    if not _is_text(question):
        raise DataError('"question" is not a text')
    answers = _answers(record["answer"], line)
    each = given("each", False)
    if not isinstance(each, bool):
        raise DataError('"each" is neither true nor false')
    is_list = isinstance(record["answer"], list)
    if each and not (is_list and len(answers) == len(facts)):
        wrong = f"has {len(answers)} texts for {len(facts)} facts" if is_list else "is not a list"
        hint = 'With "each", "answer" is a list with one text for each fact.'
        raise DataError(f'"each" is true, but "answer" {wrong}', hint=hint)
    support = given("support", [])
    if not isinstance(support, list) or not all(type(i) is int and 0 <= i < len(facts) for i in support):
        raise DataError(
            f'"support" is not a list of positions of facts, 0 to {len(facts) - 1}',
            hint="Supporting facts are counted from 0. Leave it out, or say null, where they aren't known.",
        )
    task, split = given("task", task), given("split", split)
    if not _is_text(task):
        raise DataError('"task" is not a text')
    named = split_named(split) if isinstance(split, str) else None
    if named is None:
        raise DataError('"split" is none of train, valid (or dev, validation) and test')
    asked = Question(question, len(facts), answers, tuple(support), each)
    return _Asked(named, task, kind == "words", facts, asked)


def _missing(record: dict[str, Any], key: str) -> DataError:
    """Of a line that lacks what it needs, with what may have been meant."""
    others = [other for other in record if other not in _KEYS]
    near = difflib.get_close_matches(key, others, n=1)
    hint = f'It has "{near[0]}": did you mean "{key}"?' if near else None
    if hint is None and others:
        hint = f"It has {', '.join(json.dumps(other, ensure_ascii=False)[:40] for other in others[:8])} instead."
    return DataError(f'"{key}" is missing', hint=hint)


def _answers(value: Any, line: bytes) -> tuple[str, ...]:
    """A number, true or false is the text that the line has for it. Raises: DataError"""
    if _is_text(value):
        return (value,)
    if answers := _texts(value):
        return answers
    value = json.loads(line, parse_int=str, parse_float=str)["answer"]
    values = value if isinstance(value, list) else [value]
    answers = _texts([to_json(one) if isinstance(one, bool) else one for one in values])
    if not answers:
        raise DataError('"answer" is neither a text, a number, true, false nor a list of these, or one is empty')
    return answers


def _is_text(value: Any) -> TypeGuard[str]:
    """With something in it that UTF-8 can spell, which half a surrogate pair is not."""
    if not isinstance(value, str) or not value.strip():
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _texts(value: Any) -> tuple[str, ...]:
    """Nothing where it isn't a list of texts."""
    return tuple(value) if isinstance(value, list) and all(map(_is_text, value)) else ()


def _says_valid(path: Path) -> bool:
    """Whether any line is of the validation; a line that says nothing sensible is found out later."""
    for member in _members(path):
        if split_in_name(member.inner) == "valid":
            return True
        for line in member.lines(_MAX_LINE):
            if b'"split"' not in line or _SPLIT.findall(line) in ([b"train"], [b"test"]):
                continue
            with suppress(DataError):
                if split_named(str(load_object(line, "").get("split"))) == "valid":
                    return True
    return False
