"""JSON lines: any task that can be expressed as a story, a question and an answer.

    {"story": ["Mary moved to the bathroom.", "John went to the hallway."], "question": "Where is Mary?",
     "answer": "bathroom", "support": [0], "task": "qa1", "split": "train"}
    {"story": "Mary moved.", "facts": "words", "question": "What are the tags?",
     "answer": ["NOUN", "VERB", "PUNCT"], "each": true}

`story` is a list of facts, or a text, which is split into sentences. If `facts` is "words", the facts are words: those
of the list, or those into which the text is split. `answer` is a text, or a list of texts if the answer has several
words. Each text is one class, whatever it says; a number, true or false stands for the text that it is written as. If
`each` is true, there is one for each fact; if `set` is true, their order means nothing. `support` has the positions of
the supporting facts, from 0, in the order of the reasoning. Only story, question and answer are required; the others
may be null. Other keys are ignored, but no two lines may have the same `id`.

Consecutive lines of a task, each of whose stories begins with all of the story before it, are questions about one
story, which is then read once for all of them.
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
from dmn_cli.data.sources import archives, compressed
from dmn_cli.errors import DataError
from dmn_cli.notation import LONGEST_LINE, is_unicode, load_object, to_json
from dmn_cli.records.text import Question, Story

Facts = Literal["sentences", "words"]
Cut = Mapping[Facts, Callable[[str], list[str]]]
"""What splits a text into facts, for each kind of facts."""

_KEYS = ("story", "question", "answer", "support", "task", "split", "facts", "each", "set", "id")
_LIKE = '{"story": [...], "question": "...", "answer": "..."}'
_REQUIRED = frozenset(_KEYS[:3])
_MAX_LINE = LONGEST_LINE + 1
_SPLIT = re.compile(rb'"split"\s*:\s*"(\w+)"')


class _Asked(NamedTuple):
    """The contents of a line."""

    split: str
    task: str
    facts_are_words: bool  # whether the facts are words
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
    """(split, story) pairs. If no line belongs to the validation split, a tenth of the training stories is held out.

    A path is a file, or a folder or an archive, in which all files that are called JSON lines are read. `task` and
    `facts` are for the lines that have none: the task's name, and what a text is split into. `progress` takes the bytes
    on disk that have been read since the last call, `size` of them in all.

    Raises: DataError, with file:line, at the first line that isn't as above; UsageError where a file isn't there.
    """
    ids = _Ids()
    validated = any(_says_valid(path) for path in paths)
    pairs = (pair for path in paths for pair in _stories(_asked(path, task, cut, facts, ids, progress)))
    yield from pairs if validated else hold_out(pairs, seed)


def is_jsonl(name: str) -> bool:
    """Whether a file of a folder or an archive is called JSON lines. (A file by itself may have any name.)"""
    return compressed.suffix(name) in (".jsonl", ".ndjson")


def size(paths: list[Path]) -> int:
    """The bytes on disk of all that `read` reads."""
    return archives.size(paths, is_jsonl)


def lines(split: str, story: Story) -> Iterator[str]:
    """A story, as `read` reads it: one line for each question."""
    for question in story.questions:
        one = len(question.answer) == 1 and not question.per_fact
        line = {
            "story": story.facts[: question.position],
            "facts": "words" if story.facts_are_words else None,
            "question": question.text,
            "answer": question.answer[0] if one else question.answer,
            "each": question.per_fact or None,
            "set": question.any_order or None,
            "support": question.support or None,
            "task": story.task,
            "split": split,
        }
        yield to_json({key: value for key, value in line.items() if value is not None}) + "\n"


def _stories(asked: Iterator[_Asked]) -> Iterator[tuple[str, Story]]:
    """Puts the questions about one growing story together."""
    last: _Asked | None = None
    questions: list[Question] = []
    for line in asked:
        if last and not (line[:3] == last[:3] and line.facts[: len(last.facts)] == last.facts):
            yield last.split, Story(last.task, last.facts, tuple(questions), last.facts_are_words)
            questions = []
        questions.append(line.question)
        last = line
    if last:
        yield last.split, Story(last.task, last.facts, tuple(questions), last.facts_are_words)


class _Ids:
    """The ids that have been seen, of each a hash of 64 bits, and where."""

    def __init__(self) -> None:
        self.lines: dict[int, int] = {}  # hash → file and line
        self.files: list[str] = []  # up to the one that is being read

    def add(self, value: str | float, number: int) -> None:
        """Notes the id of a line of the last file. Raises: DataError where another line has the same one."""
        key = int.from_bytes(hashlib.blake2b(repr(value).encode(), digest_size=8).digest(), "big")
        here = len(self.files) - 1 << 48 | number
        there = self.lines.setdefault(key, here)
        if there != here:
            first = f"{self.files[there >> 48]}:{there & (1 << 48) - 1}"
            raise DataError(
                f'"id" {repr(value)[:60]} is also the id of {first}', hint="Each line has an id of its own."
            )


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
                record = load_object(line, _LIKE)
                if (value := record.get("id")) is not None:
                    if not isinstance(value, str | int | float):
                        raise DataError('"id" is neither a text nor a number')
                    ids.add(value, number)
                yield _parse(record, line, usual, task, cut, facts)
            except DataError as error:
                raise DataError(error.message, where=f"{member.name}:{number}", hint=error.hint) from error


def _members(path: Path, progress: Callable[[int], None] = lambda n: None) -> Iterator[archives.Member]:
    """The files of a path. Raises: UsageError where it isn't there; DataError where it has none, or is damaged."""
    found = False
    for member in archives.members(path, is_jsonl, progress, max_bytes=archives.LARGE):
        found = True
        yield member
    if not found:
        raise DataError("has no .jsonl files", where=path)


def _parse(record: dict[str, Any], line: bytes, split: str, task: str, cut: Cut, usual: Facts) -> _Asked:
    """`split`, `task` and `usual` are for lines that have none of their own. Raises: DataError"""
    if not record.keys() >= _REQUIRED:
        raise _missing(record)
    story, question = record["story"], record["question"]
    if (kind := record.get("facts")) is None:
        kind = usual if isinstance(story, str) else "sentences"
    if not isinstance(kind, str) or kind not in ("sentences", "words"):
        raise DataError('"facts" is neither "sentences" nor "words"')
    facts = tuple(cut[kind](story)) if isinstance(story, str) and is_text(story) else _texts(story)
    if not facts and isinstance(story, list) and story:
        number = next(i for i, fact in enumerate(story) if not is_text(fact))
        raise DataError(f'fact {number} of "story", counted from 0, is blank or no text')
    if not facts:
        raise DataError('"story" is neither a text nor a list of texts, with at least one fact')
    if not is_text(question):
        raise DataError('"question" is not a text')
    answers = answer_texts(record["answer"], line)
    for key in ("each", "set"):
        if not isinstance(record.get(key), bool | None):
            raise DataError(f'"{key}" is neither true nor false')
    per_fact, any_order = record.get("each") or False, record.get("set") or False
    if per_fact and any_order:
        raise DataError('"each" and "set" are both true', hint="A list with one text for each fact has an order.")
    is_list = isinstance(record["answer"], list)
    if per_fact and not (is_list and len(answers) == len(facts)):
        wrong = f"has {len(answers)} texts for {len(facts)} facts" if is_list else "is not a list"
        hint = 'With "each", "answer" is a list with one text for each fact.'
        raise DataError(f'"each" is true, but "answer" {wrong}', hint=hint)
    if (support := record.get("support")) is None:
        support = []
    if not isinstance(support, list) or not all(type(i) is int and 0 <= i < len(facts) for i in support):
        raise DataError(
            f'"support" is not a list of positions of facts, 0 to {len(facts) - 1}',
            hint="Supporting facts are counted from 0. Where they aren't known, leave them out.",
        )
    if (own := record.get("task")) is not None:
        task = own
    if not is_text(task):
        raise DataError('"task" is not a text')
    if (own := record.get("split")) is not None:
        split = own
    named = split_named(split) if isinstance(split, str) else None
    if named is None:
        raise DataError('"split" is not train, valid (or dev, validation) or test')
    asked = Question(question, len(facts), answers, tuple(support), per_fact, any_order)
    return _Asked(named, task, kind == "words", facts, asked)


def _missing(record: dict[str, Any]) -> DataError:
    """The error of a line without a required key, with the key that may have been meant instead."""
    key = next(key for key in _KEYS if key in _REQUIRED and key not in record)
    others = [other for other in record if other not in _KEYS]
    near = difflib.get_close_matches(key, others, n=1)
    hint = f'It has "{near[0]}": did you mean "{key}"?' if near else None
    if hint is None and others:
        named = [json.dumps(other, ensure_ascii=False)[:40] for other in others[:8]]
        hint = f"It has {', '.join(named)} instead."
        if key == "story":
            hint += " Texts and their labels are read by dmn prepare table."
    return DataError(f'"{key}" is missing', hint=hint)


def answer_texts(value: Any, line: bytes) -> tuple[str, ...]:
    """The answer's texts without the blanks around them; a number, true or false is taken as the line spells it.

    Raises: DataError"""
    if is_text(value):
        return (value.strip(),)
    if answers := _texts(value):
        return tuple(map(str.strip, answers))
    value = json.loads(line, parse_int=str, parse_float=str)["answer"]
    values = value if isinstance(value, list) else [value]
    answers = _texts([to_json(one) if isinstance(one, bool) else one for one in values])
    if not answers:
        raise DataError('"answer" is not a text, a number, true, false or a list of these, or a text in it is empty')
    return tuple(map(str.strip, answers))


def is_text(value: Any) -> TypeGuard[str]:
    """Whether it is a text that isn't blank and that UTF-8 can encode, unlike half a surrogate pair."""
    return isinstance(value, str) and bool(value.strip()) and is_unicode(value)


def _texts(value: Any) -> tuple[str, ...]:
    """The texts of a list of texts; () for anything else."""
    return tuple(value) if isinstance(value, list) and all(map(is_text, value)) else ()


def _says_valid(path: Path) -> bool:
    """Whether any line belongs to the validation split. Malformed lines are ignored here: `read` raises for them."""
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
