"""Vectors for the words of a data set, read from a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from dmn_cli.data.vectors import files
from dmn_cli.data.vectors.found import FoundVectors, Progress, unknown_to_training
from dmn_cli.data.words.tokenizer import Tokenizer
from dmn_cli.data.words.vocabulary import Vocabulary
from dmn_cli.errors import DataError


def read(
    file: str,
    wanted: Iterable[str],
    *,
    extra: int = 0,
    keeps: Callable[[str], bool] = lambda word: True,
    folder: Path | None = None,
    progress: Progress = lambda n: None,
) -> FoundVectors:
    """The vectors that a file has for some words; `file` is as `files.find` takes it.

    A word gets the vector of the first entry that is spelled like it, else of the first that differs only in case.
    Also kept are the first `extra` entries that `keeps` accepts, wanted or not. `folder`: for a temporary file, which
    holds no more than these entries; None: where the system has such.

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

    with files.entries(files.find(file), progress) as entries, entries.keeping(folder) as kept:
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
    file: str,
    vocabulary: Vocabulary,
    tokenizer: Tokenizer,
    extra: int = 0,
    folder: Path | None = None,
    progress: Progress = lambda n: None,
) -> FoundVectors:
    """Those of a file for the words of a data set, and for its first `extra` words that the training split lacks.

    Raises: as `read`; DataError where the file has none of the words.
    """
    keeps = unknown_to_training(vocabulary, tokenizer)
    wanted = vocabulary.words.items[2:]
    found = read(file, wanted, extra=extra, keeps=keeps, folder=folder, progress=progress)
    if not found.words:
        raise DataError("has a vector for no word of the data", where=file)
    return FoundVectors(found.words, found.vectors, found.by_case, found.extra, {"path": file})


def _folded(word: str) -> bytes:
    return word.lower().encode(errors="surrogatepass")
