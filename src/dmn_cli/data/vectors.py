"""Vectors for the words of a data set: read from a file, or trained. The only file that knows gensim.

A file is read in one pass (`vector_files`), and only the wanted words are kept. Their numbers are parsed there, and not
by gensim's `load_word2vec_format`: that one reads no open stream, so that what is wanted would have to be written to a
file again; it takes more than three times as long for the lines; and it names no line where one is damaged. The numbers
are the same, bit for bit. gensim trains vectors, and what it saves is read too.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dmn_cli.data import vector_files
from dmn_cli.data.tokenizers import Tokenizer
from dmn_cli.data.vocabulary import PADDING, UNKNOWN, Vocabulary
from dmn_cli.errors import DataError

EPOCHS = 5
_SMALL = 1_000_000  # words of a corpus up to which one thread trains, so that the same seed gives the same vectors
_MAX_DISTINCT = 10_000_000  # words that are counted at a time; past it, the rarest are forgotten

Progress = Callable[[int], None]


@dataclass(frozen=True)
class WordVectors:
    """Words, and a vector for each."""

    words: list[str]  # those that were wanted and found, in the order in which they were wanted; then the extra ones
    vectors: np.ndarray  # (words, size) float32
    by_case: list[str] = field(default_factory=list)  # those of the words whose entry is spelled in another case
    extra: list[str] = field(default_factory=list)  # the first of the file that were asked for beyond those wanted
    origin: dict[str, Any] = field(default_factory=dict)  # where they come from, for people


def read(
    file: str,
    wanted: Iterable[str],
    *,
    extra: int = 0,
    keeps: Callable[[str], bool] = lambda word: True,
    progress: Progress = lambda n: None,
) -> WordVectors:
    """The vectors that a file has for some words; `file` is as `vector_files.find` takes it.

    A word gets the vector of the first entry that is spelled like it, else of the first that differs only in case.
    Also kept are the first `extra` entries that `keeps` accepts, wanted or not.

    Raises: UsageError where there is no such file; DataError where it is damaged, with file:line where it has lines.
    """
    wanted = list(dict.fromkeys(wanted))
    exact = {word.encode(errors="surrogatepass"): word for word in wanted}
    in_any_case: dict[bytes, list[str]] = {}
    for word in wanted:
        in_any_case.setdefault(_folded(word), []).append(word)
    found: dict[str, np.ndarray] = {}
    differing: dict[bytes, np.ndarray] = {}
    extras: dict[str, np.ndarray] = {}

    with vector_files.entries(vector_files.find(file), progress) as entries:
        for entry in entries:
            word = entry[0]
            if word.isascii():
                folded = word.lower()
            elif (text := entries.text(entry)) is None:
                continue
            else:
                folded = _folded(text)
            same = in_any_case.get(folded)
            if same is not None:
                if word in exact:
                    if (text := exact[word]) not in found:
                        found[text] = entries.numbers(entry)
                elif folded not in differing and not found.keys() >= set(same):
                    differing[folded] = entries.numbers(entry)
            if len(extras) < extra:
                text = entries.text(entry)
                if text and text not in extras and keeps(text):
                    extras[text] = found[text] if text in found else entries.numbers(entry)
        size = entries.size

    by_case = [word for word in wanted if word not in found and _folded(word) in differing]
    found |= {word: differing[_folded(word)] for word in by_case}
    words = [word for word in wanted if word in found]
    words += [word for word in extras if word not in found]
    rows = found | extras
    vectors = np.empty((len(words), size), np.float32)
    for row, word in zip(vectors, words, strict=True):
        row[:] = rows[word]
    return WordVectors(words, vectors, by_case, list(extras))


def of_file(
    file: str, vocabulary: Vocabulary, tokenizer: Tokenizer, extra: int = 0, progress: Progress = lambda n: None
) -> WordVectors:
    """Those of a file for the words of a data set, and for its first `extra` words that the training split lacks.

    Raises: as `read`; DataError where the file has none of the words.
    """
    keeps = _unknown_to_training(vocabulary, tokenizer)
    found = read(file, vocabulary.words.items[2:], extra=extra, keeps=keeps, progress=progress)
    if not found.words:
        raise DataError("has a vector for no word of the data", where=file)
    return WordVectors(found.words, found.vectors, found.by_case, found.extra, {"path": file})


def trained(
    corpus: Path,
    words: int,
    vocabulary: Vocabulary,
    tokenizer: Tokenizer,
    *,
    size: int,
    extra: int = 0,
    seed: int = 1,
    texts: Iterable[str] = (),
    progress: Progress = lambda n: None,
) -> WordVectors:
    """Trains vectors, skip-gram with negative samples, on a corpus of so many words, which `corpus.write` wrote.

    Every word of the training split gets one; of other words of the texts those that occur five times. `extra`: as in
    `of_file`, where the file is the words by how often they occur. `texts` are named as the origin.

    A corpus of up to a million words is trained on by one thread: the same seed gives the same vectors. A longer one is
    trained on by two, which makes them differ a little from run to run.

    `progress` is told of the epochs, EPOCHS in all.

    Raises: DataError where there is no word to train a vector for.
    """
    known = _training_words(vocabulary)
    vectors = _train(corpus, known, size, seed, workers=1 if words <= _SMALL else 2, progress=progress)
    kept = filter(_unknown_to_training(vocabulary, tokenizer), vectors.index_to_key)
    extras = list(itertools.islice(kept, extra))
    found = [word for word in vocabulary.words.items[2:] if word in vectors]
    found += [word for word in extras if word not in vocabulary.words.ids]
    rows = [vectors.key_to_index[word] for word in found]
    origin = {"texts": list(texts), "words": words, "epochs": EPOCHS, "seed": seed}
    return WordVectors(found, vectors.vectors[rows], [], extras, origin)


def _train(path: Path, known: set[str], size: int, seed: int, workers: int, progress: Progress) -> Any:
    """gensim's KeyedVectors of a corpus file: a sentence a line, its words set apart by blanks."""
    from gensim import utils
    from gensim.models.callbacks import CallbackAny2Vec
    from gensim.models.word2vec import Word2Vec

    class Told(CallbackAny2Vec):
        def on_epoch_end(self, model: Any) -> None:
            progress(1)

    def rule(word: str, count: int, least: int) -> int:
        return utils.RULE_KEEP if word in known else utils.RULE_DEFAULT

    logging.getLogger("gensim").setLevel(logging.ERROR)  # it warns of small corpora
    model = Word2Vec(
        vector_size=size,
        sg=1,
        negative=5,
        window=5,
        sample=1e-4,
        min_count=5,
        max_vocab_size=_MAX_DISTINCT,
        epochs=EPOCHS,
        seed=seed,
        workers=workers,
    )
    model.build_vocab(corpus_file=str(path), trim_rule=rule)
    if not len(model.wv):
        raise DataError("no word occurs five times, so there are none to train vectors for")
    model.train(corpus_file=str(path), total_words=model.corpus_total_words, epochs=EPOCHS, callbacks=[Told()])
    return model.wv


def _training_words(vocabulary: Vocabulary) -> set[str]:
    words = vocabulary.words
    return {word for word, count in zip(words.items, words.counts["train"], strict=True) if count}


def _unknown_to_training(vocabulary: Vocabulary, tokenizer: Tokenizer) -> Callable[[str], bool]:
    """Whether a word could be read in a question to come, though the training split lacks it."""
    known = _training_words(vocabulary) | {PADDING, UNKNOWN}
    return lambda word: word not in known and tokenizer.spelled(tokenizer(word)) == [word]


def _folded(word: str) -> bytes:
    return word.lower().encode(errors="surrogatepass")
