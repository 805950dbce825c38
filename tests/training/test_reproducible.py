"""The same seed, data and version make the same bytes: in other processes and folders, whatever Python's hashes are."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from helpers import COMMANDS

SMALL = "--set model.hidden=16 --set training.batch_size=32 --set training.parts=2 --set training.steps=1"


def begun(folder: Path, data: str, run: str, hash_seed: int) -> subprocess.Popen[bytes]:
    """Prepares names that change places and questions without an answer, and trains two networks as one model."""
    folder.mkdir()
    commands = (
        f"prepare story --tasks 1,5 --questions 100 --unanswerable 0.1 --out '{data}' --quiet --json",
        f"train '{data}' --out '{run}' --ensemble 2 --epochs 1 --device cpu {SMALL} --quiet --json",
    )
    environment = os.environ | {"PYTHONHASHSEED": str(hash_seed)}
    return subprocess.Popen([sys.executable, "-c", COMMANDS, *commands], cwd=folder, env=environment)


def digests(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file, by its path."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_the_same_training_makes_the_same_bytes(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    processes = begun(one, "data", "run", 1), begun(other, "other data", "another run", 4711)
    assert [process.wait() for process in processes] == [0, 0]
    for folder in ("model", "seed-1/model", "seed-2/model"):
        model = digests(one / "run" / folder)
        assert len(model) == 7
        assert model == digests(other / "another run" / folder)
    summary, other_summary = one / "data" / "dataset.json", other / "other data" / "dataset.json"
    # which has the name of the data set, that of its folder
    summary.write_text(summary.read_text().replace('"name": "data"', '"name": "other data"'))
    assert len(digests(summary.parent)) == 8
    assert digests(summary.parent) == digests(other_summary.parent)
