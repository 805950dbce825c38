"""Questions about picture files → stories about pictures: for any format that says which file a question is about."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from dmn_cli.data.formats.images import features, pixels
from dmn_cli.data.formats.images.pictures import Pictured, Pictures
from dmn_cli.data.formats.splits import SPLITS, hold_out
from dmn_cli.errors import DataError
from dmn_cli.machine.processes import can_fork, shared
from dmn_cli.machine.threads import cores
from dmn_cli.records.regions import PictureForm
from dmn_cli.records.text import Question, Story

T = TypeVar("T")
_FEW = 64  # pictures that are read sooner here than by other processes


_EITHER = "A data set, and a model, has either pictures or features of their regions."


class Part(NamedTuple):
    """A file within an archive that isn't compressed."""

    path: Path  # of the archive
    start: int  # where it begins there
    size: int
    name: str

    @property
    def suffix(self) -> str:
        return Path(self.name).suffix


File = Path | Part


class Asked(NamedTuple):
    """A question about a picture."""

    split: str
    task: str
    picture: File
    question: str
    answer: tuple[str, ...]
    where: str  # the file and line that it comes from
    points: tuple[tuple[float, float], ...] = ()  # what the answer depends on: (x, y) from 0 to 1; empty: unknown


@dataclass
class _Of:
    """What is asked about a picture."""

    picture: File
    where: str
    tasks: dict[str, list[Asked]] = field(default_factory=dict)


def pictured(asked: Iterable[Asked], seed: int, side: int, grid: int) -> Pictured:
    """Each picture once, with all of its questions. Where none is for validation, a tenth of the training pictures is
    held out. side, grid: of pictures; features say theirs themselves

    Raises: DataError where features aren't what they should be; what `asked` raises.
    """
    about: dict[tuple[str, File], _Of] = {}
    for one in asked:
        of = about.setdefault((one.split, one.picture), _Of(one.picture, one.where))
        of.tasks.setdefault(one.task, []).append(one)
    entries = [(split, of) for (split, _), of in about.items()]
    if not any(split == "valid" for split, _ in entries):
        entries = [*hold_out(entries, seed)]
    files: dict[File, str] = {}
    for of in about.values():
        files.setdefault(of.picture, of.where)
    numbers = {path: number for number, path in enumerate(files)}
    form = _form(files, side, grid)
    names = tuple(form.names)

    def told(advance: Callable[[int], None]) -> Iterator[tuple[str, Story]]:
        for split, of in entries:
            for task, some in of.tasks.items():
                advance(1)
                yield split, Story(task, names, tuple(_question(one, form) for one in some))

    pictures_of: dict[str, list[int]] = {split: [] for split in SPLITS}
    for split, of in entries:
        pictures_of[split] += [numbers[of.picture]] * len(of.tasks)
    total = sum(len(of.tasks) for _, of in entries)
    return Pictured(told, total, Pictures(form, len(files), partial(_read, list(files.items()), form), pictures_of))


def _form(files: dict[File, str], side: int, grid: int) -> PictureForm:
    for path, where in files.items():
        if isinstance(path, Path) and features.are_in(path.name):
            return _at(where, path, lambda path=path: features.form_of(path))
        break
    return PictureForm(grid, grid, side)


def _question(one: Asked, form: PictureForm) -> Question:
    support = tuple(dict.fromkeys(form.region_at(x, y) for x, y in one.points))
    return Question(one.question, form.regions, one.answer, support)


def _read(files: list[tuple[File, str]], form: PictureForm) -> Iterator[np.ndarray]:
    work = partial(_one, form)
    processes = min(cores(), len(files) // _FEW) if can_fork() else 0
    yield from shared(work, files, processes) if processes > 1 else map(work, files)


def _one(form: PictureForm, file: tuple[File, str]) -> np.ndarray:
    path, where = file
    return _at(where, path, lambda: array(path, form))


def array(file: File, form: PictureForm) -> np.ndarray:
    """What is in a picture's file, of the form's shape. Raises: DataError; OSError"""
    if features.are_in(file.name) and not form.width:
        raise DataError("holds features of regions, and a picture is wanted", hint=_EITHER)
    if form.width and not features.are_in(file.name):
        wanted = f"features of {form.rows} × {form.columns} regions"
        raise DataError(f"is no .npy or .safetensors, and {wanted} are wanted", hint=_EITHER)
    if form.width:
        assert isinstance(file, Path)
        return features.read(file, form)
    if isinstance(file, Path):
        return pixels.decode(file, form.side)
    with file.path.open("rb") as archive:
        archive.seek(file.start)
        return pixels.decode(io.BytesIO(archive.read(file.size)), form.side)


def _at(where: str, path: File, read: Callable[[], T]) -> T:
    """What is read of a picture. Raises: DataError, with the line that names it"""
    try:
        return read()
    except DataError as error:
        raise DataError(f"{path.name} {error.message}", where=where, hint=error.hint) from error
    except OSError as error:
        raise DataError(f"{path.name} can't be read: {error.strerror}", where=where) from error
