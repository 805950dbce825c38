"""Text → words. The only file that knows SentencePiece.

A tokenizer is described by its `spec`, plain JSON, and by its `files`, if it has any; both travel with the data set and
the model, so that a question is cut into words exactly as the training data was.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import random
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from dmn_cli.data import spacy_rules
from dmn_cli.data.affixes import affixes, is_affix
from dmn_cli.data.rules import Rules
from dmn_cli.errors import DataError, UsageError

if TYPE_CHECKING:
    from sentencepiece import SentencePieceProcessor

PIECES = 8000
_MODEL = "tokenizer.model"
_RULES = "rules.json"
_MOST_PIECES = 1_000_000
_SAMPLE = 200_000  # texts that pieces are learnt from, at most
_LONGEST = 1000  # characters of one of them; SentencePiece passes over a text of more than 4192 bytes
_SHORT_WORD = re.compile(r"\b\w{1,15}\b")  # one that can be a piece
_LARGEST_FILE = 1 << 26  # a model of a quarter of a million pieces has 5 MB


class Tokenizer(Protocol):
    @property
    def spec(self) -> dict[str, Any]:
        """Its kind, its language, whether it is `lowercase` (true if missing), the SHA-256 of each of its files."""
        ...

    @property
    def files(self) -> dict[str, bytes]:
        """What it needs beside the spec, by name."""
        ...

    def __call__(self, text: str) -> list[str]:
        """The words of a text, never empty ones; at least one where the text isn't blank."""
        ...

    def words(self, text: str) -> list[str]:
        """The words of a text with the case as written, for facts that are words."""
        ...

    def spelled(self, words: list[str]) -> list[str]:
        """Some of a text's words that follow one another, as a person would name them."""
        ...

    def sentences(self, text: str) -> list[str]:
        """The sentences of a text; a line end always ends one."""
        ...


class _OfLanguage:
    """The words and sentences of a language, with the case as written, by spaCy's rules without a trained pipeline."""

    def __init__(self, kind: str, language: str, lowercase: bool, rules: bytes | None = None) -> None:
        """`rules`: the language's as a file that was carried along; else they are asked of spaCy once they are needed.

        That may raise UsageError where spaCy doesn't know the language, or DataError where the file is damaged.
        """
        self.kind, self.language, self.lowercase = kind, language, lowercase
        self._given = rules

    @property
    def spec(self) -> dict[str, Any]:
        spec = {"kind": self.kind, "language": self.language, "lowercase": self.lowercase}
        return spec if self._rules is None else {**spec, "rules": _sha256(self._rules)}

    @property
    def files(self) -> dict[str, bytes]:
        return {} if self._rules is None else {_RULES: self._rules}

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
        """The file; None where the language isn't cut by rules alone."""
        return self._given or spacy_rules.written(self.language)

    @cached_property
    def _cutter(self) -> Rules | spacy_rules.SpacyItself:
        return Rules(self._rules) if self._rules else spacy_rules.SpacyItself(self.language)


class SpacyTokenizer(_OfLanguage):
    """Words are what spaCy's rules for a language say."""

    def __init__(self, language: str = "en", lowercase: bool = True, rules: bytes | None = None) -> None:
        """Raises: UsageError where spaCy doesn't know the language; DataError where the rules are damaged."""
        super().__init__("spacy", language, lowercase, rules)
        self.words("")  # what is wrong is told of now

    def __call__(self, text: str) -> list[str]:
        return [self.cased(word) for word in self.words(text)]


class WhitespaceTokenizer(_OfLanguage):
    """Words are what stands between blanks: for text that is tokenised already."""

    def __init__(self, language: str = "en", lowercase: bool = True, rules: bytes | None = None) -> None:
        """`language`: of the rules by which a text is cut into sentences."""
        super().__init__("whitespace", language, lowercase, rules)

    def __call__(self, text: str) -> list[str]:
        return self.cased(text).split()

    def words(self, text: str) -> list[str]:
        return text.split()


class SentencePieceTokenizer(_OfLanguage):
    """Words are the pieces of a SentencePiece model (Kudo and Richardson 2018); `▁` marks where a word begins."""

    def __init__(self, model: bytes, language: str = "en", lowercase: bool = True, rules: bytes | None = None) -> None:
        """`language`: of the rules for sentences, and for facts that are words.

        Raises: DataError where it isn't a SentencePiece model.
        """
        super().__init__("sentencepiece", language, lowercase, rules)
        self._model = model
        self._processor = _processor(model)

    @property
    def spec(self) -> dict[str, Any]:
        return {**super().spec, "sha256": _sha256(self._model)}

    @property
    def files(self) -> dict[str, bytes]:
        return {**super().files, _MODEL: self._model}

    def __call__(self, text: str) -> list[str]:
        """Characters that the model drops, as it does control characters, are words where there is nothing else.

        Raises: DataError where a model that looked sound spells what isn't text.
        """
        text = self.cased(text)
        try:
            return self._processor.encode(text, out_type=str) or text.split()
        except (RuntimeError, UnicodeDecodeError) as error:
            raise DataError(f"the SentencePiece model is damaged: it can't cut {text!r} into pieces") from error

    def spelled(self, words: list[str]) -> list[str]:
        """Pieces put together again."""
        return "".join(words).replace("▁", " ").split()


class Untrained(_OfLanguage):
    """A SentencePiece tokenizer to be: it cuts sentences and spaCy's words, but its own words are yet to be learnt."""

    def __init__(self, pieces: int = PIECES, language: str = "en", lowercase: bool = True) -> None:
        super().__init__("sentencepiece", language, lowercase)
        self.pieces = pieces

    def train(self, texts: Iterable[str], seed: int) -> SentencePieceTokenizer:
        """Learns at most `pieces` pieces from a stream of texts, of which no more than _SAMPLE are held.

        The same texts and seed give the same bytes.

        Raises: DataError where there is no text; UsageError where the text has more characters than `pieces`.
        """
        from sentencepiece import SentencePieceTrainer

        sample = _sample(map(self.cased, texts), seed)
        model = io.BytesIO()
        try:
            SentencePieceTrainer.train(
                sentence_iterator=itertools.chain(sample, _candidates(sample, self.pieces)),
                model_writer=model,
                model_type="unigram",
                vocab_size=self.pieces,
                hard_vocab_limit=False,  # small data needn't have so many
                character_coverage=1.0,
                byte_fallback=False,
                pad_id=0,
                unk_id=1,
                bos_id=-1,
                eos_id=-1,
                num_threads=1,  # the sums depend on their number
                minloglevel=2,
            )
        except RuntimeError as error:
            raise _explained(error, self.pieces) from error
        return SentencePieceTokenizer(model.getvalue(), self.language, self.lowercase, self._given)


class Affixed:
    """Each word of another tokenizer, and after it what its form says (`affixes`)."""

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


_FILES = {_MODEL: "sha256", _RULES: "rules"}  # file → the key of its SHA-256 in a spec
KINDS = {"spacy": SpacyTokenizer, "whitespace": WhitespaceTokenizer}


def choose(
    kind: str, language: str, lowercase: bool, pieces: str | None, with_affixes: bool = False
) -> Tokenizer | Untrained:
    """`pieces`: how many SentencePiece should learn (None: PIECES), or the file of a model.

    Raises: UsageError where these don't go together, the file isn't there or spaCy doesn't know the language; DataError
    where the file isn't a model.
    """
    tokenizer = _chosen(kind, language, lowercase, pieces, with_affixes)
    spacy_rules.written(language)  # a language that isn't known is told of now, and not when all has been read
    return tokenizer


def _chosen(kind: str, language: str, lowercase: bool, pieces: str | None, with_affixes: bool) -> Tokenizer | Untrained:
    if kind != "sentencepiece":
        if pieces is not None:
            raise UsageError("--pieces is for --tokenizer sentencepiece", hint="Leave one out, or give both.")
        tokenizer = KINDS[kind](language, lowercase)
        return Affixed(tokenizer) if with_affixes else tokenizer
    if with_affixes:
        raise UsageError("--affixes is for words, and sentencepiece makes pieces of words")
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
            raise DataError(f"it is larger than {_LARGEST_FILE >> 20} MiB, which no SentencePiece model is")
        return SentencePieceTokenizer(path.read_bytes(), language, lowercase)
    except DataError as error:
        raise DataError(error.message, where=path, hint="Give a .model file as SentencePiece writes it.") from error


def file_names(spec: dict[str, Any]) -> tuple[str, ...]:
    """The files that a tokenizer of this spec needs."""
    return tuple(name for name, key in _FILES.items() if key in spec)


def from_spec(spec: dict[str, Any], files: Mapping[str, bytes]) -> Tokenizer:
    """The tokenizer that a data set or a model was made with.

    Raises: DataError where a file isn't the one that it was made with; UsageError where spaCy doesn't know its
    language; KeyError where the spec or the files lack something.
    """
    for name, key in _FILES.items():
        if key in spec and _sha256(files[name]) != spec[key]:
            raise DataError(f"{name} isn't the one that this tokenizer was made with")
    rules = files[_RULES] if "rules" in spec else None
    language, lowercase = spec["language"], spec.get("lowercase", True)
    if spec["kind"] == "sentencepiece":
        return SentencePieceTokenizer(files[_MODEL], language, lowercase, rules)
    words = KINDS[spec["kind"]](language, lowercase, rules)
    return Affixed(words) if spec.get("affixes") else words


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _processor(model: bytes) -> SentencePieceProcessor:
    from sentencepiece import SentencePieceProcessor

    processor = SentencePieceProcessor()
    try:
        processor.LoadFromSerializedProto(model)
    except RuntimeError as error:
        raise DataError("it is not a SentencePiece model, or a damaged one") from error
    return processor


def _sample(texts: Iterable[str], seed: int) -> list[str]:
    """At most _SAMPLE of the texts, each as likely as any other, all of them if there aren't more (algorithm R).

    SentencePiece can sample too (`input_sentence_size`), but differently in each process.
    """
    draw = random.Random(seed)
    sample: list[str] = []
    for seen, part in enumerate(part for text in texts for part in _parts(text)):
        if seen < _SAMPLE:
            sample.append(part)
        elif (place := draw.randrange(seen + 1)) < _SAMPLE:
            sample[place] = part
    return sample


def _candidates(texts: list[str], pieces: int) -> list[str]:
    """The most frequent words, each once more as it is and once with its last letter twice.

    SentencePiece takes for a piece only what several of its words (what stands between blanks) have in common. So
    "moved" would never be one where there is neither "moved," nor "removed", however often it occurs.
    """
    counts = Counter(word for text in texts for word in _SHORT_WORD.findall(text))
    frequent = sorted(counts, key=lambda word: (-counts[word], word))[:pieces]
    return [f"{word} {word}{word[-1]}" for word in frequent]


def _parts(text: str) -> Iterable[str]:
    return (text[start : start + _LONGEST] for start in range(0, len(text), _LONGEST))


def _explained(error: RuntimeError, pieces: int) -> DataError | UsageError:
    """What SentencePiece says when it can't be trained, in words that a person can act on."""
    too_few = re.search(r"required_chars\D*\d+ vs (\d+)", str(error))
    if too_few:
        return UsageError(
            f"{pieces} pieces are too few: each character of the training text is one",
            hint=f"Give at least --pieces {too_few[1]}.",
        )
    if "sentences_.empty" in str(error) or "all_chars_count" in str(error):
        return DataError(
            "the training stories have no text to learn pieces from",
            hint="Take another --tokenizer, or a model that is there already with --pieces FILE.",
        )
    return DataError(f"SentencePiece can't learn pieces from the training stories ({error})")
