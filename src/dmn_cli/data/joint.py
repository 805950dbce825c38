"""Several data sets that one model learns together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from dmn_cli.data.batches import Batches
from dmn_cli.data.store.reader import DataSet
from dmn_cli.data.symmetries import Symmetries, folded, places
from dmn_cli.data.symmetries.files import as_json, symmetries_of
from dmn_cli.data.symmetries.spares import Kind, kinds
from dmn_cli.data.words.trees import labels_of
from dmn_cli.data.words.vocabulary import Vocabulary
from dmn_cli.errors import UsageError
from dmn_cli.records.names import NameKind, Names
from dmn_cli.records.regions import PictureForm, in_words
from dmn_cli.records.text import Form, TableForm

T = TypeVar("T")


@dataclass(frozen=True)
class Joint:
    """Data sets, and what they have in common."""

    data: Sequence[DataSet]
    tasks: list[str]  # each once, however many data sets have it
    forms: dict[str, Form]
    tokenizer_spec: dict[str, Any]
    vector_size: int | None  # of the word vectors that they have; None: they have none
    symmetries: dict[str, Symmetries]  # of the tasks whose names may change; none where they shall stay
    more_words: Sequence[str] = ()  # that a model of them shall know too

    @classmethod
    def of(
        cls,
        data: Sequence[DataSet],
        *,
        symmetries: bool = False,
        more_words: Sequence[str] = (),
        vector_size: int | None = None,
    ) -> Joint:
        """symmetries: whether names may change where the data sets say so; more_words: that a model of them shall know
        too; vector_size: of the vectors that these have

        Raises: UsageError where they don't go together.
        """
        tasks = list(dict.fromkeys(task for one in data for task in one.tasks))
        found = _joined_symmetries(data) if symmetries else {}
        size = _vector_size(data)
        if size and vector_size and size != vector_size:
            raise UsageError(
                f"its word vectors have {size} numbers, and those of what is started from {vector_size}",
                where=data[0].path,
                hint="Prepare the data without vectors, or with vectors of that size.",
            )
        forms, tokenizer = _joined_forms(data), _same_tokenizer(data)
        return cls(data, tasks, forms, tokenizer, size or vector_size, found, more_words)

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """What a model of them may know: the words and answers of their training, and spares for names."""
        vocabulary = Vocabulary.joined(one.vocabulary.of_training() for one in self.data)
        for word in self.more_words:
            vocabulary.words.add(word)
        answers = folded(vocabulary.answers.items)
        for kind in self.kinds:
            for spare in kind.spares:
                for n, form in enumerate(spare):
                    vocabulary.words.add(form)
                    if any(member[n].casefold() in answers for member in kind.members):
                        vocabulary.answers.add(form)
        return vocabulary

    @cached_property
    def kinds(self) -> list[Kind]:
        """The kinds of names that may change."""
        return kinds(self.symmetries)

    def names(self) -> Names:
        """What a model of them can be told of names."""
        if not self.kinds:
            return Names()
        forms = {
            form
            for batches in self.train
            for form in places.forms(batches.data, batches.split, self.symmetries, self.kinds)
        }
        known = tuple(NameKind(tuple(sorted(kind.members)), kind.spares) for kind in self.kinds)
        return Names(known, tuple(sorted(forms)), {t: as_json(s) for t, s in self.symmetries.items()})

    @property
    def question(self) -> str | None:
        """The only one that is asked in all of them; None: there are several."""
        return _same([one.summary.get("question") for one in self.data])

    @property
    def table(self) -> TableForm | None:
        """How the tables that they were made from are read; None where that isn't the same for all."""
        tables = [one.summary.get("table") for one in self.data]
        return _same([table and TableForm.from_json(table) for table in tables])

    @cached_property
    def pictures(self) -> PictureForm | None:
        """The form of the pictures that they are about; None: of none. Raises: UsageError where it isn't the same."""
        first = self.data[0]
        for one in self.data[1:]:
            if one.picture_form != first.picture_form:
                what = " or ".join(sorted({in_words(data.picture_form) for data in (one, first)}))
                raise UsageError(
                    f"doesn't go together with {first.path}: a model is of {what}, and not of both", where=one.path
                )
        return first.picture_form

    @property
    def longest_answer(self) -> int:
        return max(one.summary["longest_answer"] for one in self.data)

    @property
    def supported(self) -> bool:
        """Whether the supporting facts of at least one question are known."""
        return any(one.summary["questions_with_support"] for one in self.data)

    @property
    def fingerprint(self) -> str:
        return " ".join(one.fingerprint for one in self.data)

    def batches(self, split: str) -> list[Batches]:
        """Those of each data set. Raises: DataError where one has no such split."""
        return [Batches.of(one, split, self.vocabulary, self.tasks, self.symmetries) for one in self.data]

    @cached_property
    def train(self) -> list[Batches]:
        """Those of the training splits. Raises: DataError where a data set has none."""
        return self.batches("train")

    def vectors(self) -> tuple[np.ndarray, np.ndarray] | None:
        """The word vectors of the data sets: ids in the joint vocabulary, (n,), and their vectors, (n, size).

        A word has the vector of the first data set that has one for it. None: no data set has any.
        """
        found = []
        for one in self.data:
            if one.vectors:
                ids, vectors = one.vectors
                known = self.vocabulary.words.ids
                items = one.vocabulary.words.items
                found.append((np.array([known.get(items[i], 1) for i in ids], np.int64), vectors))
        if not found:
            return None
        rows, first = np.unique(np.concatenate([rows for rows, _ in found]), return_index=True)
        known = rows > 1
        return rows[known], np.concatenate([vectors for _, vectors in found])[first][known]


def _joined_symmetries(data: Sequence[DataSet]) -> dict[str, Symmetries]:
    """By task. A task of which two data sets say different things keeps its names."""
    found: dict[str, Symmetries] = {}
    for one in data:
        for task, symmetries in symmetries_of(one.summary, one.path / "dataset.json").items():
            found[task] = symmetries if found.get(task, symmetries) == symmetries else Symmetries()
    return {task: symmetries for task, symmetries in found.items() if symmetries}


def _vector_size(data: Sequence[DataSet]) -> int | None:
    """The size of the data sets' word vectors. Raises: UsageError where it isn't the same for all."""
    sizes = {one.path: one.vectors[1].shape[1] for one in data if one.vectors}
    if len(set(sizes.values())) > 1:
        said = ", ".join(f"{path}: {size}" for path, size in sizes.items())
        raise UsageError(f"the data sets have word vectors of different sizes ({said})")
    return next(iter(sizes.values()), None)


def _same(values: Sequence[T]) -> T | None:
    return values[0] if all(value == values[0] for value in values) else None


def _same_tokenizer(data: Sequence[DataSet]) -> dict[str, Any]:
    """Raises: UsageError"""
    first = data[0].summary["tokenizer"]
    for one in data:
        spec = one.summary["tokenizer"]
        if (has_trees := labels_of(spec) is not None) != (labels_of(first) is not None):
            trees, texts = (one.path, data[0].path) if has_trees else (data[0].path, one.path)
            raise UsageError(f"has trees, and {texts} has texts: no network reads both", where=trees)
        if spec != first:
            differ = [key for key in first | spec if first.get(key) != spec.get(key)]
            raise UsageError(
                f"has other words than {data[0].path}: {_of(spec, differ)}, not {_of(first, differ)}",
                where=one.path,
                hint="Prepare both with the same --tokenizer, --language, --case and --affixes.",
            )
    return first


def _of(spec: Mapping[str, Any], keys: Sequence[str]) -> str:
    """What a tokenizer has for some keys."""
    return ", ".join(f"{key} {str(spec.get(key, 'none'))[:60]}" for key in keys)


def _joined_forms(data: Sequence[DataSet]) -> dict[str, Form]:
    """Raises: UsageError where two data sets ask the same question in different forms."""
    joined: dict[str, Form] = {}
    for one in data:
        for question, form in one.forms.items():
            if joined.setdefault(question, form) != form:
                raise UsageError(f"asks {question!r} in another form than the data sets before it", where=one.path)
    return joined
