"""dmn train as several processes: --processes, and torchrun, whose processes are killed and started again."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import safetensors.torch
import torch
from conftest import Dmn, fails

SETTINGS = [
    *("--device", "cpu", "--epochs", 3, "--set", "training.parts=2", "--set", "training.steps=40"),
    *("--set", "model.hidden=8", "--set", "training.batch_size=16"),
]
_PATIENCE = 600.0  # seconds


@pytest.fixture
def torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if torchrun had started this process, as the only one."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    for name, value in (("RANK", "0"), ("WORLD_SIZE", "1"), ("MASTER_ADDR", "127.0.0.1"), ("MASTER_PORT", port)):
        monkeypatch.setenv(name, value)


def weights(run: Path) -> dict[str, torch.Tensor]:
    return safetensors.torch.load_file(run / "model" / "model.safetensors")


def losses(run: Path) -> list[tuple[int, float, float]]:
    """An epoch each; none where there is no run yet, or no longer."""
    log = run / "metrics.jsonl"
    lines = map(json.loads, log.read_text(encoding="utf-8").splitlines() if log.exists() else [])
    return [(line["epoch"], line["loss"], line["valid_loss"]) for line in lines]


def assert_same_run(one: Path, other: Path) -> None:
    assert losses(one) == losses(other)
    ours, theirs = weights(one), weights(other)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def wait_for(happened: Callable[[], object], process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + _PATIENCE
    while not happened():
        assert process.poll() is None, "torchrun has ended"
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.05)


def workers(agent: int) -> dict[int, int]:
    """The processes that torchrun has started, by their rank."""
    found = {}
    for pid in Path(f"/proc/{agent}/task/{agent}/children").read_text(encoding="ascii").split():
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        except OSError:
            continue
        found |= {int(value[5:]): int(pid) for value in environment if value.startswith(b"RANK=")}
    return found


@pytest.fixture
def started(world: Path, tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """torchrun with two processes, which train to the folder `run`."""
    command = [*("--nproc-per-node", "2", "--max-restarts", "2", "--monitor-interval", "0.1", "-m", "dmn_cli")]
    command += ["train", str(world), "--out", str(tmp_path / "run"), *map(str, SETTINGS)]
    with (tmp_path / "said").open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "torch.distributed.run", *command], stdout=said, stderr=subprocess.STDOUT
        )
    yield process
    for pid in [*workers(process.pid).values()] if process.poll() is None else []:
        os.kill(pid, signal.SIGKILL)
    process.kill()
    process.wait()


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="it looks for processes in /proc")
def test_what_is_killed_under_torchrun_goes_on(
    dmn: Dmn, world: Path, tmp_path: Path, started: "subprocess.Popen[bytes]"
) -> None:
    """The first process before the first checkpoint, the second after it, and then all are told to stop. One process
    ends the run, and it is the one that nobody disturbed, with --processes. (Half a minute of processor time.)"""
    run, said = tmp_path / "run", tmp_path / "said"
    wait_for((run / "config.toml").is_file, started)
    first = workers(started.pid)
    assert not list((run / "checkpoints").glob("*"))
    os.kill(first[0], signal.SIGKILL)
    wait_for(lambda: losses(run), started)
    second = workers(started.pid)
    assert second.keys() == {0, 1}
    assert not {*first.values()} & {*second.values()}
    os.kill(second[1], signal.SIGKILL)
    wait_for(lambda: "resuming at epoch" in said.read_text(encoding="utf-8"), started)
    started.terminate()
    started.wait(_PATIENCE)
    assert started.returncode != 0
    text = said.read_text(encoding="utf-8")
    stopped = text.rpartition("resuming at epoch")[2]  # torchrun may have told the first to stop before, for the second
    assert stopped.count("everything is saved") == 1, text
    assert [epoch for epoch, *_ in losses(run)] == [*range(1, len(losses(run)) + 1)]
    assert dmn("train", world, "--out", run, "--resume").code == 0
    whole = dmn("train", world, "--out", tmp_path / "whole", *SETTINGS, "--processes", 2)
    assert whole.code == 0, whole.err
    assert "cpu (2 processes)" in whole.err
    assert_same_run(run, tmp_path / "whole")


def test_a_batch_has_a_part_for_each_process(dmn: Dmn, world: Path, tmp_path: Path) -> None:
    result = dmn("train", world, "--out", tmp_path / "run", *SETTINGS, "--processes", 3)
    fails(result, 2, "3 processes can't share a batch of 2 parts", "--set training.parts=3")
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("torchrun")
@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["eval", "demo", "nothing"], "dmn eval and dmn ask take --processes N"),
        (["train", "nothing", "--out", "RUN", "--force"], "--force would begin anew"),
        (["train", "nothing", "--out", "RUN", "--processes", "2"], "torchrun says how many processes"),
        (["train", "nothing", "--out", "RUN", "--device", "cuda:1"], "a GPU of its own"),
    ],
    ids=["eval", "--force", "--processes", "--device"],
)
def test_what_is_not_for_torchrun(dmn: Dmn, tmp_path: Path, command: list[str], said: str) -> None:
    words = [str(tmp_path / "run") if word == "RUN" else word for word in command]
    fails(dmn(*words), 2, said)
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("torchrun")
def test_torchrun_begins_a_run_once(dmn: Dmn, world: Path, tmp_path: Path) -> None:
    """The same command again finds it done, and one with other settings doesn't touch it."""
    run, settings = tmp_path / "run", [*SETTINGS, "--epochs", 1]
    first = dmn("train", world, "--out", run, *settings, "--json")
    again = dmn("train", world, "--out", run, *settings, "--json")
    assert (first.code, again.code) == (0, 0), first.err + again.err
    assert again.document == first.document
    assert len(losses(run)) == 1
    other = dmn("train", world, "--out", run, *settings, "--seed", 2)
    fails(other, 2, "is a run with other settings", "--out")
    assert len(losses(run)) == 1
