"""The Stanford Sentiment Treebank: its trees, its counts, and what is refused and where."""

import zipfile
from collections import Counter
from pathlib import Path
from typing import Literal

import hypothesis.strategies as st
import pytest
from helpers import SST, needs
from hypothesis import example, given, settings

from dmn_cli.data.formats import sst
from dmn_cli.data.formats.sst import Phrase, parse
from dmn_cli.errors import DataError, UsageError
from dmn_cli.records.text import Question, Story

GOOD = "(3 (2 A) (4 (3 good) (2 -LRB-)))"


def folder(path: Path, **files: str) -> Path:
    path.mkdir(exist_ok=True)
    for name, text in files.items():
        (path / f"{name}.txt").write_text(text)
    return path


def read(
    path: Path, classes: Literal[2, 5] = 5, phrases: Literal["all", "root"] = "all", seed: int = 1
) -> list[tuple[str, Story]]:
    return list(sst.read(sst.find([path]), classes, phrases, seed))


def test_a_tree_by_hand() -> None:
    """Every node is a phrase, brackets and slashes are what they stand for, the whole sentence comes last."""
    assert parse(rb"(3 (2 A) (4 (3 good) (2 -LRB-)))", "here") == [
        Phrase(2, ("A",)),
        Phrase(3, ("good",)),
        Phrase(2, ("(",)),
        Phrase(4, ("good", "(")),
        Phrase(3, ("A", "good", "(")),
    ]
    assert parse(rb" ( 0 and\/or ) ", "here") == [Phrase(0, ("and/or",))]


def test_words_are_facts_and_labels_are_words(tmp_path: Path) -> None:
    trees = folder(tmp_path / "trees", train=f"{GOOD}\n\n{GOOD}\n", dev=GOOD, test="(1 bad)\n")
    told = read(trees, phrases="root")
    question = Question("What is the sentiment?", 3, ("positive",))
    assert told[0] == ("train", Story("sst5", ("A", "good", "("), (question,), facts_are_words=True))
    assert [split for split, _ in told] == ["train", "train", "valid", "test"]
    assert told[-1][1].questions[0].answer == ("negative",)


def test_training_takes_each_phrase_once_and_the_others_whole_sentences(tmp_path: Path) -> None:
    told = read(folder(tmp_path / "trees", train=f"{GOOD}\n{GOOD}\n", dev=GOOD, test=GOOD))
    assert Counter(split for split, _ in told) == {"train": 5, "valid": 1, "test": 1}


def test_two_classes_leave_neutral_out(tmp_path: Path) -> None:
    trees = folder(tmp_path / "trees", train="(3 (2 A) (4 good))\n(2 So)\n(0 bad)\n", dev="(2 so)\n", test="(1 bad)\n")
    answers = [(split, story.questions[0].answer[0]) for split, story in read(trees, 2)]
    assert answers == [("train", "positive"), ("train", "positive"), ("train", "negative"), ("test", "negative")]


def test_without_a_dev_file_whole_sentences_are_held_out(tmp_path: Path) -> None:
    """No phrase of a validation sentence is trained on because of that sentence."""
    trees = folder(tmp_path / "trees", train="".join(f"(3 (2 a{n}) (4 b{n}))\n" for n in range(300)))
    told = read(trees)
    held = {story.facts for split, story in told if split == "valid"}
    assert 15 < len(held) < 50
    assert all(len(facts) == 2 for facts in held)
    trained = {word for split, story in told if split == "train" for word in story.facts}
    assert trained.isdisjoint(word for facts in held for word in facts)
    assert read(trees) == told
    assert read(trees, seed=2) != told


@needs(SST)
@pytest.mark.parametrize(
    ("classes", "counts"),
    [(5, {"train": 8544, "valid": 1101, "test": 2210}), (2, {"train": 6920, "valid": 872, "test": 1821})],
)
def test_the_counts_of_the_real_one(classes: Literal[2, 5], counts: dict[str, int]) -> None:
    told = read(SST, classes, "root")
    assert Counter(split for split, _ in told) == counts
    assert {story.task for _, story in told} == {f"sst{classes}"}


@needs(SST)
def test_the_phrases_of_the_real_one() -> None:
    """All 318,582 labelled nodes of the training trees, each distinct phrase once."""
    told = [story for split, story in read(SST) if split == "train"]
    phrases = {(story.facts, story.questions[0].answer) for story in told}
    assert len(told) == len(phrases) == 159_274


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ("(3 (2 A) (4 good)", "not balanced: 1 open"),
        ("(3 (2 A) (4 good)))", "not balanced: it is closed"),
        ("(5 good)", "label is '5'"),
        ("(good)", "label is 'good'"),
        ("(", "label is 'nothing'"),
        ("(3 )", "no words"),
        ("(3 (2 ))", "no words"),
        ("good", "is not a tree"),
        ("(3 a) (2 b)", "more than one tree"),
        ("(3 a) b", "not balanced"),
    ],
)
def test_a_bad_tree_is_named(tmp_path: Path, tree: str, said: str) -> None:
    trees = folder(tmp_path / "trees", train=f"{GOOD}\n\n{tree}\n", dev=GOOD)
    with pytest.raises(DataError) as caught:
        read(trees)
    assert said in caught.value.message
    assert caught.value.where == f"{trees / 'train.txt'}:3"


def test_files_that_are_not_there_or_damaged(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        sst.find([tmp_path / "none.zip"])
    with pytest.raises(DataError, match=r"has no train\.txt"):
        sst.find([folder(tmp_path / "empty")])
    (tmp_path / "other.txt").write_text(GOOD)
    with pytest.raises(UsageError, match="neither an archive nor named"):
        sst.find([tmp_path / "other.txt"])
    trees = folder(tmp_path / "trees", train=GOOD)
    with pytest.raises(UsageError, match="two files for train"):
        sst.find([trees, trees / "train.txt"])
    archive = tmp_path / "trees.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("trees/train.txt", "".join(f"(3 (2 a{n}) (4 b{n}))\n" for n in range(500)))
        file.writestr("trees/readme.txt", "no tree")
    assert len(read(archive)) > 1000
    content = bytearray(archive.read_bytes())
    content[200] ^= 0xFF
    archive.write_bytes(content)
    with pytest.raises(DataError, match="damaged"):
        read(archive)


@settings(deadline=None, max_examples=500)
@given(st.one_of(st.binary(max_size=50), st.text("(()) 0123a\\/", max_size=40).map(str.encode)))
@example(b"(" * 50_000)
def test_any_line_gives_phrases_or_a_clear_error(line: bytes) -> None:
    try:
        phrases = parse(line, "here")
    except DataError as error:
        phrases, where = [Phrase(0, ("error",))], error.where
        assert where == "here"
    assert all(0 <= phrase.label <= 4 and all(phrase.words) for phrase in phrases)
    assert phrases[-1].words
