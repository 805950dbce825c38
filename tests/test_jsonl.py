"""JSON lines: what is read, what is refused and where, and that what is written reads back."""

import gzip
import json
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import example, given, settings

from dmn_cli.data.formats import jsonl
from dmn_cli.data.formats.story_world import FAMILIES, stories
from dmn_cli.errors import DataError, UsageError
from dmn_cli.records import Question, Story

LINE = {"story": ["Mary went out.", "John came in."], "question": "Who is in?", "answer": "John"}


def cut(text: str) -> list[str]:
    return [part.strip() + "." for part in text.split(".") if part.strip()]


def read(path: Path, *lines: Any, task: str = "mine") -> list[tuple[str, Story]]:
    """Of lines given as objects, or as bytes."""
    path.write_bytes(b"".join(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in lines))
    return list(jsonl.read([path], task, 1, cut))


def test_a_line_by_hand(tmp_path: Path) -> None:
    """A text is cut into sentences, a dev line is of the validation, and keys that nobody knows are passed over."""
    line = {
        "story": "Mary went out. John came in.",
        "question": "Who is in?",
        "answer": ["John", "Fred"],
        "support": [1, 0],
        "task": "who",
        "split": "dev",
        "id": 7,
    }
    question = Question("Who is in?", 2, ("John", "Fred"), (1, 0))
    assert read(tmp_path / "a.jsonl", line) == [
        ("valid", Story("who", ("Mary went out.", "John came in."), (question,)))
    ]


def test_lines_that_go_on_with_a_story_are_one_story(tmp_path: Path) -> None:
    longer = {**LINE, "story": [*LINE["story"], "Mary came in."], "answer": ["John", "Mary"]}
    other = {**LINE, "story": ["Mary went out.", "Fred came in."], "answer": "Fred"}
    told = read(tmp_path / "test.jsonl", LINE, LINE, longer, other, {**other, "task": "another"})
    assert [split for split, _ in told] == ["test"] * 3
    assert [[question.position for question in story.questions] for _, story in told] == [[2, 2, 3], [2], [2]]
    assert [len(story.facts) for _, story in told] == [3, 2, 2]
    assert [story.task for _, story in told] == ["mine", "mine", "another"]


@pytest.mark.parametrize(
    ("name", "split"),
    [("test.jsonl", "test"), ("trec_dev.jsonl", "valid"), ("my-valid.jsonl.gz", "valid"), ("contest.jsonl", "train")],
)
def test_a_line_with_no_split_is_of_the_one_that_its_file_is_named_after(tmp_path: Path, name: str, split: str) -> None:
    path = tmp_path / name
    text = json.dumps(LINE).encode()
    path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    assert [split for split, _ in jsonl.read([path], "mine", 1, cut)] == [split]


def test_validation_is_held_out_only_where_there_is_none(tmp_path: Path) -> None:
    lines = [{**LINE, "story": [f"Fact {n}."]} for n in range(50)]
    splits = [split for split, _ in read(tmp_path / "a.jsonl", *lines, {**LINE, "split": "test"})]
    assert [splits.count(split) for split in ("train", "valid", "test")] == [45, 5, 1]
    splits = [split for split, _ in read(tmp_path / "a.jsonl", *lines, {**LINE, "split": "validation"})]
    assert [splits.count(split) for split in ("train", "valid", "test")] == [50, 1, 0]
    (tmp_path / "dev.jsonl").write_text(json.dumps(LINE))
    told = jsonl.read([tmp_path / "a.jsonl", tmp_path / "dev.jsonl"], "mine", 1, cut)
    assert [split for split, _ in told].count("valid") == 2


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"{\n", "is not JSON"),
        (b'{"story": "\xff"}\n', "UTF-8"),
        (b"[" * 100_000 + b"\n", "is not JSON"),
        ([], "is not an object"),
        ({**LINE, "story": []}, '"story"'),
        ({**LINE, "story": " "}, '"story"'),
        ({**LINE, "story": ["Mary went out.", ""]}, '"story"'),
        ({**LINE, "story": {"a": 1}}, '"story"'),
        ({**LINE, "question": None}, '"question"'),
        ({**LINE, "question": " "}, '"question"'),
        ({**LINE, "answer": []}, '"answer"'),
        ({**LINE, "answer": 7}, '"answer"'),
        ({**LINE, "answer": ["a", ""]}, '"answer"'),
        ({**LINE, "answer": "\ud800"}, '"answer"'),
        ({**LINE, "support": [2]}, "0 to 1"),
        ({**LINE, "support": [-1]}, "0 to 1"),
        ({**LINE, "support": [True]}, "0 to 1"),
        ({**LINE, "support": 1}, "0 to 1"),
        ({**LINE, "task": 3}, '"task"'),
        ({**LINE, "split": "exam"}, '"split"'),
        ({**LINE, "split": ["train"]}, '"split"'),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: object, said: str) -> None:
    with pytest.raises(DataError, match=said) as caught:
        read(tmp_path / "a.jsonl", LINE, b"\n", line)
    assert caught.value.where == f"{tmp_path / 'a.jsonl'}:3"


def test_files_that_are_not_there_or_damaged(tmp_path: Path) -> None:
    for path in (tmp_path / "none.jsonl", tmp_path):
        with pytest.raises(UsageError, match="no such file"):
            list(jsonl.read([path], "mine", 1, cut))
    torn = tmp_path / "torn.jsonl.gz"
    for content in (gzip.compress(json.dumps(LINE).encode() * 100)[:60], b"plain text"):
        torn.write_bytes(content)
        with pytest.raises(DataError, match="damaged") as caught:
            list(jsonl.read([torn], "mine", 1, cut))
        assert caught.value.where == str(torn)


@pytest.mark.parametrize("task", FAMILIES)
def test_what_is_written_reads_back(tmp_path: Path, task: str) -> None:
    told = [(split, story) for split in ("train", "valid", "test") for story in stories(task, 30, 1, split)]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(line for split, story in told for line in jsonl.lines(split, story)))
    assert list(jsonl.read([path], "other", 1, cut)) == told


texts = st.text(st.characters(codec="utf-8"), min_size=1).filter(str.strip)


@settings(deadline=None, max_examples=200)
@given(st.lists(texts, min_size=1, max_size=5), texts, st.lists(texts, min_size=1, max_size=3), texts, st.data())
def test_any_text_survives(
    tmp_path_factory: pytest.TempPathFactory,
    facts: list[str],
    question: str,
    answer: list[str],
    task: str,
    data: st.DataObject,
) -> None:
    support = data.draw(st.lists(st.integers(0, len(facts) - 1), unique=True))
    story = Story(task, tuple(facts), (Question(question, len(facts), tuple(answer), tuple(support)),))
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    path.write_text("".join(jsonl.lines("test", story)), encoding="utf-8", newline="\n")
    assert list(jsonl.read([path], "other", 1, cut)) == [("test", story)]


@settings(deadline=None, max_examples=300)
@given(
    st.one_of(
        st.binary(),
        st.text().map(str.encode),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(),
            lambda inner: (
                st.lists(inner)
                | st.dictionaries(st.sampled_from(["story", "question", "answer", "support", "task", "split"]), inner)
            ),
        ).map(lambda value: json.dumps(value).encode()),
    )
)
@example(b"")
def test_any_bytes_give_stories_or_a_clear_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes.jsonl"
    path.write_bytes(content)
    wrong = None
    try:
        told = list(jsonl.read([path], "mine", 1, cut))
    except DataError as error:
        told, wrong = [], error
    assert wrong is None or str(path) in str(wrong.where)
    assert all(story.facts and story.questions for _, story in told)
