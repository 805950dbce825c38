"""What a run was trained on: the name, path and fingerprint of each data set, kept in RUN/data.json."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dmn_cli.errors import DataError, ModelError
from dmn_cli.files import load_versioned_json, write_json
from dmn_cli.notation import as_path, as_text

if TYPE_CHECKING:
    from dmn_cli.data.store.reader import DataSet

RECORD = "data.json"
FORMAT_VERSION = 1


class TrainedOn(NamedTuple):
    """One data set."""

    name: str
    path: Path  # absolute; it may not be there any more
    fingerprint: str


def write(run: Path, data: Sequence[DataSet]) -> None:
    """Keeps them in a run's directory, in place of what was kept before."""
    known = [
        {
            "name": one.summary.get("name", one.path.name),
            "path": str(one.path.absolute()),
            "fingerprint": one.fingerprint,
        }
        for one in data
    ]
    write_json(run / RECORD, {"format_version": FORMAT_VERSION, "data": known})


def read(path: Path) -> list[TrainedOn]:
    """Those of MODEL on the command line: a run, or the model directory in one. Empty where that isn't known: a model
    that was copied out of its run, or a run of an older dmn. Raises: ModelError where the record is damaged or too new
    """
    run = next((folder for folder in (path, path.absolute().parent) if (folder / RECORD).is_file()), None)
    if run is None:
        return []
    record = load_versioned_json(run / RECORD, FORMAT_VERSION, ModelError)
    try:
        return [_trained_on(**{key: one[key] for key in TrainedOn._fields}) for one in record["data"]]
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError("is damaged: not the record that dmn writes", where=run / RECORD) from error


def _trained_on(name: Any, path: Any, fingerprint: Any) -> TrainedOn:
    """Raises: TypeError, ValueError where one isn't what it says."""
    if not all(isinstance(text, str) for text in (name, path, fingerprint)) or "\0" in path:
        raise TypeError("data")
    return TrainedOn(as_text(name), as_path(path), fingerprint)


def data_sets(path: Path, *, instead: str) -> list[DataSet]:
    """Those of MODEL on the command line, opened. instead: what a person gives where they can't be, such as --data DIR

    Raises: DataError where they aren't known, aren't there any more, or have changed; ModelError as `read` does.
    """
    from dmn_cli.data.store.reader import DataSet

    known, hint = read(path), f"Say which data: {instead}"
    if not known:
        raise DataError("doesn't say what it was trained on", where=path, hint=hint)
    opened = []
    for one in known:
        if not one.path.is_dir():
            raise DataError("the data that the model was trained on aren't there any more", where=one.path, hint=hint)
        found = DataSet(one.path)
        if found.fingerprint != one.fingerprint:
            raise DataError("the data have changed since the model was trained", where=one.path, hint=hint)
        opened.append(found)
    return opened
