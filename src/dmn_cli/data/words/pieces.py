"""Pieces of words, learnt from text. The only file that knows SentencePiece."""

from __future__ import annotations

import io
import itertools
import random
import re
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from dmn_cli.data.words.tokenizer import OfLanguage, sha256
from dmn_cli.errors import DataError, UsageError

if TYPE_CHECKING:
    from sentencepiece import SentencePieceProcessor

PIECES = 8000
MODEL = "tokenizer.model"
SAMPLE = 200_000
LONGEST = 1000  # SentencePiece passes over a text of more than 4192 bytes
_SHORT_WORD = re.compile(r"\b\w{1,15}\b")  # one that can be a piece


class SentencePieceTokenizer(OfLanguage):
    """Words are the pieces of a SentencePiece model (Kudo and Richardson 2018); `▁` marks where a word begins."""

    def __init__(self, model: bytes, language: str = "en", lowercase: bool = True, rules: bytes | None = None) -> None:
        """`language`: whose rules split texts into sentences, and into facts that are words.

        Raises: DataError where `model` isn't a SentencePiece model.
        """
        super().__init__("sentencepiece", language, lowercase, rules)
        self._model = model
        self._processor = _processor(model)

    @property
    def spec(self) -> dict[str, Any]:
        return {**super().spec, "sha256": sha256(self._model)}

    @property
    def files(self) -> dict[str, bytes]:
        return {**super().files, MODEL: self._model}

    def __call__(self, text: str) -> list[str]:
        """The pieces of a text. Of a text that the model drops altogether, like control characters, what is between
        blanks.

        Raises: DataError where a model that looked sound yields what isn't text.
        """
        text = self.cased(text)
        try:
            return self._processor.encode(text, out_type=str) or text.split()
        except (RuntimeError, UnicodeDecodeError) as error:
            raise DataError(f"the SentencePiece model is damaged: it can't split {text!r} into pieces") from error

    def spelled(self, words: list[str]) -> list[str]:
        """Words, put together from their pieces."""
        return "".join(words).replace("▁", " ").split()


class Untrained(OfLanguage):
    """A SentencePiece tokenizer to be: it splits texts into sentences and spaCy's words, but has no pieces yet."""

    def __init__(self, pieces: int = PIECES, language: str = "en", lowercase: bool = True) -> None:
        super().__init__("sentencepiece", language, lowercase)
        self.pieces = pieces

    def train(self, texts: Iterable[str], seed: int, *, max_texts: int = SAMPLE) -> SentencePieceTokenizer:
        """Learns at most `pieces` pieces from a stream of texts, of which no more than `max_texts` are held.

        The same texts and seed give the same bytes.

        Raises: DataError where there is no text; UsageError where the text has more characters than `pieces`.
        """
        from sentencepiece import SentencePieceTrainer

        texts = sample(map(self.cased, texts), seed, max_texts=max_texts)
        model = io.BytesIO()
        try:
            SentencePieceTrainer.train(
                sentence_iterator=itertools.chain(texts, _candidates(texts, self.pieces)),
                model_writer=model,
                model_type="unigram",
                vocab_size=self.pieces,
                hard_vocab_limit=False,  # small data may have fewer
                character_coverage=1.0,
                byte_fallback=False,
                pad_id=0,
                unk_id=1,
                bos_id=-1,
                eos_id=-1,
                num_threads=1,  # rounding depends on their number
                minloglevel=2,
            )
        except RuntimeError as error:
            raise _explained(error, self.pieces) from error
        return SentencePieceTokenizer(model.getvalue(), self.language, self.lowercase, self._given)


def _processor(model: bytes) -> SentencePieceProcessor:
    from sentencepiece import SentencePieceProcessor

    processor = SentencePieceProcessor()
    try:
        processor.LoadFromSerializedProto(model)
    except RuntimeError as error:
        raise DataError("is not a SentencePiece model, or a damaged one") from error
    return processor


def sample(texts: Iterable[str], seed: int, *, max_texts: int = SAMPLE, max_characters: int = LONGEST) -> list[str]:
    """At most `max_texts` of the texts, each as likely as any other: all of them if there are no more (algorithm R).

    A text of more than `max_characters` counts as several. SentencePiece can sample too (`input_sentence_size`), but
    differently in each process.
    """
    draw = random.Random(seed)
    drawn: list[str] = []
    parts = (text[i : i + max_characters] for text in texts for i in range(0, len(text), max_characters))
    for seen, part in enumerate(parts):
        if seen < max_texts:
            drawn.append(part)
        elif (place := draw.randrange(seen + 1)) < max_texts:
            drawn[place] = part
    return drawn


def _candidates(texts: list[str], pieces: int) -> list[str]:
    """The most frequent words, each as it is and with its last letter doubled.

    SentencePiece makes a piece only of what several of its words (whatever is between blanks) have in common. So
    "moved" would never be one, however often it occurs, unless there were "moved," or "removed" too.
    """
    counts = Counter(word for text in texts for word in _SHORT_WORD.findall(text))
    frequent = sorted(counts, key=lambda word: (-counts[word], word))[:pieces]
    return [f"{word} {word}{word[-1]}" for word in frequent]


def _explained(error: RuntimeError, pieces: int) -> DataError | UsageError:
    """What keeps SentencePiece from training, in words that a person can act on."""
    too_few = re.search(r"required_chars\D*\d+ vs (\d+)", str(error))
    if too_few:
        return UsageError(
            f"{pieces} pieces are too few: each character of the training text is one",
            hint=f"Give at least --pieces {too_few[1]}.",
        )
    if "sentences_.empty" in str(error) or "all_chars_count" in str(error):
        return DataError(
            "the training stories have no text to learn pieces from",
            hint="Choose another --tokenizer, or give an existing model with --pieces FILE.",
        )
    return DataError(f"SentencePiece can't learn pieces from the training stories ({error})")
