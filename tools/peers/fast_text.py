"""fastText (Joulin et al. 2017): the mean of the vectors of words and of hashed n-grams, and a linear classifier.

Where vectors are given, training with them and without is tried. One thread: the same seed gives the same model. It
trains in the order of its file, so lines are shuffled: all reviews of one class first would teach it nothing.
"""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import Any

from peer import Predict, Task, grid, run, vector_lines

SIZE = 100
BUCKETS = 500_000  # n-grams are hashed into so many vectors
LARGE = 2_000_000  # words of training from which on fewer epochs are tried
LABEL = "__label__"


def fit(task: Task, *, ngrams: int, epochs: int, rate: float, vectors: bool) -> Predict:
    import fasttext  # pyright: ignore[reportMissingImports]

    classes = task.classes  # as numbers, since a label has no blanks
    train = random.Random(task.seed).sample(task.train, len(task.train))
    with tempfile.TemporaryDirectory() as folder:
        lines = Path(folder, "train.txt")
        lines.write_text(
            "".join(f"{LABEL}{classes.index(str(e.answer))} {' '.join(e.words)}\n" for e in train),
            encoding="utf-8",
        )
        options: dict[str, Any] = (
            {"pretrainedVectors": str(_plain(task.vectors, Path(folder)))} if vectors and task.vectors else {}
        )
        options |= {"dim": SIZE, "bucket": BUCKETS, "wordNgrams": ngrams, "epoch": epochs, "lr": rate}
        model = fasttext.train_supervised(str(lines), thread=1, seed=task.seed, verbose=0, **options)

    def predict(texts: list[list[str]]) -> list[str]:
        found, _ = model.predict([" ".join(words) for words in texts])
        return [classes[int(best[0].removeprefix(LABEL))] if best else classes[0] for best in found]

    return predict


def _plain(vectors: Path, folder: Path) -> Path:
    """fastText doesn't read gzip."""
    plain = folder / "vectors.vec"
    with vector_lines(vectors) as lines, plain.open("w", encoding="utf-8") as file:
        file.writelines(lines)
    return plain


def configurations(task: Task) -> list[dict[str, Any]]:
    large = sum(len(example.words) for example in task.train) > LARGE
    vectors = (True, False) if task.vectors else (False,)
    return grid(ngrams=(1, 2), epochs=(5,) if large else (5, 25), rate=(0.5, 0.1) if large else (0.5,), vectors=vectors)


if __name__ == "__main__":
    run(fit, configurations)
