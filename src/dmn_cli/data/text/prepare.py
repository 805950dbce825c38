"""Plain text → a prepared text (`store.py`), as a stream: what is held in memory are its distinct words."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dmn_cli.data.text.blocks import BLOCK, Block, blocks, worked
from dmn_cli.data.text.store import ABOUT, FILES, FORMAT_VERSION, WORDS, Text
from dmn_cli.data.words.affixes import is_affix
from dmn_cli.data.words.tokenizer import Tokenizer
from dmn_cli.data.words.vocabulary import UNKNOWN
from dmn_cli.errors import DataError
from dmn_cli.files import atomic_directory, file_digest, write_json

LONGEST = 100  # words of a sentence, which is cut there
_MOST_DISTINCT = 5_000_000  # words that are told apart; those that come later are unknown


class Numbered(NamedTuple):
    """A block of sentences, its words as positions in a list of its own."""

    words: list[str]
    ids: np.ndarray  # int32
    lengths: np.ndarray  # int32, of the sentences
    steps: np.ndarray  # uint16, the same without what says the form of words


def prepare(
    out: Path,
    texts: list[Path],
    tokenizer: Tokenizer,
    progress: Callable[[int], None] = lambda n: None,
    *,
    block: int = BLOCK,
) -> Text:
    """Writes the folder, all of it or nothing. progress: takes bytes, `blocks.size(texts)` in all

    Raises: UsageError where a text isn't there; DataError, with file:line, where it isn't UTF-8, or where there are
    fewer than two sentences.
    """
    with atomic_directory(out) as folder:
        ids: dict[str, int] = {UNKNOWN: 0}
        counts = np.zeros(1 << 16, np.int64)
        total = words = sentences = 0
        files = [(folder / name).open("wb") for name in FILES]
        try:
            files[1].write(np.zeros(1, np.int64).tobytes())
            for part in worked(blocks(texts, progress, block), tokenizer, _numbered):
                if len(ids) + len(part.words) <= _MOST_DISTINCT:
                    known = [ids.setdefault(word, len(ids)) for word in part.words]
                else:
                    known = [ids.get(word, 0) for word in part.words]
                numbers = np.array(known, np.uint32)[part.ids]
                if len(ids) > len(counts):
                    counts = np.concatenate([counts, np.zeros(max(len(counts), len(ids)), np.int64)])
                counts += np.bincount(numbers, minlength=len(counts))
                ends = total + np.cumsum(part.lengths, dtype=np.int64)
                for file, values in zip(files, (numbers, ends, part.steps), strict=True):
                    file.write(values.tobytes())
                total, words, sentences = (
                    total + len(numbers),
                    words + int(part.steps.sum()),
                    sentences + len(part.steps),
                )
        finally:
            for file in files:
                file.close()
        if sentences < 2:
            raise DataError("has fewer than two sentences", where=", ".join(map(str, texts)))
        listed = {"format_version": FORMAT_VERSION, "words": list(ids), "counts": counts[: len(ids)].tolist()}
        write_json(folder / WORDS, listed)
        about = {
            "format_version": FORMAT_VERSION,
            "texts": [path.name for path in texts],
            "tokenizer": tokenizer.spec,
            "words": words,
            "tokens": total,
            "sentences": sentences,
            "sha256": {name: file_digest(folder / name) for name in (WORDS, *FILES)},
        }
        write_json(folder / ABOUT, about)
    return Text(out)


def _numbered(block: Block, tokenizer: Tokenizer) -> Numbered:
    own: dict[str, int] = {}
    ids, lengths, steps = array("i"), array("i"), array("H")
    for line in block:
        for sentence in tokenizer.sentences(line):
            for piece in _pieces(tokenizer(sentence)):
                ids.extend(own.setdefault(word, len(own)) for word in piece)
                lengths.append(len(piece))
                steps.append(sum(not is_affix(word) for word in piece) or 1)
    made = (np.array(values, kind) for values, kind in ((ids, np.int32), (lengths, np.int32), (steps, np.uint16)))
    return Numbered(list(own), *made)


def _pieces(words: list[str]) -> list[list[str]]:
    """A sentence, or where it is too long, its parts of LONGEST words; what says the form of a word stays with it."""
    if not words:
        return []
    if len(words) <= LONGEST:
        return [words]
    begins = [i for i, word in enumerate(words) if i == 0 or not is_affix(word)]
    cuts = [*begins[::LONGEST], len(words)]
    return [words[start:end] for start, end in pairwise(cuts)]
