"""Stories → batches: nothing is lost, little is padded, and the numbers mean the texts."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from helpers import Whitespace

from dmn_cli.data.batches import Batches, real_shares
from dmn_cli.data.store import writer
from dmn_cli.data.store.reader import DataSet
from dmn_cli.data.words.vocabulary import Vocabulary
from dmn_cli.records.batch import Batch, padded
from dmn_cli.records.text import Question, Story


def told(random: np.random.Generator, task: str, words: int) -> Story:
    """A story of any length with one to six questions."""

    def sentence() -> str:
        return " ".join(f"w{n}" for n in random.integers(words, size=random.integers(1, 7)))

    facts = tuple(sentence() for _ in range(random.integers(1, 41)))
    questions = []
    for position in sorted(random.integers(1, len(facts) + 1, size=random.integers(1, 7)).tolist()):
        answer = tuple(f"a{n}" for n in random.integers(words, size=random.integers(1, 4)))
        support = tuple(random.integers(position, size=random.integers(0, 4)).tolist())
        questions.append(Question(sentence(), position, answer, support))
    return Story(task, facts, tuple(questions))


_random = np.random.default_rng(7)
TRAIN = [told(_random, f"qa{n % 3}", words=8) for n in range(1500)]
TEST = [told(_random, f"qa{n % 3}", words=16) for n in range(60)]  # with words and answers that training lacks
SIZE = 64


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    path: Path = tmp_path_factory.mktemp("batches") / "data"
    writer.write(path, [*(("train", s) for s in TRAIN), *(("test", s) for s in TEST)], Whitespace(), {})
    return DataSet(path)


@pytest.fixture(scope="module")
def vocabulary(data: DataSet) -> Vocabulary:
    return data.vocabulary.of_training()


@pytest.fixture(scope="module")
def train(data: DataSet, vocabulary: Vocabulary) -> Batches:
    return Batches.of(data, "train", vocabulary)


def plans(train: Batches, size: int = SIZE) -> list[list[np.ndarray]]:
    """One in order, one shuffled."""
    return [train.plan(size), train.plan(size, np.random.default_rng(3))]


@pytest.mark.parametrize("size", [1, 5, SIZE, 10**6])
def test_a_plan_holds_each_story_once(train: Batches, size: int) -> None:
    for plan in plans(train, size):
        assert sorted(np.concatenate(plan).tolist()) == list(range(len(TRAIN)))
        assert all(len(stories) for stories in plan)


def test_a_plan_is_the_seeds(train: Batches) -> None:
    def planned(seed: int) -> list[list[int]]:
        return [stories.tolist() for stories in train.plan(SIZE, np.random.default_rng(seed))]

    assert planned(1) == planned(1)
    assert planned(1) != planned(2)
    assert [s.tolist() for s in train.plan(SIZE)] == [s.tolist() for s in train.plan(SIZE)]


@pytest.mark.parametrize("size", [20, SIZE, 300])
def test_batches_have_about_as_many_questions_as_asked_for(train: Batches, size: int) -> None:
    """Off by less than the questions of one story; one batch holds the rest."""
    for plan in plans(train, size):
        questions = [sum(len(TRAIN[s].questions) for s in stories) for stories in plan]
        off = [abs(count - size) for count in questions]
        assert sum(o > 5 for o in off) <= 1
        assert max(questions) < size + 6


@pytest.mark.parametrize("facts", [1, 500, 10**6])
def test_batches_see_about_as_many_facts_as_asked_for(train: Batches, facts: int) -> None:
    """At most, but for the last story, and no longer than the questions last."""
    plan = train.plan(300, facts=facts)
    assert sorted(np.concatenate(plan).tolist()) == list(range(len(TRAIN)))
    seen = [[len(TRAIN[s].questions) * len(TRAIN[s].facts) for s in stories] for stories in plan]
    assert all(sum(of_stories[:-1]) <= facts for of_stories in seen)
    least = min(sum(of_stories) for of_stories in seen[:-1])
    assert facts == 10**6 or least > 0.6 * facts or facts == 1
    if facts == 10**6:
        assert [s.tolist() for s in plan] == [s.tolist() for s in train.plan(300)]


def test_batches_hold_stories_of_like_length(train: Batches) -> None:
    """A small share of a batch is padding; of random batches, about half is."""

    def padding(plan: list[np.ndarray]) -> float:
        lengths = [np.array([len(TRAIN[s].facts) for s in stories]) for stories in plan]
        return 1 - len_sum(lengths) / sum(n.max() * len(n) for n in lengths)

    def len_sum(lengths: list[np.ndarray]) -> int:
        return sum(int(n.sum()) for n in lengths)

    random = np.array_split(np.random.default_rng(0).permutation(len(TRAIN)), len(train.plan(SIZE)))
    assert padding(random) > 0.4
    assert all(padding(plan) < 0.05 for plan in plans(train))


def test_shares_of_what_is_real(train: Batches) -> None:
    stories = np.array([0]), np.array([1, 2])
    batches = [train.batch(some) for some in stories]
    facts = [
        (q.position, max(len(TRAIN[n].facts) for n in some))
        for some in stories
        for s in some
        for q in TRAIN[s].questions
    ]
    sentences = [{fact for s in some for fact in TRAIN[s].facts} for some in stories]
    lengths = [[len(sentence.split()) for sentence in distinct] for distinct in sentences]
    words = sum(map(sum, lengths)) / sum(max(some) * len(some) for some in lengths)
    assert real_shares(batches) == pytest.approx((sum(f for f, _ in facts) / sum(n for _, n in facts), words))


def test_shuffled_batches_come_in_no_order_of_length(train: Batches) -> None:
    lengths = [max(len(TRAIN[s].facts) for s in stories) for stories in plans(train)[1]]
    falls = sum(after < before for before, after in pairwise(lengths))
    assert falls > len(lengths) / 4


def text(ids: list[int], vocabulary: Vocabulary) -> str:
    return " ".join(vocabulary.words.items[i] for i in ids if i)


def known(sentence: str, vocabulary: Vocabulary) -> str:
    return " ".join(word if word in vocabulary.words.ids else "<unk>" for word in sentence.split())


def check(batch: Batch, stories: list[Story], tasks: list[str], vocabulary: Vocabulary) -> None:
    """Field by field against plain Python."""
    sentences = [text(row, vocabulary) for row in batch.sentences.tolist()]
    asked = [text(row, vocabulary) for row in batch.question_sentences.tolist()]
    assert batch.story_length.tolist() == [len(s.facts) for s in stories]
    assert batch.story.shape == (len(stories), max(len(s.facts) for s in stories))
    for row, story in zip(batch.story.tolist(), stories, strict=True):
        told, rest = row[: len(story.facts)], row[len(story.facts) :]
        assert [sentences[i] for i in told] == [known(fact, vocabulary) for fact in story.facts]
        assert not any(rest)
    questions = [(n, question) for n, story in enumerate(stories) for question in story.questions]
    assert len(batch) == len(questions)
    steps = max(len(q.answer) for _, q in questions) + 1
    supports = max(1, *(len(q.support) for _, q in questions))
    answer_ids = vocabulary.answers.ids
    for row, (n, question) in enumerate(questions):
        assert asked[int(batch.question[row])] == known(question.text, vocabulary)
        assert int(batch.story_of[row]) == n
        assert int(batch.facts_seen[row]) == question.position
        assert tasks[int(batch.task[row])] == stories[n].task
        answer = [*(answer_ids.get(word, -1) for word in question.answer), 0]
        assert batch.answer[row].tolist() == answer + [-1] * (steps - len(answer))
        assert batch.support[row].tolist() == [*question.support, *[-1] * (supports - len(question.support))]


def test_a_batch_holds_what_its_stories_say(data: DataSet, train: Batches, vocabulary: Vocabulary) -> None:
    for stories in (np.array([0]), np.arange(40), np.array([1400, 3, 77, 3, 0]), plans(train)[1][0]):
        check(train.batch(stories), [TRAIN[s] for s in stories], data.tasks, vocabulary)


def test_what_training_lacks_is_unknown(data: DataSet, vocabulary: Vocabulary) -> None:
    """Words become 1, answers -1, and the end token closes every answer all the same."""
    test = Batches.of(data, "test", vocabulary)
    batch = test.batch(np.arange(len(TEST)))
    check(batch, TEST, data.tasks, vocabulary)
    assert (batch.sentences == 1).any()
    first = batch.answer[:, 0]
    assert (first == -1).any()
    assert ((batch.answer == 0).sum(1) == 1).all()


def test_a_sentence_is_held_once(train: Batches) -> None:
    batch = train.batch(np.arange(200))
    facts = {fact for story in TRAIN[:200] for fact in story.facts}
    questions = {question.text for story in TRAIN[:200] for question in story.questions}
    assert (len(batch.sentences), len(batch.question_sentences)) == (len(facts), len(questions))


def test_question_rows_number_the_questions_of_the_split(data: DataSet, train: Batches) -> None:
    stories = np.array([5, 0, 1499])
    asked = [question.text for s in stories for question in TRAIN[s].questions]
    assert [data.example(train.split, row).question for row in train.question_rows(stories).tolist()] == asked


def test_padded() -> None:
    rectangle = padded(np.array([1, 2, 3, 4]), np.array([1, 0, 3]), -1)
    assert rectangle.tolist() == [[1, -1, -1], [-1, -1, -1], [2, 3, 4]]
    assert padded(np.array([]), np.array([0, 0]), 0).tolist() == [[0], [0]]
