"""Batches under changed names mean what they meant: read back as text, independent readers give the changed answer."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import Dmn
from oracles import ORACLES

from dmn_cli.data.batches import Batches
from dmn_cli.data.joint import Joint
from dmn_cli.data.store.reader import DataSet
from dmn_cli.data.symmetries import Symmetries
from dmn_cli.data.symmetries.files import symmetries_of
from dmn_cli.data.symmetries.spares import LEAST, is_spare, kinds, with_spares
from dmn_cli.records.batch import Batch

NAMES = ["mary", "john", "sandra", "daniel", "fred", "bill", "jeff", "julie", "gertrude", "winona", "emily", "jessica"]
PEOPLE = (("mary",), ("john",), ("sandra",))


def told(dmn: Dmn, out: Path, *options: str) -> DataSet:
    result = dmn("prepare", "story", "--questions", 1000, "--out", out, *options)
    assert result.code == 0, result.err
    return DataSet(out)


def as_texts(batch: Batch, joint: Joint) -> Iterator[tuple[str, list[str], str, tuple[str, ...]]]:
    """Task, facts, question and answer of each question."""
    words, answers = joint.vocabulary.words.items, joint.vocabulary.answers.items
    for i in range(len(batch)):
        story = batch.story[batch.story_of[i]][: batch.facts_seen[i]]
        facts = [[words[w] for w in batch.sentences[n] if w] for n in story]
        question = [words[w] for w in batch.question_sentences[batch.question[i]] if w]
        answer = tuple(answers[a] for a in batch.answer[i] if a > 0)
        yield joint.tasks[batch.task[i]], [" ".join(fact) for fact in facts], " ".join(question), answer


def sentence(text: str) -> str:
    """As it is written: the first letter a capital, no blank before its end."""
    for name in (
        "mary",
        "john",
        "sandra",
        "daniel",
        "fred",
        "bill",
        "jeff",
        "julie",
        "antoine",
        "jason",
        "sumit",
        "yann",
    ):
        text = text.replace(name, name.capitalize())
    text = text.replace(" .", ".").replace(" ?", "?").replace(" ,", ",")
    return text[0].upper() + text[1:]


@pytest.mark.parametrize("task", [1, 2, 4, 5, 6, 15, 17, 18, 19])
def test_what_is_read_means_what_is_answered(dmn: Dmn, tmp_path: Path, task: int) -> None:
    data = told(dmn, tmp_path / "data", "--tasks", str(task))
    found = symmetries_of(data.summary, "")
    assert found
    joint = Joint.of([data], symmetries=True)
    (plain,) = joint.batches("train")
    batches = Batches.of(data, "train", joint.vocabulary, None, found)  # without spares, which no oracle knows
    stories = np.arange(min(60, plain.split.stories))
    before = list(as_texts(plain.batch(stories), joint))
    changed = 0
    for seed in range(3):
        after = list(as_texts(batches.batch(stories, np.random.default_rng(seed), draws=8, spares=False), joint))
        changed += sum(a != b for a, b in zip(after, before, strict=True))
        for name, facts, question, answer in after:
            said = ORACLES[name]([sentence(fact) for fact in facts], sentence(question))
            assert said is not None
            assert [a.casefold() for a in said] == [a.casefold() for a in answer], (facts, question)
    assert changed > len(before)


def test_spares_are_words_of_no_text_and_take_part(dmn: Dmn, tmp_path: Path) -> None:
    data = told(dmn, tmp_path / "data", "--tasks", "1,2")
    joint = Joint.of([data], symmetries=True)
    assert len(joint.kinds) == 3  # people and rooms are the same ones in both tasks
    assert all(len(kind.spares) == LEAST for kind in joint.kinds)
    (batches,) = joint.batches("train")
    stories = np.arange(0, batches.split.stories, 10)
    read = {
        word
        for seed in range(5)
        for _, facts, _, answer in as_texts(batches.batch(stories, np.random.default_rng(seed), draws=4), joint)
        for word in (*" ".join(facts).split(" "), *answer)
    }
    assert {spare[0] for kind in joint.kinds for spare in kind.spares} <= read
    assert not any(is_spare(word) for word in data.vocabulary.words.items)


def test_without_new_names_a_batch_is_as_it_was(dmn: Dmn, tmp_path: Path) -> None:
    data = told(dmn, tmp_path / "data", "--tasks", "2,15")
    joint = Joint.of([data], symmetries=True)
    (changing,), (plain,) = joint.batches("train"), Joint.of([data]).batches("train")
    stories = np.arange(10)
    assert list(as_texts(changing.batch(stories), joint)) == list(as_texts(plain.batch(stories), joint))
    assert [len(batch) for batch in changing.plan(32)] == [len(batch) for batch in plain.plan(32)]


def test_classes_that_share_a_member_have_the_same_spares() -> None:
    tasks = {
        "a": Symmetries((PEOPLE, (("garden",), ("office",)))),
        "b": Symmetries(((("mary",), ("bill",)),)),
        "c": Symmetries(((("mouse", "mice"), ("cat", "cats")),)),
    }
    found = kinds(tasks)
    (people,) = (kind for kind in found if ("mary",) in kind.members)
    assert people.members == {*PEOPLE, ("bill",)}
    assert sorted(len(kind.members) for kind in found) == [2, 2, 4]
    assert len({form for kind in found for spare in kind.spares for form in spare}) == 4 * LEAST
    extended = with_spares(tasks)
    assert extended["a"].classes[0] == (*PEOPLE, *people.spares)
    assert extended["b"].classes[0] == (("mary",), ("bill",), *people.spares)
