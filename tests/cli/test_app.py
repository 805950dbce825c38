"""The program itself: help, version, and what a mistake, a bug and Ctrl-C look like from outside."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from commands import QUESTION, filled_in
from conftest import Dmn, Process, Result, fails
from typer.main import get_command

import dmn_cli
from dmn_cli.cli.app import app


def test_version(dmn: Dmn) -> None:
    assert dmn("--version") == Result(0, f"dmn {dmn_cli.__version__}\n", "")


@pytest.mark.parametrize(
    "command",
    [
        *(f"prepare {name}" for name in ("babi", "image", "jsonl", "sst", "story", "table", "tagged", "text")),
        *("train", "eval", "compare", "ask", "report", "export", "info", "doctor"),
    ],
)
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_of_every_command(dmn: Dmn, command: str, option: str) -> None:
    result = dmn(*command.split(), option)
    assert (result.code, result.err) == (0, "")
    assert "Usage:" in result.out
    assert f"Example: dmn {command} " in f"{result.out} ".replace("\n", " ")
    assert "--json" in result.out
    assert "--quiet" in result.out
    shown: Any = get_command(app)
    for name in command.split():
        shown = shown.commands[name]
    text = shown.help
    assert " ".join(text.replace("\\[", "[").split()) in " ".join(result.out.split())
    assert not any("\n" in paragraph for paragraph in text.split("\n\n"))


@pytest.mark.parametrize("group", ["", "prepare"])
def test_help_names_every_command(dmn: Dmn, group: str) -> None:
    result = dmn(*group.split(), "--help")
    names = ("babi", "text") if group else ("train", "eval", "compare", "ask", "report", "export", "info", "doctor")
    assert all(f" {name} " in result.out for name in names)


def test_python_m_dmn_cli_is_dmn(dmn_process: Process) -> None:
    out, _ = dmn_process("train", "--help").communicate(timeout=30)
    assert "Usage: dmn train" in out.decode()


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("train WORLD --out NEW --bogus", "--bogus"),
        ("trian WORLD --out NEW", "train"),
        ("train --out NEW", "DATA"),
        ("train WORLD --out NEW --epochs 0", "--epochs"),
        ("train WORLD --out NEW --epochs many", "--epochs"),
        ("prepare story --out NEW --questions 1", "--questions"),
    ],
)
def test_a_command_line_that_does_not_parse(dmn: Dmn, world: Path, tmp_path: Path, command: str, said: str) -> None:
    fails(dmn(*filled_in(command, WORLD=world, NEW=tmp_path / "new")), 2, said)


@pytest.fixture
def bug(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: object, text: str) -> None:
        raise RuntimeError("the flux ran out")

    monkeypatch.setattr("dmn_cli.answering.encoder.Encoder.encode", broken)


def test_a_folder_that_is_gone(dmn: Dmn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    fails(dmn("ask", "demo", "--batch", "-", stdin=b"{}"), 2, "the folder that dmn runs in is gone", "cd")


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ("ask demo --batch - <&-", 2, "error: stdin is closed"),
        ("info demo >&-", 2, "error: stdout is closed"),
        ("info nowhere 2>&-", 2, ""),
        ("info demo <&- 2>&-", 0, ""),
    ],
)
def test_a_stream_that_is_closed(command: str, code: int, said: str) -> None:
    ended = subprocess.run(["sh", "-c", f'"$0" -m dmn_cli {command}', sys.executable], capture_output=True, timeout=120)
    assert ended.returncode == code
    assert ended.stderr.decode().startswith(said)
    assert (b"demo" in ended.stdout) == (code == 0)


@pytest.mark.usefixtures("bug")
def test_a_bug_owns_up_to_being_one(dmn: Dmn, run: Path, story: Path) -> None:
    ask = ("ask", run, "--story", story, "--question", QUESTION)
    fails(dmn(*ask), 70, "the flux ran out", "bug", "--debug")
    result = dmn("--debug", *ask)
    assert result.code == 70
    assert 'raise RuntimeError("the flux ran out")' in result.err


@pytest.mark.parametrize(("value", "shown"), [("1", True), ("0", False)])
@pytest.mark.usefixtures("bug")
def test_the_traceback_by_environment(
    dmn: Dmn, run: Path, story: Path, monkeypatch: pytest.MonkeyPatch, value: str, shown: bool
) -> None:
    monkeypatch.setenv("DMN_DEBUG", value)
    result = dmn("ask", run, "--story", story, "--question", QUESTION)
    assert result.code == 70
    assert ("Traceback" in result.err) == shown


def test_debug_shows_where_an_error_comes_from(dmn: Dmn, tmp_path: Path) -> None:
    result = dmn("--debug", "ask", tmp_path)
    assert result.code == 4
    assert "Traceback" in result.err
    assert "there is no model" in result.err.splitlines()[-2]


def test_a_model_and_a_data_set_in_the_wrong_order(dmn: Dmn, run: Path, world: Path) -> None:
    fails(dmn("eval", world, run), 4, "is a data set, not a model", "the model comes first")
    fails(dmn("eval", run, run), 3, "dataset.json: is missing: the folder holds no data set", "dmn prepare")


def test_an_interruption_anywhere_else(dmn: Dmn, run: Path, story: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(self: object, text: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dmn_cli.answering.encoder.Encoder.encode", interrupted)
    fails(dmn("ask", run, "--story", story, "--question", QUESTION), 130)
