"""Finds bAbI's files: in the archive as downloaded, in its unpacked folder, or given one by one; and writes such."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from dmn_cli.data.formats.babi import lines, parse
from dmn_cli.data.formats.splits import hold_out, split_named
from dmn_cli.data.sources import archives
from dmn_cli.errors import DataError, UsageError
from dmn_cli.files import atomic_directory, write_json
from dmn_cli.records.text import Story

FORMAT_VERSION = 1  # of SOURCE
USUAL = "en-10k"  # the variant where none is named and it is there
VARIANTS = ("en", "en-10k", "shuffled", "shuffled-10k", "hn", "hn-10k", "en-valid", "en-valid-10k")
SOURCE = "story.json"  # beside the files that `write` writes
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
_NAME = re.compile(r"qa(\d{1,3})(?:_[\w-]*)?_([a-z]+)\.txt", re.IGNORECASE)


@dataclass(frozen=True)
class TaskFile:
    """The file of one task and one split, wherever it is."""

    task: str
    split: str
    name: str  # where a person would look for it
    path: Path

    @property
    def size(self) -> int:
        return self.path.stat().st_size

    def stories(self, progress: Callable[[int], None] = lambda n: None) -> Iterator[Story]:
        """`progress` takes the bytes that have been read since the last call. Raises: DataError, with file:line"""
        for member in archives.members(self.path, progress=progress):
            yield from parse(replace(member, name=self.name).lines(), self.task, self.name)


@dataclass
class BabiFiles:
    """The files that were found, and the names of those that were not."""

    files: list[TaskFile]
    missing: list[str]
    variant: str  # that was named, or found; "": single files, of which none was named
    tasks: list[str]

    @property
    def size(self) -> int:
        """Their bytes in all."""
        return sum(file.size for file in self.files)

    def stories(
        self, seed: int, progress: Callable[[int], None] = lambda n: None, *, supports: bool = True
    ) -> Iterator[tuple[str, Story]]:
        """(split, story) pairs. Where a task has no validation file, a tenth of its training stories is held out.

        supports: whether questions say which facts support their answers
        """
        validated = {file.task for file in self.files if file.split == "valid"}
        for file in self.files:
            stories = file.stories(progress)
            pairs = ((file.split, story if supports else _unsupported(story)) for story in stories)
            yield from pairs if file.task in validated else hold_out(pairs, seed)


def _unsupported(story: Story) -> Story:
    return story._replace(questions=tuple(question._replace(support=()) for question in story.questions))


@contextmanager
def find(
    paths: list[Path], variant: str | None, tasks: list[str] | None, *, skip_missing: bool = False
) -> Iterator[BabiFiles]:
    """The files of some tasks, from an archive, its unpacked folder or single files.

    variant: None: en-10k where it is there, or else the only one that is; tasks: None: all that are there. In an
    archive or a folder, each task must have a training and a test file, and a validation file in the variants that have
    one. A task that lacks one is an error; with `skip_missing` it is left out, and the file named in `missing`. Single
    files needn't be complete.

    Raises: UsageError where a path or variant isn't there; DataError where an archive is damaged, or there are several
    variants to choose from.
    """
    if variant is not None and variant not in VARIANTS:
        raise UsageError(f"there is no variant {variant!r}", hint=f"The variants are {', '.join(VARIANTS)}.")
    with tempfile.TemporaryDirectory(prefix="dmn-") as scratch:
        found: dict[tuple[str, str], TaskFile] = {}
        chosen, whole = variant or "", False
        for path in paths:
            if path.is_dir():
                (chosen, files), whole = _in_folder(path, variant), True
            elif archives.is_archive(path):
                (chosen, files), whole = _in_archive(path, variant, tasks, Path(scratch)), True
            else:
                files = [_single(path)]
            for file in files:
                if found.setdefault((file.task, file.split), file) is not file:
                    raise UsageError(f"{file.task} has two files for {file.split}", where=file.name)
        wanted = sorted(tasks or {task for task, _ in found}, key=_number)
        missing = _missing(found, wanted, chosen) if whole else {}
        names = [name for names in missing.values() for name in names]
        if names and not skip_missing:
            raise DataError(
                f"missing: {', '.join(names)}",
                where=", ".join(str(path) for path in paths),
                hint="Leave these tasks out with --tasks, or skip what is missing with --skip-missing.",
            )
        splits = ("train", "valid", "test")
        keep = [found[t, split] for split in splits for t in wanted if (t, split) in found and t not in missing]
        if not keep:
            raise DataError("has none of the tasks asked for", where=", ".join(str(path) for path in paths))
        yield BabiFiles(keep, names, chosen, [task for task in wanted if any(file.task == task for file in keep)])


def _missing(found: dict[tuple[str, str], TaskFile], tasks: list[str], variant: str) -> dict[str, list[str]]:
    needed = ("train", "valid", "test") if "valid" in variant else ("train", "test")
    lacking = {task: [s for s in needed if (task, s) not in found] for task in tasks}
    return {task: [f"{variant}/{task}_*{s}.txt" for s in splits] for task, splits in lacking.items() if splits}


def _only(places: Iterable[str], path: Path) -> str:
    """The variant to read where none was named. Raises: DataError where there are several, or none."""
    there = sorted(set(places))
    if USUAL in there:
        return USUAL
    if len(there) != 1:
        said = f"has several variants: {', '.join(there)}" if there else "has no bAbI files"
        raise DataError(said, where=path, hint="Say which with --variant." if there else None)
    return there[0]


def _task_of(name: str) -> tuple[str, str] | None:
    match = _NAME.fullmatch(PurePosixPath(name).name)
    split = split_named(match[2]) if match else None
    return (f"qa{int(match[1])}", split) if match and split else None


def _number(task: str) -> int:
    return int(task.removeprefix("qa"))


def _single(path: Path) -> TaskFile:
    task = _task_of(path.name)
    if task is None:
        raise UsageError(
            "is not named like bAbI's files",
            where=path,
            hint="They have names like qa1_single-supporting-fact_train.txt.",
        )
    if not path.is_file():
        raise UsageError("there is no such file", where=path)
    return TaskFile(*task, name=str(path), path=path)


def _in_folder(folder: Path, variant: str | None) -> tuple[str, list[TaskFile]]:
    """The variant and its files. Looks in FOLDER/variant, in FOLDER/*/variant, and in FOLDER itself unless its name
    says another variant."""
    itself = folder.resolve().name
    places = {}
    for place in (folder, *sorted(folder.glob("*/")), *sorted(folder.glob("*/*/"))):
        files = [_single(path) for path in sorted(place.glob("qa*.txt")) if _task_of(path.name)]
        if files:
            places.setdefault(place.resolve().name, files)
    if variant is None:
        variant = _only(places, folder)
    elif variant not in places and itself in places and itself not in VARIANTS:
        return variant, places[itself]
    if variant not in places:
        raise DataError(f"has no folder {variant!r} with bAbI files", where=folder)
    return variant, places[variant]


def _in_archive(path: Path, variant: str | None, tasks: list[str] | None, scratch: Path) -> tuple[str, list[TaskFile]]:
    """The variant, and its wanted members, copied to `scratch`, since they are read in another order than the
    archive's.

    Raises: as `archives.members` does; DataError where the archive doesn't have the variant.
    """
    files, places = _copied(path, variant or USUAL, tasks, scratch)
    if variant is None:
        variant = _only(places, path)
        if variant != USUAL:
            files, _ = _copied(path, variant, tasks, scratch)
    elif variant not in places:
        raise DataError(
            f"has no variant {variant!r}",
            where=path,
            hint=f"It has {', '.join(sorted(places)) or 'no bAbI files'}.",
        )
    return variant, files


def _copied(path: Path, variant: str, tasks: list[str] | None, scratch: Path) -> tuple[list[TaskFile], set[str]]:
    """Copies of those members that are of a variant and of some tasks; and the names of all variants."""
    places: set[str] = set()

    def wanted(inner: str) -> bool:
        task, place = _task_of(inner), PurePosixPath(inner).parent.name
        if task:
            places.add(place)
        return task is not None and place == variant and (tasks is None or task[0] in tasks)

    files = []
    for member in archives.members(path, wanted):
        task_and_split = _task_of(member.inner)
        assert task_and_split is not None  # it is wanted
        copy = scratch / "_".join(map(str, (len(files), *task_and_split)))
        with copy.open("wb") as target:
            shutil.copyfileobj(member.stream, target)
        files.append(TaskFile(*task_and_split, member.name, copy))
    return files, places


def write(out: Path, files: Iterable[tuple[str, str, Iterable[Story]]], source: dict[str, Any]) -> None:
    """Writes the folder `out`: a file for each (split, task, stories), and what these were made from in SOURCE."""
    with atomic_directory(out) as folder:
        for split, task, stories in files:
            with (folder / f"{task}_{TITLES[task]}_{split}.txt").open("w", encoding="utf-8", newline="\n") as file:
                for story in stories:
                    file.writelines(lines(story))
        write_json(folder / SOURCE, {"format_version": FORMAT_VERSION, **source})
