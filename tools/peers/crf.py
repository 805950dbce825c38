"""A linear-chain CRF's features and Viterbi, trained as an averaged perceptron (python-crfsuite). Deterministic.

Of each word its form, prefixes and suffixes, shape and what stands beside it.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from peer import Predict, Task, grid, run

AFFIXES = (1, 2, 3, 4)


def shape(word: str) -> str:
    """Xx of Running, X.X of U.S., d,d of 3,000"""
    kinds = "".join("X" if c.isupper() else "x" if c.islower() else "d" if c.isdigit() else c for c in word)
    return re.sub(r"(.)\1+", r"\1", kinds)


def features(words: list[str]) -> list[list[str]]:
    lower = ["<s>", "<s>", *(word.lower() for word in words), "</s>", "</s>"]
    own = []
    for i, word in enumerate(words):
        before_last, before, form, after, after_next = lower[i : i + 5]
        own.append(
            [
                "bias",
                f"w={word}",
                f"l={form}",
                f"shape={shape(word)}",
                *(f"p{n}={form[:n]}" for n in AFFIXES),
                *(f"s{n}={form[-n:]}" for n in AFFIXES),
                f"-1={before}",
                f"+1={after}",
                f"-2={before_last}",
                f"+2={after_next}",
                f"-1,0={before},{form}",
                f"0,+1={form},{after}",
                f"-1,+1={before},{after}",
                f"-1s={before[-3:]}",
                f"+1s={after[-3:]}",
                f"+1shape={shape(words[i + 1]) if i + 1 < len(words) else '</s>'}",
                *(["first"] if i == 0 else []),
            ]
        )
    return own


def fit(task: Task, *, epochs: int) -> Predict:
    import pycrfsuite  # pyright: ignore[reportMissingImports]

    trainer = pycrfsuite.Trainer(algorithm="ap", params={"max_iterations": epochs}, verbose=False)
    for example in task.train:
        trainer.append(features(example.words), example.answer)
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder, "model")
        trainer.train(str(model))
        tagger = pycrfsuite.Tagger()
        tagger.open(str(model))  # which reads it whole
    return lambda texts: [tagger.tag(features(words)) for words in texts]


if __name__ == "__main__":
    run(fit, lambda task: grid(epochs=(10, 20)))
