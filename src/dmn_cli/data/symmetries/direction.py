"""From which of two names on facts are read that link them: the way round that they tell themselves.

    Is the chest bigger than the box? no        The chest fits inside the suitcase. The suitcase fits inside the box.
    Does the chest fit in the box? yes

Where questions have one of two answers, an answer and the wording of its question can say which name comes first, so
that all facts are read the same way, from the smaller to the larger. Then what is read first says half of the answer,
and gates that are taught in this order learn it; in the order in which a question names the two they learn nothing by
it, and the answer is an exclusive or of too much at once (docs/log.md).

Which answers and wordings turn the order round isn't known. Those do by which the fewest facts are read both ways; and
if more than a few still are, what is smaller and larger isn't what it is about, and the order stays.

Supporting facts that data come with may have an order that nobody can know before the answer: in bAbI's qa18 from the
smaller to the larger where it is no, and back where it is yes. They are put into this order too.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from dmn_cli.data.store.layout import Ragged
from dmn_cli.data.store.reader import Split
from dmn_cli.data.symmetries.mentions import Named
from dmn_cli.data.symmetries.proof import EXCEPTIONS

QUESTIONS = 20_000  # of a task that are looked at, from the first on
_NEARLY_ALL = 0.9  # of the questions are about two names that facts link
Path = tuple[tuple[str, int], ...]  # for each fact its words but for the names, and which of its names one comes from
Group = tuple[str, tuple[int, ...]]  # the wording of a question, but for its names, and the answer


class _Paths(NamedTuple):
    """The facts of a question, from its first name to its second, and back."""

    group: Group
    there: Path
    back: Path
    chosen: list[int]  # the positions of the facts there


def given_in_one_direction(split: Split, task: int, named: Named) -> Ragged | None:
    """The supports that questions of a task come with, as `in_one_direction`, none of other tasks; None where they stay
    as they are."""
    asked = np.repeat(split.task == task, split.questions.lengths)
    lengths = np.where(asked, split.supports.lengths, 0)
    if lengths.max(initial=0) < 2 or len(np.unique(split.answers.take(np.flatnonzero(asked))[0])) != 2:
        return None

    def ordered(lengths: np.ndarray) -> Ragged | None:
        supports = Ragged.of(split.supports.take(np.flatnonzero(lengths))[0], lengths)
        found = in_one_direction(split, named, supports)
        return None if found is supports else found

    first = np.where(np.cumsum(asked) <= QUESTIONS, lengths, 0)
    return ordered(lengths) if (first == lengths).all() or ordered(first) else None


def in_one_direction(split: Split, named: Named, supports: Ragged) -> Ragged:
    """Supports of questions of one task, in the order in which one gets from a question's first name to its last; the
    other way round for those questions whose facts are then read the same way as those of the others; as they are
    where there are none."""
    paths = _paths(split, named, supports)
    groups: dict[Group, Counter[tuple[Path, Path]]] = defaultdict(Counter)
    for one in paths.values():
        groups[one.group][one.there, one.back] += 1
    several = any(len(one.there) > 1 for one in paths.values())
    if not several or len({answer for _, answer in groups}) != 2:
        return supports
    if len(paths) < _NEARLY_ALL * np.count_nonzero(np.diff(supports.offsets)):
        return supports
    turned = _turned(groups)
    if not turned:
        return supports
    rows = np.split(supports.values, supports.offsets[1:-1])
    for at, (group, _, _, chosen) in paths.items():
        rows[at] = np.array(chosen[::-1] if group in turned else chosen)
    return Ragged(supports.offsets, np.concatenate(rows))


def _turned(groups: Mapping[Group, Counter[tuple[Path, Path]]]) -> set[Group]:
    """Those that turn the order round; none where facts would be read both ways all the same."""
    read: Counter[Path] = Counter()
    turned: set[Group] = set()
    for group, ways in sorted(groups.items(), key=lambda one: (-one[1].total(), one[0])):
        if sum(n * (read[there] - read[back]) for (there, back), n in ways.items()) < 0:
            turned.add(group)
        for (there, back), n in ways.items():
            read[back if group in turned else there] += n
    pairs = {frozenset(way) for ways in groups.values() for way in ways}
    both = sum(min(read[path] for path in pair) for pair in pairs if len(pair) > 1)  # not those that lead back as there
    return turned if both <= EXCEPTIONS * read.total() else set()


def _paths(split: Split, named: Named, supports: Ragged) -> dict[int, _Paths]:
    """By the number of each question that is about two names which its facts link."""
    found: dict[int, _Paths] = {}
    story_of = np.repeat(np.arange(split.stories), split.questions.lengths)
    for story in np.unique(story_of[np.diff(supports.offsets) > 0]).tolist():
        here, rows = np.array([story]), np.arange(*split.question_offset[story : story + 2].tolist())
        facts, questions = split.facts.take(here)[0].tolist(), split.questions.take(here)[0].tolist()
        for row, question in zip(rows.tolist(), questions, strict=True):
            about, chosen = named.of(question), supports.values[slice(*supports.offsets[row : row + 2])].tolist()
            if len(about) == 2 and chosen:
                if about[0] not in named.of(facts[chosen[0]]):
                    chosen.reverse()
                told = [facts[at] for at in chosen]
                there, back = _path(told, about[0], named), _path(told[::-1], about[1], named)
                answer = tuple(split.answers.take(np.array([row]))[0].tolist())
                if there and back:
                    found[row] = _Paths((named.left(question), answer), there, back, chosen)
    return found


def _path(facts: Sequence[int], start: str, named: Named) -> Path | None:
    """None where a fact hasn't two names, or not the one that one comes from."""
    path: list[tuple[str, int]] = []
    for fact in facts:
        names = named.of(fact)
        if len(names) != 2 or start not in names:
            return None
        path.append((named.left(fact), names.index(start)))
        start = names[1 - path[-1][1]]
    return tuple(path)
