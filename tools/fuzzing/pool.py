"""Reads inputs in another process, which is watched: for time, memory, what it opens and starts, and how it ends."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from fuzzing.kinds import Kind

SECONDS = 10  # that an input may take, of the process's own time
MEBIBYTES = 500  # above what the process had before
_SOME = 20  # MiB that don't count: to begin anew takes a while
_AT_MOST = 3 << 30  # bytes above what the process has, however it got there
_NAMED = ("dataset.json", "vocabulary.json")  # of the data that a run names, whose digest dmn info compares
_PATIENCE = 180  # seconds of its own time, or ten times as many by the clock, until a process that can't be
# interrupted is killed
_STARTS = (
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "pty.spawn",
    "socket.connect",
    "os.symlink",
)


class Hang(BaseException):
    """It took too long."""


@dataclass
class Tally:
    """What became of the inputs of a kind."""

    tried: int = 0
    read: int = 0
    codes: Counter[int] = field(default_factory=Counter)
    slowest: float = 0.0
    most: int = 0  # MiB
    findings: list[tuple[int, str]] = field(default_factory=list)  # number, and what is wrong

    def add(self, number: int, outcome: Any, seconds: float, mebibytes: int) -> None:
        self.tried += 1
        self.slowest, self.most = max(self.slowest, seconds), max(self.most, mebibytes)
        if outcome == "read":
            self.read += 1
        elif isinstance(outcome, int):
            self.codes[outcome] += 1
        else:
            self.findings.append((number, outcome))


def run(
    kind: Kind, numbers: Iterable[int], seed: int, note: Callable[[int, str], None] = lambda n, what: None
) -> Tally:
    """Reads the inputs of these numbers. note: is told each finding"""
    tally, left = Tally(), list(numbers)
    context = get_context("fork")
    while left:
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=_work, args=(kind, left, seed, sender))
        process.start()
        sender.close()
        try:
            while left:
                _wait(receiver, process.pid)
                number, *result = receiver.recv()
                left.pop(0)
                tally.add(number, *result)
                if isinstance(result[0], str) and result[0] != "read":
                    note(number, result[0])
        except (EOFError, Hang) as ended:
            if isinstance(ended, Hang):
                process.kill()
            process.join()
            what = "hangs" if isinstance(ended, Hang) else f"the process died ({process.exitcode})"
            number = left.pop(0)
            tally.add(number, what, 0.0, 0)
            note(number, what)
        process.join()
    return tally


def _wait(receiver: Any, process: int | None) -> None:
    """Until something comes from the process. Raises: Hang"""
    begun, late = _seconds(process), time.monotonic() + 10 * _PATIENCE
    while not receiver.poll(5):
        if _seconds(process) - begun > _PATIENCE or time.monotonic() > late:
            raise Hang


def _seconds(process: int | None) -> float:
    """That another process has computed so far."""
    with contextlib.suppress(OSError):  # it has ended
        fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def _work(kind: Kind, numbers: list[int], seed: int, sender: Any) -> None:
    watched = _Watched()
    sys.addaudithook(watched.audit)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what libraries write by themselves
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    home = Path(tempfile.mkdtemp(prefix="dmn-fuzz-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    try:
        for files in kind.samples:  # imports what there is to import
            _tried(kind, home, lambda files=files: files, watched)
        gc.freeze()
        for number in numbers:
            outcome = _tried(kind, home, lambda number=number: kind.input(number, seed), watched)
            sender.send((number, *outcome))
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _tried(kind: Kind, home: Path, make: Callable[[], Any], watched: _Watched) -> tuple[Any, float, int]:
    """The outcome, seconds and MiB."""
    shutil.rmtree(home, ignore_errors=True)
    inside, scratch = home / "input", home / "scratch"
    inside.mkdir(parents=True)
    scratch.mkdir()
    tempfile.tempdir = str(scratch)
    files = make()
    path = kind.place(inside, files)
    del files
    if (_size("VmHWM") - _size("VmRSS")) >> 20 > _SOME:  # to make it took more than is left of it
        _settle()
    os.chdir(inside)
    limit = _size("VmSize") + _AT_MOST
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    before, begun = _size("VmRSS"), time.process_time()
    watched.begin(home)
    try:
        with _alarm():
            outcome = _outcome(kind, path)
    except Hang:
        outcome = f"hangs{_where(sys.exc_info()[2])}"
    finally:
        found = watched.end()
    seconds, most = time.process_time() - begun, (_size("VmHWM") - before) >> 20
    if most > _SOME:  # or what is kept for the next one wouldn't be counted then
        _settle()
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    if found:
        outcome = found
    elif most > MEBIBYTES and not (isinstance(outcome, str) and outcome != "read"):
        outcome = f"took {most} MiB"
    strangers = sorted(p.name for p in (*home.iterdir(), *scratch.iterdir()) if p not in (inside, scratch))
    if strangers:
        outcome = f"left {strangers} outside of the folder"
    os.chdir("/")
    return outcome, seconds, most


def _settle() -> None:
    """Gives back what is free; the most memory that this process had is now what it has."""
    _ = ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _outcome(kind: Kind, path: Path) -> Any:
    from dmn_cli.errors import DmnError

    try:
        code = kind.load(path)
        return code if isinstance(code, int) and code else "read"
    except DmnError as error:
        if len(str(error)) > 10_000:
            return f"a message of {len(str(error)):,} characters"
        return error.exit_code
    except MemoryError:
        return f"took more than {_AT_MOST >> 20} MiB{_where(sys.exc_info()[2])}"
    except Exception as error:
        said = str(error)[:200].encode("utf-8", "replace").decode()
        return f"{type(error).__name__}: {said}{_where(error.__traceback__)}"


def _where(trace: Any) -> str:
    """The last lines of ours in a traceback."""
    frames = [f for f in traceback.extract_tb(trace) if "dmn_cli" in f.filename]
    return "".join(f" < {Path(f.filename).name}:{f.lineno}" for f in reversed(frames[-3:]))


@contextlib.contextmanager
def _alarm() -> Iterator[None]:
    def late(*_: object) -> None:
        raise Hang

    signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _size(name: str) -> int:
    """In bytes, of this process."""
    status = Path("/proc/self/status").read_bytes()
    return int(status.partition(name.encode() + b":")[2].split(maxsplit=1)[0]) << 10


class _Watched:
    """Knows what was opened outside of a folder, or started. An audit hook can't be taken away again."""

    def __init__(self) -> None:
        self.home: str | None = None
        self.found: list[str] = []
        usual = (sys.prefix, sys.base_prefix, "/usr", "/proc", "/sys", "/dev/null", "/dev/urandom", "/etc/mime")
        self.usual = (*usual, str(Path(__file__).resolve().parents[2]), os.environ.get("DMN_CACHE", "/nowhere"))

    def begin(self, home: Path) -> None:
        self.home, self.found = str(home), []

    def end(self) -> str:
        self.home = None
        return "; ".join(self.found[:3])

    def audit(self, event: str, args: tuple[Any, ...]) -> None:
        if self.home is None:
            return
        if event in _STARTS:
            self.found.append(f"{event} {str(args)[:100]}")
        elif event == "open" and isinstance(args[0], str | bytes):
            path = os.path.realpath(os.fsdecode(args[0]))
            if not path.startswith((self.home, *self.usual)) and Path(path).name not in _NAMED:
                self.found.append(f"opened {path}")
