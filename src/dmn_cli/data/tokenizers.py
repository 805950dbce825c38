"""Text → words. The only file that knows spaCy.

A tokenizer is described by its `spec`, plain JSON that travels with the data set and the model, so that a question is
cut into words exactly as the training data was.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from dmn_cli.errors import UsageError

if TYPE_CHECKING:
    from spacy.language import Language


class Tokenizer(Protocol):
    @property
    def spec(self) -> dict[str, Any]: ...

    def __call__(self, text: str) -> list[str]:
        """The words of a text, never empty ones."""
        ...

    def words(self, text: str) -> list[str]:
        """The words of a text with the case as written, for facts that are words."""
        ...

    def sentences(self, text: str) -> list[str]:
        """The sentences of a text; a line end always ends one."""
        ...


class SpacyTokenizer:
    """spaCy's rules for a language, with no trained pipeline; words are lower-cased."""

    def __init__(self, language: str = "en") -> None:
        self._pipeline = _blank(language)
        self.spec = {"kind": "spacy", "language": language, "lowercase": True}

    def __call__(self, text: str) -> list[str]:
        return [token.text.lower() for token in self._pipeline.make_doc(text) if not token.is_space]

    def words(self, text: str) -> list[str]:
        return [token.text for token in self._pipeline.make_doc(text) if not token.is_space]

    def sentences(self, text: str) -> list[str]:
        return _sentences(self._pipeline, text)


class WhitespaceTokenizer:
    """Words are what stands between blanks, lower-cased: for text that is tokenised already."""

    def __init__(self, language: str = "en") -> None:
        """`language`: of the rules by which spaCy cuts a text into sentences."""
        self.spec = {"kind": "whitespace", "language": language, "lowercase": True}

    def __call__(self, text: str) -> list[str]:
        return text.lower().split()

    def words(self, text: str) -> list[str]:
        return text.split()

    def sentences(self, text: str) -> list[str]:
        return _sentences(self._pipeline, text)

    @cached_property
    def _pipeline(self) -> Language:
        return _blank(self.spec["language"])


KINDS = {"spacy": SpacyTokenizer, "whitespace": WhitespaceTokenizer}


def from_spec(spec: dict[str, Any]) -> Tokenizer:
    """The tokenizer that a data set or a model was made with."""
    return KINDS[spec["kind"]](spec["language"])


def _blank(language: str) -> Language:
    import spacy

    try:
        return spacy.blank(language)
    except ImportError as error:
        raise UsageError(f"spaCy knows no language {language!r}") from error


def _sentences(pipeline: Language, text: str) -> list[str]:
    if "sentencizer" not in pipeline.pipe_names:
        pipeline.add_pipe("sentencizer")
    docs = (pipeline(line) for line in text.splitlines())
    return [sentence.text.strip() for doc in docs for sentence in doc.sents if sentence.text.strip()]
