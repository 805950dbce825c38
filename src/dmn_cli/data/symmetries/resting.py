"""What answers may rest on, where nobody says: the fewest facts by which the names of a question, and those of its
answer, hang together; or the last fact with what is asked about.

Facts that share a name are linked. Of the smallest sets of facts that are linked and have all the names of question and
answer, the latest is taken, in the order in which one gets from the question to its last fact:

    What color is Brian? white          Brian is a lion. Greg is a lion. Greg is white.
    From the kitchen to the garden?     The hallway is east of the kitchen. The garden is north of the hallway.

    Is Daniel in the garden? no         Daniel is no longer in the kitchen.

Either counts only for tasks where it is found for nearly all questions, and where answers follow from it if names are
only names (`proof.py`): of how many things Mary carries, where she is says nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

import numpy as np

from dmn_cli.data.store.layout import Ragged
from dmn_cli.data.store.reader import DataSet, Split
from dmn_cli.data.symmetries import Symmetries, folded
from dmn_cli.data.symmetries.proof import EXCEPTIONS, Found, agreement
from dmn_cli.data.symmetries.reading import read

_MOST = 3  # facts that an answer rests on
_WAYS = 10_000  # ways from one fact to the next that are tried for a question; where there are more, none is taken
_QUESTIONS = 20_000  # of a task that are looked at, from the first on
_NEARLY_ALL = 0.9
Names = frozenset[str]
RestsOn = Callable[[Sequence[Collection[str]], Sequence[str], Collection[str]], list[int]]


def found(data: DataSet, split: Split, task: int, symmetries: Symmetries, more: Collection[str] = ()) -> Ragged | None:
    """The positions of the facts that each question of a split may rest on, none of those of other tasks; None where
    that can't be told. symmetries: of the task; more: what may link facts beside its names"""
    if not symmetries.classes:
        return None
    names = {form for entities in symmetries.classes for entity in entities for form in entity}
    for rests_on in (linking, latest):
        supports, looked_at = _supports(data, split, task, names.union(more), rests_on)
        if np.count_nonzero(np.diff(supports.offsets)) < _NEARLY_ALL * looked_at:
            continue
        evidence = read(data, split, task, supports)
        if evidence is None:
            return None
        atom = {form: n for n, form in enumerate(evidence.atoms)}
        classes = [[tuple(atom[form] for form in entity) for entity in entities] for entities in symmetries.classes]
        if agreement(evidence, Found(classes, [{}])) >= 1 - EXCEPTIONS:
            return supports
    return None


def _supports(data: DataSet, split: Split, task: int, names: Collection[str], rests_on: RestsOn) -> tuple[Ragged, int]:
    """And of how many questions they were looked for."""
    named = _Named(data, names)
    answers = [named.of_text(answer) for answer in data.vocabulary.answers.items]
    stories = np.flatnonzero(split.task == task)
    before = np.cumsum(split.questions.lengths[stories]) - split.questions.lengths[stories]
    stories = stories[before < _QUESTIONS]
    linked: list[list[int]] = [[]] * len(split)
    asked_about: list[tuple[int, bool]] = []  # questions, and whether their answers are names
    for story in stories.tolist():
        here = np.array([story])
        facts = [named.of(sentence) for sentence in split.facts.take(here)[0].tolist()]
        rows = np.arange(*split.question_offset[story : story + 2].tolist())
        asked, positions = split.questions.take(here)[0].tolist(), split.positions.take(here)[0].tolist()
        words, lengths = split.answers.take(rows)
        of_answer = np.split(words, np.cumsum(lengths)[:-1])
        for row, question, seen, answer in zip(rows.tolist(), asked, positions, of_answer, strict=True):
            wanted = [name for word in answer.tolist() for name in answers[word]]
            asked_about.append((row, bool(wanted)))
            linked[row] = rests_on(facts[:seen], named.of(question), wanted)
    if 2 * sum(named for _, named in asked_about) > len(asked_about):  # then "nothing" rests on something else
        for row, named in asked_about:
            linked[row] = linked[row] if named else []
    lengths = np.array([*map(len, linked)], np.int64)
    values = np.array([at for one in linked for at in one], np.int64)
    return Ragged(np.concatenate([[0], np.cumsum(lengths)]), values), len(asked_about)


class _Named:
    """The names in sentences, in the order in which they are mentioned."""

    def __init__(self, data: DataSet, names: Collection[str]) -> None:
        self._data, self._known = data, folded(names)
        self._longest = max((name.count(" ") + 1 for name in names), default=0)
        self._of: dict[int, tuple[str, ...]] = {}

    def of(self, sentence: int) -> tuple[str, ...]:
        if sentence not in self._of:
            words = self._data.sentences.words.take(np.array([sentence]))[0].tolist()
            self._of[sentence] = self.of_text(" ".join(self._data.vocabulary.words.items[word] for word in words))
        return self._of[sentence]

    def of_text(self, text: str) -> tuple[str, ...]:
        """Of names in each other the longest."""
        words, at, found = text.casefold().split(" "), 0, list[str]()
        while at < len(words):
            ends = range(min(at + self._longest, len(words)), at, -1)
            end = next((end for end in ends if " ".join(words[at:end]) in self._known), None)
            if end is not None:
                found.append(self._known[" ".join(words[at:end])])
            at = end or at + 1
        return tuple(dict.fromkeys(found))


def linking(facts: Sequence[Collection[str]], asked: Sequence[str], answer: Collection[str]) -> list[int]:
    """Which facts link the names of a question with those of an answer, as positions; none where no few do, or the
    question has no name.

    facts, asked, answer: the names of each
    """
    having: dict[str, list[int]] = defaultdict(list)
    for at, names in enumerate(facts):
        for name in names:
            having[name].append(at)
    wanted = frozenset(asked) | frozenset(answer)
    if not asked or not wanted <= having.keys():
        return []
    best: tuple[int, ...] = ()
    ways: list[tuple[frozenset[int], Names]] = [(frozenset([at]), frozenset(facts[at])) for at in having[asked[0]]]
    for size in range(1, _MOST + 1):
        complete = [chosen for chosen, names in ways if wanted <= names]
        if complete:
            best = max(tuple(sorted(chosen, reverse=True)) for chosen in complete)
            break
        if size < _MOST:
            ways = _longer(ways, facts, having, wanted if size + 1 == _MOST else frozenset())
            if len(ways) > _WAYS:
                break
    return _outward(best[::-1], facts, asked[0])


def latest(facts: Sequence[Collection[str]], asked: Sequence[str], answer: Collection[str]) -> list[int]:
    """The last fact that has the first name of a question."""
    return [at for at, names in enumerate(facts) if asked and asked[0] in names][-1:]


def _longer(
    ways: Iterable[tuple[frozenset[int], Names]],
    facts: Sequence[Collection[str]],
    having: Mapping[str, Sequence[int]],
    needed: Names,
) -> list[tuple[frozenset[int], Names]]:
    """Sets with a fact more that shares a name with one of them, and then have all that are needed."""
    found: dict[frozenset[int], Names] = {}
    for chosen, names in ways:
        missing = needed - names
        among = having[min(missing)] if missing else [at for name in names for at in having[name]]
        for at in among:
            here = facts[at]
            if at not in chosen and not names.isdisjoint(here) and missing.issubset(here):
                found[chosen | {at}] = names.union(here)
    return [*found.items()]


def _outward(chosen: Sequence[int], facts: Sequence[Collection[str]], start: str) -> list[int]:
    """The facts in the order in which one gets from a name to each."""
    left, ordered, names = [*chosen], list[int](), {start}
    while left:
        at = next(at for at in left if not names.isdisjoint(facts[at]))
        left.remove(at)
        ordered.append(at)
        names.update(facts[at])
    return ordered
