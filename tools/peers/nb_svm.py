"""NB-SVM (Wang and Manning 2012): a linear SVM on n-grams weighted by naive Bayes' log-count ratios. Deterministic.

    p = α + Σ_{i: y_i = class} f_i     q = α + Σ_{i: y_i ≠ class} f_i     r = log((p / |p|₁) / (q / |q|₁))
    score = wᵀ(r ∘ f) + b              w ← (1 - β) mean|w| + β w

f_i says which n-grams are in a text, α = 1. One class against the rest, if there are more than two.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from peer import Predict, Task, grid, run

ALPHA = 1.0


def log_count_ratio(own: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """How much likelier each n-gram is in a class than outside, as a logarithm.

    own, rest: (n-grams,), in how many texts of the class, and of the others, each n-gram is.
    """
    p, q = ALPHA + own, ALPHA + rest
    return np.log(p / p.sum()) - np.log(q / q.sum())


def interpolated(w: np.ndarray, beta: float) -> np.ndarray:
    """Between naive Bayes, where all weights are the same (beta 0), and the SVM (1)."""
    return (1 - beta) * np.abs(w).mean() + beta * w


def fit(task: Task, *, ngrams: int, C: float, beta: float) -> Predict:
    from sklearn.feature_extraction.text import CountVectorizer  # pyright: ignore[reportMissingImports]
    from sklearn.svm import LinearSVC  # pyright: ignore[reportMissingImports]

    counter = CountVectorizer(
        tokenizer=list, lowercase=False, token_pattern=None, ngram_range=(1, ngrams), binary=True, dtype=np.float32
    )
    f = counter.fit_transform([example.words for example in task.train])
    dual = f.shape[1] > 20 * f.shape[0]  # much faster where texts are few and long; on phrases it doesn't converge
    answers = np.array([example.answer for example in task.train])
    scorers: list[tuple[np.ndarray, float]] = []
    for one in task.classes[1:] if len(task.classes) == 2 else task.classes:
        is_one = answers == one
        r = log_count_ratio(np.asarray(f[is_one].sum(0)).ravel(), np.asarray(f[~is_one].sum(0)).ravel())
        svm: Any = LinearSVC(C=C, dual=dual, random_state=0).fit(f.multiply(r).tocsr(), is_one)
        scorers.append((interpolated(svm.coef_[0], beta) * r, float(svm.intercept_[0])))
    W, b = np.stack([w for w, _ in scorers], axis=1), np.array([b for _, b in scorers])

    def predict(texts: list[list[str]]) -> list[str]:
        scores = counter.transform(texts) @ W + b  # (texts, scorers)
        chosen = (scores[:, 0] > 0).astype(int) if len(task.classes) == 2 else scores.argmax(1)
        return [task.classes[i] for i in chosen]

    return predict


if __name__ == "__main__":
    run(fit, lambda task: grid(ngrams=(2, 1, 3), C=(1.0, 0.1), beta=(0.25, 1.0)))
