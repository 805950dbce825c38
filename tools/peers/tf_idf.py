"""tf-idf and logistic regression, as scikit-learn has them. Deterministic."""

from __future__ import annotations

from peer import Predict, Task, grid, run


def fit(task: Task, *, ngrams: int, C: float) -> Predict:
    from sklearn.feature_extraction.text import TfidfVectorizer  # pyright: ignore[reportMissingImports]
    from sklearn.linear_model import LogisticRegression  # pyright: ignore[reportMissingImports]
    from sklearn.pipeline import make_pipeline  # pyright: ignore[reportMissingImports]

    model = make_pipeline(
        TfidfVectorizer(
            tokenizer=list, lowercase=False, token_pattern=None, ngram_range=(1, ngrams), sublinear_tf=True
        ),
        LogisticRegression(C=C, max_iter=1000),
    )
    model.fit([example.words for example in task.train], [example.answer for example in task.train])
    return lambda texts: model.predict(texts).tolist()


if __name__ == "__main__":
    run(fit, lambda task: grid(ngrams=(1, 2), C=(10.0, 100.0)))
