"""A picture that is asked about: what is seen of it, in place of the facts of a story."""

from __future__ import annotations

import base64
import io
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dmn_cli.errors import DataError, UsageError
from dmn_cli.notation import as_path
from dmn_cli.records.regions import PictureForm

_FACTS = 10_240  # seen in a batch of many questions
Given = str | os.PathLike[str] | bytes | np.ndarray
"""A picture: its file, the contents of one, or (height, width, 3) uint8."""


@dataclass(frozen=True, eq=False)
class Picture:
    """One, as the model takes it."""

    form: PictureForm
    array: np.ndarray = field(repr=False)  # of the form's shape
    regions: tuple[int, ...]  # those that are seen, in reading order

    @classmethod
    def of(cls, given: Told, form: PictureForm) -> Picture:
        """Raises: DataError where it is none that can be read; UsageError where it is text, or there is no such file"""
        if isinstance(given, Picture):
            return given
        if not isinstance(given, str | os.PathLike | bytes | np.ndarray):
            raise UsageError("the model answers questions about pictures, and not about text")
        return cls.whole(form, _array(given, form))

    @classmethod
    def whole(cls, form: PictureForm, array: np.ndarray) -> Picture:
        """One of which all regions are seen. array: of the form's shape"""
        return cls(form, array, tuple(range(form.regions)))

    @property
    def facts(self) -> list[str]:
        """What its regions are called."""
        names = self.form.names
        return [names[region] for region in self.regions]

    def without(self, positions: Sequence[int]) -> Picture:
        """The same with fewer regions. positions: among `regions`"""
        return replace(self, regions=tuple(r for at, r in enumerate(self.regions) if at not in positions))


Told = str | Sequence[str] | Picture | Given
"""A story, or a picture in its place."""


class Seen(NamedTuple):
    """What a batch has for facts: see `Batch`."""

    facts: np.ndarray  # (facts of all stories,) rows of what is seen
    pictures: np.ndarray | None = None
    vectors: np.ndarray | None = None
    regions: int = 0

    @classmethod
    def of(cls, pictures: Sequence[Picture]) -> Seen:
        """The regions of some pictures, each of which is held once."""
        arrays: dict[int, np.ndarray] = {}
        numbers: dict[int, int] = {}
        for picture in pictures:
            numbers.setdefault(id(picture.array), len(numbers))
            arrays[id(picture.array)] = picture.array
        form = pictures[0].form
        facts = [numbers[id(picture.array)] * form.regions + np.array(picture.regions) for picture in pictures]
        array = np.stack([*arrays.values()])
        if form.width:
            return cls(np.concatenate(facts), vectors=array.reshape(-1, form.width), regions=form.regions)
        return cls(np.concatenate(facts), pictures=array, regions=form.regions)


def named(text: str) -> Given:
    """A picture as a line of JSON names it: a file, or what a data: URL holds. Raises: DataError"""
    if not text.startswith("data:"):
        return as_path(text)
    kind, comma, content = text.partition(",")
    if not comma or not kind.endswith(";base64"):
        raise DataError("is no picture in base64", hint="data:image/png;base64,…")
    try:
        return base64.b64decode(content, validate=True)
    except ValueError as error:
        raise DataError("is no base64") from error


def by_picture(pictures: Sequence[Picture]) -> list[list[int]]:
    """Groups of questions about the same regions of the same picture, in the order of how many these are. pictures:
    that each question is about"""
    groups: dict[tuple[int, tuple[int, ...], int], list[int]] = {}
    counts: Counter[tuple[int, tuple[int, ...]]] = Counter()
    for place, picture in enumerate(pictures):
        key = id(picture.array), picture.regions
        groups.setdefault((*key, counts[key] * len(picture.regions) // _FACTS), []).append(place)
        counts[key] += 1
    return sorted(groups.values(), key=lambda group: len(pictures[group[0]].regions))


def _array(given: Given, form: PictureForm) -> np.ndarray:
    from dmn_cli.data.formats.images import asked, features, pixels

    if isinstance(given, str | os.PathLike):
        path = Path(given)
        if "\0" in os.fsdecode(given):
            raise UsageError("no file has such a name", where=path)
        try:
            return asked.array(path, form)
        except DataError as error:
            raise DataError(error.message, where=path, hint=error.hint) from error
        except OSError as error:
            raise UsageError(f"can't be read: {error.strerror}", where=path) from error
    if form.width:
        if isinstance(given, bytes):
            raise DataError("the model takes regions as vectors, not pictures")
        return features.in_order(given, form)
    if isinstance(given, bytes):
        return pixels.decode(io.BytesIO(given), form.side)
    return pixels.scaled(given, form.side)
