"""Questions as text → batches for a network."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import groupby

import numpy as np

from dmn_cli.answering.asked import Asked, AskedBatch, Encoded, numbered
from dmn_cli.answering.bound import Bound, Sentence
from dmn_cli.answering.grouping import parts, shared
from dmn_cli.answering.known_names import union
from dmn_cli.answering.names import Binder
from dmn_cli.answering.pictures import Picture, Seen, Told, by_picture
from dmn_cli.artifact.model import Model
from dmn_cli.data.words.affixes import is_affix
from dmn_cli.data.words.trees import NoTree
from dmn_cli.data.words.vocabulary import UNKNOWN
from dmn_cli.errors import DataError, UsageError
from dmn_cli.records.batch import from_arrays, padded, rectangle
from dmn_cli.records.spelling import Spelled, Spelling
from dmn_cli.records.text import NO_LABEL, WORD, Form

MAX_BATCH = 4096  # questions
REMEMBERED = 16_000_000  # bytes, about, of distinct sentences
MOST_WORDS = 1_000_000  # of a story and its question
_MOST_CELLS = 16 * MOST_WORDS  # facts x words of the longest one
_FEW_CHARACTERS = MOST_WORDS // 4  # that can't be too many words
_KEPT_WITH = 1500  # bytes that are kept of a sentence, beside its characters


class Encoder:
    """Splits text into words as it was done for the training data, and looks up their ids in the model's vocabulary."""

    def __init__(
        self, model: Model, *, max_batch: int = MAX_BATCH, remembered: int = REMEMBERED, bind: bool = True
    ) -> None:
        """max_batch: questions; remembered: bytes of distinct sentences (`REMEMBERED`), past which all are
        forgotten; bind: whether names that the model doesn't know are bound to spares, where it has any."""
        self.model, self.max_batch, self.remembered = model, max_batch, remembered
        self.binder = Binder(model.names, frozenset(model.vocabulary.words.ids)) if bind and model.names else None
        self._spares = model.vocabulary.spare_answers()
        self._letters = bool(dict(model.settings).get("characters"))
        self._affixes = bool(model.tokenizer_spec.get("affixes"))
        self._trees = "trees" in model.tokenizer_spec
        self._count = 0  # of all sentences that were encoded
        self._forget()
        self._forms = {tuple(self.tokenizer(question)): form for question, form in model.forms.items()}

    def _forget(self) -> None:
        """Starts anew with the tokenizer too, which may remember words: memory doesn't grow with an endless stream."""
        self.tokenizer = self.model.tokenizer()
        self._encoded: dict[str | tuple[str, ...], Encoded] = {}
        self._remembered = 0
        self._longest = 0  # characters of a sentence that is remembered

    def form(self, question: str) -> Form:
        """How the training data had this question answered, recognised by its words. Raises as `encode` does."""
        return self.encode(question).form

    def story(self, value: str | Sequence[str], question: str) -> list[str]:
        """A story as facts: a list as it is; a text is split into sentences, or into words where the question is about
        words."""
        if not isinstance(value, str):
            return [fact.strip() for fact in value]
        return self.tokenizer.words(value) if self.form(question).facts_are_words else self.tokenizer.sentences(value)

    def asked(self, story: Told, question: str) -> Asked:
        """A question about a story, encoded. Raises: DataError where the story has no facts or too many words, or a
        fact or the question has no words; NoTree where it has to be a tree; UsageError where it is text and has to be a
        picture, or the other way round."""
        if (form := self.model.sizes.pictures) is not None:
            picture = story if isinstance(story, Picture) else Picture.of(story, form)
            return Asked([*map(self.encode, picture.facts)], self.encode(question), picture)
        if isinstance(story, Picture | bytes | np.ndarray | os.PathLike):
            raise UsageError("the model answers questions about text, and not about pictures")
        if not isinstance(story, str) and (known := self.recalled(story, question)):
            return known
        facts = self.story(story, question)
        if not facts:
            raise DataError("the story is empty", hint="Give at least one fact before the question.")
        asked = Asked([*map(self.encode, facts)], self.encode(question))
        _check_size(asked)
        if self._trees:
            _check_tree(asked)
        return asked

    def recalled(self, story: Sequence[str], question: str) -> Asked | None:
        """The same where all facts and the question are remembered, and as few that they can't be too many; else
        None."""
        recall = self._encoded.get
        try:
            facts, about = [*map(recall, story)], recall(question)
        except TypeError:  # what isn't text
            return None
        if self._trees or not (facts and about and all(facts)):
            return None
        if len(story) * self._longest > _FEW_CHARACTERS and sum(map(len, story)) > _FEW_CHARACTERS:
            return None
        return Asked(facts, about)  # type: ignore[arg-type]

    def encode(self, text: str) -> Encoded:
        """A sentence as word ids. Raises: DataError where it has no words, or too many."""
        encoded = self._encoded.get(text)
        if encoded is None:
            words = self.tokenizer(text)
            if not words:
                raise DataError(f"a fact or question without words: {text!r}")
            _check_words(len(words))
            encoded = self._remember(text, self._encode(text.strip(), words), len(text))
        return encoded

    def encode_words(self, words: tuple[str, ...]) -> Encoded:
        """A sentence that was cut into words, some of which may stand for others."""
        encoded = self._encoded.get(words)
        return encoded or self._remember(words, self._encode("", words), sum(map(len, words)))

    def _remember(self, sentence: str | tuple[str, ...], encoded: Encoded, length: int) -> Encoded:
        if self._remembered > self.remembered:
            self._forget()
        self._encoded[sentence] = encoded
        self._remembered += length + _KEPT_WITH
        self._longest = max(self._longest, length)
        return encoded

    def _encode(self, text: str, words: Sequence[str]) -> Encoded:
        self._count += 1
        known = self.model.vocabulary.words.ids
        ids = np.array([known.get(word, known[UNKNOWN]) for word in words])
        runs = [list(run) for is_known, run in groupby(words, known.__contains__) if not is_known]
        unknown = [word for run in runs for word in self.tokenizer.spelled(run)]
        affix = np.array([*map(is_affix, words)])
        named = asked = 0
        if self.binder and text:
            plain, names = [word for word in words if not is_affix(word)], self.binder.known_names
            named, asked = (union(name.which for name in find(plain)) for find in (names.named, names.asked_about))
        form, spelled = self._forms.get(tuple(words), Form()), [*words] if self._letters else []
        return Encoded(self._count, text, ids, affix, unknown, form, named, asked, spelled)

    def unknown_words(self, texts: Sequence[str]) -> list[str]:
        """The words of some sentences that never occurred in training, each once."""
        unknown = [word for encoded in map(self.encode, texts) for word in encoded.unknown]
        return list(dict.fromkeys(unknown))

    def nowhere(self, asked: Asked) -> list[str]:
        """The names that a question is about, of those that the model knows, that no fact has; as written."""
        missing = asked.question.asked
        for fact in reversed(asked.story):  # what is asked about was often told of lately
            missing &= ~fact.named
            if not missing:
                return []
        if not self.binder or not missing:
            return []
        sentence = Sentence.of(asked.question.text, self.tokenizer)
        names = self.binder.known_names.asked_about(sentence.words)
        return [sentence.as_written(name.start, name.end) for name in names if not name.which & ~missing]

    def bound(self, facts: Sequence[str], question: str | None = None) -> Bound:
        """What becomes of the names of a story; where its facts are single words it has none."""
        if not self.binder or (question is not None and self.form(question).facts_are_words):
            texts = facts if question is None else [*facts, question]
            return Bound([*texts], unknown=self.unknown_words(texts))
        told = [Sentence.of(text, self.tokenizer) for text in facts]
        return self.binder.bind(told, None if question is None else Sentence.of(question, self.tokenizer))

    def batches(self, asked: Sequence[Asked]) -> list[AskedBatch]:
        """Questions as batches of stories of similar length. A story, and any other that is the beginning of it, is
        read once for all of its questions."""
        if not asked:
            return []
        strange: dict[int, Bound] = {}
        facts, questions = numbered(asked)
        per_fact = np.array([sentence.form.per_fact for sentence in questions.distinct])[questions.number]
        if any(sentence.unknown for sentence in (*facts.distinct, *questions.distinct)):
            strange, read = self._strange(asked)
            facts, questions = numbered(read)
        length = np.array([len(one.story) for one in asked])
        start = length.cumsum() - length
        pictures = [one.picture for one in asked if one.picture]
        groups = by_picture(pictures) if pictures else shared(facts.number, start, length, self.max_batch)
        first = np.array([group[0] for group in groups])
        sizes = np.array([len(group) for group in groups])
        words = np.array([len(sentence.ids) for sentence in facts.distinct])
        longest = np.maximum.reduceat(words[facts.number], start)[first]
        batches = []
        for chosen in parts(length[first], sizes, longest, self.max_batch):
            places = [place for i in chosen for place in groups[i]]
            whole = [facts.number[start[i] : start[i] + length[i]] for i in first[chosen]]
            told, story = facts.among(np.concatenate(whole))
            seen = Seen.of([pictures[i] for i in first[chosen]]) if pictures else Seen(story)
            wordings, question_of = questions.among(questions.number[places])
            batch = from_arrays(
                sentences=rectangle([sentence.ids for sentence in told], 0),
                story=padded(seen.facts, length[first[chosen]], 0),
                story_length=length[first[chosen]],
                question_sentences=rectangle([sentence.ids for sentence in wordings], 0),
                question=question_of,
                story_of=np.repeat(np.arange(len(chosen)), sizes[chosen]),
                facts_seen=length[places],
                per_fact=per_fact[places],
                answer=np.zeros((len(places), 1)),
                support=np.full((len(places), 1), -1),
                task=np.zeros(len(places)),
                barred=self._barred([strange.get(place) for place in places]),
                affix=rectangle([sentence.affix for sentence in told], 0) if self._affixes else None,
                spelled=_spelled(told) if self._letters else None,
                nodes=_nodes(told) if self._trees else None,
                pictures=seen.pictures,
                vectors=seen.vectors,
                regions=seen.regions,
            )
            batches.append(AskedBatch(places, batch, {place: strange[place] for place in places if place in strange}))
        return batches

    def _strange(self, asked: Sequence[Asked]) -> tuple[dict[int, Bound], Sequence[Asked]]:
        """What becomes of the names of those questions that have words which the model doesn't know; and what is read
        in the place of what was written."""
        strange: dict[int, Bound] = {}
        read = [*asked]
        for place, (story, question, _) in enumerate(asked):
            if question.unknown or any(fact.unknown for fact in story):
                bound = strange[place] = self.bound(asked[place].facts, question.text)
                *told, last = (
                    self.encode(sentence) if isinstance(sentence, str) else self.encode_words(sentence)
                    for sentence in bound.sentences
                )
                read[place] = Asked(told, last)
        return strange, read

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


def _check_words(words: int) -> None:
    """Raises: DataError"""
    if words > MOST_WORDS:
        raise DataError(f"has {words:,} words, and at most {MOST_WORDS:,} can be read together")


def _check_size(asked: Asked) -> None:
    """Raises: DataError where memory might not hold what it takes to answer"""
    lengths = [len(fact.ids) for fact in asked.story]
    words, facts, longest = sum(lengths) + len(asked.question.ids), len(lengths), max(lengths)
    _check_words(words)
    if facts * longest > _MOST_CELLS:
        raise DataError(f"has {facts:,} facts, the longest of {longest:,} words: too many for one that long")


def _check_tree(asked: Asked) -> None:
    """Raises: NoTree where the story of a model that reads trees isn't one"""
    if not all(fact.affix.any() for fact in asked.story):
        raise NoTree("the model reads trees, and this is plain text")
    if len(asked.story) > 1:
        raise NoTree(f"the model reads one tree at a time, and here are {len(asked.story):,}")


def _nodes(trees: Sequence[Encoded]) -> np.ndarray:
    """`Batch.nodes`, of nodes whose labels nobody knows"""
    return rectangle([np.where(tree.affix, NO_LABEL, WORD) for tree in trees], WORD)


def _spelled(sentences: Sequence[Encoded]) -> Spelled:
    """`Batch.spelled`"""
    numbers: dict[str, int] = {}
    ids = [numbers.setdefault(word, len(numbers)) for sentence in sentences for word in sentence.words]
    return Spelled(np.array(ids), Spelling(list(numbers)))
