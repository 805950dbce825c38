"""Tries what make dist has built: whether wheel and sdist have all files, and whether the installed wheel works.

python tools/try_dist.py FOLDER PYTHON    FOLDER has both; PYTHON is that of a venv where the wheel is installed
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "src/dmn_cli/"
STORY = "Mary took the football.\nMary went to the garden.\nJohn went to the kitchen.\n"
COMMANDS = (
    "ask demo --story story.txt --question 'Where is the football?' --why",
    "eval demo --verify",
    "prepare story --tasks 1 --questions 200 --out data",
    "train data --out run --epochs 1 --set model.hidden=16",
    "eval run data",
    "eval run --verify",
    "report run data --out page.html",
    "doctor",
)


def main() -> None:
    folder, python = Path(sys.argv[1]), Path(sys.argv[2]).absolute()
    check(folder)
    works(python)


def check(folder: Path) -> None:
    """Raises: SystemExit where a file is missing, or the wheel has one that isn't the program's."""
    [wheel], [sdist] = folder.glob("*.whl"), folder.glob("*.tar.gz")
    package = {name.removeprefix("src/") for name in tracked(PACKAGE)}
    with zipfile.ZipFile(wheel) as file:
        names = {name for name in file.namelist() if ".dist-info/" not in name}
    with tarfile.open(sdist) as file:
        inside = {name.partition("/")[2] for name in file.getnames()}
    source = {*tracked(PACKAGE, "tests", "docs", "tools", "benchmarks", "completions"), "LICENSE", "README.md"}
    wrong = {
        f"{wheel} lacks": package - names,
        f"{wheel} has too much:": names - package,
        f"{sdist} lacks": source - inside,
    }
    for what, found in wrong.items():
        if found:
            raise SystemExit(f"{what} {', '.join(sorted(found))}")
    print(f"{wheel} has all {len(names)} files of the program, {sdist} has all {len(source)} of the source")


def tracked(*folders: str) -> list[str]:
    """Files that git knows, from the root."""
    listed = subprocess.run(["git", "ls-files", "-z", *folders], cwd=ROOT, check=True, capture_output=True, text=True)
    return listed.stdout.split("\0")[:-1]


def works(python: Path) -> None:
    """Runs the demo and a small training where the source isn't. Raises: SystemExit where one fails"""
    dmn = python.with_name("dmn")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "DMN_"))}
    with tempfile.TemporaryDirectory() as folder:
        environment["DMN_CACHE"] = f"{folder}/cache"
        (Path(folder) / "story.txt").write_text(STORY, encoding="utf-8")
        for command in COMMANDS:
            print(f"$ dmn {command}", flush=True)
            done = subprocess.run(f"'{dmn}' {command}", shell=True, cwd=folder, env=environment, check=False)
            if done.returncode:
                raise SystemExit(f"dmn {command.split()[0]} failed: exit code {done.returncode}")
        if not any((Path(folder) / "cache" / "native").iterdir()):
            raise SystemExit("the kernels in C were not compiled")
    print("The wheel works where nothing else is.")


if __name__ == "__main__":
    main()
