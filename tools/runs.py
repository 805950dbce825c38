"""What the scripts behind docs/results.md share: the shell commands of docs/tour.md, each done once."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any


def dmn(*arguments: object) -> dict[str, Any]:
    """The JSON that a command prints."""
    command = [sys.executable, "-m", "dmn_cli", *map(str, arguments), "--json", "--quiet"]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def prepared(data: Path, *arguments: object) -> Path:
    """The data set `data`, prepared now if it isn't there."""
    if not data.exists():
        dmn("prepare", *arguments, "--out", data)
    return data


def trained(run: Path, data: Path | list[Path], *options: object) -> dict[str, Any]:
    """What `dmn train --json` says of `run`, trained now unless it was trained to its end before. If the same training
    was stopped, it goes on."""
    data = data if isinstance(data, list) else [data]
    if not trained_before(run):
        asked, command = run.with_name(f"{run.name}.asked.json"), json.dumps([*map(str, (*data, *options))])
        stopped = asked.exists() and asked.read_text(encoding="utf-8") == command and (run / "config.toml").exists()
        asked.write_text(command, encoding="utf-8")
        how = ("--resume",) if stopped else ("--force", *options)
        _said(run).write_text(json.dumps(dmn("train", *data, "--out", run, *how)), encoding="utf-8")
    return json.loads(_said(run).read_text(encoding="utf-8"))


def trained_before(run: Path) -> bool:
    """Whether `trained` need not train it."""
    return _said(run).exists()


def _said(run: Path) -> Path:
    return run.with_name(f"{run.name}.train.json")


def accuracy(run: Path, data: Path) -> float:
    """On the test split, measured once."""
    done = run.with_name(f"{run.name}.on.{data.name}.json")
    if not done.exists():
        done.write_text(json.dumps(dmn("eval", run, data)), encoding="utf-8")
    return json.loads(done.read_text(encoding="utf-8"))["accuracy"]


def answered(report: dict[str, Any]) -> int:
    """Questions a second, of what `dmn eval --json` says."""
    return round(report["questions"] / report["seconds"])


def percent(figures: list[float]) -> str:
    """Their mean ± standard deviation, in %."""
    if not figures:
        return "-"
    percents = [100 * figure for figure in figures]
    mean = f"{statistics.mean(percents):.2f}"
    return f"{mean} ± {statistics.stdev(percents):.2f}" if len(percents) > 1 else mean
