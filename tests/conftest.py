"""What all tests share: the command `dmn`, a small world and a model that knows it."""

import io
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch

from dmn_cli.cli.app import main

Process = Callable[..., "subprocess.Popen[bytes]"]

# Selenium brings trio, whose plugin for Hypothesis warns where gc.freeze() was called before, as dmn ask --batch does
os.environ["HYPOTHESIS_NO_PLUGINS"] = "1"


@dataclass(frozen=True)
class Result:
    """What a run of dmn left behind."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        assert self.out.count("\n") == 1, self.out
        return strict_json(self.out)

    @property
    def lines(self) -> list[Any]:
        """The JSON lines on stdout."""
        return [strict_json(line) for line in self.out.removesuffix("\n").split("\n")]


Dmn = Callable[..., Result]


def strict_json(text: str) -> Any:
    """JSON as the standard has it: no NaN, no Infinity."""

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refuse)


def until_first_epoch(training: subprocess.Popen[bytes]) -> None:
    """Reads what a running dmn train says up to the line of its first epoch."""
    assert training.stderr
    while not (said := training.stderr.readline()).startswith(b"    1  "):
        assert said, "it ended before its first epoch did"


def fails(result: Result, code: int, *said: str) -> None:
    """Asserts how dmn fails: its exit code, one error on stderr that says what is wrong, and no result."""
    assert result.code == code, result.err
    assert result.out == ""
    assert "Traceback" not in result.err
    errors = [line for line in result.err.splitlines() if line.startswith(("error: ", "stopped: "))]
    assert len(errors) == 1, result.err
    assert errors[0].startswith("stopped: ") == (code in (130, 143))
    for text in said:
        assert text in result.err


@pytest.fixture(scope="session", autouse=True)
def _same_everywhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No colours, one width, and one thread for each process: several run side by side. Nothing gets into the user's
    cache. Ctrl-C is heeded, which processes that a shell starts in the background ignore, with all that they start."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("PYTHONUNBUFFERED", "FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS", "TTY_COMPATIBLE", "DMN_DEBUG"):
            patch.delenv(name, raising=False)
        values = {"NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "100", "OMP_NUM_THREADS": "1", "PYTHONUTF8": "1"}
        values["DMN_CACHE"] = str(tmp_path_factory.mktemp("cache"))
        for name, value in values.items():
            patch.setenv(name, value)
        yield


class _Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


@pytest.fixture(scope="session")
def dmn() -> Dmn:
    """dmn(*args, stdin=b"", terminal=False, encoding="utf-8") → Result: the entry point, run within this process.

    With `terminal`, stdout and stderr say that they are terminals. `encoding`: of both, at the beginning.
    """

    def run(*args: object, stdin: bytes = b"", terminal: bool = False, encoding: str = "utf-8") -> Result:
        kind = _Terminal if terminal else io.TextIOWrapper
        out = kind(io.BytesIO(), encoding=encoding, newline="")
        err = kind(io.BytesIO(), encoding=encoding, errors="backslashreplace", newline="")
        with (
            mock.patch.object(sys, "argv", ["dmn", *map(str, args)]),
            mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8")),
            mock.patch.object(sys, "stdout", out),
            mock.patch.object(sys, "stderr", err),
            mock.patch.dict(os.environ),
            pytest.raises(SystemExit) as ended,
        ):
            main()
        texts = []
        for stream in (out, err):
            stream.flush()
            texts.append(stream.buffer.getvalue().decode(stream.encoding))  # type: ignore[attr-defined]
        return Result(int(ended.value.code or 0), *texts)

    return run


@pytest.fixture
def little_memory() -> Iterator[None]:
    """The process gets 4 GiB more than it has, and no more."""
    [size] = [int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if "VmSize" in line]
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, ((size << 10) + (4 << 30), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.fixture
def dmn_process() -> Iterator[Process]:
    """dmn_process(*args, stdin=PIPE, stdout=PIPE, stderr=PIPE) → a running dmn; it is killed at the end of the test."""
    started: list[subprocess.Popen[bytes]] = []

    def start(
        *args: object, stdin: int = subprocess.PIPE, stdout: int = subprocess.PIPE, stderr: int = subprocess.PIPE
    ) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "dmn_cli", *map(str, args)]
        process = subprocess.Popen(command, stdin=stdin, stdout=stdout, stderr=stderr)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe:
                with suppress(OSError):
                    pipe.close()


@pytest.fixture(scope="session")
def world(dmn: Dmn, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared data set: 500 questions of qa1 from the story world."""
    out = tmp_path_factory.mktemp("world") / "data"
    result = dmn("prepare", "story", "--tasks", 1, "--questions", 500, "--out", out)
    assert result.code == 0, result.err
    return out


@pytest.fixture(scope="session")
def run(dmn: Dmn, world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose model is good at `world`, also with names that are new to it."""
    out = tmp_path_factory.mktemp("run") / "run"
    settings: dict[str, object] = {"model.hidden": 32, "training.batch_size": 128, "training.learning_rate": 0.01}
    settings |= {"model.dropout": 0, "training.gate_supervision": "ordered", "training.steps": 50}
    sets = [f"--set={key}={value}" for key, value in settings.items()]
    result = dmn("train", world, "--out", out, "--epochs", 10, "--device", "cpu", *sets)
    assert result.code == 0, result.err
    return out


@pytest.fixture
def story(tmp_path: Path) -> Path:
    """A story as a text file."""
    path = tmp_path / "story.txt"
    path.write_text("Mary went to the kitchen.\nJohn went to the office.\n", encoding="utf-8")
    return path


@pytest.fixture
def damaged(world: Path, tmp_path: Path) -> Path:
    """A copy of the data set, to be damaged."""
    return Path(shutil.copytree(world, tmp_path / "damaged"))


@pytest.fixture
def model(run: Path, tmp_path: Path) -> Path:
    """A copy of the model directory, to be damaged."""
    return Path(shutil.copytree(run / "model", tmp_path / "model"))
