"""Whether a data set is one that dmn could have written: it may come from a stranger, digests included.

What is in dataset.json has its type, and every number in an Arrow file leads to something that is there: ids to words,
sentences, answers and tasks, positions to facts.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from dmn_cli.data.formats.splits import SPLITS
from dmn_cli.data.words.trees import labels_of
from dmn_cli.errors import DataError
from dmn_cli.notation import is_unicode
from dmn_cli.records.regions import PictureForm
from dmn_cli.records.text import Form, TableForm

AGAIN = "Run dmn prepare again."
LONGEST_ANSWER = 100_000  # words
_RECORD_BATCH = "record batch"
_MAGIC = b"ARROW1\0\0"  # then comes what is a stream by itself


def summary(value: dict[str, Any], where: Path) -> None:
    """Raises: DataError where dataset.json lacks something, or has it of another type."""
    missing = {"tasks", "tokenizer", "longest_answer", "forms", "sha256"} - value.keys()
    if missing:
        raise DataError(f"is damaged: it lacks {min(missing)}", where=where, hint=AGAIN)
    try:
        for form in value["forms"].values():
            if not all(type(part) is bool for part in Form.from_json(form)):
                raise TypeError("forms")
        labels_of(value["tokenizer"])
        if value.get("table") is not None:
            TableForm.from_json(value["table"])
        if (pictures := value.get("pictures")) is not None:
            if type(pictures["count"]) is not int or pictures["count"] < 0:
                raise TypeError("pictures")
            PictureForm.from_json({key: n for key, n in pictures.items() if key != "count"})
        sound = {
            "tasks": isinstance(value["tasks"], list) and all(map(_is_text, value["tasks"])) and value["tasks"],
            "longest_answer": type(value["longest_answer"]) is int and 0 <= value["longest_answer"] <= LONGEST_ANSWER,
            "tokenizer": isinstance(value["tokenizer"], dict) and all(map(_is_text, value["forms"])),
            "sha256": isinstance(value["sha256"], dict) and all(_is_file_name(name) for name in value["sha256"]),
            "name": _is_text(value.get("name", "")),
            "question": isinstance(value.get("question"), str | None),
            "words": type(value.get("words", 0)) is int,
            "questions_with_support": type(value.get("questions_with_support", 0)) is int,
            "symmetries": isinstance(value.get("symmetries", {}), dict),
            "found_supports": all(
                _is_text(task) and type(n) is int for task, n in value.get("found_supports", {}).items()
            ),
            "ordered_supports": isinstance(ordered := value.get("ordered_supports", []), list)
            and all(map(_is_text, ordered)),
            "unanswerable": isinstance(value.get("unanswerable", {}).get("label", ""), str),
        }
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DataError("is damaged: not what dmn writes", where=where, hint=AGAIN) from error
    if wrong := [key for key, is_sound in sound.items() if not is_sound]:
        raise DataError(f"is damaged: its {wrong[0]} can't be what dmn wrote", where=where, hint=AGAIN)


def regions(lengths: np.ndarray, of_picture: int, pictures: int, where: Path) -> None:
    """Raises: DataError where some stories, with so many facts each, aren't so many pictures with so many regions."""
    if pictures != len(lengths) or (lengths != of_picture).any():
        raise DataError("is damaged: its stories don't have the regions of its pictures", where=where, hint=AGAIN)


def _is_text(value: Any) -> bool:
    """One that UTF-8 can encode."""
    return isinstance(value, str) and is_unicode(value)


def _is_file_name(name: str) -> bool:
    """Of a file in the folder itself."""
    return _is_text(name) and Path(name).name == name and "\0" not in name


def batches(file: pa.Buffer, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The record batches of an Arrow file, as they stand in it one after the other. Each is whole, and a view of it.

    What stands at its end, and says where they are, isn't read: it could say anything. Nothing is decompressed, since
    a few bytes can say that they are gibibytes.

    Raises: DataError, pa.ArrowException
    """
    if bytes(file[:8]) != _MAGIC:
        raise DataError("is no Arrow file")
    messages = pa.ipc.MessageReader.open_stream(file.slice(8))
    head = next(iter(messages), None)
    is_schema = head is not None and head.type == "schema" and _header(bytes(head.metadata))
    if not is_schema or not pa.ipc.read_schema(head).equals(schema):
        raise DataError("does not have the columns of a prepared data set")
    while True:
        try:
            message = messages.read_next_message()
        except StopIteration:
            return
        metadata = bytes(message.metadata)
        if message.type != _RECORD_BATCH or not _header(metadata) or _is_compressed(metadata):
            raise DataError("has something that dmn doesn't write")
        batch = pa.ipc.read_record_batch(message, schema)
        batch.validate(full=True)
        if any(column.null_count for column in batch.columns):
            raise DataError("has something that is missing")
        yield batch


def _field(metadata: bytes, table: int, number: int) -> int:
    """Where a field of a flatbuffer's table is; 0: it has none."""
    vtable = table - struct.unpack_from("<i", metadata, table)[0]
    (size,) = struct.unpack_from("<H", metadata, vtable)
    at = 4 + 2 * number
    offset = struct.unpack_from("<H", metadata, vtable + at)[0] if at < size else 0
    return table + offset if offset else 0


def _header(metadata: bytes) -> int:
    """Where it is in what precedes a schema or a record batch (Arrow's Message.fbs); 0: there is none, which Arrow
    takes for granted."""
    return _field(metadata, *struct.unpack_from("<I", metadata, 0), 2)


def _is_compressed(metadata: bytes) -> bool:
    """Whether the header of a record batch names a compression: its fourth field."""
    header = _header(metadata)
    return bool(_field(metadata, header + struct.unpack_from("<I", metadata, header)[0], 3))


def counts(where: Path, *found: dict[str, list[int]]) -> None:
    """Of words, of answers, by split. Raises: DataError where a split has none"""
    if not all(of.keys() >= set(SPLITS) for of in found):
        raise DataError("doesn't say how often each word occurs in each split", where=where, hint=AGAIN)


def sentences(found: list[pa.RecordBatch], words: int) -> None:
    """words: how many the vocabulary has. Raises: DataError"""
    for batch in found:
        _, ids = _list(batch.column("words"))
        _within(ids, words, "words")


def stories(found: list[pa.RecordBatch], *, tasks: int, sentences: int, answers: int) -> None:
    """How many of each there are. Raises: DataError"""
    for batch in found:
        _within(batch.column("task").to_numpy(), tasks, "tasks")
        told, facts = _list(batch.column("facts"))
        asked, questions = _list(batch.column("questions"))
        _within(facts, sentences, "facts")
        _within(questions, sentences, "questions")
        counts = {name: _list(batch.column(name)) for name in ("positions", "answers", "supports")}
        if any((lengths != asked).any() for lengths, _ in counts.values()):
            raise DataError("has questions that lack something")
        positions = counts["positions"][1]
        _within(positions - 1, np.repeat(told, asked), "positions")
        said, answer = _list(counts["answers"][1])
        _within(answer, answers, "answers")
        if not said.all():
            raise DataError("has a question without an answer")
        supported, support = _list(counts["supports"][1])
        _within(support, np.repeat(positions, supported), "supports")


def supports(found: list[pa.RecordBatch], positions: np.ndarray) -> None:
    """positions: of all questions of the split. Raises: DataError"""
    counts = [_list(batch.column("supports")) for batch in found]
    lengths = np.concatenate([np.empty(0, np.int32), *(lengths for lengths, _ in counts)])
    if len(lengths) != len(positions):
        raise DataError("doesn't have the questions of its split")
    facts = np.concatenate([np.empty(0, np.int32), *(at for _, at in counts)])
    _within(facts, np.repeat(positions, lengths), "supports")


def vectors(ids: np.ndarray, found: np.ndarray, words: int) -> None:
    """ids: (n,), of words; found: (n, size). Raises: DataError where they aren't vectors for some of so many words"""
    whole = ids.dtype == np.int32 and found.dtype == np.float32 and ids.ndim == 1 and found.ndim == 2
    if not (whole and len(ids) == len(found) and found.shape[1] and np.isfinite(found).all()):
        raise DataError("has no vectors, or numbers that are infinite")
    _within(ids, words, "words")


def _list(column: pa.ListArray) -> tuple[np.ndarray, Any]:
    """The length of each list, and what is in all of them."""
    offsets = column.offsets.to_numpy()
    values = column.values.slice(offsets[0], offsets[-1] - offsets[0]) if len(offsets) else column.values
    plain = values if pa.types.is_list(values.type) else values.to_numpy(zero_copy_only=not values.null_count)
    if values.null_count:
        raise DataError("has something that is missing")
    return np.diff(offsets), plain


def _within(values: np.ndarray, limit: int | np.ndarray, what: str) -> None:
    if ((values < 0) | (values >= limit)).any():
        raise DataError(f"has {what} that aren't there")
