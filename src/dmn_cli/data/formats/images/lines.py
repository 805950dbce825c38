"""A folder of pictures with JSON lines: {"image", "question", "answer"}.

    {"image": "photos/3.jpg", "question": "What is on the table?", "answer": "a cup", "task": "photos",
     "split": "train", "support": [[0.25, 0.8]]}

`image` is the name of a file, from the folder that the lines are in: a picture, or the features of its regions as .npy
or safetensors. `answer` is as in other JSON lines (`jsonl.py`). `support` has points that the answer depends on, in the
order of the reasoning, as shares of the width and of the height; the regions that they lie in are the supporting facts.
Only image, question and answer are required.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dmn_cli.data.formats.images.asked import Asked
from dmn_cli.data.formats.jsonl import answer_texts, is_jsonl, is_text
from dmn_cli.data.formats.splits import split_in_name, split_named
from dmn_cli.data.sources import archives
from dmn_cli.errors import DataError
from dmn_cli.notation import LONGEST_LINE, as_path, load_object

_LIKE = '{"image": "1.png", "question": "...", "answer": "..."}'


def read(paths: list[Path], task: str) -> Iterator[Asked]:
    """paths: files of JSON lines, or folders with such files; task: of lines that name none

    Raises: DataError, with file:line, at the first line that isn't as above, or whose picture isn't there; UsageError
    where there is no such path.
    """
    pictures: dict[str, Path] = {}  # by what a name leads to, so that a picture is one under all of its names
    for path in paths:
        if path.is_file() and archives.is_archive(path):
            raise DataError("is an archive, and pictures are read from a folder", where=path, hint="Unpack it.")
        found = False
        for member in archives.members(path, is_jsonl, max_bytes=archives.LARGE):
            found = True
            file = path / member.inner if path.is_dir() else path
            split = split_in_name(member.inner) or "train"
            for number, line in enumerate(member.lines(LONGEST_LINE + 1), start=1):
                if line.strip():
                    yield _parsed(line, f"{member.name}:{number}", file.parent, split, task, pictures)
        if not found:
            raise DataError("has no .jsonl files", where=path, hint=f"Each line is like {_LIKE}")


def _parsed(line: bytes, where: str, folder: Path, split: str, task: str, pictures: dict[str, Path]) -> Asked:
    try:
        record = load_object(line, _LIKE)
        for key in ("image", "question", "answer"):
            if key not in record:
                raise DataError(f'"{key}" is missing', hint=f"A line is like {_LIKE}")
        image, question = record["image"], record["question"]
        task, split = record.get("task") or task, record.get("split") or split
        for key, value in (("image", image), ("question", question), ("task", task), ("split", split)):
            if not is_text(value):
                raise DataError(f'"{key}" is not a text')
        named = split_named(split)
        if named is None:
            raise DataError('"split" is not train, valid (or dev, validation) or test')
        picture = folder / as_path(image)
        if not _is_file(picture):
            raise DataError(f"there is no picture {image}", hint="Names are from the folder that the lines are in.")
        answer = answer_texts(record["answer"], line)
        picture = pictures.setdefault(os.path.realpath(picture), picture)
        return Asked(named, task, picture, question, answer, where, _points(record.get("support")))
    except DataError as error:
        raise DataError(error.message, where=where, hint=error.hint) from error


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # it can't be the name of one
        return False


def _points(value: Any) -> tuple[tuple[float, float], ...]:
    """Raises: DataError"""
    points = [] if value is None else value
    if not isinstance(points, list) or not all(
        isinstance(point, list) and len(point) == 2 and all(type(n) in (int, float) and 0 <= n <= 1 for n in point)
        for point in points
    ):
        raise DataError(
            '"support" is not a list of points', hint="A point is [x, y], as shares of the width and the height."
        )
    return tuple((float(x), float(y)) for x, y in points)
