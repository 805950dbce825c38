"""Pictures, and which of them each story is about: what a format hands to the store beside its stories."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from dmn_cli.records.regions import PictureForm
from dmn_cli.records.text import Story


class Pictures(NamedTuple):
    """All pictures of a data set, each once."""

    form: PictureForm
    total: int
    read: Callable[[], Iterable[np.ndarray]]  # each of the form's shape, in the order of their numbers
    of: Mapping[str, Sequence[int]]  # for each split, the numbers of the pictures that its stories are about, in order


class Pictured(NamedTuple):
    """Stories about pictures."""

    stories: Callable[[Callable[[int], None]], Iterable[tuple[str, Story]]]
    """(split, story) pairs, from the start each time it is called; reports each to its argument."""
    total: int  # stories
    pictures: Pictures
