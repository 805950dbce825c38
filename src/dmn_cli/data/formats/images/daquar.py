"""DAQUAR (Malinowski & Fritz 2014): questions about indoor scenes of NYU Depth V2, as they were published.

Two forms of the same file are read, whose names begin with `qa.`: a line for the question, one for its answer, and one
for the picture (`….format_triple`); or a line for the question, which ends in `in the image3 ?`, and one for its answer
(`….txt`). Several answers are joined by commas. Pictures are files called image3.png or .jpg, wherever they are in the
folder, or in a .tar there.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator
from pathlib import Path

from dmn_cli.data.formats.images.asked import Asked, File, Part
from dmn_cli.data.formats.images.pixels import SUFFIXES
from dmn_cli.data.formats.splits import split_in_name
from dmn_cli.data.sources import archives
from dmn_cli.errors import DataError
from dmn_cli.notation import decoded

TASK = "daquar"
_FILE = re.compile(r"qa\..*(train|test).*(\.format_triple|\.txt)")
_IN_IMAGE = re.compile(r"\s*(?:in (?:the )?)?(image\d+)\s*\??\s*$")
_PICTURE = re.compile(r"image\d+")


def is_daquar(path: Path) -> bool:
    """Whether a folder holds it."""
    return path.is_dir() and any(_FILE.fullmatch(file.name) for file in path.iterdir())


def read(path: Path) -> Iterator[Asked]:
    """Raises: DataError, with file:line, where a line isn't as above, or its picture isn't there."""
    pictures: dict[str, File] = {
        Path(file.name).stem: file for file in [*_in_archives(path), *sorted(path.rglob("image*"))] if _is_picture(file)
    }
    if not pictures:
        raise DataError("has no pictures image1.png, …", where=path, hint="Unpack their archive into this folder.")
    for file in sorted(file for file in path.iterdir() if _FILE.fullmatch(file.name)):
        split = split_in_name(file.name) or "train"
        for number, question, answer, name in _triples(file):
            where = f"{file}:{number}"
            if name not in pictures:
                raise DataError(f"there is no picture {name}", where=where)
            answers = tuple(word for word in re.split(r"\s*,\s*", answer) if word)
            if not question or not answers:
                raise DataError("a question or its answer is empty", where=where)
            yield Asked(split, TASK, pictures[name], question, answers, where)


def _is_picture(file: File) -> bool:
    name = Path(file.name)
    return name.suffix.lower() in SUFFIXES and _PICTURE.fullmatch(name.stem) is not None


def _in_archives(folder: Path) -> Iterator[Part]:
    """The files of all archives in a folder. Raises: DataError where one is damaged."""
    for path in sorted(folder.glob("*.tar")):
        try:
            with tarfile.open(path, "r:") as archive:
                for member in archive:
                    if member.isreg() and not member.issparse():
                        yield Part(path, member.offset_data, member.size, member.name)
        except (tarfile.TarError, ValueError, EOFError) as error:
            raise DataError(f"is a damaged archive ({error})", where=path, hint="Download it again.") from error


def _triples(file: Path) -> Iterator[tuple[int, str, str, str]]:
    """Line numbers, questions, answers and names of pictures."""
    lines: list[str] = []
    for member in archives.members(file):
        for number, line in enumerate(member.lines(), start=1):
            lines.append(decoded(line, file, number).strip())
    size = 3 if file.name.endswith(".format_triple") else 2
    if len(lines) % size:
        raise DataError(f"has {len(lines):,} lines, and not {size} for each question", where=file)
    for at in range(0, len(lines), size):
        question, answer, *name = lines[at : at + size]
        if not name:
            found = _IN_IMAGE.search(question)
            if not found:
                raise DataError("the question doesn't end with its picture", where=f"{file}:{at + 1}")
            question, name = question[: found.start()] + " ?", [found[1]]
        yield at + 1, question, answer, name[0]
