"""Sentences with places for names: what a story may say of anyone.

Mary went to the garden.  →  ⟨person⟩ went to the ⟨room⟩ .
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from dmn_cli.data.store.reader import DataSet, Split
from dmn_cli.data.symmetries import Symmetries
from dmn_cli.data.symmetries.names import parts
from dmn_cli.data.symmetries.spares import Kind
from dmn_cli.data.words.affixes import is_affix
from dmn_cli.records.names import Place

_MOST = 20_000  # sentences that are looked at for each task


def forms(data: DataSet, split: Split, tasks: Mapping[str, Symmetries], kinds: Sequence[Kind]) -> set[tuple[str, ...]]:
    """The distinct sentences of the tasks that have classes, members replaced by places; those that have one."""
    place_of = {form: Place(k, f) for k, kind in enumerate(kinds) for e in kind.members for f, form in enumerate(e)}
    longest = max((form.count(" ") + 1 for form in place_of), default=0)
    found: set[tuple[str, ...]] = set()
    items = data.vocabulary.words.items
    for task, symmetries in tasks.items():
        if task not in data.tasks or not symmetries.classes:
            continue
        own = {form for members in symmetries.classes for entity in members for form in entity}
        stories = np.flatnonzero(split.task == data.tasks.index(task))
        numbers = np.union1d(split.facts.take(stories)[0], split.questions.take(stories)[0])[:_MOST]
        ids, lengths = data.sentences.words.take(numbers)
        for row in np.split(ids, np.cumsum(lengths)[:-1]):
            words = [word for word in (items[i] for i in row) if not is_affix(word)]
            form = _with_places(words, {text: place_of[text] for text in own}, longest)
            if any(word.startswith("\t") for word in form):
                found.add(form)
    return found


def _with_places(words: Sequence[str], places: Mapping[str, Place], longest: int) -> tuple[str, ...]:
    return tuple(str(places[text]) if named else text for text, named in parts(words, places, longest))
