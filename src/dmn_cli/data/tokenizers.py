"""Text → words. The only file that knows spaCy.

A tokenizer is described by its `spec`, plain JSON that travels with the data set and the model, so that a question is
cut into words exactly as the training data was.
"""

from __future__ import annotations

from typing import Any, Protocol

from dmn_cli.errors import UsageError


class Tokenizer(Protocol):
    @property
    def spec(self) -> dict[str, Any]: ...

    def __call__(self, text: str) -> list[str]:
        """The words of a text, never empty ones."""
        ...

    def sentences(self, text: str) -> list[str]:
        """The sentences of a text; a line end always ends one."""
        ...


class SpacyTokenizer:
    """spaCy's rules for a language, with no trained pipeline; words are lower-cased."""

    def __init__(self, language: str = "en") -> None:
        import spacy

        try:
            self._pipeline = spacy.blank(language)
        except ImportError as error:
            raise UsageError(f"spaCy knows no language {language!r}") from error
        self.spec = {"kind": "spacy", "language": language, "lowercase": True}

    def __call__(self, text: str) -> list[str]:
        return [token.text.lower() for token in self._pipeline.make_doc(text) if not token.is_space]

    def sentences(self, text: str) -> list[str]:
        if "sentencizer" not in self._pipeline.pipe_names:
            self._pipeline.add_pipe("sentencizer")
        docs = (self._pipeline(line) for line in text.splitlines())
        return [sentence.text.strip() for doc in docs for sentence in doc.sents if sentence.text.strip()]


def from_spec(spec: dict[str, Any]) -> Tokenizer:
    """The tokenizer that a data set or a model was made with."""
    return SpacyTokenizer(spec["language"])
