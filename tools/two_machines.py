"""Two machines, played by two torchrun agents that meet on loopback. One dies in the middle of a training, with
all of its processes, and comes back; the training then ends with the weights of one that a single process did
undisturbed.

    python tools/two_machines.py build/two-machines
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import safetensors.torch
import torch

SETTINGS = [
    *("--device", "cpu", "--epochs", "6", "--set", "training.parts=2", "--set", "training.steps=60"),
    *("--set", "model.hidden=16", "--set", "training.batch_size=32"),
]
STORE = {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}  # docs/scaling.md says why
DMN = [sys.executable, "-m", "dmn_cli"]
_PATIENCE = 600.0  # seconds


def main(folder: Path) -> None:
    """Raises: SystemExit where it doesn't end as it should"""
    shutil.rmtree(folder, ignore_errors=True)
    data, alone, run = folder / "data", folder / "alone", folder / "run"
    folder.mkdir(parents=True)
    subprocess.run(
        [*DMN, "prepare", "story", "--tasks", "1", "--questions", "500", "--out", str(data), "--quiet"], check=True
    )
    subprocess.run(
        [*DMN, "train", str(data), "--out", str(alone), *SETTINGS, "--processes", "1", "--quiet"], check=True
    )
    port = _free_port()

    def agent(name: str) -> subprocess.Popen[bytes]:
        meeting = ["--rdzv-backend", "c10d", "--rdzv-endpoint", f"127.0.0.1:{port}", "--rdzv-id", "two"]
        options = ["--nnodes", "2", "--nproc-per-node", "1", "--max-restarts", "3", *meeting]
        command = [sys.executable, "-m", "torch.distributed.run", *options, "-m", *DMN[2:]]
        with (folder / f"{name}.log").open("ab") as log:
            command += ["train", str(data), "--out", str(run), *SETTINGS]
            return subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | STORE)

    first, second = agent("first"), agent("second")
    try:
        _wait("the first epoch", lambda: _epochs(run) >= 1, first, second)
        _say(f"epoch {_epochs(run)} is done: the second machine dies")
        _kill(second)
        killed = time.monotonic()
        second = agent("second")
        at = _epochs(run)
        _wait("another epoch", lambda: _epochs(run) > at or first.poll() is not None, first)
        _say(f"back after {time.monotonic() - killed:.0f} s: epoch {_epochs(run)} is done")
        _wait("the end", lambda: first.poll() is not None and second.poll() is not None)
    finally:
        for process in (first, second):
            if process.poll() is None:
                _kill(process)
    if first.returncode or second.returncode:
        sys.exit(f"torchrun ended with {first.returncode} and {second.returncode}; {folder} has what it said")
    if _losses(run) != _losses(alone) or not _same_weights(run, alone):
        sys.exit(f"{run} is not what {alone} is")
    _say(f"done: the losses of {_epochs(run)} epochs and all weights are the same bits as those of one process")


def _kill(agent: subprocess.Popen[bytes]) -> None:
    """With the processes that it has started."""
    workers = Path(f"/proc/{agent.pid}/task/{agent.pid}/children").read_text(encoding="ascii").split()
    agent.kill()
    for worker in workers:
        os.kill(int(worker), signal.SIGKILL)
    agent.wait()


def _say(text: str) -> None:
    print(text, flush=True)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _wait(what: str, happened: Callable[[], bool], *agents: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _PATIENCE
    while not happened():
        if any(agent.poll() is not None for agent in agents):
            sys.exit(f"torchrun ended before {what}")
        if time.monotonic() > end:
            sys.exit(f"{what} takes too long")
        time.sleep(0.1)


def _lines(run: Path) -> list[dict[str, float]]:
    log = run / "metrics.jsonl"
    text = log.read_text(encoding="utf-8") if log.exists() else ""
    return [json.loads(line) for line in text.split("\n")[:-1]]


def _epochs(run: Path) -> int:
    return len(_lines(run))


def _losses(run: Path) -> list[tuple[float, ...]]:
    return [tuple(line[key] for key in ("epoch", "loss", "gate_loss", "valid_loss")) for line in _lines(run)]


def _same_weights(one: Path, other: Path) -> bool:
    ours, theirs = (safetensors.torch.load_file(run / "model" / "model.safetensors") for run in (one, other))
    return ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
