"""spaCy's tagger with its HashEmbedCNN, as `spacy init config` sets it up; with --vectors a word's vector is read too.

The epoch that is best on the validation is kept.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np
from peer import Predict, Task, accuracy, grid, run, vector_lines

READER = {
    "@architectures": "spacy.HashEmbedCNN.v2",
    **{"width": 96, "depth": 4, "embed_size": 2000, "window_size": 1, "maxout_pieces": 3, "subword_features": True},
}
BATCH_WORDS = 1000


def fit(task: Task, *, epochs: int) -> Predict:
    import spacy
    from spacy.tokens import Doc
    from spacy.training import Example
    from spacy.training.batchers import minibatch_by_words
    from spacy.util import fix_random_seed  # pyright: ignore[reportPrivateImportUsage]

    fix_random_seed(task.seed)
    nlp = spacy.blank("en")
    if task.vectors:
        _read_vectors(nlp, task)
    model = {
        "@architectures": "spacy.Tagger.v2",
        "tok2vec": READER | {"pretrained_vectors": bool(task.vectors)},
    }
    tagger: Any = nlp.add_pipe("tagger", config={"model": model})

    def doc(words: list[str]) -> Doc:
        return Doc(nlp.vocab, words=words)

    examples = [Example.from_dict(doc(e.words), {"words": e.words, "tags": e.answer}) for e in task.train]
    optimizer = nlp.initialize(lambda: examples)

    def predict(texts: list[list[str]]) -> list[list[str]]:
        return [[token.tag_ for token in tagged] for tagged in tagger.pipe(map(doc, texts))]

    best, weights = -1.0, b""
    for _ in range(epochs):
        random.shuffle(examples)
        for batch in minibatch_by_words(examples, size=BATCH_WORDS):
            nlp.update(batch, sgd=optimizer, drop=0.1)
        with nlp.use_params(optimizer.averages):
            if (valid := accuracy(predict, task.valid)) > best:
                best, weights = valid, tagger.model.to_bytes()
    tagger.model.from_bytes(weights)
    return predict


def _read_vectors(nlp: Any, task: Task) -> None:
    """Those of all words of the file, which are lower-cased, also for the words with capitals."""
    from spacy.vectors import Vectors

    assert task.vectors
    rows: dict[str, int] = {}
    table: list[list[str]] = []
    with vector_lines(task.vectors) as lines:
        next(lines)
        for line in lines:
            word, *numbers = line.rstrip().split(" ")
            table.append(numbers)
            for form in (word, word.capitalize(), word.upper()):
                rows.setdefault(form, len(table) - 1)
    nlp.vocab.vectors = Vectors(strings=nlp.vocab.strings, data=np.array(table, dtype=np.float32))
    for form, row in rows.items():
        nlp.vocab.vectors.add(nlp.vocab.strings.add(form), row=row)


if __name__ == "__main__":
    run(fit, lambda task: grid(epochs=(15,)))
