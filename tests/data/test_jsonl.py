"""JSON lines: what is read, what is refused and where, and that what is written reads back."""

import gzip
import json
import runpy
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from conftest import Dmn, fails
from hypothesis import example, given, settings

from dmn_cli.data.formats import jsonl
from dmn_cli.data.formats.story_world import FAMILIES, stories
from dmn_cli.data.sources import archives
from dmn_cli.errors import DataError, UsageError
from dmn_cli.records.text import Question, Story

LINE = {"story": ["Mary went out.", "John came in."], "question": "Who is in?", "answer": "John"}


def cut(text: str) -> list[str]:
    return [part.strip() + "." for part in text.split(".") if part.strip()]


CUT: jsonl.Cut = {"sentences": cut, "words": str.split}


def read(path: Path, *lines: Any, task: str = "mine") -> list[tuple[str, Story]]:
    """Of lines given as objects, or as bytes."""
    path.write_bytes(b"".join(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in lines))
    return list(jsonl.read([path], task, 1, CUT))


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


def test_facts_are_words_where_a_line_says_so(tmp_path: Path) -> None:
    tagged = {"story": "Mary left .", "facts": "words", "question": "Tags?", "answer": ["N", "V", "."], "each": True}
    listed = {**tagged, "story": ["New York", "sleeps"], "answer": ["N", "V"]}
    sentences = {**LINE, "story": "Mary left. John came.", "facts": "sentences"}
    one, two, three = [story for _, story in read(tmp_path / "test.jsonl", tagged, listed, sentences)]
    assert one == Story(
        "mine", ("Mary", "left", "."), (Question("Tags?", 3, ("N", "V", "."), per_fact=True),), facts_are_words=True
    )
    assert (two.facts, two.facts_are_words) == (("New York", "sleeps"), True)
    assert (three.facts, three.facts_are_words) == (("Mary left.", "John came."), False)
    assert not three.questions[0].per_fact


def test_texts_are_cut_into_what_is_asked_for_where_the_line_does_not_say(tmp_path: Path) -> None:
    path = tmp_path / "test.jsonl"
    text = {**LINE, "story": "Mary left."}
    read(path, text, LINE, {**text, "facts": "sentences"})
    told = [story for _, story in jsonl.read([path], "mine", 1, CUT, "words")]
    assert [(story.facts, story.facts_are_words) for story in told] == [
        (("Mary", "left."), True),
        (tuple(LINE["story"]), False),  # a list is not cut, and says what it is itself
        (("Mary left.",), False),
    ]


def test_words_and_sentences_are_not_one_story(tmp_path: Path) -> None:
    longer = {**LINE, "story": [*LINE["story"], "more"]}
    assert len(read(tmp_path / "test.jsonl", LINE, {**longer, "facts": "words"})) == 2


def test_an_id_is_of_one_line_only(tmp_path: Path) -> None:
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    read(first, LINE, {**LINE, "id": "x"}, {**LINE, "id": 7}, {**LINE, "id": None})
    read(second, {**LINE, "id": "7"}, {**LINE, "id": 8}, {**LINE, "id": None})
    assert list(jsonl.read([first, second], "mine", 1, CUT))
    second.write_text("\n" + json.dumps({**LINE, "id": "x"}))
    with pytest.raises(DataError, match="'x'") as caught:
        list(jsonl.read([first, second], "mine", 1, CUT))
    assert caught.value.where == f"{second}:2"
    assert f"{first}:2" in caught.value.message
    with pytest.raises(DataError, match=r"a\.jsonl:2"):
        list(jsonl.read([first, first], "mine", 1, CUT))


@pytest.mark.parametrize(
    ("name", "split"),
    [
        *(("test.jsonl", "test"), ("Test.jsonl", "test"), ("TEST.jsonl", "test"), ("test1.jsonl", "test")),
        *(("trec_dev.jsonl", "valid"), ("my-valid.jsonl.gz", "valid"), ("Dev.jsonl", "valid"), ("val.jsonl", "valid")),
        *(("eval.jsonl", "valid"), ("validate.jsonl", "valid"), ("contest.jsonl", "train"), ("value.jsonl", "train")),
    ],
)
def test_a_line_with_no_split_is_of_the_one_that_its_file_is_named_after(tmp_path: Path, name: str, split: str) -> None:
    path = tmp_path / name
    text = json.dumps(LINE).encode()
    path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    assert [split for split, _ in jsonl.read([path], "mine", 1, CUT)] == [split]


@pytest.mark.parametrize(
    ("said", "split"), [("Test", "test"), ("VAL", "valid"), ("eval", "valid"), ("training", "train"), (None, "train")]
)
def test_a_split_may_be_named_in_other_ways(tmp_path: Path, said: str | None, split: str) -> None:
    lines = [{**LINE, "story": [f"Fact {n}."], "split": said} for n in range(2)]
    splits = [split for split, _ in read(tmp_path / "a.jsonl", *lines)]
    assert sorted(splits) == (["train", "valid"] if split == "train" else [split] * 2)  # one is held out


@pytest.mark.parametrize("name", ["contest.jsonl", "latest.jsonl"])
def test_a_file_that_may_call_itself_a_test_is_not_trained_on_in_silence(dmn: Dmn, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(json.dumps(LINE))
    result = dmn("prepare", "jsonl", tmp_path / name, "--out", tmp_path / "out", "--tokenizer", "whitespace")
    assert result.err.startswith(f"{name} is read as training data")


def test_folders_and_archives_are_read(tmp_path: Path) -> None:
    """Of them the .jsonl files, each of the split that it or its folder is named after."""
    files = {
        "a/train.jsonl": json.dumps(LINE).encode(),
        "a/test/one.jsonl.gz": gzip.compress(json.dumps(LINE).encode()),
        "a/readme.md": b"no JSON",
        "__MACOSX/a/._train.jsonl": b"no JSON",
    }
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for name, content in files.items():
            (tmp_path / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "folder" / name).write_bytes(content)
            archive.writestr(name, content)
    for path in (tmp_path / "folder", tmp_path / "all.zip"):
        told: list[int] = []
        assert sorted(split for split, _ in jsonl.read([path], "mine", 1, CUT, progress=told.append)) == [
            "test",
            "train",
        ]
        assert sum(told) == jsonl.size([path])
        assert sorted(archives.chosen([path], jsonl.is_jsonl)[0]) == ["a/test/one.jsonl.gz", "a/train.jsonl"]
    (tmp_path / "folder" / "a" / "train.jsonl").write_text("{")
    with pytest.raises(DataError) as caught:
        list(jsonl.read([tmp_path / "folder"], "mine", 1, CUT))
    assert caught.value.where == f"{tmp_path / 'folder' / 'a' / 'train.jsonl'}:1"
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"no \.jsonl files"):
        list(jsonl.read([tmp_path / "empty"], "mine", 1, CUT))


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("1", ("1",)),
        ("1.50", ("1.50",)),
        ("-2e3", ("-2e3",)),
        ("123456789012345678901234567890", ("123456789012345678901234567890",)),
        ("true", ("true",)),
        ('[0, false, "x"]', ("0", "false", "x")),
    ],
)
def test_a_label_may_be_a_number(tmp_path: Path, said: str, answer: tuple[str, ...]) -> None:
    """It is the text that it is written as."""
    line = f'{{"story": ["It works."], "question": "How is it?", "answer": {said}}}\n'
    ((_, story),) = read(tmp_path / "test.jsonl", line.encode())
    assert story.questions[0].answer == answer


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ({"answers": ["John"]}, 'It has "answers": did you mean "answer"?'),
        ({"Answer": "John"}, 'It has "Answer": did you mean "answer"?'),
        ({"label": 1, "n": 2}, 'It has "label", "n" instead.'),
        ({"support": [0]}, None),
    ],
)
def test_a_key_that_is_missing_is_said_to_be(tmp_path: Path, line: dict[str, Any], hint: str | None) -> None:
    with pytest.raises(DataError, match='"answer" is missing') as caught:
        read(tmp_path / "a.jsonl", {"story": LINE["story"], "question": "Who?", **line})
    assert (caught.value.where, caught.value.hint) == (f"{tmp_path / 'a.jsonl'}:1", hint)


def test_what_is_not_needed_may_be_null(tmp_path: Path) -> None:
    nothing = dict.fromkeys(("support", "task", "split", "facts", "each", "id"))
    assert read(tmp_path / "test.jsonl", {**LINE, **nothing}) == read(tmp_path / "test.jsonl", LINE)


def test_blanks_around_an_answer_are_no_part_of_it(tmp_path: Path) -> None:
    for said, meant in ((" John ", ("John",)), (["a ", " b c"], ("a", "b c")), ([" a", 1], ("a", "1"))):
        [(_, story)] = read(tmp_path / "a.jsonl", {**LINE, "answer": said})
        assert story.questions[0].answer == meant


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (json.dumps(LINE, indent=1).encode(), "jq -c . FILE"),
        (json.dumps([LINE], indent=1).encode(), "jq -c '.[]' FILE"),
        (json.dumps(LINE).encode("utf-16-le"), "iconv -f utf-16"),
    ],
)
def test_what_is_no_lines_is_told_how_to_become_so(tmp_path: Path, content: bytes, hint: str) -> None:
    with pytest.raises(DataError, match="is not JSON") as caught:
        read(tmp_path / "a.jsonl", content)
    assert hint in str(caught.value.hint)


def test_files_of_a_story_each_give_validation_together(tmp_path: Path) -> None:
    paths = [tmp_path / f"{n}.jsonl" for n in range(20)]
    for path in paths:
        path.write_text(json.dumps(LINE))
    splits = [split for split, _ in jsonl.read(paths, "mine", 1, CUT)]
    assert splits.count("valid") == 2


def test_a_file_of_another_suffix_is_not_passed_over_in_silence(dmn: Dmn, tmp_path: Path) -> None:
    for name in ("train.jsonl", "train.txt", "test.txt", "README.txt"):
        (tmp_path / name).write_text(json.dumps(LINE))
    result = dmn("prepare", "jsonl", tmp_path, "--out", tmp_path / "out")
    assert "test.txt isn't read" in result.err
    assert "train.txt" not in result.err
    assert "README" not in result.err


def test_what_cannot_be_trained_on_is_said_to_be_for_eval(dmn: Dmn, tmp_path: Path) -> None:
    (tmp_path / "test.jsonl").write_text(json.dumps(LINE))
    result = dmn("prepare", "jsonl", tmp_path / "test.jsonl", "--out", tmp_path / "out")
    assert "no questions for train and valid" in result.err
    assert result.out.endswith("is ready for dmn eval.\n")


@pytest.mark.parametrize("export", ["in/a.jsonl", "in/new.jsonl"])
def test_nothing_is_exported_into_what_is_read(dmn: Dmn, tmp_path: Path, export: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jsonl").write_text(json.dumps(LINE))
    out = ("--out", tmp_path / "out", "--export", tmp_path / export, "--force")
    fails(dmn("prepare", "jsonl", tmp_path / "in", *out), 2, "isn't written to")
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["a.jsonl"]
    assert json.loads((tmp_path / "in" / "a.jsonl").read_text()) == LINE


def test_validation_is_held_out_only_where_there_is_none(tmp_path: Path) -> None:
    lines = [{**LINE, "story": [f"Fact {n}."]} for n in range(50)]
    splits = [split for split, _ in read(tmp_path / "a.jsonl", *lines, {**LINE, "split": "test"})]
    assert [splits.count(split) for split in ("train", "valid", "test")] == [45, 5, 1]
    splits = [split for split, _ in read(tmp_path / "a.jsonl", *lines, {**LINE, "split": "validation"})]
    assert [splits.count(split) for split in ("train", "valid", "test")] == [50, 1, 0]
    (tmp_path / "dev.jsonl").write_text(json.dumps(LINE))
    told = jsonl.read([tmp_path / "a.jsonl", tmp_path / "dev.jsonl"], "mine", 1, CUT)
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
        ({**LINE, "story": ["Mary went out.", ""]}, 'fact 1 of "story"'),
        ({**LINE, "story": {"a": 1}}, '"story"'),
        ({**LINE, "question": None}, '"question"'),
        ({**LINE, "question": " "}, '"question"'),
        ({**LINE, "answer": []}, '"answer"'),
        ({**LINE, "answer": None}, '"answer"'),
        ({**LINE, "answer": {"text": "John"}}, '"answer"'),
        ({**LINE, "answer": [1, None]}, '"answer"'),
        ({**LINE, "answer": float("nan")}, '"answer"'),
        ({**LINE, "answer": ["a", ""]}, '"answer"'),
        ({**LINE, "answer": "\ud800"}, '"answer"'),
        ({**LINE, "support": [2]}, "0 to 1"),
        ({**LINE, "support": [-1]}, "0 to 1"),
        ({**LINE, "support": [True]}, "0 to 1"),
        *(({**LINE, "support": support}, "0 to 1") for support in (1, 0, False, "", {})),
        ({**LINE, "task": 3}, '"task"'),
        ({**LINE, "facts": "letters"}, '"facts"'),
        ({**LINE, "facts": ["words"]}, '"facts"'),
        ({**LINE, "each": "yes"}, '"each"'),
        ({**LINE, "answer": ["a", "b", "c"], "each": True}, "3 texts for 2 facts"),
        ({**LINE, "answer": "John", "each": True}, '"answer" is not a list'),
        ({**LINE, "story": ["one"], "answer": "John", "each": True}, '"answer" is not a list'),
        ({**LINE, "id": [1]}, '"id"'),
        ({**LINE, "split": "exam"}, '"split"'),
        ({**LINE, "split": ["train"]}, '"split"'),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: object, said: str) -> None:
    with pytest.raises(DataError, match=said) as caught:
        read(tmp_path / "a.jsonl", LINE, b"\n", line)
    assert caught.value.where == f"{tmp_path / 'a.jsonl'}:3"


def test_files_that_are_not_there_or_damaged(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        list(jsonl.read([tmp_path / "none.jsonl"], "mine", 1, CUT))
    torn = tmp_path / "torn.jsonl.gz"
    for content in (gzip.compress(json.dumps(LINE).encode() * 100)[:60], b"plain text"):
        torn.write_bytes(content)
        with pytest.raises(DataError, match="damaged") as caught:
            list(jsonl.read([torn], "mine", 1, CUT))
        assert caught.value.where == str(torn)


@pytest.mark.parametrize("task", FAMILIES)
def test_what_is_written_reads_back(tmp_path: Path, task: str) -> None:
    told = [(split, story) for split in ("train", "valid", "test") for story in stories(task, 30, 1, split)]
    path = tmp_path / "a.jsonl"
    path.write_text("".join(line for split, story in told for line in jsonl.lines(split, story)))
    assert list(jsonl.read([path], "other", 1, CUT)) == told


def test_prepare_cuts_texts_into_words(dmn: Dmn, tmp_path: Path) -> None:
    path = tmp_path / "test.jsonl"
    path.write_text(json.dumps({**LINE, "story": "Mary left. John came."}))
    for facts, count in (("sentences", 2), ("words", 4)):
        options = ("--tokenizer", "whitespace", "--facts", facts, "--export", tmp_path / f"{facts}.jsonl", "--json")
        result = dmn("prepare", "jsonl", path, "--out", tmp_path / facts, *options)
        assert result.document["splits"]["test"]["facts"] == count, result.err
    assert json.loads((tmp_path / "words.jsonl").read_text())["facts"] == "words"
    assert "facts" not in json.loads((tmp_path / "sentences.jsonl").read_text())


RECIPES = Path(__file__).parents[2] / "tools" / "recipes"


def recipe(name: str, *args: Path) -> None:
    runpy.run_path(str(RECIPES / name))["main"](*map(str, args))


def test_the_recipe_for_trec(tmp_path: Path) -> None:
    train, test = tmp_path / "train_5500.label", tmp_path / "TREC_10.label"
    train.write_bytes(b"NUM:dist How far is Sk\xf0ne ?\nLOC:city Where is Rome ?\n")
    test.write_text("HUM:ind Who is Fred ?\n")
    recipe("trec.py", tmp_path / "out.jsonl", train, test)
    told = list(jsonl.read([tmp_path / "out.jsonl"], "trec", 1, CUT))
    assert [(story.facts[-2], story.questions[0].answer) for _, story in told if story.facts_are_words] == [
        ("Fred", ("HUM",)),
        ("Sk\xf0ne", ("NUM",)),
        ("Rome", ("LOC",)),
    ]
    assert sorted(split for split, _ in told) == ["test", "train", "valid"]


@pytest.mark.parametrize("packed", [False, True])
def test_the_recipe_for_imdb(tmp_path: Path, packed: bool) -> None:
    root = tmp_path / "aclImdb"
    texts = {"train/pos/0_9": "Good.<br /><br />Café.", "test/neg/1_2": "Bad.", "train/unsup/0_0": "What?"}
    for name, text in texts.items():
        (root / name).parent.mkdir(parents=True)
        (root / f"{name}.txt").write_text(text, encoding="utf-8")
    if packed:
        with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
            archive.add(root, "aclImdb")
    recipe("imdb.py", tmp_path / "out.jsonl", tmp_path / "a.tar.gz" if packed else root)
    told = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert sorted((line["id"], line["split"], line["answer"], line["story"]) for line in told) == [
        ("test/neg/1_2", "test", "negative", "Bad."),
        ("train/pos/0_9", "train", "positive", "Good.\n\nCafé."),
    ]


KEYS = ["story", "question", "answer", "support", "task", "split", "facts", "each", "id"]
texts = st.text(st.characters(codec="utf-8"), min_size=1).filter(str.strip)
answers = texts.map(str.strip)


@settings(deadline=None, max_examples=200)
@given(st.lists(texts, min_size=1, max_size=5), texts, st.lists(answers, min_size=1, max_size=3), texts, st.data())
def test_any_text_survives(
    tmp_path_factory: pytest.TempPathFactory,
    facts: list[str],
    question: str,
    answer: list[str],
    task: str,
    data: st.DataObject,
) -> None:
    """A story of questions along its way, whatever its facts are; one has an answer for each of them."""
    seen = data.draw(st.lists(st.integers(1, len(facts)), max_size=3).map(sorted))
    questions = []
    for position in [*seen, len(facts)]:
        support = data.draw(st.lists(st.integers(0, position - 1), unique=True))
        per_fact = data.draw(st.booleans())
        said = [data.draw(answers) for _ in range(position)] if per_fact else answer
        questions.append(Question(question, position, tuple(said), tuple(support), per_fact))
    story = Story(task, tuple(facts), tuple(questions), facts_are_words=data.draw(st.booleans()))
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    path.write_text("".join(jsonl.lines("test", story)), encoding="utf-8", newline="\n")
    assert list(jsonl.read([path], "other", 1, CUT)) == [("test", story)]


@settings(deadline=None, max_examples=300)
@given(
    st.one_of(
        st.binary(),
        st.text().map(str.encode),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(KEYS), inner),
        ).map(lambda value: json.dumps(value).encode()),
    )
)
@example(b"")
def test_any_bytes_give_stories_or_a_clear_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes.jsonl"
    path.write_bytes(content)
    wrong = None
    try:
        told = list(jsonl.read([path], "mine", 1, CUT))
    except DataError as error:
        told, wrong = [], error
    assert wrong is None or str(path) in str(wrong.where)
    assert all(story.facts and story.questions for _, story in told)
