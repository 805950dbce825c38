"""The regions that a picture is divided into: how many there are, in which order they are read, what they are called.

They are read as a snake, the first row from left to right and the next one back, so that neighbours in reading order
are neighbours in the picture too (Xiong et al. 2016, sec. 3.2).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

MOST = 4096  # regions of a picture
LARGEST = 4096  # pixels of its height and width, and numbers of a region


class PictureForm(NamedTuple):
    """What all pictures of a data set, and of the model that learns from them, have in common."""

    rows: int  # of regions
    columns: int
    side: int = 0  # pixels of its height and of its width; 0: its regions are given as vectors
    width: int = 0  # of these vectors; 0: there are pixels

    @property
    def regions(self) -> int:
        return self.rows * self.columns

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one picture as it is stored: pixels (height, width, 3), or (regions, width) in reading order."""
        return (self.regions, self.width) if self.width else (self.side, self.side, 3)

    @property
    def dtype(self) -> type[np.generic]:
        return np.float32 if self.width else np.uint8

    @property
    def snake(self) -> np.ndarray:
        """The regions in reading order, as row * columns + column. (regions,)"""
        grid = np.arange(self.regions).reshape(self.rows, self.columns)
        grid[1::2] = grid[1::2, ::-1]
        return grid.flatten()

    @property
    def names(self) -> list[str]:
        """What the regions are called, in reading order."""
        return [f"row {row + 1}, column {column + 1}" for row, column in self.places]

    @property
    def places(self) -> list[tuple[int, int]]:
        """Their rows and columns from 0, in reading order."""
        return [divmod(int(region), self.columns) for region in self.snake]

    def laid_out(self, stored: np.ndarray) -> np.ndarray:
        """A picture as it is given: pixels as they are stored, vectors as (rows, columns, width)."""
        if not self.width:
            return stored
        return stored[np.argsort(self.snake)].reshape(self.rows, self.columns, self.width)

    def region_at(self, x: float, y: float) -> int:
        """The region, by its position in reading order, at a place given as shares of the width and the height."""
        row, column = (min(int(share * n), n - 1) for share, n in ((y, self.rows), (x, self.columns)))
        return row * self.columns + (self.columns - 1 - column if row % 2 else column)

    def as_json(self) -> dict[str, int]:
        of = {"width": self.width} if self.width else {"side": self.side}
        return {"rows": self.rows, "columns": self.columns, **of}

    @classmethod
    def from_json(cls, value: Any) -> PictureForm:
        """Raises: TypeError, ValueError where it isn't what `as_json` gives."""
        form = cls(**value)
        if any(type(number) is not int for number in form):
            raise TypeError("pictures")
        sound = min(form.rows, form.columns) > 0 and form.regions <= MOST and min(form.side, form.width) >= 0
        if not sound or bool(form.side) == bool(form.width) or max(form.side, form.width) > LARGEST:
            raise ValueError("pictures")
        return form


def in_words(form: PictureForm | None) -> str:
    """Of what form pictures are, for a person; None: there is text in their place."""
    if form is None:
        return "text"
    size = f"{form.width} numbers each" if form.width else f"{form.side} × {form.side} pixels"
    return f"pictures of {form.rows} × {form.columns} regions, {size}"
