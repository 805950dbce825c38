"""The facts that training answers may rest on, found where the data don't say (`symmetries/resting.py`)."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from dmn_cli.data.store.layout import FOUND, SUPPORTS, Ragged
from dmn_cli.files import file_digest


def write(folder: Path, supports: Ragged) -> str:
    """Adds them to the data set in a folder: positions for each question of its training split. Returns the file's
    digest."""
    lists = pa.ListArray.from_arrays(pa.array(supports.offsets, pa.int32()), pa.array(supports.values, pa.int32()))
    path = folder / SUPPORTS
    with path.open("wb") as file, pa.ipc.new_file(file, FOUND) as writer:
        writer.write_batch(pa.record_batch([lists], schema=FOUND))
    return file_digest(path)
