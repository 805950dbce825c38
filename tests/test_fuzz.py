"""tools/fuzz.py: what it watches for, that its inputs can be had again, and a few inputs of each kind.

`make fuzz` tries them all.
"""

import importlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dmn_cli.errors import DataError

TOOLS = Path(__file__).parent.parent / "tools"
SLOW = {"text to read": 2, "models": 3, "data sets": 4, "runs": 3, "predictions": 8, "ask --batch": 10, "stories": 6}
FEW = 60


@pytest.fixture(scope="module")
def tools() -> Iterator[dict[str, Any]]:
    """The modules by name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(TOOLS)
        yield {name: importlib.import_module(f"fuzzing.{name}") for name in ("kinds", "pool", "samples", "mutate")}


@pytest.fixture(scope="module")
def kinds(tools: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """By name. Of a run, there is what is made by hand."""
    folder, golden = tmp_path_factory.mktemp("fuzz"), tools["samples"].GOLDEN
    for name, like in (("data", "data-1"), ("run", "run-3"), ("text", "reading-1/text")):
        for path, content in tools["samples"].folder(golden / like).items():
            (folder / name / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / name / path).write_bytes(content)
    return {kind.name: kind for kind in tools["kinds"].kinds(folder)}


def judged(tools: dict[str, Any], load: Callable[[Path], object], times: int = 1) -> list[str]:
    """What is found of a reader."""
    kind = tools["kinds"].Kind("a kind", load, lambda: [{"a.txt": b"content"}], 1)
    tally = tools["pool"].run(kind, range(times), 1)
    assert tally.tried == times
    return [what for _, what in tally.findings]


def _fails(path: Path) -> None:
    raise ZeroDivisionError("here")


def _refuses(path: Path) -> None:
    raise DataError("no")


def _hangs(path: Path) -> None:
    while True:
        pass


def _ends(path: Path) -> None:
    os._exit(3)


def _takes_memory(path: Path) -> None:
    _ = b"1" * (700 << 20)


def _takes_all_memory(path: Path) -> None:
    _ = bytearray(1 << 45)


def _opens(path: Path) -> None:
    Path("/etc/passwd").read_bytes()


def _starts(path: Path) -> None:
    subprocess.run(["true"], check=True)


def _leaves(path: Path) -> None:
    (path.parent.parent / "up").write_bytes(b"")


@pytest.mark.parametrize(
    ("load", "said"),
    [
        (_fails, "ZeroDivisionError: here"),
        (_takes_memory, "took "),
        (_takes_all_memory, "took more than"),
        (_opens, "opened /etc/passwd"),
        (_starts, "subprocess.Popen"),
        (_leaves, "left ['up'] outside"),
    ],
)
def test_what_is_found(tools: dict[str, Any], load: Callable[[Path], object], said: str) -> None:
    found = judged(tools, load, times=2)
    assert len(found) == 2
    assert all(what.startswith(said) for what in found), found


def test_what_is_right_is_no_finding(tools: dict[str, Any]) -> None:
    assert judged(tools, Path.read_bytes) == judged(tools, _refuses) == []


def test_a_hang_and_the_end_of_the_process_are_found(tools: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """And the next input is read by another process."""
    monkeypatch.setattr(tools["pool"], "SECONDS", 0.2)
    began = time.process_time()
    assert judged(tools, _hangs)[0].startswith("hangs")
    assert time.process_time() - began < 5
    assert judged(tools, _ends, times=2) == ["the process died (3)"] * 2


def test_an_input_can_be_had_again(kinds: dict[str, Any]) -> None:
    """It follows from the kind, the seed and its number."""
    for kind in kinds.values():
        numbers = [len(kind.lies) + i for i in range(20)]
        first = [kind.input(number, 1) for number in numbers]
        assert [kind.input(number, 1) for number in numbers] == first
        assert [kind.input(number, 2) for number in numbers] != first
        assert sum(files not in kind.samples for files in first) > 10


def test_a_few_inputs_of_each_kind(tools: dict[str, Any], kinds: dict[str, Any]) -> None:
    """Samples are read, and of what is damaged nothing comes but errors of dmn's own."""
    for name, kind in kinds.items():
        first = len(kind.lies)
        tally = tools["pool"].run(kind, range(first, first + SLOW.get(name, FEW)), 1)
        assert not tally.findings, (name, tally.findings[:3])


@pytest.mark.parametrize("name", ["bAbI", "tables as text", "word vectors, gensim's", "models", "data sets", "stories"])
def test_samples_are_sound(kinds: dict[str, Any], name: str, tmp_path: Path) -> None:
    kind = kinds[name]
    for number, files in enumerate(kind.samples[:2]):
        kind.load(kind.place(tmp_path / str(number), files))
