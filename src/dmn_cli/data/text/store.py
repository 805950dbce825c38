"""A text that was split into words: memory-mapped, sentence by sentence.

text.json      format version, tokenizer, the names of what was read, words and sentences, SHA-256 of the files below
words.json     its distinct words, and how often each occurs
words.bin      uint32, positions in that list, sentence after sentence
sentences.bin  int64, where each sentence begins in words.bin, and the end of the last one
steps.bin      uint16, the words of each sentence; what says the form of a word (`--affixes`) isn't counted
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from dmn_cli.data.words.affixes import is_affix
from dmn_cli.data.words.vocabulary import UNKNOWN, Index
from dmn_cli.errors import DataError
from dmn_cli.files import file_digest, load_versioned_json

FORMAT_VERSION = 1
ABOUT, WORDS = "text.json", "words.json"
FILES = {"words.bin": np.uint32, "sentences.bin": np.int64, "steps.bin": np.uint16}
_AGAIN = "Run dmn prepare text again."


def is_prepared(path: Path) -> bool:
    """Whether this is a folder that dmn prepare text made."""
    return (path / ABOUT).is_file()


class Text:
    """One that was prepared."""

    def __init__(self, path: Path) -> None:
        """Raises: DataError where it is missing, damaged, or of a newer dmn."""
        self.path = path
        about = load_versioned_json(path / ABOUT, FORMAT_VERSION, DataError)
        try:
            self.tokenizer_spec, self.names = dict(about["tokenizer"]), list(about["texts"])
            self.words, self.sentences = int(about["words"]), int(about["sentences"])
            hashes = about["sha256"]
            if file_digest(path / WORDS) != hashes[WORDS]:
                raise DataError("is damaged: it isn't the file that was written", where=path / WORDS, hint=_AGAIN)
            listed = load_versioned_json(path / WORDS, FORMAT_VERSION, DataError)
            self.items, self.counts = listed["words"], np.array(listed["counts"], np.int64)
            "".join([*self.items, *self.names, hashes["words.bin"]]).encode()
            sizes = {"words.bin": about["tokens"], "sentences.bin": self.sentences + 1, "steps.bin": self.sentences}
            arrays = {name: np.memmap(path / name, kind, "r") for name, kind in FILES.items()}
        except FileNotFoundError as error:
            raise DataError("is missing from the text", where=error.filename, hint=_AGAIN) from error
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
            raise DataError("is damaged", where=path, hint=_AGAIN) from error
        for name, array in arrays.items():
            if len(array) != sizes[name]:
                raise DataError("is damaged: its length is wrong", where=path / name, hint=_AGAIN)
        self._ids, self._start, self.steps = (arrays[name] for name in FILES)
        self._check()
        self.fingerprint = hashes["words.bin"][:16]

    def _check(self) -> None:
        """Raises: DataError where a number leads nowhere."""
        lengths = np.diff(self._start)
        sound = {
            WORDS: self.counts.shape == (len(self.items),) and (self.counts >= 0).all() and self.items[0] == UNKNOWN,
            "words.bin": self._ids.max() < len(self.items),
            "sentences.bin": self._start[0] == 0 and self._start[-1] == len(self._ids) and (lengths > 0).all(),
            "steps.bin": (self.steps > 0).all() and (self.steps <= lengths).all(),
        }
        for name, is_sound in sound.items():
            if not is_sound:
                raise DataError("is damaged: it isn't what dmn writes", where=self.path / name, hint=_AGAIN)

    @cached_property
    def affixes(self) -> np.ndarray | None:
        """Which of the distinct words say the form of the word before: (distinct,) bool; None: none of them."""
        return np.array([is_affix(word) for word in self.items]) if self.tokenizer_spec.get("affixes") else None

    def take(self, sentences: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The words of some sentences, end to end, as positions in `items`, and the length of each sentence."""
        start = self._start[sentences]
        lengths = self._start[sentences + 1] - start
        within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        return self._ids[np.repeat(start, lengths) + within].astype(np.int64), lengths


def frequent(texts: Sequence[Text], known: Index, most: int) -> list[str]:
    """The most frequent words of texts that `known` lacks, and what says the form of words that is as frequent."""
    counts: dict[str, int] = {}
    for text in texts:
        for word, count in zip(text.items, text.counts.tolist(), strict=True):
            if word not in known.ids:
                counts[word] = counts.get(word, 0) + count
    counts.pop(UNKNOWN, None)
    ranked = sorted(counts, key=lambda word: -counts[word])  # of equals, the first that occurs
    words = [word for word in ranked if not is_affix(word)][:most]
    least = counts[words[-1]] if words else 0
    return words + [word for word in ranked if is_affix(word) and words and counts[word] >= least]
