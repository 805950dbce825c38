"""Questions as text → batches for a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np

from dmn_cli.answering.bound import Bound, Sentence
from dmn_cli.answering.known_names import union
from dmn_cli.answering.names import Binder
from dmn_cli.artifact.model import Model
from dmn_cli.data.words.affixes import is_affix
from dmn_cli.data.words.vocabulary import NOTHING, UNKNOWN
from dmn_cli.errors import DataError
from dmn_cli.records.batch import FACTS, Batch, cuts, from_arrays, padded, rectangle
from dmn_cli.records.spelling import Spelled, Spelling
from dmn_cli.records.text import Form

MAX_BATCH = 512  # questions
REMEMBERED = 4_000_000  # characters of distinct sentences


class Encoded(NamedTuple):
    """A sentence, or a question."""

    ids: np.ndarray  # (words,) word ids
    affix: np.ndarray  # (words,) True for those that say the form of the word before
    unknown: list[str]  # its words that the vocabulary lacks
    form: Form  # of the question, where it is one
    named: int  # which known names are in it, as the bits of a number
    asked: int  # those that it is about, where it is a question
    words: list[str]  # where the model reads letters


class AskedBatch(NamedTuple):
    """Some of the questions that were asked, as a batch."""

    places: list[int]  # where its questions are among all that were asked
    batch: Batch
    strange: dict[int, Bound]  # of those that have words which the model doesn't know: what became of their names

    @property
    def said(self) -> list[Mapping[str, str]]:
        """What spares stand for in each of its questions."""
        return [self.strange[place].said if place in self.strange else NOTHING for place in self.places]


class Encoder:
    """Splits text into words as it was done for the training data, and looks up their ids in the model's vocabulary."""

    def __init__(
        self, model: Model, *, max_batch: int = MAX_BATCH, remembered: int = REMEMBERED, bind: bool = True
    ) -> None:
        """max_batch: questions; remembered: characters of distinct sentences, past which all are forgotten; bind:
        whether names that the model doesn't know are bound to spares, where it has any."""
        self.model, self.max_batch, self.remembered = model, max_batch, remembered
        self.binder = Binder(model.names, frozenset(model.vocabulary.words.ids)) if bind and model.names else None
        self._spares = model.vocabulary.spare_answers()
        self._letters = bool(dict(model.settings).get("characters"))
        self._forget()
        self._forms = {tuple(self.tokenizer(question)): form for question, form in model.forms.items()}

    def _forget(self) -> None:
        """Starts anew with the tokenizer too, which may remember words: memory doesn't grow with an endless stream."""
        self.tokenizer = self.model.tokenizer()
        self._encoded: dict[str, Encoded] = {}
        self._remembered = 0

    def form(self, question: str) -> Form:
        """How the training data had this question answered, recognised by its words. Raises as `encode` does."""
        return self.encode(question).form

    def story(self, value: str | Sequence[str], question: str) -> list[str]:
        """A story as facts: a list as it is; a text is split into sentences, or into words where the question is about
        words."""
        if not isinstance(value, str):
            return [fact.strip() for fact in value]
        return self.tokenizer.words(value) if self.form(question).facts_are_words else self.tokenizer.sentences(value)

    def encode(self, text: str) -> Encoded:
        """A sentence as word ids. Raises: DataError where it has no words."""
        encoded = self._encoded.get(text)
        if encoded is None:
            if self._remembered > self.remembered:
                self._forget()
            encoded = self._encoded[text] = self._encode(text)
            self._remembered += len(text)
        return encoded

    def _encode(self, text: str) -> Encoded:
        words = self.tokenizer(text)
        if not words:
            raise DataError(f"a fact or question without words: {text!r}")
        known = self.model.vocabulary.words.ids
        ids = np.array([known.get(word, known[UNKNOWN]) for word in words])
        runs = [list(run) for is_known, run in groupby(words, known.__contains__) if not is_known]
        unknown = [word for run in runs for word in self.tokenizer.spelled(run)]
        named = asked = 0
        if self.binder:
            plain, names = [word for word in words if not is_affix(word)], self.binder.known_names
            named, asked = (union(name.which for name in find(plain)) for find in (names.named, names.asked_about))
        affix, form = np.array([*map(is_affix, words)]), self._forms.get(tuple(words), Form())
        return Encoded(ids, affix, unknown, form, named, asked, words if self._letters else [])

    def unknown_words(self, texts: Sequence[str]) -> list[str]:
        """The words of some sentences that never occurred in training, each once."""
        unknown = [word for encoded in map(self.encode, texts) for word in encoded.unknown]
        return list(dict.fromkeys(unknown))

    def nowhere(self, facts: Sequence[str], question: str) -> list[str]:
        """The names that a question is about, of those that the model knows, that no fact has; as written."""
        asked, told = self.encode(question).asked, 0
        for fact in reversed(facts):
            if not asked & ~told:
                break
            told |= self.encode(fact).named
        if not self.binder or not asked & ~told:
            return []
        sentence = Sentence.of(question, self.tokenizer)
        names = self.binder.known_names.asked_about(sentence.words)
        return [sentence.as_written(name.start, name.end) for name in names if not told & name.which]

    def bound(self, facts: Sequence[str], question: str | None = None) -> Bound:
        """What becomes of the names of a story."""
        if not self.binder:
            texts = facts if question is None else [*facts, question]
            return Bound([*texts], unknown=self.unknown_words(texts))
        told = [Sentence.of(text, self.tokenizer) for text in facts]
        return self.binder.bind(told, None if question is None else Sentence.of(question, self.tokenizer))

    def batches(self, asked: Sequence[tuple[Sequence[str], str]]) -> list[AskedBatch]:
        """(facts, question) pairs as batches of stories of similar length. A story, and any other that is the beginning
        of it, is read once for all of its questions.

        Raises: DataError where a story has no facts, or a fact or a question has no words.
        """
        if not asked:
            return []
        facts, questions = _Sentences(), _Sentences()
        stories = [facts.numbers(story) for story, _ in asked]
        if not all(stories):
            raise DataError("the story is empty", hint="Give at least one fact before the question.")
        question = questions.numbers([text for _, text in asked])
        strange = self._strange(asked, facts, questions, stories, question)
        fact_ids, question_ids = ([self._ids(text) for text in part.texts] for part in (facts, questions))
        texts = list(facts.texts)
        affixes = [self._affixes(text) for text in facts.texts] if self.model.tokenizer_spec.get("affixes") else None
        per_fact = np.array([self.form(text).per_fact for _, text in asked])
        groups = _shared(stories, self.max_batch)
        lengths = np.array([len(stories[group[0]]) for group in groups])
        sizes = np.array([len(group) for group in groups])
        batches = []
        for chosen in np.split(np.arange(len(groups)), cuts(lengths, sizes, self.max_batch, FACTS)):
            places = [place for i in chosen for place in groups[i]]
            longest = [stories[groups[i][0]] for i in chosen]
            sentences, story = np.unique(np.concatenate(longest), return_inverse=True)
            question_sentences, question_of = np.unique([question[place] for place in places], return_inverse=True)
            batch = from_arrays(
                sentences=rectangle([fact_ids[number] for number in sentences], 0),
                story=padded(story, lengths[chosen], 0),
                story_length=lengths[chosen],
                question_sentences=rectangle([question_ids[number] for number in question_sentences], 0),
                question=question_of,
                story_of=np.repeat(np.arange(len(chosen)), sizes[chosen]),
                facts_seen=np.array([len(stories[place]) for place in places]),
                per_fact=per_fact[places],
                answer=np.zeros((len(places), 1)),
                support=np.full((len(places), 1), -1),
                task=np.zeros(len(places)),
                barred=self._barred([strange.get(place) for place in places]),
                affix=None if affixes is None else rectangle([affixes[number] for number in sentences], 0),
                spelled=self._spelled([texts[number] for number in sentences]) if self._letters else None,
            )
            batches.append(AskedBatch(places, batch, {place: strange[place] for place in places if place in strange}))
        return batches

    def _strange(
        self,
        asked: Sequence[tuple[Sequence[str], str]],
        facts: _Sentences,
        questions: _Sentences,
        stories: list[list[int]],
        question: list[int],
    ) -> dict[int, Bound]:
        """What becomes of the names of those questions that have words which the model doesn't know. Has `stories` and
        `question` say what is read in the place of what was written."""
        strange, strange_questions = (
            {number for text, number in part.texts.items() if self.encode(str(text)).unknown}
            for part in (facts, questions)
        )
        found: dict[int, Bound] = {}
        if not strange and not strange_questions:
            return found
        for place, (story, text) in enumerate(asked):
            if question[place] in strange_questions or not strange.isdisjoint(stories[place]):
                found[place] = self.bound(story, text)
                *told, last = found[place].sentences
                stories[place], question[place] = facts.numbers(told), questions.numbers([last])[0]
        return found

    def _barred(self, strange: Sequence[Bound | None]) -> np.ndarray | None:
        """`Batch.barred`: the spares that stand for nothing in each story. strange: what became of its names"""
        if self._spares is None:
            return None
        if not any(bound and bound.said for bound in strange):
            return self._spares[np.newaxis]
        ids = self.model.vocabulary.answers.ids
        barred = np.repeat(self._spares[np.newaxis], len(strange), axis=0)
        for row, bound in zip(barred, strange, strict=True):
            row[[ids[spare] for spare in (bound.said if bound else ()) if spare in ids]] = False
        return barred

    def _spelled(self, sentences: Sequence[str | tuple[str, ...]]) -> Spelled:
        """`Batch.spelled` of texts, or of words."""
        told = [self.encode(one).words if isinstance(one, str) else one for one in sentences]
        numbers: dict[str, int] = {}
        ids = [numbers.setdefault(word, len(numbers)) for words in told for word in words]
        return Spelled(np.array(ids), Spelling(list(numbers)))

    def _affixes(self, sentence: str | tuple[str, ...]) -> np.ndarray:
        """`Batch.affix` of a text, or of words."""
        return self.encode(sentence).affix if isinstance(sentence, str) else np.array([*map(is_affix, sentence)])

    def _ids(self, sentence: str | tuple[str, ...]) -> np.ndarray:
        """The word ids of a text, or of words, some of which may stand for others."""
        if isinstance(sentence, str):
            return self.encode(sentence).ids
        known = self.model.vocabulary.words.ids
        return np.array([known.get(word, known[UNKNOWN]) for word in sentence])


def _shared(stories: list[list[int]], max_batch: int) -> list[list[int]]:
    """Groups of questions that share a story: the places of equal stories, and of the beginnings of the longest one,
    which comes first. Groups are in the order of that story's length."""
    groups: list[list[int]] = []
    longest: list[int] = []
    for place in sorted(range(len(stories)), key=stories.__getitem__, reverse=True):
        story = stories[place]
        if longest[: len(story)] == story and len(groups[-1]) < min(max_batch, FACTS // len(longest)):
            groups[-1].append(place)
        else:
            longest = story
            groups.append([place])
    return sorted(groups, key=lambda group: len(stories[group[0]]))


class _Sentences:
    """Distinct texts, or sentences as words, numbered in the order of their first use."""

    def __init__(self) -> None:
        self.texts: dict[str | tuple[str, ...], int] = {}

    def numbers(self, texts: Sequence[str | tuple[str, ...]]) -> list[int]:
        known = self.texts
        return [known.setdefault(text, len(known)) for text in texts]
