"""Text → words.

A tokenizer is described by its `spec`, which is plain JSON, and by its `files`, if it has any. Both travel with the
data set and the model, so that a question is split into words exactly as the training data was (`spec.py`).
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Any, Protocol

from dmn_cli.data.words import from_spacy
from dmn_cli.data.words.affixes import affixes, is_affix
from dmn_cli.data.words.rules import Rules

RULES = "rules.json"


class Tokenizer(Protocol):
    @property
    def spec(self) -> dict[str, Any]:
        """Its kind, its language, whether it is `lowercase` (true if missing), and the SHA-256 of each of its files."""
        ...

    @property
    def files(self) -> dict[str, bytes]:
        """What it needs in addition to the spec, by name."""
        ...

    def __call__(self, text: str) -> list[str]:
        """The words of a text: none of them empty, and at least one if the text isn't blank."""
        ...

    def words(self, text: str) -> list[str]:
        """The words of a text with the case as written, for facts that are words."""
        ...

    def spelled(self, words: list[str]) -> list[str]:
        """Consecutive words of a text, as a person would write them."""
        ...

    def sentences(self, text: str) -> list[str]:
        """The sentences of a text; a line end always ends one."""
        ...


class OfLanguage:
    """The words and sentences of a language, with the case as written, by spaCy's rules without a trained pipeline."""

    def __init__(self, kind: str, language: str, lowercase: bool, rules: bytes | None = None) -> None:
        """`rules`: the file with the language's rules that came with the spec; None: they come from spaCy when needed.

        What needs them raises UsageError where spaCy doesn't know the language, DataError where the file is damaged.
        """
        self.kind, self.language, self.lowercase = kind, language, lowercase
        self._given = rules

    @property
    def spec(self) -> dict[str, Any]:
        spec = {"kind": self.kind, "language": self.language, "lowercase": self.lowercase}
        return spec if self._rules is None else {**spec, "rules": sha256(self._rules)}

    @property
    def files(self) -> dict[str, bytes]:
        return {} if self._rules is None else {RULES: self._rules}

    def words(self, text: str) -> list[str]:
        return self._cutter.words(text)

    def sentences(self, text: str) -> list[str]:
        return self._cutter.sentences(text)

    def spelled(self, words: list[str]) -> list[str]:
        return words

    def cased(self, text: str) -> str:
        return text.lower() if self.lowercase else text

    @cached_property
    def _rules(self) -> bytes | None:
        """The file; None where the language has more than rules."""
        return self._given or from_spacy.written(self.language)

    @cached_property
    def _cutter(self) -> Rules | from_spacy.SpacyItself:
        return Rules(self._rules) if self._rules else from_spacy.SpacyItself(self.language)


class SpacyTokenizer(OfLanguage):
    """Splits texts into words by spaCy's rules for a language."""

    KIND = "spacy"

    def __init__(self, language: str = "en", lowercase: bool = True, rules: bytes | None = None) -> None:
        """Raises: UsageError where spaCy doesn't know the language; DataError where the rules are damaged."""
        super().__init__(self.KIND, language, lowercase, rules)
        self.words("")  # raises what there is to raise

    def __call__(self, text: str) -> list[str]:
        return [self.cased(word) for word in self.words(text)]


class PlainTokenizer(SpacyTokenizer):
    """The same without punctuation: words that have a letter or a digit, unless a text has no such word."""

    KIND = "plain"

    def words(self, text: str) -> list[str]:
        words = super().words(text)
        return [word for word in words if any(map(str.isalnum, word))] or words


class WhitespaceTokenizer(OfLanguage):
    """Splits texts at blanks: for text that is tokenised already."""

    def __init__(self, language: str = "en", lowercase: bool = True, rules: bytes | None = None) -> None:
        """`language`: whose rules split texts into sentences."""
        super().__init__("whitespace", language, lowercase, rules)

    def __call__(self, text: str) -> list[str]:
        return self.cased(text).split()

    def words(self, text: str) -> list[str]:
        return text.split()


class Affixed:
    """Each word of another tokenizer, followed by what its form says (`affixes`)."""

    def __init__(self, tokenizer: SpacyTokenizer | WhitespaceTokenizer) -> None:
        self.tokenizer = tokenizer
        self.words, self.sentences = tokenizer.words, tokenizer.sentences

    @property
    def spec(self) -> dict[str, Any]:
        return {**self.tokenizer.spec, "affixes": True}

    @property
    def files(self) -> dict[str, bytes]:
        return self.tokenizer.files

    def __call__(self, text: str) -> list[str]:
        return [part for word in self.words(text) for part in (self.tokenizer.cased(word), *affixes(word))]

    def spelled(self, words: list[str]) -> list[str]:
        return [word for word in words if not is_affix(word)]


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
