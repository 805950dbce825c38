"""Which names sentences have."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dmn_cli.data.store.reader import DataSet
from dmn_cli.data.symmetries.names import parts
from dmn_cli.data.words.affixes import is_affix


class Named:
    """The names in sentences, in the order in which they are mentioned."""

    def __init__(self, data: DataSet, names: Mapping[str, str]) -> None:
        self._data, self._known = data, {form.casefold(): name for form, name in names.items()}
        self._longest = max((name.count(" ") + 1 for name in names), default=0)
        self._read: dict[int, tuple[tuple[str, ...], str]] = {}

    def of(self, sentence: int) -> tuple[str, ...]:
        return self._of_sentence(sentence)[0]

    def left(self, sentence: int) -> str:
        """Its words but for the names."""
        return self._of_sentence(sentence)[1]

    def _of_sentence(self, sentence: int) -> tuple[tuple[str, ...], str]:
        if sentence not in self._read:
            words = self._data.sentences.words.take(np.array([sentence]))[0].tolist()
            texts = (self._data.vocabulary.words.items[word] for word in words)
            self._read[sentence] = self.of_text(" ".join(text for text in texts if not is_affix(text)))
        return self._read[sentence]

    def of_text(self, text: str) -> tuple[tuple[str, ...], str]:
        """The names in a text, and its words but for them."""
        found, left = list[str](), list[str]()
        for part, named in parts(text.casefold().split(" "), self._known, self._longest):
            if named:
                found.append(self._known[part])
            else:
                left.append(part)
        return tuple(dict.fromkeys(found)), " ".join(left)
