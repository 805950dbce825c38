"""Names that nobody has seen: each is given a spare of the kind of name whose place it takes, throughout a story.

    Aisha went to the observatory.   Where is Aisha?

A sentence with words that the model doesn't know is laid over the sentences of training (`fits.py`). Where one fits,
its new names are bound, in the order of mention, to spares (`data/symmetries/spares.py`): words that training had in
the places of names as often as the names that it knew. What the model then says of a spare is said of the name, as it
was written.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from functools import cached_property, lru_cache

from dmn_cli.answering.bound import Bound, Sentence
from dmn_cli.answering.fits import LONGEST, Fit, KnownSentences
from dmn_cli.answering.known_names import KnownNames, union
from dmn_cli.answering.spelling import one_letter_apart, with_capital_of
from dmn_cli.data.words.affixes import affixes, is_affix
from dmn_cli.data.words.alike import alike
from dmn_cli.records.names import Names, Place

_REMEMBERED = 4096  # unknown words, with the known ones that they are near to
_EXAMPLES = 3  # names of a kind that are told


class Binder:
    """Binds new names as a model's `Names` allow."""

    def __init__(self, names: Names, known: frozenset[str]) -> None:
        """known: all words of the model"""
        self.kinds, self.known = names.kinds, known
        self.known_names = KnownNames(names)
        self.known_sentences = KnownSentences(names, known)
        self._near = lru_cache(_REMEMBERED)(self._one_letter_apart)

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
        spares = {spare for kind in self.kinds for entity in kind.spares for spare in entity}
        bound.sentences = [
            s.text if spares.isdisjoint(words) else tuple(words) for s, words in zip(sentences, read, strict=True)
        ]
        return bound

    def _fits_of(self, sentence: Sentence, bound: Bound) -> list[Fit]:
        """The ways to lay a sentence over a known one; none where all of its words are known. Where none fits with its
        words as they are, one of them is taken for a slip."""
        words = sentence.words
        unknown = [at for at, word in enumerate(words) if word not in self.known]
        if not unknown:
            return []
        if fits := self.known_sentences.fits(words, sentence.written):
            return fits
        for at in unknown:
            for other in self._near(words[at]):
                if fits := self.known_sentences.fits([*words[:at], other, *words[at + 1 :]], sentence.written):
                    bound.meant[sentence.written[at]] = with_capital_of(sentence.written[at], other)
                    return fits
        return []

    def _one_letter_apart(self, word: str) -> list[str]:
        """Known words that differ by a letter."""
        lengths = (len(word) + n for n in (-1, 0, 1))
        return [o for length in lengths for o in self._by_length.get(length, ()) if one_letter_apart(word, o)]

    @cached_property
    def _by_length(self) -> dict[int, list[str]]:
        found: dict[int, list[str]] = {}
        for word in sorted(self.known):
            if word.isalpha():
                found.setdefault(len(word), []).append(word)
        return found

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
            kinds.update((span.text, span.place.kind) for span in fit if self.known_sentences.is_new(span))
            chosen.append(fit)
        return chosen

    def _allot(self, sentences: Sequence[Sentence], fits: Sequence[Fit], bound: Bound) -> None:
        """Gives each new name a spare, in the order of mention."""
        places: dict[str, list[Place]] = {}
        written: dict[str, str] = {}
        within: set[str] = set()  # what was met elsewhere than at a beginning, where any word has a capital
        for sentence, fit in zip(sentences, fits, strict=True):
            for span in filter(self.known_sentences.is_new, fit):
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
                if number == len(self.kinds[kind].spares):
                    bound.too_many.append(name)
                    continue
                forms.append({})
            forms[number][form] = text
            bound.spares[text] = (kind, number)
            bound.names[name] = [entity[form] for entity in self.kinds[kind].members[:_EXAMPLES]]
            for other in self.kinds[kind].spares[number]:
                bound.said.setdefault(other, name)
            for place in here:
                bound.said[self._spare(text, place.form, bound)] = name

    def _meant(self, text: str, places: dict[str, list[Place]]) -> str | None:
        """A name that could stand there and that differs by a letter: a known one, or of the story one that is met more
        often, or before."""
        place = places[text][0]
        for entity in self.kinds[place.kind].members:
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
        return self.kinds[kind].spares[number][form]

    def _rewritten(self, sentence: Sentence, fit: Fit, bound: Bound) -> list[str]:
        """The words of a sentence with spares in the place of bound names, also where these stand in no known sentence.
        Affixes are of the word that they follow."""
        words, places = sentence.words, {(span.start, span.end): span for span in fit}
        read: list[str] = []
        at = 0
        while at < len(words):
            spans = ((at, end) for end in range(min(at + LONGEST, len(words)), at, -1))
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
        """The names that are asked about and that no fact has, as written. read: the words of the facts and of the
        question"""
        *facts, asked = ([word for word in words if not is_affix(word)] for words in read)
        told = union(name.which for words in facts for name in self.known_names.named(words))
        names = [
            bound.said.get(asked[name.start]) or _in_story(" ".join(asked[name.start : name.end]), question)
            for name in self.known_names.asked_about(asked)
            if not told & name.which
        ]
        everything = {word for words in facts for word in words}
        new = (
            span for span in fit if self.known_sentences.is_new(span) and not everything.issuperset(span.text.split())
        )
        left = (question.as_written(span.start, span.end) for span in new)
        return [*names, *(name for name in left if name in bound.too_many)]

    def answer(self, text: str, bound: Bound, answers: Collection[str]) -> str:
        """What the model should answer where this is right: the spare, of its forms the one that can be answered, that
        stands for the name, or for another form of it; else the text as it is. text: as the model would read it"""
        stands = bound.spares.get(text)
        if stands is None:
            near = {
                spare: alike(text, other)
                for other, spare in bound.spares.items()
                if len(self.kinds[spare[0]].spares[0]) > 1
            }
            stands = max(near, key=near.__getitem__, default=None)
            if stands is None or not near[stands]:
                return text
        kind, number = stands
        return next((form for form in self.kinds[kind].spares[number] if form in answers), text)


def _of_same(text: str, form: int, forms: Sequence[dict[int, str]]) -> int | None:
    """The number of the name of which a text may be another form, as mice is of mouse."""
    near = {n: max(alike(text, other) for other in met.values()) for n, met in enumerate(forms) if form not in met}
    best = max(near, key=near.__getitem__, default=None)
    return best if best is not None and near[best] else None


def _in_story(text: str, sentence: Sentence) -> str:
    """Some words as they were written, where they are met."""
    words = text.split(" ")
    for at in range(len(sentence.words) - len(words) + 1):
        if sentence.words[at : at + len(words)] == words:
            return sentence.as_written(at, at + len(words))
    return text
