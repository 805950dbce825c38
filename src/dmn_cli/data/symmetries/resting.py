"""What answers may rest on, where nobody says: the fewest facts by which the names of a question, and those of its
answer, hang together; or the last fact with what is asked about; or those that have a name of one kind beside it, or
the last of them; or all with what is asked about.

Facts that share a name are linked. Of the smallest sets of facts that are linked and have all the names of question and
answer, the one that is the latest on the whole is taken, in the order in which one gets from the question to its last
fact; but none of a form that far fewer questions have than another (mice are afraid of wolves, where wolves are afraid
of mice):

    What color is Brian? white          Brian is a lion. Greg is a lion. Greg is white.
    From the kitchen to the garden?     The hallway is east of the kitchen. The garden is north of the hallway.

    Is Daniel in the garden? no         Daniel is no longer in the kitchen.

    What does John carry? apple         John got the apple. John got the milk. John handed the milk to Mary.

    Why did Jason go there? hungry      Jason is hungry. Jason went to the kitchen.

Each counts only for tasks where it is found for nearly all questions, and where answers follow from it if names are
only names (`proof.py`): of how many things Mary carries, where she is says nothing. Of facts of one kind, and of all
facts, half of the questions have to rest on what others rest on too, or nothing would be shown by it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from dmn_cli.data.store.layout import Ragged
from dmn_cli.data.store.reader import DataSet, Split
from dmn_cli.data.symmetries import Symmetries
from dmn_cli.data.symmetries.direction import QUESTIONS, in_one_direction
from dmn_cli.data.symmetries.evidence import Evidence
from dmn_cli.data.symmetries.mentions import Named
from dmn_cli.data.symmetries.proof import EXCEPTIONS, Found, agreement, recurring
from dmn_cli.data.symmetries.reading import read
from dmn_cli.data.words.alike import alike

_MOST = 3  # facts that an answer rests on
_WAYS = 10_000  # ways from one fact to the next that are tried for a question; where there are more, none is taken
_NEARLY_ALL = 0.9
_TRIED = 50  # ways to link the same names; of these none whose form
_DEVIATIONS = 3.0  # standard deviations fewer questions have
_ALIKE = 0.5  # of the questions at least rest on facts like those of others, where they are all that tell of something
Names = frozenset[str]
Form = tuple[str | tuple[int, ...], ...]
RestsOn = Callable[[Sequence[Collection[str]], Sequence[str], Collection[str]], list[list[int]]]


def found(
    data: DataSet, split: Split, task: int, symmetries: Symmetries, evidence: Evidence | None
) -> tuple[Ragged, Evidence] | None:
    """The positions of the facts that each question of a split may rest on, none of those of other tasks, and the
    evidence with these; None where that can't be told.

    symmetries: of the task, with classes; evidence: what they were found by
    """
    names = symmetries.names
    plain = Named(data, names)
    ways = [(linking, Named(data, names | _beside(evidence, names))), (latest, plain)]
    if forms := _by_spelling(evidence):
        ways.append((linking, Named(data, names | forms)))
    for rests_on, named in ways:
        supports = _supports(data, split, task, named, rests_on)
        told = None if supports is None else read(data, split, task, supports)
        if supports and told and agreement(told, _known(told, symmetries)) >= 1 - EXCEPTIONS:
            ordered = in_one_direction(split, named, supports)
            return ordered, told if ordered is supports else (read(data, split, task, ordered) or told)
    kinds = [frozenset(names[entity[0]] for entity in entities) for entities in symmetries.classes]
    return _with_what_is_asked_about(data, split, task, symmetries, plain, kinds)


def _with_what_is_asked_about(
    data: DataSet, split: Split, task: int, symmetries: Symmetries, named: Named, kinds: Sequence[Names]
) -> tuple[Ragged, Evidence] | None:
    """As `found`, of facts with names of one kind beside what is asked about, or of all: the fewest."""
    ways = [partial(telling, kind=kind, last=last) for last in (True, False) for kind in kinds]
    ways.append(partial(telling, kind=None, last=False))
    each = (_supports(data, split, task, named, rests_on, answered=False) for rests_on in ways)
    for supports in sorted(filter(None, each), key=lambda supports: len(supports.values)):
        told = read(data, split, task, supports)
        if told:
            alike, right = recurring(told, _known(told, symmetries))
            if alike >= _ALIKE and right >= 1 - EXCEPTIONS:
                return supports, told
    return None


def _known(evidence: Evidence, symmetries: Symmetries) -> Found:
    return Found(_classes(evidence, symmetries), [{}])


def _classes(evidence: Evidence, symmetries: Symmetries) -> list[list[tuple[int, ...]]]:
    """Classes as atoms, without what the evidence lacks."""
    atom = {form: n for n, form in enumerate(evidence.atoms)}
    known = ([entity for entity in entities if atom.keys() >= {*entity}] for entities in symmetries.classes)
    return [[tuple(atom[form] for form in entity) for entity in entities] for entities in known if entities]


def _beside(evidence: Evidence | None, names: Mapping[str, str]) -> dict[str, str]:
    """What stands where names do and isn't known to be one, as it lacks sentences that others have."""
    if evidence is None:
        return {}
    near = (others for atom, others in evidence.candidates.items() if evidence.atoms[atom] in names)
    return {evidence.atoms[other]: evidence.atoms[other] for others in near for other in others}


def _by_spelling(evidence: Evidence | None) -> dict[str, str]:
    """Words in whose place others stand, those that only facts have as forms of those that questions and answers know:
    mice of mouse. None where there are no such forms."""
    if evidence is None:
        return {}
    atoms, only = evidence.atoms, evidence.only_facts
    told = [atoms[atom] for atom in evidence.candidates if not only[atom]]
    near = {
        other: max(told, key=lambda word: alike(word, other), default="")
        for other in (atoms[atom] for atom in evidence.candidates if only[atom])
    }
    forms = {other: word for other, word in near.items() if alike(word, other)}
    return {word: word for word in told} | forms if forms else {}


def _supports(
    data: DataSet,
    split: Split,
    task: int,
    named: Named,
    rests_on: RestsOn,
    *,
    answered: bool = True,
) -> Ragged | None:
    """None where many questions have none. answered: whether names in answers lead to them"""
    asked = _asked(data, split, task, named, rests_on)
    if answered and 2 * sum(one.named for one in asked.values()) > len(asked):  # "nothing" rests on something else
        asked = {row: one if one.named else _Question([], named=False) for row, one in asked.items()}
    votes = Counter(form for one in asked.values() for form in {form for _, form in one.ways})
    linked: list[list[int]] = [[]] * len(split)
    for row, (ways, _) in asked.items():
        most = max((votes[form] for _, form in ways), default=0)
        frequent = (way for way, form in ways if most - votes[form] <= _DEVIATIONS * (most + votes[form]) ** 0.5)
        linked[row] = next(frequent, [])
    lengths = np.array([*map(len, linked)], np.int64)
    values = np.array([at for one in linked for at in one], np.int64)
    return Ragged.of(values, lengths) if np.count_nonzero(lengths) >= _NEARLY_ALL * len(asked) else None


class _Question(NamedTuple):
    ways: list[tuple[list[int], Form]]
    named: bool  # whether its answer is a name


def _asked(data: DataSet, split: Split, task: int, named: Named, rests_on: RestsOn) -> dict[int, _Question]:
    """The questions of a task, by their numbers; not all, where there are very many."""
    answers = [named.of_text(answer)[0] for answer in data.vocabulary.answers.items]
    stories = np.flatnonzero(split.task == task)
    before = np.cumsum(split.questions.lengths[stories]) - split.questions.lengths[stories]
    asked: dict[int, _Question] = {}
    for story in stories[before < QUESTIONS].tolist():
        here, rows = np.array([story]), np.arange(*split.question_offset[story : story + 2].tolist())
        facts = [named.of(sentence) for sentence in split.facts.take(here)[0].tolist()]
        questions, positions = split.questions.take(here)[0].tolist(), split.positions.take(here)[0].tolist()
        words, lengths = split.answers.take(rows)
        of_answer = np.split(words, np.cumsum(lengths)[:-1])
        for row, question, seen, answer in zip(rows.tolist(), questions, positions, of_answer, strict=True):
            wanted, about = [name for word in answer.tolist() for name in answers[word]], named.of(question)
            ways = rests_on(facts[:seen], about, wanted)[:_TRIED]
            forms = ((named.left(question), *_form(sorted(way), facts, about)) for way in ways)
            asked[row] = _Question([*zip(ways, forms, strict=True)], bool(wanted))
    return asked


def _form(way: Sequence[int], facts: Sequence[Sequence[str]], asked: Sequence[str]) -> Form:
    """Which names in the facts of a way are the same, and which are those of the question; nothing of many facts, which
    are the only way."""
    if len(way) > _MOST:
        return ()
    number = {name: n for n, name in enumerate(asked)}
    outwards = _outward(way, facts, asked[0]) if asked else way
    return tuple(tuple(number.setdefault(name, len(number)) for name in facts[at]) for at in outwards)


def linking(facts: Sequence[Collection[str]], asked: Sequence[str], answer: Collection[str]) -> list[list[int]]:
    """The ways to link the names of a question with those of an answer by the fewest facts, those first that are the
    latest on the whole: positions in the order in which one gets from the question to each. None where no few do, or
    the question has no name.

    facts, asked, answer: the names of each
    """
    having: dict[str, list[int]] = defaultdict(list)
    for at, names in enumerate(facts):
        for name in names:
            having[name].append(at)
    wanted = frozenset(asked) | frozenset(answer)
    if not asked or not wanted <= having.keys():
        return []
    ways: list[tuple[frozenset[int], Names]] = [(frozenset([at]), frozenset(facts[at])) for at in having[asked[0]]]
    for size in range(1, _MOST + 1):
        complete = [sorted(chosen, reverse=True) for chosen, names in ways if wanted <= names]
        complete.sort(key=lambda chosen: (sum(chosen), chosen), reverse=True)
        if complete:
            return [_outward(chosen[::-1], facts, asked[0], asked) for chosen in complete]
        if size < _MOST:
            ways = _longer(ways, facts, having, wanted if size + 1 == _MOST else frozenset())
            if len(ways) > _WAYS:
                break
    return []


def latest(facts: Sequence[Collection[str]], asked: Sequence[str], answer: Collection[str]) -> list[list[int]]:
    """The last fact that has the first name of a question, if there is one, as the only way."""
    return [[at] for at, names in enumerate(facts) if asked and asked[0] in names][-1:]


def telling(
    facts: Sequence[Collection[str]], asked: Sequence[str], answer: Collection[str], *, kind: Names | None, last: bool
) -> list[list[int]]:
    """All facts that have the first name of a question and another one of a kind, or the last of them, if there are
    any, as the only way. kind: None: whatever other names they have"""
    about = asked[:1]
    with_it = [at for at, names in enumerate(facts) if about and about[0] in names]
    way = [at for at in with_it if kind is None or kind & {*facts[at]} - {*about}]
    return [way[-1:] if last else way] if way else []


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


def _outward(
    chosen: Sequence[int], facts: Sequence[Collection[str]], start: str, before: Collection[str] = ()
) -> list[int]:
    """The facts in the order in which one gets from a name to each; of several that one gets to, those with more names
    of some come before: where the milk was before the kitchen is told by when it came to the kitchen."""
    left, ordered, names = [*chosen], list[int](), {start}
    while left:
        reached = [at for at in left if not names.isdisjoint(facts[at])]
        at = max(reached, key=lambda at: len({*before}.intersection(facts[at])))
        left.remove(at)
        ordered.append(at)
        names.update(facts[at])
    return ordered
