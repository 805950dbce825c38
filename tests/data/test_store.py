"""The data set on disk: what goes in comes out, each text is held once, and damage is named."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pyarrow as pa
import pytest
from helpers import Whitespace
from hypothesis import HealthCheck, given, settings

from dmn_cli.data.store import writer
from dmn_cli.data.store.chunks import chunks
from dmn_cli.data.store.layout import SPLITS
from dmn_cli.data.store.reader import Column, DataSet
from dmn_cli.errors import DataError
from dmn_cli.records.text import Example, Question, Story

Pair = tuple[str, Story]


MARY = Story(
    "qa1",
    ("Mary moved home .", "John moved away .", "Mary moved home ."),
    (
        Question("Where is Mary ?", 1, ("home",), (0,)),
        Question("Where is John ?", 3, ("away", "far"), (1, 0)),
        Question("Where is Mary ?", 3, ("home",)),
    ),
)
TOM = Story("qa9", ("Tom slept .",), (Question("Who slept ?", 1, ("Tom",), (0,)),))


def written(path: Path, *pairs: Pair, stories: int = 8192, **limits: int) -> DataSet:
    """`stories` to a chunk; `limits`: those of `writer.Limits`."""
    told = chunks(pairs, max_stories=stories)
    writer.write_chunks(path, told, Whitespace(), {"format": "test"}, limits=writer.Limits(**limits))
    return DataSet(path)


def examples(story: Story) -> list[Example]:
    """What the store must give back of a story, by definition."""
    return [
        Example(story.task, list(story.facts[: q.position]), q.text, list(q.answer), list(q.support))
        for q in story.questions
    ]


def check(data: DataSet, pairs: list[Pair]) -> None:
    """All questions of all splits come back in order."""
    for name in SPLITS:
        expected = [example for split, story in pairs if split == name for example in examples(story)]
        if not expected:
            with pytest.raises(DataError, match=f"no questions for {name}"):
                data.split(name)
            continue
        split = data.split(name)
        assert len(split) == len(expected)
        assert split.stories == sum(split == name for split, _ in pairs)
        assert [data.example(split, row) for row in range(len(split))] == expected
        assert data.examples(split, np.arange(len(split))[::-1]) == expected[::-1]


text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="<"), max_size=10).filter(
    lambda s: bool(s.split())
)


@st.composite
def told(draw: st.DrawFn) -> Story:
    facts = draw(st.lists(text, min_size=1, max_size=4))
    questions = []
    for position in draw(st.lists(st.integers(1, len(facts)), min_size=1, max_size=4)):
        supports = draw(st.lists(st.integers(0, position - 1), max_size=3))
        answer = draw(st.lists(text, min_size=1, max_size=3))
        questions.append(Question(draw(text), position, tuple(answer), tuple(supports)))
    return Story(draw(st.sampled_from(["qa1", "qa2", "aufgabe ß"])), tuple(facts), tuple(questions))


pairs_of_anything = st.lists(st.tuples(st.sampled_from(SPLITS), told()), min_size=1, max_size=8)
no_deadline = settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("rows", [2, 3, 8192])
@no_deadline
@given(pairs=pairs_of_anything)
def test_stories_come_back_as_they_went_in(tmp_path: Path, rows: int, pairs: list[Pair]) -> None:
    """Also where a file has many record batches."""
    check(written(tmp_path / "data", *pairs, stories=rows, rows=rows), pairs)


def test_of_the_example_by_hand(tmp_path: Path) -> None:
    data = written(tmp_path / "data", ("train", TOM), ("train", MARY), ("test", TOM))
    assert data.tasks == ["qa9", "qa1"]
    assert data.example(data.split("train"), 2) == Example(
        task="qa1",
        facts=["Mary moved home .", "John moved away .", "Mary moved home ."],
        question="Where is John ?",
        answer=["away", "far"],
        support=[1, 0],
    )


def test_the_summary_counts_what_is_there(tmp_path: Path) -> None:
    pairs = [("train", MARY), ("train", TOM), ("test", TOM)]
    summary = writer.write(tmp_path / "data", pairs, Whitespace(), {"format": "test", "path": "there"})
    assert summary == DataSet(tmp_path / "data").summary
    expected = {
        "name": "data",
        "source": {"format": "test", "path": "there"},
        "tokenizer": {"kind": "whitespace"},
        "tasks": ["qa1", "qa9"],
        "splits": {
            "train": {"stories": 2, "questions": 4, "facts": 4},
            "valid": {"stories": 0, "questions": 0, "facts": 0},
            "test": {"stories": 1, "questions": 1, "facts": 1},
        },
        "sentences": 6,
        "words": 12,  # Mary moved home . John away Where is ? Tom slept Who
        "answers": 4,  # home away far Tom
        "longest_story": 3,
        "longest_answer": 2,
        "questions_with_support": 4,
    }
    assert {key: summary[key] for key in expected} == expected


@pytest.mark.parametrize("rows", [2, 8192])
def test_facts_and_sentences_are_stored_once(tmp_path: Path, rows: int) -> None:
    """A story's facts once however many questions it has, and a sentence's words once wherever it occurs."""
    many = MARY._replace(questions=MARY.questions * 20)
    data = written(tmp_path / "data", ("train", MARY), ("train", many), ("test", many), stories=rows, rows=rows)
    split = data.split("train")
    facts, lengths = split.facts.take(np.arange(split.stories))
    assert lengths.tolist() == [3, 3]
    assert len(facts) == 6
    with pa.memory_map(str(tmp_path / "data" / "sentences.arrow")) as file:
        texts = pa.ipc.open_file(file).read_all().column("text").to_pylist()
    assert len(texts) == len(set(texts))
    assert set(texts) == {*MARY.facts, *(question.text for question in MARY.questions)}


def test_a_sentence_forgotten_by_the_cache_is_stored_again_and_read_right(tmp_path: Path) -> None:
    pairs = [("train", MARY), ("valid", TOM), ("train", MARY), ("test", MARY)]
    check(written(tmp_path / "data", *pairs, stories=1, sentences=2), pairs)


@no_deadline
@given(
    rows=st.lists(st.lists(st.integers(-9, 9), max_size=4), min_size=1, max_size=12),
    sizes=st.lists(st.integers(1, 4), min_size=12, max_size=12),
    data=st.data(),
)
def test_a_column_takes_any_rows_in_any_order(rows: list[list[int]], sizes: list[int], data: st.DataObject) -> None:
    """As plain Python does, repeats and no rows at all included, however the rows are cut into chunks."""
    schema = pa.schema([("rows", pa.list_(pa.int32()))])
    written, rest = pa.BufferOutputStream(), rows
    with pa.ipc.new_file(written, schema) as file:
        for size in sizes:
            if rest:
                file.write_batch(pa.record_batch([pa.array(rest[:size], pa.list_(pa.int32()))], schema=schema))
                rest = rest[size:]
    read = pa.ipc.open_file(buffer := written.getvalue())
    columns = [read.get_batch(i).column("rows") for i in range(read.num_record_batches)]
    numbers = np.frombuffer(buffer, np.int32, count=buffer.size // 4)
    column = Column(numbers, columns)
    wanted = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=20))
    values, lengths = column.take(np.array(wanted, dtype=np.int64))
    assert values.tolist() == [value for row in wanted for value in rows[row]]
    assert lengths.tolist() == [len(rows[row]) for row in wanted]
    assert column.lengths.tolist() == [len(row) for row in rows]


@no_deadline
@given(pairs=pairs_of_anything)
def test_words_and_answers_are_counted_by_split(tmp_path: Path, pairs: list[Pair]) -> None:
    """And a model's vocabulary holds what occurs in training, nothing else."""
    vocabulary = written(tmp_path / "data", *pairs).vocabulary
    for name in SPLITS:
        stories = [story for split, story in pairs if split == name]
        sentences = [text for s in stories for text in (*s.facts, *(q.text for q in s.questions))]
        words = Counter(word for text in sentences for word in text.split())
        answers = Counter(word for s in stories for q in s.questions for word in q.answer)
        for index, counted in ((vocabulary.words, words), (vocabulary.answers, answers)):
            stored = dict(zip(index.items, index.counts[name], strict=True))
            assert {item: count for item, count in stored.items() if count} == counted
        if name == "train":
            model = vocabulary.of_training()
            assert model.words.items[:2] == [" <pad>", "<unk>"]
            assert model.answers.items[:1] == ["<end>"]
            assert set(model.words.items[2:]) == set(words)
            assert set(model.answers.items[1:]) == set(answers)
            assert [model.words.ids[word] for word in model.words.items] == list(range(len(model.words)))


def test_an_answer_called_like_the_end_token_does_not_end_an_answer(tmp_path: Path) -> None:
    """It is told apart or refused, never taken for an empty answer."""
    story = TOM._replace(questions=(Question("Who slept ?", 1, ("<end>",)),))
    with suppress(DataError):
        split = written(tmp_path / "data", ("train", story)).split("train")
        assert 0 not in split.answers.take(np.array([0]))[0]


# --- damage


@pytest.fixture
def data_set(tmp_path: Path) -> Path:
    written(tmp_path / "data", ("train", MARY), ("train", TOM), ("test", MARY))
    return tmp_path / "data"


def read_all(path: Path) -> None:
    data = DataSet(path)
    split = data.split("train")
    for row in range(len(split)):
        data.example(split, row)


ARROW = ["sentences.arrow", "train.arrow"]
JSON = ["dataset.json", "vocabulary.json"]


@pytest.mark.parametrize("name", ARROW + JSON)
def test_a_missing_file_is_named(data_set: Path, name: str) -> None:
    (data_set / name).unlink()
    with pytest.raises(DataError, match="is missing") as caught:
        read_all(data_set)
    assert caught.value.where == str(data_set / name)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("name", [*ARROW, "vocabulary.json"])
def test_a_file_that_cannot_be_read_is_no_damaged_one(data_set: Path, name: str) -> None:
    (data_set / name).unlink()
    (data_set / name).symlink_to(name)
    with pytest.raises(DataError, match="can't be read: Too many levels of symbolic links") as caught:
        read_all(data_set)
    assert caught.value.where == str(data_set / name)


@pytest.mark.parametrize("name", ARROW + JSON)
def test_a_truncated_file_is_named(data_set: Path, name: str) -> None:
    content = (data_set / name).read_bytes()
    for length in range(0, len(content) - 1, 7):
        (data_set / name).write_bytes(content[:length])
        with pytest.raises(DataError) as caught:
            read_all(data_set)
        assert caught.value.where == str(data_set / name)


@pytest.mark.parametrize("name", ARROW + JSON)
@no_deadline
@given(content=st.one_of(st.binary(max_size=300), st.binary(max_size=50).map(lambda b: b"ARROW1\0\0" + b + b"ARROW1")))
def test_garbage_is_named(data_set: Path, name: str, content: bytes) -> None:
    whole = (data_set / name).read_bytes()
    (data_set / name).write_bytes(content)
    try:
        with pytest.raises(DataError) as caught:
            read_all(data_set)
        assert caught.value.where == str(data_set / name)
    finally:
        (data_set / name).write_bytes(whole)


def test_an_arrow_file_of_something_else(data_set: Path) -> None:
    (data_set / "train.arrow").write_bytes((data_set / "sentences.arrow").read_bytes())
    with pytest.raises(DataError, match="columns"):
        read_all(data_set)


@pytest.mark.parametrize("name", JSON)
@pytest.mark.parametrize(
    "content", ["null", "[]", "{}", '{"format_version": 1}', '{"format_version": 1e999}', "[" * 100_000]
)
def test_json_of_something_else(data_set: Path, name: str, content: str) -> None:
    (data_set / name).write_text(content)
    with pytest.raises(DataError):
        read_all(data_set)


@pytest.mark.parametrize("name", JSON)
def test_a_newer_format_is_refused_with_a_reason(data_set: Path, name: str) -> None:
    content = json.loads((data_set / name).read_text())
    (data_set / name).write_text(json.dumps({**content, "format_version": 2}))
    with pytest.raises(DataError, match="format version 2; this dmn reads up to 1") as caught:
        DataSet(data_set)
    assert caught.value.where == str(data_set / name)
    assert "newer dmn" in (caught.value.hint or "")


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such data set") as caught:
        DataSet(tmp_path / "nothing")
    assert "dmn prepare" in (caught.value.hint or "")


def test_the_fingerprint_changes_with_the_data_only(tmp_path: Path) -> None:
    first = written(tmp_path / "a" / "data", ("train", MARY)).fingerprint
    assert written(tmp_path / "b" / "data", ("train", MARY)).fingerprint == first
    assert written(tmp_path / "c" / "data", ("train", TOM)).fingerprint != first


# --- all or nothing


class Broken(Exception):
    pass


def breaking() -> Iterator[Pair]:
    yield "train", MARY
    raise Broken


def snapshot(folder: Path) -> dict[Path, bytes | None]:
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(Broken):
        writer.write(tmp_path / "data", breaking(), Whitespace(), {})
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_what_was_there(data_set: Path) -> None:
    before = snapshot(data_set.parent)
    with pytest.raises(Broken):
        writer.write(data_set, breaking(), Whitespace(), {})
    assert snapshot(data_set.parent) == before


def test_a_success_replaces_what_was_there(data_set: Path) -> None:
    check(written(data_set, ("valid", TOM)), [("valid", TOM)])
    assert list(data_set.parent.iterdir()) == [data_set]


def test_no_stories_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no story") as caught:
        writer.write(tmp_path / "data", [], Whitespace(), {"path": "the source"})
    assert caught.value.where == "the source"
    assert list(tmp_path.iterdir()) == []


def test_a_sentence_without_words_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no words"):
        written(tmp_path / "data", ("train", TOM._replace(facts=(" ",))))
    assert list(tmp_path.iterdir()) == []


def test_the_story_being_longer_than_a_line_of_the_table(tmp_path: Path) -> None:
    """Ten thousand facts and as many questions in one story."""
    facts = tuple(f"fact {n}" for n in range(10_000))
    questions = tuple(Question("what ?", n + 1, (str(n % 7),), (n,)) for n in range(10_000))
    data = written(tmp_path / "data", ("train", Story("qa1", facts, questions)))
    assert data.example(data.split("train"), 5000) == Example(
        "qa1", list(facts[:5001]), "what ?", [str(5000 % 7)], [5000]
    )


def test_a_text_that_says_pad_is_a_word_like_any_other(tmp_path: Path) -> None:
    story = Story("qa1", ("<pad>",), (Question("<pad> <unk> ?", 1, ("yes",)),))
    writer.write(tmp_path / "data", [("train", story)], Whitespace(), {})
    data = DataSet(tmp_path / "data")
    words, _ = data.sentences.words.take(np.array([0]))
    assert (words > 1).all()
