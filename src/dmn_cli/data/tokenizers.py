"""Text → words. The only file that knows spaCy and SentencePiece.

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

from dmn_cli.data.affixes import affixes, is_affix
from dmn_cli.errors import DataError, UsageError

if TYPE_CHECKING:
    from sentencepiece import SentencePieceProcessor
    from spacy.language import Language

PIECES = 8000
_MODEL = "tokenizer.model"
_MOST_PIECES = 1_000_000
_SAMPLE = 200_000  # texts that pieces are learnt from, at most
_LONGEST = 1000  # characters of one of them; SentencePiece passes over a text of more than 4192 bytes
_SHORT_WORD = re.compile(r"\b\w{1,15}\b")  # one that can be a piece
_LARGEST_FILE = 1 << 26  # a model of a quarter of a million pieces has 5 MB


class Tokenizer(Protocol):
    @property
    def spec(self) -> dict[str, Any]:
        """Its kind, its language, whether it is `lowercase` (true if missing), the SHA-256 of its file if any."""
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


class _Rules:
    """spaCy's rules for a language, with no trained pipeline: words and sentences, with the case as written."""

    def __init__(self, kind: str, language: str, lowercase: bool) -> None:
        self.spec: dict[str, Any] = {"kind": kind, "language": language, "lowercase": lowercase}
        self.files: dict[str, bytes] = {}

    def words(self, text: str) -> list[str]:
        return [token.text for token in self._pipeline.make_doc(text) if not token.is_space]

    def sentences(self, text: str) -> list[str]:
        docs = (self._sentencizer(line) for line in text.splitlines())
        return [sentence.text.strip() for doc in docs for sentence in doc.sents if sentence.text.strip()]

    def spelled(self, words: list[str]) -> list[str]:
        return words

    def cased(self, text: str) -> str:
        return text.lower() if self.spec["lowercase"] else text

    @cached_property
    def _pipeline(self) -> Language:
        """Raises: UsageError where spaCy doesn't know the language."""
        import spacy

        language = self.spec["language"]
        try:
            return spacy.blank(language)
        except ImportError as error:
            raise UsageError(f"spaCy knows no language {language!r}") from error

    @cached_property
    def _sentencizer(self) -> Language:
        self._pipeline.add_pipe("sentencizer")
        return self._pipeline


class SpacyTokenizer(_Rules):
    """Words are what spaCy's rules for a language say."""

    def __init__(self, language: str = "en", lowercase: bool = True) -> None:
        """Raises: UsageError where spaCy doesn't know the language."""
        super().__init__("spacy", language, lowercase)
        self.words("")  # a language that isn't known is told of now

    def __call__(self, text: str) -> list[str]:
        return [self.cased(word) for word in self.words(text)]


class WhitespaceTokenizer(_Rules):
    """Words are what stands between blanks: for text that is tokenised already."""

    def __init__(self, language: str = "en", lowercase: bool = True) -> None:
        """`language`: of the rules by which spaCy cuts a text into sentences."""
        super().__init__("whitespace", language, lowercase)

    def __call__(self, text: str) -> list[str]:
        return self.cased(text).split()

    def words(self, text: str) -> list[str]:
        return text.split()


class SentencePieceTokenizer(_Rules):
    """Words are the pieces of a SentencePiece model (Kudo and Richardson 2018); `▁` marks where a word begins."""

    def __init__(self, model: bytes, language: str = "en", lowercase: bool = True) -> None:
        """`language`: of spaCy's rules for sentences, and for facts that are words.

        Raises: DataError where it isn't a SentencePiece model.
        """
        super().__init__("sentencepiece", language, lowercase)
        self._processor = _processor(model)
        self.spec["sha256"] = hashlib.sha256(model).hexdigest()
        self.files = {_MODEL: model}

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


class Untrained(_Rules):
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
        return SentencePieceTokenizer(model.getvalue(), self.spec["language"], self.spec["lowercase"])


class Affixed:
    """Each word of another tokenizer, and after it what its form says (`affixes`)."""

    def __init__(self, tokenizer: SpacyTokenizer | WhitespaceTokenizer) -> None:
        self.tokenizer = tokenizer
        self.spec, self.files = {**tokenizer.spec, "affixes": True}, tokenizer.files
        self.words, self.sentences = tokenizer.words, tokenizer.sentences

    def __call__(self, text: str) -> list[str]:
        return [part for word in self.words(text) for part in (self.tokenizer.cased(word), *affixes(word))]

    def spelled(self, words: list[str]) -> list[str]:
        return [word for word in words if not is_affix(word)]


KINDS = {"spacy": SpacyTokenizer, "whitespace": WhitespaceTokenizer}


def choose(
    kind: str, language: str, lowercase: bool, pieces: str | None, with_affixes: bool = False
) -> Tokenizer | Untrained:
    """`pieces`: how many SentencePiece should learn (None: PIECES), or the file of a model.

    Raises: UsageError where these don't go together or the file isn't there; DataError where it isn't a model.
    """
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
    return (_MODEL,) if spec["kind"] == "sentencepiece" else ()


def from_spec(spec: dict[str, Any], files: Mapping[str, bytes]) -> Tokenizer:
    """The tokenizer that a data set or a model was made with.

    Raises: DataError where a file isn't the one that it was made with; UsageError where spaCy doesn't know its
    language; KeyError where the spec or the files lack something.
    """
    language, lowercase = spec["language"], spec.get("lowercase", True)
    if spec["kind"] != "sentencepiece":
        words = KINDS[spec["kind"]](language, lowercase)
        return Affixed(words) if spec.get("affixes") else words
    tokenizer = SentencePieceTokenizer(files[_MODEL], language, lowercase)
    if tokenizer.spec["sha256"] != spec["sha256"]:
        raise DataError(f"{_MODEL} isn't the one that this tokenizer was made with")
    return tokenizer


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
