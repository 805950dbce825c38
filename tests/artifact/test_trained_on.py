"""A run knows its data again, and says why where it can't."""

import json
import shutil
from pathlib import Path

import pytest
from conftest import Dmn

from dmn_cli.artifact import trained_on
from dmn_cli.errors import DataError, DmnError, ModelError

INSTEAD = "--data DIR"


@pytest.fixture
def moved(run: Path, world: Path, tmp_path: Path) -> Path:
    """A run in a place of its own, with data of its own that can be moved or changed: tmp_path/run, tmp_path/data."""
    data = shutil.copytree(world, tmp_path / "data")
    copied = Path(shutil.copytree(run, tmp_path / "run"))
    record = json.loads((copied / "data.json").read_text())
    record["data"][0]["path"] = str(data)
    (copied / "data.json").write_text(json.dumps(record))
    return copied


@pytest.mark.parametrize("given", ["", "model"], ids=["run", "model directory"])
def test_a_run_opens_the_data_it_was_trained_on(run: Path, world: Path, given: str) -> None:
    [data] = trained_on.data_sets(run / given, instead=INSTEAD)
    assert data.path.samefile(world)
    [known] = trained_on.read(run / given)
    assert (known.name, known.path.is_absolute()) == ("data", True)


def test_a_model_out_of_its_run_says_that_it_does_not_know(model: Path) -> None:
    assert trained_on.read(model) == []
    with pytest.raises(DataError, match="doesn't say what it was trained on") as caught:
        trained_on.data_sets(model, instead=INSTEAD)
    assert "--data DIR" in str(caught.value.hint)


def test_data_that_have_gone_or_changed_are_not_taken(moved: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    summary = json.loads((data / "dataset.json").read_text())
    (data / "dataset.json").write_text(json.dumps({**summary, "name": "another"}))
    with pytest.raises(DataError, match="have changed"):
        trained_on.data_sets(moved, instead=INSTEAD)
    shutil.rmtree(data)
    with pytest.raises(DataError, match="aren't there any more") as caught:
        trained_on.data_sets(moved, instead=INSTEAD)
    assert str(data) == caught.value.where


@pytest.mark.parametrize(
    ("record", "says"),
    [
        ("{", "damaged"),
        ('{"format_version": 1}', "damaged"),
        ('{"format_version": 1, "data": [3]}', "damaged"),
        ('{"format_version": 2, "data": []}', "reads up to 1"),
    ],
)
def test_a_damaged_record_is_told(moved: Path, record: str, says: str) -> None:
    (moved / "data.json").write_text(record)
    with pytest.raises(DmnError, match=says) as caught:
        trained_on.read(moved)
    assert isinstance(caught.value, ModelError)


def test_resuming_with_data_that_have_moved_notes_where_they_are(dmn: Dmn, moved: Path, tmp_path: Path) -> None:
    elsewhere = (tmp_path / "data").rename(tmp_path / "elsewhere")
    assert dmn("train", elsewhere, "--out", moved, "--resume", "--epochs", 21, "--quiet").code == 0
    [data] = trained_on.data_sets(moved, instead=INSTEAD)
    assert data.path == elsewhere
