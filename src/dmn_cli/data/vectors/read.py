"""Vectors for the words of a data set, read from a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import nullcontext
from pathlib import Path

from dmn_cli.data.vectors import files
from dmn_cli.data.vectors.entries import Rows
from dmn_cli.data.vectors.found import FoundVectors, Progress, unknown_to_training
from dmn_cli.data.words.tokenizer import Tokenizer
from dmn_cli.data.words.vocabulary import Vocabulary
from dmn_cli.errors import DataError


def read(
    file: str | Rows,
    wanted: Iterable[str],
    *,
    extra: int = 0,
    keeps: Callable[[str], bool] = lambda word: True,
    folder: Path | None = None,
    progress: Progress = lambda n: None,
) -> FoundVectors:
    """The vectors that a file has for some words. `file`: as `files.find` takes it, or the rows of a data set.

    A word gets the vector of the first entry that is spelled like it, or else of the first one that differs only in
    case. The first `extra` entries that `keeps` accepts are added, wanted or not. `folder`: for a temporary file, which
    holds these entries and no others; None: the system's folder for such files.

    Raises: UsageError where there is no such file; DataError where it is damaged, with file:line where it has lines.
    """
    wanted = list(dict.fromkeys(wanted))
    exact = {word.encode(errors="surrogatepass"): word for word in wanted}
    in_any_case: dict[bytes, list[str]] = {}
    for word in wanted:
        in_any_case.setdefault(_folded(word), []).append(word)
    found: dict[str, int] = {}  # word → row of the vectors
    differing: dict[bytes, int] = {}
    extras: dict[str, int] = {}

    opened = nullcontext(file) if isinstance(file, Rows) else files.entries(files.find(file), progress)
    with opened as entries, entries.keeping(folder) as kept:
        for entry in entries:
            word = entry[0]
            if word.isascii():
                folded = word.lower()
            elif (text := entries.text(entry)) is None:
                continue
            else:
                folded = _folded(text)
            same = in_any_case.get(folded)
            if same is not None:
                if word in exact:
                    if (text := exact[word]) not in found:
                        found[text] = kept.add(entry)
                elif folded not in differing and not found.keys() >= set(same):
                    differing[folded] = kept.add(entry)
            if len(extras) < extra:
                text = entries.text(entry)
                if text and text not in extras and keeps(text):
                    extras[text] = found[text] if text in found else kept.add(entry)
        vectors = kept.vectors()

    by_case = [word for word in wanted if word not in found and _folded(word) in differing]
    found |= {word: differing[_folded(word)] for word in by_case}
    words = [word for word in wanted if word in found]
    words += [word for word in extras if word not in found]
    rows = found | extras
    return FoundVectors(words, vectors[[rows[word] for word in words]], by_case, list(extras))


def of_file(
    file: str | Rows,
    vocabulary: Vocabulary,
    tokenizer: Tokenizer,
    extra: int = 0,
    folder: Path | None = None,
    progress: Progress = lambda n: None,
) -> FoundVectors:
    """The vectors that a file has for the words of a data set, and for its first `extra` words that training lacks.

    Raises: as `read` does; DataError where the file has none of the words.
    """
    keeps = unknown_to_training(vocabulary, tokenizer)
    wanted = vocabulary.words.items[2:]
    name = file.name if isinstance(file, Rows) else file
    found = read(file, wanted, extra=extra, keeps=keeps, folder=folder, progress=progress)
    if not found.words:
        raise DataError("has a vector for no word of the data", where=name)
    return FoundVectors(found.words, found.vectors, found.by_case, found.extra, {"path": name})


def _folded(word: str) -> bytes:
    return word.lower().encode(errors="surrogatepass")
