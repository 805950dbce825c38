"""JSON lines: any task that can be put as a story, a question and an answer.

    {"story": ["Mary moved to the bathroom.", "John went to the hallway."], "question": "Where is Mary?",
     "answer": "bathroom", "support": [0], "task": "qa1", "split": "train"}
    {"story": "Mary moved.", "facts": "words", "question": "What are the tags?",
     "answer": ["NOUN", "VERB", "PUNCT"], "each": true}

`story` is a list of facts, or a text, which is cut into sentences; or into words, where `facts` is "words", and then a
list is one of words, too. `answer` is a text, or a list of them where an answer has several words; each text is one
class, whatever it says. Where `each` is true there is one for each fact. `support` has the positions of the supporting
facts, from 0, in the order of the reasoning. Only story, question and answer are needed, and other keys are ignored;
but no two lines have one `id`.

Lines of a task that follow one another, each story going on where the one before ended, are questions about one story,
which is then read once for all of them.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeGuard

from dmn_cli.data.formats.splits import SPLIT_NAMES, hold_out, split_in_name
from dmn_cli.errors import DataError, UsageError
from dmn_cli.files import load_object, to_json
from dmn_cli.records.text import Question, Story

Facts = Literal["sentences", "words"]
Cut = Mapping[Facts, Callable[[str], list[str]]]
"""How a text is cut into facts."""

_MAX_LINE = 1 << 26


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

    `task` is that of the lines that name none, and `facts` says what texts are cut into where the line doesn't.
    `progress` is told how many bytes each line has.

    Raises: DataError, with file:line, at the first line that isn't as above; UsageError where a file isn't there.
    """
    ids = _Ids()
    validated = any(_says_valid(path) for path in paths)
    for path in paths:
        told = _stories(_asked(path, task, cut, facts, ids, progress))
        yield from told if validated else hold_out(told, seed)


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
        self.files: list[Path] = []

    def add(self, value: str | float, number: int) -> None:
        """That of a line of the last of the files. Raises: DataError where another line has it."""
        key = int.from_bytes(hashlib.blake2b(repr(value).encode(), digest_size=8).digest(), "big")
        here = len(self.files) - 1 << 48 | number
        there = self.lines.setdefault(key, here)
        if there != here:
            first = f"{self.files[there >> 48]}:{there & (1 << 48) - 1}"
            raise DataError(f'"id" {repr(value)[:60]} is also that of {first}', hint="An id is of one line only.")


def _asked(
    path: Path, task: str, cut: Cut, facts: Facts, ids: _Ids, progress: Callable[[int], None]
) -> Iterator[_Asked]:
    usual = split_in_name(path) or "train"
    ids.files.append(path)
    for number, line in enumerate(_lines(path), start=1):
        progress(len(line))
        if not line.strip():
            continue
        try:
            record = _record(line)
            if (value := record.get("id")) is not None:
                if not isinstance(value, str | int | float):
                    raise DataError('"id" is neither a text nor a number')
                ids.add(value, number)
            yield _parse(record, usual, task, cut, facts)
        except DataError as error:
            raise DataError(error.message, where=f"{path}:{number}", hint=error.hint) from error


def _record(line: bytes) -> dict[str, Any]:
    """Raises: DataError"""
    try:
        return load_object(line, '{"story": [...], "question": "...", "answer": "..."}')
    except DataError as error:
        if isinstance(error.__cause__, UnicodeDecodeError):
            raise DataError(f"byte {error.__cause__.start + 1} of the line is not UTF-8") from error
        raise


def _parse(record: dict[str, Any], split: str, task: str, cut: Cut, usual: Facts) -> _Asked:
    """Raises: DataError"""
    story, answer = record.get("story"), record.get("answer")
    kind = record.get("facts", usual if isinstance(story, str) else "sentences")
    if not isinstance(kind, str) or kind not in ("sentences", "words"):
        raise DataError('"facts" is neither "sentences" nor "words"')
    facts = tuple(cut[kind](story)) if isinstance(story, str) and _is_text(story) else _texts(story)
    if not facts:
        raise DataError('"story" is neither a text nor a list of texts, with at least one fact')
    question = record.get("question")
    if not _is_text(question):
        raise DataError('"question" is not a text')
    answers = (answer,) if _is_text(answer) else _texts(answer)
    if not answers:
        raise DataError('"answer" is neither a text nor a list of texts')
    each = record.get("each", False)
    if not isinstance(each, bool):
        raise DataError('"each" is neither true nor false')
    if each and (isinstance(answer, str) or len(answers) != len(facts)):
        wrong = "is not a list" if len(answers) == len(facts) else f"has {len(answers)} texts for {len(facts)} facts"
        hint = 'With "each", "answer" is a list with one text for each fact.'
        raise DataError(f'"each" is true, but "answer" {wrong}', hint=hint)
    support = record.get("support") or ()
    if not isinstance(support, list | tuple) or not all(type(i) is int and 0 <= i < len(facts) for i in support):
        raise DataError(
            f'"support" is not a list of positions of facts, 0 to {len(facts) - 1}',
            hint="Supporting facts are counted from 0.",
        )
    task, split = record.get("task", task), record.get("split", split)
    if not _is_text(task):
        raise DataError('"task" is not a text')
    if not isinstance(split, str) or split not in SPLIT_NAMES:
        raise DataError(f'"split" is not one of {", ".join(SPLIT_NAMES)}')
    asked = Question(question, len(facts), answers, tuple(support), each)
    return _Asked(SPLIT_NAMES[split], task, kind == "words", facts, asked)


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


def _lines(path: Path) -> Iterator[bytes]:
    """Raises: UsageError where there is no such file; DataError where it is damaged, or no lines of text."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            while line := file.readline(_MAX_LINE):
                if len(line) == _MAX_LINE:
                    raise DataError("has a line that is longer than 64 MiB", where=path)
                yield line
    except (FileNotFoundError, IsADirectoryError) as error:
        raise UsageError("there is no such file", where=path) from error
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"the file is damaged or cut short ({error})", where=path) from error


def _says_valid(path: Path) -> bool:
    """Whether any line is of the validation; a line that says nothing sensible is found out later."""
    if split_in_name(path) == "valid":
        return True
    for line in _lines(path):
        if b'"split"' in line and (b"valid" in line or b"dev" in line):
            with suppress(DataError):
                if SPLIT_NAMES.get(str(load_object(line, "").get("split"))) == "valid":
                    return True
    return False
