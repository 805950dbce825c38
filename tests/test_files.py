"""Files: whole or not at all, whatever happens as they are written."""

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from dmn_cli.errors import UsageError
from dmn_cli.files import LOCK, append_line, atomic_directory, atomic_file, check_output, clear, tidy

LIMITED = """
import resource, sys
from pathlib import Path
from dmn_cli import files
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    getattr(files, sys.argv[1])(Path(sys.argv[2]), eval(sys.argv[3]))
except OSError as error:
    print(error.filename, error.errno)
"""
GONE = 2**22 + 1  # no process has this number


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
@pytest.mark.parametrize(("how", "what"), [("write_text", "'x' * 99999"), ("append_line", "b'x' * 70")])
def test_where_nothing_more_can_be_written_a_file_stays_as_it_was(tmp_path: Path, how: str, what: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"line of 40 bytes" + b"." * 23 + b"\n")
    command = [sys.executable, "-c", LIMITED, how, path, what]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.split()[0] == str(path)
    assert path.read_bytes() == b"line of 40 bytes" + b"." * 23 + b"\n"
    assert [other.name for other in tmp_path.iterdir()] == ["file"]


def test_a_line_is_added(tmp_path: Path) -> None:
    for line in (b"a\n", b"b\n"):
        append_line(tmp_path / "log", line)
    assert (tmp_path / "log").read_bytes() == b"a\nb\n"


def test_what_fails_half_way_leaves_what_was_there(tmp_path: Path) -> None:
    for name in ("file", "folder/file"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("before")
    with suppress(RuntimeError), atomic_file(tmp_path / "file") as file:
        file.write(b"half")
        raise RuntimeError
    with suppress(RuntimeError), atomic_directory(tmp_path / "folder") as folder:
        (folder / "file").write_text("half")
        raise RuntimeError
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]
    assert (tmp_path / "file").read_text() == (tmp_path / "folder" / "file").read_text() == "before"


def test_what_killed_processes_left_goes_and_what_they_moved_away_comes_back(tmp_path: Path) -> None:
    (tmp_path / f".model.{GONE}.old").mkdir()
    (tmp_path / f".model.{GONE}.old" / "config.json").touch()
    (tmp_path / f".model.{GONE}.tmp").mkdir()
    for name in (f".log.{GONE}.tmp", f".log.{os.getppid()}.tmp", ".notes.tmp", "kept"):
        (tmp_path / name).touch()
    tidy(tmp_path)
    left = {".notes.tmp", "kept", "model"}  # the user's, and one of a process that is alive
    assert {path.name for path in tmp_path.iterdir()} == left | {f".log.{os.getppid()}.tmp"}
    assert (tmp_path / "model" / "config.json").exists()
    (tmp_path / f".model.{GONE}.old").mkdir()  # killed before the old one was removed
    tidy(tmp_path)
    assert (tmp_path / "model" / "config.json").exists()
    assert not (tmp_path / f".model.{GONE}.old").exists()


def test_what_killed_processes_left_is_no_output(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / LOCK).touch()
    (out / f".config.toml.{GONE}.tmp").touch()
    check_output(out, force=False)
    (out / "notes").touch()
    with pytest.raises(UsageError, match="exists already"):
        check_output(out, force=False)


def test_a_folder_is_cleared_but_for_its_lock(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for name in ("config.toml", LOCK, "folder/file"):
        (tmp_path / name).touch()
    clear(tmp_path, last="config.toml")
    assert [path.name for path in tmp_path.iterdir()] == [LOCK]
