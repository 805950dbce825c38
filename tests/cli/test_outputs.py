"""What is written: nothing of anybody else is overwritten, and a full disk leaves nothing half-written."""

import gc
import io
import shutil
from pathlib import Path
from typing import Any

import pytest
from commands import disk_that_fills_up, filled_in
from conftest import Dmn, Process, fails

from dmn_cli.cli.output import Output, buffer_stdout, write_lines


def test_an_output_below_a_file(dmn: Dmn, story: Path) -> None:
    fails(dmn("prepare", "story", "--out", story / "data"), 2, str(story))


@pytest.mark.parametrize(
    "command", ["prepare story --out OUT", "train WORLD --out OUT", "eval RUN WORLD --predictions OUT"]
)
def test_an_output_that_exists_is_not_overwritten(
    dmn: Dmn, run: Path, world: Path, tmp_path: Path, command: str
) -> None:
    out = tmp_path / "mine"
    out.write_text("precious")
    fails(dmn(*filled_in(command, RUN=run, WORLD=world, OUT=out)), 2, str(out), "--force")
    out.unlink()
    out.mkdir()
    (out / "thesis.tex").write_text("precious")
    words = filled_in(command, RUN=run, WORLD=world, OUT=out)
    fails(dmn(*words), 2, str(out))
    fails(dmn(*words, "--force"), 2, "didn't write")
    assert (out / "thesis.tex").read_text() == "precious"


@pytest.mark.parametrize(
    "command", ["prepare story --out OUT", "train WORLD --out OUT", "eval RUN WORLD --predictions OUT"]
)
def test_an_output_that_is_a_link_to_nothing(dmn: Dmn, run: Path, world: Path, tmp_path: Path, command: str) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    fails(dmn(*filled_in(command, RUN=run, WORLD=world, OUT=tmp_path / "link")), 2, "is a link that leads nowhere")


def test_force_never_overwrites_what_is_read_nor_a_file_by_a_folder(
    dmn: Dmn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, text = tmp_path / "t.csv", "text,label\na,x\nb,y\n"
    table.write_text(text)
    command = ("prepare", "table", table, "--input", "text", "--label", "label", "--force")
    fails(dmn(*command, "--out", table), 2, str(table), "is a file, and a folder is to be written")
    fails(dmn(*command, "--out", tmp_path / "new", "--export", table), 2, str(table), "is what is read")
    inside = tmp_path / "new" / "x.jsonl"
    fails(dmn(*command, "--out", tmp_path / "new", "--export", inside), 2, str(inside), "--export lies in --out")
    monkeypatch.chdir(tmp_path)
    fails(dmn(*command, "--out", "."), 2, "is the current folder")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    fails(dmn(*command, "--out", "."), 2, "is the current folder")
    fails(dmn("prepare", "text", table, "--out", "."), 2, "is the current folder")
    (tmp_path / "empty").rmdir()
    monkeypatch.chdir(tmp_path)
    assert table.read_text() == text
    assert list(tmp_path.iterdir()) == [table]


@pytest.mark.parametrize(
    ("command", "name", "text"),
    [
        ("prepare story --questions 20 --out OUT", "dataset.json", '{"rows": 150, "source": "a survey of ours"}'),
        ("train WORLD --epochs 1 --set model.hidden=4 --out OUT", "config.toml", 'title = "a web site of ours"\n'),
    ],
)
def test_force_knows_its_own_folders_from_others_that_look_alike(
    dmn: Dmn, world: Path, tmp_path: Path, command: str, name: str, text: str
) -> None:
    out = tmp_path / "mine"
    out.mkdir()
    (out / name).write_text(text)
    (out / "thesis.tex").write_text("precious")
    fails(dmn(*filled_in(command, WORLD=world, OUT=out), "--force"), 2, "didn't write")
    assert (out / "thesis.tex").read_text() == "precious"


def test_unbuffered_every_byte_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """As under PYTHONUNBUFFERED, where stdout may write a part of what it is given."""
    written = bytearray()

    class Parts(io.RawIOBase):
        def writable(self) -> bool:
            return True

        def write(self, data: Any, /) -> int:
            written.extend(bytes(data[:7]))
            return min(len(data), 7)

    unbuffered = io.TextIOWrapper(Parts(), write_through=True)  # type: ignore[arg-type]
    monkeypatch.setattr("sys.stdout", unbuffered)
    buffer_stdout()
    write_lines(b"a line that is longer than that\n")
    write_lines(b"another\n")
    assert written == b"a line that is longer than that\nanother\n"
    Output().result("and one for a person")
    assert written.endswith(b"\nand one for a person\n")


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("args", [("--help",), ("info", "demo"), ("info", "demo", "--json")])
def test_a_disk_that_fills_up_behind_stdout(
    dmn_process: Process, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, args: tuple[str, ...], unbuffered: str
) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    with (tmp_path / "out").open("wb") as out, disk_that_fills_up(400):
        process = dmn_process(*args, stdout=out.fileno())
        _, err = process.communicate(timeout=60)
    assert process.returncode == 5, err
    assert b"there is no room left to write" in err
    assert b"Exception ignored" not in err


def test_force_overwrites_what_dmn_wrote(dmn: Dmn, run: Path, world: Path, tmp_path: Path) -> None:
    data, trained, predictions = (tmp_path / name for name in ("data", "run", "predictions.jsonl"))
    commands = (
        ("prepare", "story", "--tasks", "1", "--questions", 20, "--out", data),
        ("train", world, "--out", trained, "--epochs", 1, "--set=model.hidden=4", "--set=training.steps=1"),
        ("eval", run, world, "--predictions", predictions),
    )
    for command in commands:
        assert dmn(*command).code == 0
        fails(dmn(*command), 2, "--force")
        assert dmn(*command, "--force").code == 0
    assert sorted(tmp_path.iterdir()) == sorted([data, trained, predictions])


def test_force_replaces_the_folder_that_a_link_points_at(dmn: Dmn, tmp_path: Path) -> None:
    link, data = tmp_path / "link", tmp_path / "data"
    prepare = ("prepare", "story", "--tasks", "1", "--questions", 20, "--out")
    assert dmn(*prepare, data).code == 0
    link.symlink_to(data)
    assert dmn(*prepare, link, "--force").code == 0
    assert sorted(tmp_path.iterdir()) == [data, link]
    assert (link / "dataset.json").is_file()


def test_force_on_the_current_folder_loses_nothing(
    dmn: Dmn, run: Path, world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may do what it was asked or refuse, but not fail once the old one is gone."""
    for source, command in (
        (world, ("prepare", "story", "--questions", 20)),
        (run, ("train", world, "--epochs", 1, "--set=training.steps=1")),
    ):
        here = Path(shutil.copytree(source, tmp_path / source.name))
        monkeypatch.chdir(here)
        result = dmn(*command, "--out", ".", "--force")
        assert result.code in (0, 2), result.err
        assert sorted(path.name for path in here.iterdir()) == sorted(path.name for path in source.iterdir())


@pytest.mark.parametrize("size", [0, 10_000])
def test_a_full_disk(dmn: Dmn, tmp_path: Path, size: int) -> None:
    with disk_that_fills_up(size):
        result = dmn("prepare", "story", "--out", tmp_path / "data")
    gc.collect()  # a file that was left open would be found only now
    fails(result, 5, "no room left to write")
    assert not list(tmp_path.iterdir())


def test_a_disk_that_fills_up_in_training(dmn: Dmn, world: Path, tmp_path: Path) -> None:
    """The weights fit, the checkpoint with the optimiser's state doesn't."""
    with disk_that_fills_up(250_000):
        result = dmn(
            "train", world, "--out", tmp_path / "run", "--epochs", 1, "--set=model.hidden=32", "--set=training.steps=1"
        )
    fails(result, 5, "no room left to write")
    assert not [path for path in tmp_path.rglob("*") if ".tmp" in path.name]
