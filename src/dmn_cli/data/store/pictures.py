"""The pictures of a data set: each once, whatever is asked about it, as one array that is read memory-mapped.

    DIR/pictures.npy            (pictures, height, width, 3) uint8, or (pictures, regions, width) float32
    DIR/pictures.safetensors    train, valid, test: (stories,) int32, the number of the picture that each is about

A story about a picture has the picture's regions for facts, in reading order (`records/regions.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from dmn_cli.data.formats.images.pictures import Pictures
from dmn_cli.data.store.layout import SPLITS
from dmn_cli.errors import DataError
from dmn_cli.files import memory_mapped
from dmn_cli.records.regions import PictureForm

FILE, INDEX = "pictures.npy", "pictures.safetensors"
AGAIN = "Run dmn prepare again."


def attach(folder: Path, pictures: Pictures) -> dict[str, Any]:
    """Writes them beside the stories of a data set, one by one, and returns what dataset.json says of them."""
    form = pictures.form
    header = {
        "descr": npy.dtype_to_descr(np.dtype(form.dtype)),
        "fortran_order": False,
        "shape": (pictures.total, *form.shape),
    }
    with (folder / FILE).open("wb") as file:
        npy.write_array_header_1_0(file, header)
        for picture in pictures.read():
            assert picture.shape == form.shape
            file.write(np.ascontiguousarray(picture, form.dtype).data)
    index = {split: np.array(pictures.of.get(split, []), np.int32) for split in SPLITS}
    (folder / INDEX).write_bytes(save(index))
    return {"count": pictures.total, **form.as_json()}


@dataclass(frozen=True)
class StoredPictures:
    """What is read."""

    form: PictureForm
    array: np.ndarray  # memory-mapped
    of: dict[str, np.ndarray]  # for each split: (stories,)

    @classmethod
    def open(cls, folder: Path, form: PictureForm, count: int) -> StoredPictures:
        """Raises: DataError where the files aren't what was written."""
        path = folder / FILE
        try:
            array = memory_mapped(path)
            if array.shape != (count, *form.shape) or array.dtype != form.dtype or not array.flags.c_contiguous:
                raise ValueError(f"its shape is {array.shape}")
            path = folder / INDEX
            of = load_file(path)
            for split in SPLITS:
                numbers = of[split]
                if numbers.ndim != 1 or numbers.dtype != np.int32 or not np.all((numbers >= 0) & (numbers < count)):
                    raise ValueError(f"it names pictures for {split} that aren't there")
        except FileNotFoundError as error:
            raise DataError("is missing from the data set", where=path, hint=AGAIN) from error
        except (ValueError, KeyError, EOFError, SafetensorError) as error:
            raise DataError(f"is damaged ({error})", where=path, hint=AGAIN) from error
        return cls(form, array, of)

    def take(self, split: str, stories: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The distinct pictures that some stories are about, and which of them each story. (pictures, …), (stories,)"""
        distinct, which = np.unique(self.of[split][stories], return_inverse=True)
        return self.array[distinct], which
