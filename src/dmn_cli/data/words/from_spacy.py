"""spaCy's words and sentences, without a trained pipeline. The only file that knows spaCy.

Importing spaCy takes longer than all else that answering does, so a language's rules are written to a file (`written`)
that `rules.py` applies without it. spaCy itself is called for languages that have more than such rules, like Chinese.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, cast

from dmn_cli.data.words import rules
from dmn_cli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from spacy.language import Language


class SpacyItself:
    """Splits texts into words and sentences, as `rules.Rules` does."""

    def __init__(self, language: str) -> None:
        """Raises: UsageError where spaCy doesn't know the language."""
        self._pipeline = blank_pipeline(language)

    def words(self, text: str) -> list[str]:
        return [token.text for token in self._pipeline.make_doc(text) if not token.is_space]

    def sentences(self, text: str) -> list[str]:
        docs = (self._pipeline(line) for line in text.splitlines())
        return [sentence.text.strip() for doc in docs for sentence in doc.sents if sentence.text.strip()]


@cache
def written(language: str) -> bytes | None:
    """The rules of a language as a file that `rules.Rules` reads; None where the language has more than such rules.

    Raises: UsageError where spaCy doesn't know the language.
    """
    from spacy.attrs import IS_PUNCT
    from spacy.lang.lex_attrs import is_punct
    from spacy.symbols import ORTH
    from spacy.tokenizer import Tokenizer

    pipeline = blank_pipeline(language)
    tokenizer = cast(Any, pipeline.tokenizer)
    if type(tokenizer) is not Tokenizer or pipeline.Defaults.lex_attr_getters.get(IS_PUNCT, is_punct) is not is_punct:
        return None
    methods = (
        (tokenizer.prefix_search, "search"),
        (tokenizer.suffix_search, "search"),
        (tokenizer.infix_finditer, "finditer"),
        (tokenizer.token_match, "match"),
        (tokenizer.url_match, "match"),
    )
    if not all(method is None or _is_of_pattern(method, name) for method, name in methods):
        return None
    patterns = [method and method.__self__.pattern for method, _ in methods]
    return rules.written(
        dict(zip(rules.PATTERNS, patterns, strict=True)),
        {text: [token[ORTH] for token in tokens] for text, tokens in tokenizer.rules.items()},
        list(cast(Any, pipeline.get_pipe("sentencizer")).punct_chars),
        all_phrases=not tokenizer.faster_heuristics,
    )


def _is_of_pattern(method: Callable[..., object], name: str) -> bool:
    """Whether it is this method of a regular expression whose text alone, without flags, says what it means."""
    pattern = getattr(method, "__self__", None)
    return (
        isinstance(pattern, re.Pattern)
        and method.__name__ == name
        and re.compile(pattern.pattern).flags == pattern.flags
    )


def stop_words(language: str) -> frozenset[str]:
    """The lower-cased words of a language that are in all kinds of texts: articles, pronouns, question words.

    Raises: UsageError where spaCy doesn't know the language.
    """
    return frozenset(map(str.lower, blank_pipeline(language).Defaults.stop_words))


@cache
def blank_pipeline(language: str) -> Language:
    """spaCy's pipeline of a language, with nothing trained in it. Raises: UsageError where spaCy doesn't know it."""
    import spacy

    try:
        pipeline = spacy.blank(language)
    except ImportError as error:
        if find_spec(f"spacy.lang.{language}"):
            raise UsageError(f"spaCy's {language!r} needs what isn't installed", hint=str(error)) from error
        raise UsageError(f"spaCy knows no language {language!r}") from error
    pipeline.add_pipe("sentencizer")
    return pipeline
