"""dmn train where something goes wrong: kills, signals, disks that are full or can't be written."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from conftest import Dmn, Process, Result, fails, until_first_epoch

from dmn_cli.training import checkpoint

if sys.platform == "win32":
    pytest.skip("signals, limits and mounts are those of POSIX", allow_module_level=True)

import resource

TOOL = Path(__file__).parents[2] / "tools" / "faults.py"
SMALL = (
    "--device",
    "cpu",
    "--set",
    "model.hidden=8",
    "--set",
    "training.steps=1",
    "--set",
    "training.flawless=1000000",
)


@pytest.fixture(scope="module")
def stopped(dmn: Dmn, world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two epochs, as it was after the first."""
    run = tmp_path_factory.mktemp("stopped") / "run"
    result = dmn("train", world, "--out", run, "--epochs", 2, *SMALL)
    assert result.code == 0, result.err
    checkpoint.found(run)[0].unlink()
    return run


def files(run: Path) -> dict[str, bytes]:
    return {path.relative_to(run).as_posix(): path.read_bytes() for path in run.rglob("*") if path.is_file()}


def unchanged(run: Path, before: dict[str, bytes]) -> None:
    """Its checkpoint and its model are those of before, and nothing half-written is there."""
    now = files(run)
    assert {name for name in now if "/." in f"/{name}"} == set()
    for name in before:
        if name.startswith(("checkpoints/", "model/")):
            assert now[name] == before[name], name


def test_killed_at_random_it_ends_as_if_nothing_had_been(tmp_path: Path) -> None:
    """A small part of `make faults`."""
    command = [sys.executable, TOOL, tmp_path, "--kills", "3", "--case", "one", "--seed", "2"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 trainings" in done.stdout
    assert " 0 lost anything" in done.stdout


def test_it_goes_on_where_nobody_reads_what_it_says(dmn_process: Process, world: Path, tmp_path: Path) -> None:
    """dmn train … 2>&1 | head -1"""
    reads, writes = os.pipe()
    process = dmn_process("train", world, "--out", tmp_path / "run", "--epochs", 2, *SMALL, stderr=writes)
    os.close(writes)
    os.read(reads, 1)
    os.close(reads)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert out.startswith(b"Done after 2 epochs")


def test_a_second_signal_ends_it_at_once(dmn_process: Process, dmn: Dmn, world: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    process = dmn_process("train", world, "--out", run, "--epochs", 1000, *SMALL)
    until_first_epoch(process)
    process.send_signal(signal.SIGSTOP)
    before = {path.name: path.read_bytes() for path in checkpoint.found(run)}
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGCONT)
    out, err = process.communicate(timeout=60)
    result = Result(process.returncode, out.decode(), err.decode()[err.decode().index("stopped: ") :])
    fails(result, 130, "at once; what was saved before is there", "Continue with: dmn train")
    assert {path.name: path.read_bytes() for path in checkpoint.found(run)}.items() >= before.items()
    assert checkpoint.last(run, torch.device("cpu"))[1] == []


def test_a_second_process_on_a_run_is_refused(dmn_process: Process, dmn: Dmn, world: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    process = dmn_process("train", world, "--out", run, "--epochs", 1000, *SMALL)
    until_first_epoch(process)
    for more in (("--resume",), ("--force", *SMALL)):
        fails(
            dmn("train", world, "--out", run, *more), 2, f"another dmn is training this run (dmn, process {process.pid}"
        )
    fails(dmn("train", world, "--out", run), 2, "there is a run here already", "--resume")
    process.kill()
    process.wait()


@pytest.mark.skipif(sys.platform != "linux", reason="children are found in /proc")
def test_no_helper_outlives_a_killed_training(dmn_process: Process, world: Path, tmp_path: Path) -> None:
    parts = ("--set", "training.parts=2", "--processes", 2)
    process = dmn_process("train", world, "--out", tmp_path / "run", "--epochs", 1000, *SMALL, *parts)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    deadline = time.monotonic() + 120
    while not (helpers := children.read_text().split()) or b"helper_process" not in command_line(helpers[0]):
        assert time.monotonic() < deadline, "no helper was started"
        time.sleep(0.05)
    process.kill()
    process.wait()
    while any(b"helper_process" in command_line(helper) for helper in helpers):
        assert time.monotonic() < deadline, "a helper is left"
        time.sleep(0.05)


def command_line(process: str) -> bytes:
    """Nothing, if it is gone."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return b""


def resumed(world: Path, run: Path, *, limit: int | None = None) -> Result:
    """In a process of its own, which may write no file of more bytes than the limit."""

    def limited() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    command = [sys.executable, "-m", "dmn_cli", "train", world, "--out", run, "--resume", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=limited)
    return Result(done.returncode, "", done.stderr)


def test_where_files_may_not_grow_the_last_checkpoint_stands(world: Path, stopped: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(stopped, tmp_path / "run"))
    before = files(run)
    fails(resumed(world, run, limit=8192), 5, "there is no room left to write (File too large)", str(run))
    unchanged(run, before)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount")
    if done.returncode:
        pytest.skip(f"mounting isn't allowed here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_a_full_disk_and_one_that_cannot_be_written(world: Path, stopped: Path, small_disk: Path) -> None:
    run = Path(shutil.copytree(stopped, small_disk / "run"))
    before = files(run)
    room = os.statvfs(small_disk)
    (small_disk / "other").write_bytes(b"." * (room.f_bavail * room.f_bsize - 16384))
    fails(resumed(world, run), 5, "there is no room left to write (No space left on device)")
    unchanged(run, before)
    (small_disk / "other").unlink()
    remount = ["mount", "-o", "remount,ro", small_disk]
    subprocess.run(remount, check=True)
    fails(resumed(world, run), 5, "can't be written (Read-only file system)")
    subprocess.run([*remount[:2], "remount,rw", small_disk], check=True)
    unchanged(run, before)
    assert resumed(world, run).code == 0
    assert len((run / "metrics.jsonl").read_text().splitlines()) == 2
