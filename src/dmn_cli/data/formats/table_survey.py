"""What is in a table, and which split each of its rows belongs to.

Rows with the same texts, but for case and blanks, are one group and stay on one side. Within each class, groups are put
in an order that only their texts and the seed decide, and those at its beginning are held out, until the class has
given its share: the splits are stratified, and don't depend on the order of the rows. What a class of a few rows can't
give, the next one does, in the order of the alphabet.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dmn_cli.data.formats.jsonl import Facts
from dmn_cli.data.formats.splits import SPLITS, split_in_name, split_named
from dmn_cli.data.formats.table import Row
from dmn_cli.errors import DataError

LEFT_OUT = -1
SHORT = 200  # letters: texts as short on average have a sentence or two, and their words are the better facts
_TRAIN, _VALID, _TEST = range(len(SPLITS))
_UNSAID = 3  # whether it is trained on or held out


@dataclass
class Survey:
    """The rows of a table, in their order, and what was seen first."""

    texts: np.ndarray  # (rows,) uint64: a hash of each row's texts, in lower case, and of the seed
    labels: np.ndarray  # (rows,) positions in `answers`; -1: the row has no label, or no text
    said: np.ndarray  # (rows,) the split that the row or its file names; 3: none
    answers: list[tuple[str, ...]]
    without: dict[str, tuple[int, str]]  # `label`, `text`: how many rows have none, and the first one's file:line
    by: str  # what named the splits: column, files, or nothing
    letters: float  # of a row's texts, on average
    splits: np.ndarray = field(default_factory=lambda: np.empty(0, np.int8))  # (rows,) once `divide` was called

    @classmethod
    def of(cls, rows: Iterable[Row], seed: int) -> Survey:
        """Raises: DataError where a split is named that isn't one, or no row has a label and a text."""
        texts, labels, said = array("Q"), array("i"), array("b")
        answers: dict[tuple[str, ...], int] = {}
        without: dict[str, tuple[int, str]] = {}
        salt = seed.to_bytes(hashlib.blake2b.SALT_SIZE, "big")
        letters = used = 0
        by, file, of_file = "nothing", "", _UNSAID
        for row in rows:
            lacking = "label" if not row.labels else "text" if not row.texts else None
            if lacking:
                count, first = without.get(lacking, (0, row.where))
                without[lacking] = count + 1, first
            else:
                used += 1
                letters += sum(map(len, row.texts))
            if row.split is not None:
                by = "column"
                said.append(_UNSAID if lacking and not row.split else _named(row))
            else:
                if row.file != file:
                    file, named = row.file, split_in_name(row.file)
                    of_file = SPLITS.index(named) if named else _UNSAID
                    by = "files" if named else by
                said.append(of_file)
            labels.append(-1 if lacking else answers.setdefault(row.labels, len(answers)))
            same = "\0".join(" ".join(text.split()) for text in row.texts).lower()
            digest = hashlib.blake2b(same.encode(), digest_size=8, salt=salt).digest()
            texts.append(int.from_bytes(digest, "big"))
        if not answers:
            raise DataError("has no row with a text and a label", where=next(iter(without.values()), (0, None))[1])
        arrays = np.array(texts, np.uint64), np.array(labels, np.int32), np.array(said, np.int8)
        return cls(*arrays, list(answers), without, by, letters / used)

    @property
    def several(self) -> bool:
        """Whether a row has more labels than one."""
        return any(len(answer) > 1 for answer in self.answers)

    @property
    def facts(self) -> Facts:
        """What its texts are best cut into."""
        return "words" if self.letters <= SHORT else "sentences"

    def divide(self, valid: float | None, test: float | None) -> None:
        """Decides `splits`. valid, test: shares of the rows that no split is named for; None: a tenth, where no row is
        said to be of that split (and, for the test, none is said to be of any)."""
        there = set(np.unique(self.said[self.labels >= 0]).tolist())
        if test is None:
            test = 0.0 if self.by != "nothing" else 0.1
        if valid is None:
            valid = 0.0 if _VALID in there else 0.1
        self.splits = np.where(self.said == _UNSAID, _TRAIN, self.said).astype(np.int8)
        free = np.flatnonzero((self.splits == _TRAIN) & (self.labels >= 0))
        self.splits[free] = self._held_out(free, valid, test)
        self.splits[self.labels < 0] = LEFT_OUT

    def _held_out(self, rows: np.ndarray, valid: float, test: float) -> np.ndarray:
        """The splits of some rows, which are theirs to share. The last group of each class is trained on."""
        _, first, group, sizes = np.unique(
            self.texts[rows], return_index=True, return_inverse=True, return_counts=True
        )  # ascending by hash: as by chance
        alphabetical = np.argsort(sorted(range(len(self.answers)), key=self.answers.__getitem__))
        label = alphabetical[self.labels[rows][first]]
        order = np.argsort(label, kind="stable")
        label = label[order]
        split = np.full(len(order), _TRAIN, np.int8)
        owed = dict.fromkeys((_TEST, _VALID), 0.0)  # rows
        for of_class in np.split(order, np.flatnonzero(label[1:] != label[:-1]) + 1):
            begin, total = 0, sizes[of_class].sum()
            for which, share in ((_TEST, test), (_VALID, valid)):
                left = sizes[of_class[begin:-1]]
                owed[which] += share * total
                end = begin + int(np.searchsorted(np.cumsum(left) - left / 2, owed[which]))
                split[of_class[begin:end]] = which
                owed[which] = float(np.clip(owed[which] - sizes[of_class[begin:end]].sum(), -1, 1))
                begin = end
        return split[group]

    def as_json(self) -> dict[str, Any]:
        """What is in it, once it is divided.

        rows: how many were read; without_label, without_text: how many were left out for that, and the first one's
        file:line; splits_by: what named the splits; classes: {label: {split: rows}}, the most frequent first;
        duplicates: rows whose texts a row before them has; contradictory: rows whose texts another row has with another
        label; leaks: {split: its rows whose texts are in training too}; majority: the likeliest answer in training, and
        its share of each split.
        """
        kept = self.splits >= 0
        texts, labels, splits = self.texts[kept], self.labels[kept], self.splits[kept]
        distinct, group = np.unique(texts, return_inverse=True)
        pairs = np.unique(np.stack([group, labels]), axis=1)
        several = np.bincount(pairs[0], minlength=len(distinct)) > 1
        counts = np.zeros((len(self.answers), len(SPLITS)), np.int64)
        np.add.at(counts, (labels, splits), 1)
        majority = int(counts[:, _TRAIN].argmax())
        trained = np.isin(texts, texts[splits == _TRAIN])
        there = [i for i in range(len(SPLITS)) if (splits == i).any()]
        return {
            "rows": len(self.splits),
            **{f"without_{what}": {"rows": n, "first": first} for what, (n, first) in sorted(self.without.items())},
            "letters": round(self.letters, 1),
            "splits_by": self.by,
            "classes": self._classes(counts),
            "duplicates": len(texts) - len(distinct),
            "contradictory": int(several[group].sum()),
            "leaks": {SPLITS[i]: int(trained[splits == i].sum()) for i in there if i != _TRAIN},
            "majority": {
                "answer": list(self.answers[majority]),
                "share": {SPLITS[i]: round(float(counts[majority, i] / counts[:, i].sum()), 6) for i in there},
            },
        }

    def _classes(self, counts: np.ndarray) -> dict[str, dict[str, int]]:
        """counts: (answers, splits)"""
        classes: dict[str, np.ndarray] = {}
        for answer, row in zip(self.answers, counts, strict=True):
            for label in answer:
                classes[label] = classes.get(label, 0) + row
        ranked = sorted(classes, key=lambda label: (-int(classes[label].sum()), label))
        return {label: dict(zip(SPLITS, classes[label].tolist(), strict=True)) for label in ranked}


def _named(row: Row) -> int:
    split = split_named(row.split or "")
    if split is None:
        raise DataError(
            f"{(row.split or '')[:60]!r} is no split: train, valid (or dev, validation) or test", where=row.where
        )
    return SPLITS.index(split)
