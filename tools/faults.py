"""Kills real trainings at random moments, resumes them, and compares what comes of them, bit by bit, with what comes of
trainings that nothing disturbed: python tools/faults.py FOLDER [--kills N] [--minutes M] [--seed S] [--case NAME ...]

Each training is `dmn train` in a process of its own, which is ended by SIGKILL at a random moment of a kind:

any            whenever
beginning      before its first checkpoint
step           in the computing of a step
checkpoint     as a checkpoint is being written
evaluation     as it validates
model          as the model directory is being replaced
helper         not the training but a process that helps it; the training must go on by itself
reading        in a step of reading, or as what was read is being kept

It is then resumed by `dmn train … --resume`, which is killed again now and then, until it is done. Compared are the
weights of the last checkpoint and Adam's state, every byte of the model directory, and all lines of metrics.jsonl (and
trials.jsonl) but for how long things took. Nothing half-written may be left, and no process.

FOLDER/faults.jsonl gets a line a training. Processes are forked from this one, which has imported everything: to import
PyTorch takes longer than these trainings. With --fresh each has an interpreter of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch

from dmn_cli.cli.app import main as dmn
from dmn_cli.training import helpers, loop, reading, saved, validation
from dmn_cli.training.tuning import found as found  # imported once for all that are forked

SMALL = ("--device", "cpu", "--set", "model.hidden=8", "--set", "training.batch_size=16")
SMALL += ("--set", "training.steps=1", "--set", "training.save_minutes=0.001", "--set", "training.flawless=1000000")
MARK = "DMN_FAULTS"  # in the environment of all processes of a training, by which those left behind are found


@dataclass(frozen=True)
class Case:
    """A kind of training, and the moments at which it is killed."""

    data: tuple[str, ...]
    options: tuple[str, ...]
    moments: tuple[str, ...]


_USUAL = ("any", "beginning", "step", "checkpoint", "evaluation", "model")
CASES = {
    "one": Case(("one",), ("--epochs", "3"), _USUAL),
    "joint": Case(("one", "two"), ("--epochs", "2"), _USUAL),
    "processes": Case(
        ("one",), ("--epochs", "6", "--set", "training.parts=2", "--processes", "2"), (*_USUAL, "helper", "helper")
    ),
    "restarts": Case(("one",), ("--epochs", "2", "--restarts", "2"), _USUAL),
    "tune": Case(("one",), ("--epochs", "3", "--tune", "900-questions"), _USUAL),
    "read": Case(
        ("one",),
        ("--epochs", "1", "--read", "TEXT", "--set", "model.sentence=gru", "--set", "reading.words=128"),
        (*_USUAL, "reading", "reading"),
    ),
}
AIMS: dict[str, tuple[tuple[Any, str], ...]] = {  # what is called at a moment: owner, name
    "step": ((loop.Training, "step"),),
    "checkpoint": ((saved, "save"),),
    "evaluation": ((validation, "evaluate"),),
    "model": ((loop, "keep"),),
    "helper": ((loop.Training, "step"),),
    "reading": ((reading.Reading, "step"), (saved, "save")),
}


@dataclass(frozen=True)
class Aim:
    """The nth call of what belongs to a moment is broken off after some seconds. nth 0: it is ended after so many."""

    moment: str
    nth: int
    after: float


class Trainings:
    """Data, trainings that nothing disturbed, and others that are."""

    def __init__(self, folder: Path, *, fresh: bool) -> None:
        self.folder, self.fresh = folder, fresh
        self.sessions: set[int] = set()  # of the trainings' processes
        folder.mkdir(parents=True, exist_ok=True)
        for task, name in ((1, "one"), (6, "two")):
            if not (folder / name).exists():
                prepare = ("prepare", "story", "--tasks", str(task), "--questions", "60", "--out", str(folder / name))
                self._ended(self._run([*prepare], "data"))
        (folder / "TEXT").write_text("Mary went to the kitchen . John is in the garden .\n" * 60, encoding="utf-8")
        self._whole: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}

    def command(self, name: str, run: Path, *, resume: bool) -> list[str]:
        case = CASES[name]
        options = [str(self.folder / option) if option == "TEXT" else option for option in case.options]
        more = ["--resume", *_processes(case)] if resume else [*SMALL, *options]
        return ["train", *(str(self.folder / data) for data in case.data), "--out", str(run), *more]

    def whole(self, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """What comes of a training that nothing disturbs; and its seconds, calls, and how long a call took."""
        if name not in self._whole:
            run, timed = self.folder / f"{name}.whole", self.folder / f"{name}.calls.json"
            shutil.rmtree(run, ignore_errors=True)
            began = time.perf_counter()
            self._ended(self._run(self.command(name, run, resume=False), name, None if self.fresh else timed))
            times = {} if self.fresh else json.loads(timed.read_text())
            self._whole[name] = contents(run), {"seconds": time.perf_counter() - began, **times}
        return self._whole[name]

    def aim(self, name: str, moment: str, chance: random.Random) -> Aim:
        """A random one."""
        _, times = self.whole(name)
        if moment == "any":
            return Aim(moment, 0, chance.uniform(0, times["seconds"]))
        if moment == "beginning":
            return Aim(moment, 0, chance.uniform(0, times["first"]))
        calls = times[moment]
        return Aim(moment, chance.randint(1, len(calls)), chance.uniform(0, 1.1 * sorted(calls)[len(calls) // 2]))

    def broken_off(self, name: str, aim: Aim, chance: random.Random) -> dict[str, Any]:
        """A training that is, resumed until it is done, and compared. Returns the line for faults.jsonl."""
        whole, times = self.whole(name)
        run = self.folder / f"{name}.broken"
        shutil.rmtree(run, ignore_errors=True)
        log: list[str] = []
        resume, aims = False, [aim]
        while True:
            code = self._run(self.command(name, run, resume=resume), name, aims[-1])
            log.append(str(code))
            if code == 0 or (resume and code == 2 and "the training is over" in self.said(name)):
                break
            if resume and code == 2 and "there is no run to resume" in self.said(name):
                resume = False
            elif code == -signal.SIGKILL:
                resume = True
            else:
                return {"lost": f"exit code {code}: {self.said(name)[-300:]}", **_line(name, aims, log)}
            again = len(aims) < 3 and chance.random() < 0.35
            aims.append(Aim("any", 0, chance.uniform(0, times["seconds"])) if again else Aim("none", 0, 0.0))
        lost = _differences(whole, contents(run)) or self._left(run)
        return {"lost": lost, **_line(name, aims, log)}

    def _left(self, run: Path) -> str:
        """What is half-written or still running."""
        files = [path.name for path in run.rglob(".*")]
        deadline = time.monotonic() + 10
        while (processes := running(self.folder, self.sessions)) and time.monotonic() < deadline:
            time.sleep(0.1)
        return ", ".join([*files, *(f"process {process}" for process in processes)])

    def said(self, name: str) -> str:
        return (self.folder / f"{name}.said").read_text(encoding="utf-8", errors="replace")

    def _ended(self, code: int) -> None:
        if code:
            raise SystemExit(f"ended with {code}, undisturbed; see {self.folder}/*.said")

    def _run(self, command: list[str], name: str, how: Aim | Path | None = None) -> int:
        """Runs dmn in another process. Its exit code; minus a signal's number. how: when it is killed, or the file that
        gets how long its calls took"""
        said = self.folder / f"{name}.said"
        if self.fresh:
            return self._run_fresh(command, said, how if isinstance(how, Aim) else None)
        if process := os.fork():
            self.sessions.add(process)
            return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        try:
            os.setsid()
            _into(said)
            os.environ[MARK] = str(self.folder)
            sys.argv = ["dmn", *command]
            if isinstance(how, Aim):
                _arm(how)
            elif how:
                _count(how)
            dmn()
        except SystemExit as error:
            os._exit(int(error.code or 0))
        finally:
            os._exit(70)

    def _run_fresh(self, command: list[str], said: Path, aim: Aim | None) -> int:
        """It is killed from outside, at a moment of the clock."""
        limit = aim.after if aim and aim.moment != "none" else None
        with said.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "dmn_cli", *command],
                stdout=file,
                stderr=file,
                env={**os.environ, MARK: str(self.folder)},
            )
            try:
                return process.wait(timeout=limit)
            except subprocess.TimeoutExpired:
                process.kill()
                return process.wait()


def _processes(case: Case) -> tuple[str, ...]:
    """The option of it that isn't kept in the run."""
    return ("--processes", "2") if "--processes" in case.options else ()


def _line(name: str, aims: list[Aim], log: list[str]) -> dict[str, Any]:
    killed = [f"{aim.moment} {aim.nth or ''} +{aim.after:.4f} s" for aim in aims if aim.moment != "none"]
    return {"case": name, "moment": aims[0].moment, "killed": killed, "codes": log}


def _into(path: Path) -> None:
    """Both outputs of this process."""
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(number, stream)


def _count(path: Path) -> None:
    """Has this process write to a file how long each call took that a moment may be in."""
    began, times = time.perf_counter(), {moment: [] for moment in AIMS}
    first: list[float] = []

    def wrapped(call: Callable[..., Any], moments: list[str]) -> Callable[..., Any]:
        def timed(*given: Any, **named: Any) -> Any:
            start = time.perf_counter()
            result = call(*given, **named)
            for moment in moments:
                times[moment].append(time.perf_counter() - start)
            if call is save and not first:
                first.append(time.perf_counter() - began)
            path.write_text(json.dumps({"first": first[0] if first else 0.1, **times}), encoding="utf-8")
            return result

        return timed

    save = saved.save
    for target in {target for targets in AIMS.values() for target in targets}:
        _replace(target, lambda call, of=target: wrapped(call, [m for m, targets in AIMS.items() if of in targets]))


def _arm(aim: Aim) -> None:
    """Has this process end by a signal that nothing can handle, at a moment."""
    if aim.moment == "none":
        return
    if aim.nth == 0:
        _die_after(aim.after)
        return
    calls = 0

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def armed(*given: Any, **named: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == aim.nth and aim.moment == "helper":
                for process in _helpers(given[0]):
                    process.kill()
            elif calls == aim.nth:
                _die_after(aim.after)
            return call(*given, **named)

        return armed

    for target in AIMS[aim.moment]:
        _replace(target, counted)


def _helpers(training: loop.Training) -> list[subprocess.Popen[bytes]]:
    return [*training.helpers.processes.values()] if isinstance(training.helpers, helpers.Helpers) else []


def _die_after(seconds: float) -> None:
    """A process of its own waits and kills: a thread of this one would wait for the interpreter."""
    process = os.getpid()
    if os.fork() == 0:
        os.setsid()
        time.sleep(seconds)
        if os.getppid() == process:
            os.kill(process, signal.SIGKILL)
        os._exit(0)


def _replace(target: tuple[Any, str], make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    owner, name = target
    setattr(owner, name, make(getattr(owner, name)))


def contents(run: Path) -> dict[str, Any]:
    """All that must be the same, by file."""
    everything: dict[str, Any] = {}
    for path in sorted(run.rglob("*")):
        name = path.relative_to(run).as_posix()
        if not path.is_file() or path.name in ("data.json", "reading.jsonl", "curves.svg"):
            continue
        if path.parent.name == "checkpoints":
            of_steps = [other.name for other in path.parent.glob("step-*")]
            if path.name == max(of_steps, default="") or path.name not in of_steps:
                everything[name] = {key: str(t) + t.numpy().tobytes().hex() for key, t in _tensors(path).items()}
        elif path.suffix in (".jsonl", ".json") and path.parent.name != "model":
            lines = path.read_text(encoding="utf-8").splitlines() if path.suffix == ".jsonl" else [path.read_text()]
            everything[name] = [_timeless(json.loads(line)) for line in lines]
        else:
            everything[name] = path.read_bytes()
    return everything


def _tensors(path: Path) -> dict[str, Any]:
    return safetensors.torch.load_file(path)


def _timeless(value: Any) -> Any:
    """Without what differs from run to run: how long things took."""
    if isinstance(value, dict):
        return {key: _timeless(one) for key, one in value.items() if key not in ("seconds", "waiting", "paths")}
    return [_timeless(one) for one in value] if isinstance(value, list) else value


def _differences(whole: dict[str, Any], broken: dict[str, Any]) -> str:
    return ", ".join(name for name in sorted({*whole, *broken}) if whole.get(name) != broken.get(name))


def running(folder: Path, sessions: set[int]) -> list[int]:
    """Processes that belong to a training: forked by it, or started with its environment."""
    mark, found = f"{MARK}={folder}".encode(), []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            forked = os.getsid(int(path.name)) in sessions
            if forked or mark in (path / "environ").read_bytes().split(b"\0"):
                found.append(int(path.name))
        except OSError:
            continue
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=60, help="trainings that are broken off, at most")
    parser.add_argument("--minutes", type=float, default=1e9, help="no other begins after so many")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--case", action="append", choices=CASES, help="only this; may be repeated")
    parser.add_argument("--fresh", action="store_true", help="an interpreter for each; kills by the clock alone")
    asked = parser.parse_args()
    chance, began = random.Random(asked.seed), time.monotonic()
    trainings = Trainings(asked.folder.resolve(), fresh=asked.fresh)
    names = asked.case or list(CASES)
    turns = [(name, moment) for name in names for moment in CASES[name].moments]
    if asked.fresh:
        turns = [(name, "any") for name in names]
    chance.shuffle(turns)
    done: Counter[str] = Counter()
    kills = lost = 0
    for turn in range(asked.kills):
        if time.monotonic() - began > 60 * asked.minutes:
            break
        name, moment = turns[turn % len(turns)]
        line = trainings.broken_off(name, trainings.aim(name, moment, chance), chance)
        with (trainings.folder / "faults.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        of_this = line["codes"].count(str(-signal.SIGKILL)) + (moment == "helper")
        kills += of_this
        lost += bool(line["lost"])
        done[f"{name}, {moment}" if of_this else "over before the moment came"] += 1
        came = line["lost"] or "the same"
        sys.stdout.write(f"{turn + 1:>3}  {name:<10} {', '.join(line['killed']):<60} {of_this} killed, {came}\n")
        sys.stdout.flush()
    for kind, count in sorted(done.items()):
        sys.stdout.write(f"{count:>4}  {kind}\n")
    minutes = (time.monotonic() - began) / 60
    said = f"{sum(done.values())} trainings, {kills} kills, {lost} lost anything, {minutes:.0f} min"
    sys.stdout.write(said + "\n")
    sys.exit(bool(lost))


if __name__ == "__main__":
    main()
