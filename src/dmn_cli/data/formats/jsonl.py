"""JSON lines: any task that can be put as a story, a question and an answer.

    {"story": ["Mary moved to the bathroom.", "John went to the hallway."], "question": "Where is Mary?",
     "answer": "bathroom", "support": [0], "task": "qa1", "split": "train"}

`story` is a list of facts, or a text, which is cut into sentences. `answer` is a text, or a list of them where an
answer has several words; each text is one class, whatever it says. `support` has the positions of the supporting facts,
from 0, in the order of the reasoning. `support`, `task` and `split` may be missing, and other keys are ignored.

Lines of a task that follow one another, each story going on where the one before ended, are questions about one story,
which is then read once for all of them.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, TypeGuard

from dmn_cli.data.splits import SPLIT_NAMES, hold_out, split_in_name
from dmn_cli.errors import DataError, UsageError
from dmn_cli.files import load_object, to_json
from dmn_cli.records import Question, Story

_MAX_LINE = 1 << 26


class _Asked(NamedTuple):
    """What a line says."""

    split: str
    task: str
    facts: tuple[str, ...]
    question: Question


def read(
    paths: list[Path],
    task: str,
    seed: int,
    sentences: Callable[[str], list[str]],
    progress: Callable[[int], None] = lambda n: None,
) -> Iterator[tuple[str, Story]]:
    """(split, story) pairs. Where no line is of the validation, a tenth of the training stories is held out.

    `task` is that of the lines that name none. `progress` is told how many bytes each line has.

    Raises: DataError, with file:line, at the first line that isn't as above; UsageError where a file isn't there.
    """
    validated = any(_says_valid(path) for path in paths)
    for path in paths:
        told = _stories(_asked(path, task, sentences, progress))
        yield from told if validated else hold_out(told, seed)


def lines(split: str, story: Story) -> Iterator[str]:
    """One story, as `read` reads it: a line for each question."""
    for question in story.questions:
        answer = question.answer[0] if len(question.answer) == 1 else question.answer
        line = {
            "story": story.facts[: question.position],
            "question": question.text,
            "answer": answer,
            "support": question.support,
            "task": story.task,
            "split": split,
        }
        yield to_json({key: value for key, value in line.items() if value or key != "support"}) + "\n"


def _stories(asked: Iterator[_Asked]) -> Iterator[tuple[str, Story]]:
    """Questions about one growing story are put together."""
    last: _Asked | None = None
    questions: list[Question] = []
    for line in asked:
        if last and not (line[:2] == last[:2] and line.facts[: len(last.facts)] == last.facts):
            yield last.split, Story(last.task, last.facts, tuple(questions))
            questions = []
        questions.append(line.question)
        last = line
    if last:
        yield last.split, Story(last.task, last.facts, tuple(questions))


def _asked(
    path: Path, task: str, sentences: Callable[[str], list[str]], progress: Callable[[int], None]
) -> Iterator[_Asked]:
    usual = split_in_name(path) or "train"
    for number, line in enumerate(_lines(path), start=1):
        progress(len(line))
        if not line.strip():
            continue
        try:
            yield _parse(line, usual, task, sentences)
        except DataError as error:
            raise DataError(error.message, where=f"{path}:{number}", hint=error.hint) from error


def _parse(line: bytes, split: str, task: str, sentences: Callable[[str], list[str]]) -> _Asked:
    """Raises: DataError"""
    try:
        record = load_object(line, '{"story": [...], "question": "...", "answer": "..."}')
    except DataError as error:
        if isinstance(error.__cause__, UnicodeDecodeError):
            raise DataError(f"byte {error.__cause__.start + 1} of the line is not UTF-8") from error
        raise
    story, answer = record.get("story"), record.get("answer")
    facts = tuple(sentences(story)) if isinstance(story, str) and _is_text(story) else _texts(story)
    if not facts:
        raise DataError('"story" is neither a text nor a list of texts, with at least one fact')
    question = record.get("question")
    if not _is_text(question):
        raise DataError('"question" is not a text')
    answers = (answer,) if _is_text(answer) else _texts(answer)
    if not answers:
        raise DataError('"answer" is neither a text nor a list of texts')
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
    return _Asked(SPLIT_NAMES[split], task, facts, Question(question, len(facts), answers, tuple(support)))


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
