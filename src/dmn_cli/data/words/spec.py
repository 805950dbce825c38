"""The tokenizer that a user chose, or that a spec describes, which travels with a data set and a model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from dmn_cli.data.words import from_spacy
from dmn_cli.data.words.pieces import MODEL, PIECES, SentencePieceTokenizer, Untrained
from dmn_cli.data.words.tokenizer import (
    RULES,
    Affixed,
    PlainTokenizer,
    SpacyTokenizer,
    Tokenizer,
    WhitespaceTokenizer,
    sha256,
)
from dmn_cli.data.words.trees import TreeTokenizer, labels_of
from dmn_cli.errors import DataError, UsageError

_MOST_PIECES = 1_000_000
_LARGEST_FILE = 1 << 26  # a model of a quarter of a million pieces has 5 MB
_FILES = {MODEL: "sha256", RULES: "rules"}  # file → the key of its SHA-256 in a spec
KINDS = {"spacy": SpacyTokenizer, "plain": PlainTokenizer, "whitespace": WhitespaceTokenizer}


class Choice(NamedTuple):
    """The options of a tokenizer, as a user chose them."""

    kind: str = "spacy"
    language: str = "en"
    lowercase: bool = True
    pieces: str | None = None  # for SentencePiece: how many to learn (None: PIECES), or the file of a model
    affixes: bool = False

    @property
    def learns(self) -> bool:
        """Whether its tokenizer may have to learn from the training stories."""
        return self.kind == "sentencepiece"

    def tokenizer(self) -> Tokenizer | Untrained:
        """Raises as `choose` does."""
        return choose(*self)


def choose(
    kind: str, language: str, lowercase: bool, pieces: str | None, with_affixes: bool = False
) -> Tokenizer | Untrained:
    """`pieces`: for SentencePiece: how many to learn (None: PIECES), or the file of a model.

    Raises: UsageError where these don't go together, the file isn't there or spaCy doesn't know the language; DataError
    where the file isn't a model.
    """
    tokenizer = _chosen(kind, language, lowercase, pieces, with_affixes)
    from_spacy.written(language)  # an unknown language is an error now, and not once all has been read
    return tokenizer


def _chosen(kind: str, language: str, lowercase: bool, pieces: str | None, with_affixes: bool) -> Tokenizer | Untrained:
    if kind != "sentencepiece":
        if pieces is not None:
            raise UsageError("--pieces is for --tokenizer sentencepiece", hint="Give both, or neither.")
        tokenizer = KINDS[kind](language, lowercase)
        return Affixed(tokenizer) if with_affixes else tokenizer
    if with_affixes:
        raise UsageError("--affixes is for words, and sentencepiece splits them into pieces")
    if pieces is None or pieces.isdecimal():
        number = PIECES if pieces is None else int(pieces[:9])
        if not 1 <= number <= _MOST_PIECES:
            raise UsageError(f"--pieces {pieces}: from 1 to {_MOST_PIECES} can be learnt")
        return Untrained(number, language, lowercase)
    path = Path(pieces)
    if not path.is_file():
        raise UsageError(
            "there is no such file",
            where=path,
            hint="--pieces takes a number, or the .model file of a SentencePiece model.",
        )
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise DataError(f"is larger than {_LARGEST_FILE >> 20} MiB, which no SentencePiece model is")
        return SentencePieceTokenizer(path.read_bytes(), language, lowercase)
    except DataError as error:
        raise DataError(error.message, where=path, hint="Give a .model file as SentencePiece writes it.") from error


def file_names(spec: dict[str, Any]) -> tuple[str, ...]:
    """The files that a tokenizer of this spec needs."""
    return tuple(name for name, key in _FILES.items() if key in spec)


def from_spec(spec: dict[str, Any], files: Mapping[str, bytes]) -> Tokenizer:
    """The tokenizer that a spec and its files describe.

    Raises: DataError where a file isn't the one that it was made with; UsageError where spaCy doesn't know its
    language; KeyError where the spec or the files lack something; TypeError where its labels are none.
    """
    for name, key in _FILES.items():
        if key in spec and sha256(files[name]) != spec[key]:
            raise DataError(f"{name} isn't the one that this tokenizer was made with")
    rules = files[RULES] if "rules" in spec else None
    language, lowercase = spec["language"], spec.get("lowercase", True)
    if spec["kind"] == "sentencepiece":
        return SentencePieceTokenizer(files[MODEL], language, lowercase, rules)
    words = KINDS[spec["kind"]](language, lowercase, rules)
    if (labels := labels_of(spec)) is not None:
        return TreeTokenizer(words, labels)
    return Affixed(words) if spec.get("affixes") else words
