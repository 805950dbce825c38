"""Vectors for the words of a data set, trained on a corpus."""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dmn_cli.data.vectors.found import FoundVectors, Progress, training_words, unknown_to_training
from dmn_cli.data.words.tokenizer import Tokenizer
from dmn_cli.data.words.vocabulary import Vocabulary
from dmn_cli.errors import DataError

EPOCHS = 5
_SMALL = 1_000_000  # words of a corpus on which one thread trains, so that the same seed gives the same vectors
_MAX_DISTINCT = 10_000_000  # words that are counted; beyond that, the rarest are forgotten


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
) -> FoundVectors:
    """Trains vectors, by skip-gram with negative samples, on a corpus of so many words, written by `corpus.write`.

    Every word of the training split gets a vector, and every other word that occurs five times. `extra`: how many
    words that training lacks are added, the most frequent first. `texts`: what the origin names.

    With up to a million words, one thread trains, and the same seed gives the same vectors. With more, two threads do,
    and the vectors differ a little from run to run.

    `progress` takes 1 after each of EPOCHS.

    Raises: DataError where there is no word to train a vector for.
    """
    known = training_words(vocabulary)
    vectors = _train(corpus, known, size, seed, workers=1 if words <= _SMALL else 2, progress=progress)
    kept = filter(unknown_to_training(vocabulary, tokenizer), vectors.index_to_key)
    extras = list(itertools.islice(kept, extra))
    found = [word for word in vocabulary.words.items[2:] if word in vectors]
    found += [word for word in extras if word not in vocabulary.words.ids]
    rows = [vectors.key_to_index[word] for word in found]
    origin = {"texts": list(texts), "words": words, "epochs": EPOCHS, "seed": seed}
    return FoundVectors(found, vectors.vectors[rows], [], extras, origin)


def _train(path: Path, known: set[str], size: int, seed: int, workers: int, progress: Progress) -> Any:
    """gensim's KeyedVectors of a corpus file: one sentence per line, its words separated by blanks."""
    from gensim import utils
    from gensim.models.callbacks import CallbackAny2Vec
    from gensim.models.word2vec import Word2Vec

    class Counted(CallbackAny2Vec):
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
    file: Any = os.fsencode(path)  # as gensim's C opens it: it would encode a str as UTF-8, whatever the locale is
    model.train(corpus_file=file, total_words=model.corpus_total_words, epochs=EPOCHS, callbacks=[Counted()])
    return model.wv
