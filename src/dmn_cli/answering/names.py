"""Names that nobody has seen: each is given a spare of the kind of name whose place it takes, throughout a story.

    Aisha went to the observatory.   Where is Aisha?

A sentence with words that the model doesn't know is laid over the sentences of training, which have places for names
(`data/symmetries/places.py`). Where one fits, its new names are bound, in the order of mention, to spares (`spares.py`
there): words that training had in the places of names as often as the names that it knew. What the model then says of a
spare is said of the name, as it was written.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce
from itertools import islice, pairwise
from operator import or_
from typing import NamedTuple

from dmn_cli.answering.bound import Bound, Sentence
from dmn_cli.answering.spelling import (
    alike,
    has_capitals,
    may_be_one_name,
    one_letter_apart,
    with_capital_of,
)
from dmn_cli.data.words.affixes import affixes, is_affix
from dmn_cli.records.names import Names, Place

_LONGEST = 5  # words of a name, hyphens and the like among them
_FITS = 64  # ways to lay one sentence over the known ones that are looked at
_EXAMPLES = 3  # names of a kind that are told

Words = Sequence[str]


class Span(NamedTuple):
    """A name in a sentence: words[start:end]."""

    start: int
    end: int
    place: Place
    text: str  # its words, joined by blanks
    article: str = ""  # that would have to precede it


Fit = tuple[Span, ...]  # all names of a sentence


@dataclass
class _Tree:
    """Known sentences without the signs at their ends, or the rest of those that begin alike."""

    words: dict[str, _Tree] = field(default_factory=dict)
    places: dict[Place, _Tree] = field(default_factory=dict)
    ends: bool = False  # whether one ends here


class Binder:
    """Binds new names as a model's `Names` allow."""

    def __init__(self, names: Names, known: frozenset[str]) -> None:
        """known: all words of the model"""
        self.names, self.known = names, known
        self._places: dict[str, set[Place]] = {}  # of known names
        self._named: dict[str, int] = {}  # form → the names that it may be, as the bits of a number
        names_so_far = 0
        for k, kind in enumerate(names.kinds):
            for n, entity in enumerate((*kind.members, *kind.spares)):
                for f, form in enumerate(entity):
                    self._named[form] = self._named.get(form, 0) | 1 << names_so_far
                    if n < len(kind.members):
                        self._places.setdefault(form, set()).add(Place(k, f))
                names_so_far += 1
        self._longest = max((form.count(" ") + 1 for form in self._named), default=0)
        self._parts = {word for form in self._places for word in form.split(" ")}  # of known names

    def named(self, words: Words) -> list[tuple[int, int, int]]:
        """The known names and spares in a sentence: which they may be, as the bits of a number, and where each begins
        and ends, the longest that fits from left to right."""
        found: list[tuple[int, int, int]] = []
        at = 0
        while at < len(words):
            for end in range(min(at + self._longest, len(words)), at, -1):
                bits = self._named.get(words[at] if end == at + 1 else " ".join(words[at:end]))
                if bits is not None:
                    found.append((bits, at, end))
                    at = end - 1
                    break
            at += 1
        return found

    def bind(self, facts: Sequence[Sentence], question: Sentence | None = None) -> Bound:
        """The binding depends on nothing but this story and question."""
        sentences = [*facts, question] if question else [*facts]
        bound = Bound()
        fits = self._chosen([self._fits_of(sentence, bound) for sentence in sentences])
        self._allot(sentences, fits, bound)
        read = [self._rewritten(sentence, fit, bound) for sentence, fit in zip(sentences, fits, strict=True)]
        left = (word for words in read for word in words if word not in self.known and not is_affix(word))
        too_many = {word for name in bound.too_many for word in name.casefold().split()}
        bound.unknown = [word for word in dict.fromkeys(left) if word.casefold() not in too_many]
        if question:
            bound.nowhere = self._nowhere(question, fits[-1], read, bound)
        spares = {spare for kind in self.names.kinds for entity in kind.spares for spare in entity}
        bound.sentences = [
            s.text if spares.isdisjoint(words) else tuple(words) for s, words in zip(sentences, read, strict=True)
        ]
        return bound

    def _fits_of(self, sentence: Sentence, bound: Bound) -> list[Fit]:
        """The ways to lay a sentence over a known one in which new names have the fewest words; none where all of its
        words are known. Where none fits with its words as they are, one of them is taken for a slip."""
        words = sentence.words
        unknown = [at for at, word in enumerate(words) if word not in self.known]
        if not unknown:
            return []
        if fits := self._fits(words, sentence.written):
            return fits
        for at in unknown:
            for other in self._near(words[at]):
                if fits := self._fits([*words[:at], other, *words[at + 1 :]], sentence.written):
                    bound.meant[sentence.written[at]] = with_capital_of(sentence.written[at], other)
                    return fits
        return []

    def _fits(self, words: Words, written: Words) -> list[Fit]:
        fits = list(islice(self._laid(words[: _body(words)], written, 0, self._known_sentences), _FITS))
        new = [sum(span.end - span.start for span in fit if self._is_new(span)) for fit in fits]
        return [fit for fit, length in zip(fits, new, strict=True) if length == min(new)]

    def _laid(self, words: Words, written: Words, at: int, known: _Tree) -> Iterator[Fit]:
        """All ways to lay the rest of a sentence over the rest of known ones."""
        if at == len(words):
            if known.ends:
                yield ()
            return
        if words[at] in known.words:
            yield from self._laid(words, written, at + 1, known.words[words[at]])
        for article, place, further in self._places_at(known):
            for end in range(at + 1, min(at + _LONGEST, len(words)) + 1):
                span = Span(at, end, place, " ".join(words[at:end]), article)
                if article and not (at and has_capitals(written[at:end])):
                    continue
                if not self._is_new(span) or self._may_be_new(words[at:end], written[at:end]):
                    for rest in self._laid(words, written, end, further):
                        yield (span, *rest)

    def _places_at(self, known: _Tree) -> Iterator[tuple[str, Place, _Tree]]:
        """Where a name may stand next: with the article that may be left out before one that has capitals, as Paris."""
        for place, further in known.places.items():
            yield "", place, further
        for article in self._articles & known.words.keys():
            for place, further in known.words[article].places.items():
                if self._article.get(place) == article:
                    yield article, place, further

    @cached_property
    def _article(self) -> dict[Place, str]:
        """The word that precedes a place wherever it is known to be, if there is one."""
        before: dict[Place, set[str]] = {}
        for form in self.names.forms:
            for previous, word in pairwise(("", *form)):
                if place := Place.read(word):
                    before.setdefault(place, set()).add(previous)
        return {
            place: next(iter(words)) for place, words in before.items() if len(words) == 1 and words.isdisjoint({""})
        }

    @cached_property
    def _articles(self) -> set[str]:
        return set(self._article.values())

    @cached_property
    def _known_sentences(self) -> _Tree:
        root = _Tree()
        for form in self.names.forms:
            tree = root
            for word in form[: _body(form)]:
                place = Place.read(word)
                tree = tree.words.setdefault(word, _Tree()) if place is None else tree.places.setdefault(place, _Tree())
            tree.ends = True
        return root

    def _may_be_new(self, words: Words, written: Words) -> bool:
        if all(word in self.known for word in words):
            return False
        return len(words) == 1 or may_be_one_name(written, [w not in self.known or w in self._parts for w in words])

    def _is_new(self, span: Span) -> bool:
        return span.place not in self._places.get(span.text, ())

    def _chosen(self, fits: Sequence[Sequence[Fit]]) -> list[Fit]:
        """Of each sentence one: a new name is of one kind throughout, and kinds that more sentences tell of are
        likelier."""
        weight: dict[int, float] = defaultdict(float)
        for every in fits:
            for kind in (kind for fit in every for kind in {span.place.kind for span in fit}):
                weight[kind] += 1 / len(every)
        kinds: dict[str, int] = {}
        chosen: list[Fit] = []
        for every in fits:
            agreeing = [f for f in every if all(kinds.get(s.text, s.place.kind) == s.place.kind for s in f)]
            fit = max(agreeing, key=lambda fit: sum(weight[span.place.kind] for span in fit), default=())
            kinds.update((span.text, span.place.kind) for span in fit if self._is_new(span))
            chosen.append(fit)
        return chosen

    def _allot(self, sentences: Sequence[Sentence], fits: Sequence[Fit], bound: Bound) -> None:
        """Gives each new name a spare, in the order of mention."""
        mentions = [(s, span) for s, fit in zip(sentences, fits, strict=True) for span in fit if self._is_new(span)]
        places: dict[str, list[Place]] = {}
        written: dict[str, str] = {}
        within: set[str] = set()  # what was met elsewhere than at a beginning, where any word has a capital
        for sentence, span in mentions:
            places.setdefault(span.text, []).append(span.place)
            if span.text not in written or (span.start and span.text not in within):
                written[span.text] = sentence.as_written(span.start, span.end)
            if span.start:
                within.add(span.text)
        by_kind: dict[int, list[dict[int, str]]] = {}  # of each spare the names that it stands for, by form
        for text, here in places.items():
            name, (kind, form) = written[text], here[0]
            meant = self._meant(text, places)
            if meant is not None:
                bound.meant[name] = written.get(meant) or with_capital_of(name, meant)
                continue
            forms = by_kind.setdefault(kind, [])
            number = _of_same(text, form, forms)
            if number is None:
                number = len(forms)
                if number == len(self.names.kinds[kind].spares):
                    bound.too_many.append(name)
                    continue
                forms.append({})
            forms[number][form] = text
            bound.spares[text] = (kind, number)
            bound.names[name] = [entity[form] for entity in self.names.kinds[kind].members[:_EXAMPLES]]
            for other in self.names.kinds[kind].spares[number]:
                bound.said.setdefault(other, name)
            for place in here:
                bound.said[self._spare(text, place.form, bound)] = name

    def _meant(self, text: str, places: dict[str, list[Place]]) -> str | None:
        """A name that could stand there and that differs by a letter: a known one, or of the story one that is met more
        often, or before."""
        place = places[text][0]
        for entity in self.names.kinds[place.kind].members:
            if one_letter_apart(text, entity[place.form]):
                return entity[place.form]
        before = True
        for other, there in places.items():
            if other == text:
                before = False
            elif there[0] == place and one_letter_apart(text, other):
                mine, its = len(places[text]), len(there)
                if its > mine or (its == mine and before):
                    return other
        return None

    def _spare(self, text: str, form: int, bound: Bound) -> str:
        kind, number = bound.spares[text]
        return self.names.kinds[kind].spares[number][form]

    def _rewritten(self, sentence: Sentence, fit: Fit, bound: Bound) -> list[str]:
        """The words of a sentence with spares in the place of bound names, also where these stand in no known sentence.
        Affixes are of the word that they follow."""
        words, places = sentence.words, {(span.start, span.end): span for span in fit}
        read: list[str] = []
        at = 0
        while at < len(words):
            spans = ((at, end) for end in range(min(at + _LONGEST, len(words)), at, -1))
            span = next((span for span in spans if " ".join(words[slice(*span)]) in bound.spares), None)
            word = words[at]
            if span is None:
                read += word, *sentence.affixes[at]
            else:
                place = places.get(span)
                spare = self._spare(" ".join(words[slice(*span)]), place.place.form if place else 0, bound)
                for word in (place.article, spare) if place and place.article else (spare,):
                    read += word, *(affixes(word) if sentence.affixes[at] else ())
            at = span[1] if span else at + 1
        return read

    def _nowhere(self, question: Sentence, fit: Fit, read: Sequence[list[str]], bound: Bound) -> list[str]:
        """The names of a question that no fact has, as written. read: the words of the facts and of the question"""
        *facts, asked = ([word for word in words if not is_affix(word)] for words in read)
        told = union(bits for words in facts for bits, _, _ in self.named(words))
        names = [
            bound.said.get(asked[start]) or _in_story(" ".join(asked[start:end]), [question])
            for bits, start, end in self.named(asked)
            if not told & bits
        ]
        everything = {word for words in facts for word in words}
        left = ((span, question.as_written(span.start, span.end)) for span in fit if self._is_new(span))
        names += [n for s, n in left if n in bound.too_many and not everything.issuperset(s.text.split(" "))]
        return names

    def answer(self, text: str, bound: Bound, answers: Collection[str]) -> str:
        """What the model should answer where this is right: the spare, of its forms the one that can be answered, that
        stands for the name, or for another form of it; else the text as it is. text: as the model would read it"""
        stands = bound.spares.get(text)
        if stands is None:
            near = {
                spare: alike(text, other)
                for other, spare in bound.spares.items()
                if len(self.names.kinds[spare[0]].spares[0]) > 1
            }
            stands = max(near, key=near.__getitem__, default=None)
            if stands is None or not near[stands]:
                return text
        kind, number = stands
        return next((form for form in self.names.kinds[kind].spares[number] if form in answers), text)

    def _near(self, word: str) -> list[str]:
        """Known words that differ by a letter."""
        return [
            other
            for n in (-1, 0, 1)
            for other in self._by_length.get(len(word) + n, ())
            if one_letter_apart(word, other)
        ]

    @cached_property
    def _by_length(self) -> dict[int, list[str]]:
        found: dict[int, list[str]] = {}
        for word in sorted(self.known):
            if word.isalpha():
                found.setdefault(len(word), []).append(word)
        return found


def union(sets: Iterable[int]) -> int:
    """Of sets as the bits of numbers."""
    return reduce(or_, sets, 0)


def _of_same(text: str, form: int, forms: Sequence[dict[int, str]]) -> int | None:
    """The number of the name of which a text may be another form, as mice is of mouse."""
    near = {n: max(alike(text, other) for other in met.values()) for n, met in enumerate(forms) if form not in met}
    best = max(near, key=near.__getitem__, default=None)
    return best if best is not None and near[best] else None


def _body(words: Words) -> int:
    """How many words there are up to the signs that end a sentence."""
    length = len(words)
    while length and not any(letter.isalnum() for letter in words[length - 1]):
        length -= 1
    return length


def _in_story(text: str, sentences: Sequence[Sentence]) -> str:
    """Some words as they were written, where they are met."""
    words = text.split(" ")
    for sentence in sentences:
        for at in range(len(sentence.words) - len(words) + 1):
            if sentence.words[at : at + len(words)] == words:
                return sentence.as_written(at, at + len(words))
    return text
