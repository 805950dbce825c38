"""Where bAbI's files lie: the archive as downloaded, its unpacked folder, or single files; and a folder of our own."""

from __future__ import annotations

import gzip
import io
import re
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from dmn_cli.data.formats.babi import lines, parse
from dmn_cli.data.formats.splits import hold_out
from dmn_cli.errors import DataError, UsageError
from dmn_cli.files import atomic_directory, write_json
from dmn_cli.records.text import Story

FORMAT_VERSION = 1  # of SOURCE
VARIANTS = ("en", "en-10k", "shuffled", "shuffled-10k", "hn", "hn-10k", "en-valid", "en-valid-10k")
SOURCE = "story.json"  # beside the files that we write
TITLES = {
    "qa1": "single-supporting-fact",
    "qa2": "two-supporting-facts",
    "qa3": "three-supporting-facts",
    "qa4": "two-arg-relations",
    "qa5": "three-arg-relations",
    "qa6": "yes-no-questions",
    "qa7": "counting",
    "qa8": "lists-sets",
    "qa9": "simple-negation",
    "qa10": "indefinite-knowledge",
    "qa11": "basic-coreference",
    "qa12": "conjunction",
    "qa13": "compound-coreference",
    "qa14": "time-reasoning",
    "qa15": "basic-deduction",
    "qa16": "basic-induction",
    "qa17": "positional-reasoning",
    "qa18": "size-reasoning",
    "qa19": "path-finding",
    "qa20": "agents-motivations",
}
_NAME = re.compile(r"qa(\d{1,2})(?:_[\w-]*)?_(train|valid|test)\.txt")
_MAX_FILE = 1 << 30  # no bAbI file comes near; a bound against archives made to fill a disk


@dataclass(frozen=True)
class TaskFile:
    """One task's file of one split, wherever it lies."""

    task: str
    split: str
    name: str  # as a person would look for it
    path: Path

    @property
    def size(self) -> int:
        return self.path.stat().st_size

    def stories(self, progress: Callable[[int], None] = lambda n: None) -> Iterator[Story]:
        """`progress` is told of each line how many bytes it has."""
        with self.path.open("rb") as file:
            yield from parse(_counted(file, progress), self.task, self.name)


@dataclass
class BabiFiles:
    """What was found of what was asked for."""

    files: list[TaskFile]
    missing: list[str]

    @property
    def size(self) -> int:
        """Bytes in all."""
        return sum(file.size for file in self.files)

    def stories(self, seed: int, progress: Callable[[int], None] = lambda n: None) -> Iterator[tuple[str, Story]]:
        """(split, story) pairs. Where a task has no validation file, a tenth of its training stories is held out."""
        validated = {file.task for file in self.files if file.split == "valid"}
        for file in self.files:
            told = ((file.split, story) for story in file.stories(progress))
            yield from told if file.task in validated else hold_out(told, seed)


def _counted(lines: Iterable[bytes], progress: Callable[[int], None]) -> Iterator[bytes]:
    for line in lines:
        progress(len(line))
        yield line


@contextmanager
def find(paths: list[Path], variant: str, tasks: list[str], *, skip_missing: bool = False) -> Iterator[BabiFiles]:
    """The files of the tasks asked for, from an archive, its unpacked folder or single files.

    Of single files, those of the tasks are taken as they are. Elsewhere each task must have its training and its test
    file, and its validation file in the variants that have one; a task that lacks one is an error, or left out and
    named in `missing` with `skip_missing`.

    Raises: UsageError where a path or variant isn't there; DataError where an archive is damaged.
    """
    if variant not in VARIANTS:
        raise UsageError(f"there is no variant {variant!r}", hint=f"The variants are: {', '.join(VARIANTS)}.")
    with tempfile.TemporaryDirectory(prefix="dmn-") as scratch:
        found: dict[tuple[str, str], TaskFile] = {}
        whole = False
        for path in paths:
            if path.is_dir():
                files, whole = _in_folder(path, variant), True
            elif path.name.endswith((".tar.gz", ".tgz", ".tar")):
                files, whole = _in_tar(path, variant, set(tasks), Path(scratch)), True
            else:
                files = [_single(path)]
            for file in files:
                if found.setdefault((file.task, file.split), file) is not file:
                    raise UsageError(f"{file.task} has two files for {file.split}", where=file.name)
        missing = _missing(found, tasks, variant) if whole else {}
        names = [name for names in missing.values() for name in names]
        if names and not skip_missing:
            raise DataError(
                f"missing: {', '.join(names)}",
                where=", ".join(str(path) for path in paths),
                hint="Leave these tasks out with --tasks, or skip what is missing with --skip-missing.",
            )
        splits = ("train", "valid", "test")
        keep = [found[t, split] for split in splits for t in tasks if (t, split) in found and t not in missing]
        if not keep:
            raise DataError("holds none of the tasks asked for", where=", ".join(str(path) for path in paths))
        yield BabiFiles(keep, names)


def _missing(found: dict[tuple[str, str], TaskFile], tasks: list[str], variant: str) -> dict[str, list[str]]:
    needed = ("train", "valid", "test") if "valid" in variant else ("train", "test")
    lacking = {task: [s for s in needed if (task, s) not in found] for task in tasks}
    return {task: [f"{variant}/{task}_*{s}.txt" for s in splits] for task, splits in lacking.items() if splits}


def _task_of(name: str) -> tuple[str, str] | None:
    match = _NAME.fullmatch(PurePosixPath(name).name)
    return (f"qa{int(match[1])}", match[2]) if match else None


def _single(path: Path) -> TaskFile:
    task = _task_of(path.name)
    if task is None:
        raise UsageError(
            "is not named as bAbI's files are",
            where=path,
            hint="For example qa1_single-supporting-fact_train.txt.",
        )
    if not path.is_file():
        raise UsageError("there is no such file", where=path)
    return TaskFile(*task, name=str(path), path=path)


def _in_folder(folder: Path, variant: str) -> list[TaskFile]:
    """Looks in FOLDER/variant, in FOLDER/*/variant, and in FOLDER itself unless its name says another variant."""
    itself = [] if folder.resolve().name in VARIANTS and folder.resolve().name != variant else [folder]
    for place in (folder / variant, *sorted(folder.glob(f"*/{variant}")), *itself):
        files = [_single(path) for path in sorted(place.glob("qa*.txt")) if _task_of(path.name)]
        if files:
            return files
    raise DataError(f"holds no folder {variant!r} with bAbI files", where=folder)


def _wanted(member: str, variant: str) -> tuple[str, str] | None:
    return _task_of(member) if PurePosixPath(member).parent.name == variant else None


def _no_variant(path: Path, variant: str, members: list[str]) -> DataError:
    there = sorted({PurePosixPath(m).parent.name for m in members if _task_of(m)})
    return DataError(
        f"holds no variant {variant!r}", where=path, hint=f"It holds: {', '.join(there) or 'no bAbI files'}."
    )


@contextmanager
def _unzipped(path: Path) -> Iterator[io.BufferedIOBase]:
    """gzip's own reader, since tarfile's reads no checksum."""
    with path.open("rb") as file:
        if file.peek(2)[:2] != b"\x1f\x8b":
            yield file
            return
        with gzip.open(file) as stream:
            yield stream


def _in_tar(path: Path, variant: str, tasks: set[str], scratch: Path) -> list[TaskFile]:
    """Reads a tar member by member in one pass; what is wanted is copied to a scratch file under a name of ours."""
    files, members = [], []
    try:
        with _unzipped(path) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                members.append(member.name)
                if not 0 <= member.size <= _MAX_FILE:  # wanted or not: tarfile would skip to its end, past the file's
                    raise DataError(
                        f"the member is {member.size} bytes long, which no bAbI file is",
                        where=f"{path}/{member.name}",
                    )
                task = _wanted(member.name, variant) if member.isfile() else None
                if task is None or task[0] not in tasks:
                    continue
                source = archive.extractfile(member)
                assert source is not None  # it is a file
                copy = scratch / f"{task[0]}_{task[1]}"
                with copy.open("wb") as target:
                    while block := source.read(1 << 20):
                        target.write(block)
                files.append(TaskFile(*task, f"{path}/{member.name}", copy))
            while stream.read(1 << 20):  # gzip checks its sum at the end
                pass
    except FileNotFoundError as error:
        raise UsageError("there is no such file", where=path) from error
    except (tarfile.TarError, EOFError, zlib.error, OSError, ValueError) as error:
        if isinstance(error, OSError) and not isinstance(error, tarfile.TarError) and error.errno is not None:
            raise
        raise DataError(
            f"the archive is damaged or cut short ({error})", where=path, hint="Download it again."
        ) from error
    if not files and not any(_wanted(member, variant) for member in members):
        raise _no_variant(path, variant, members)
    return files


def write(out: Path, told: Iterable[tuple[str, str, Iterable[Story]]], source: dict[str, Any]) -> None:
    """The folder `out` with a file for each (split, task, stories), and what they were made from in SOURCE."""
    with atomic_directory(out) as folder:
        for split, task, stories in told:
            with (folder / f"{task}_{TITLES[task]}_{split}.txt").open("w", encoding="utf-8", newline="\n") as file:
                for story in stories:
                    file.writelines(lines(story))
        write_json(folder / SOURCE, {"format_version": FORMAT_VERSION, **source})
