"""Tables: what is read, as what, what is refused and where; and how rows are divided into splits."""

import csv
import io
import json
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from pyarrow import parquet

from dmn_cli.data.formats import table
from dmn_cli.data.formats.table import Columns, Row
from dmn_cli.data.formats.table_files import as_text_or_json, tables
from dmn_cli.data.formats.table_json import JsonTable
from dmn_cli.data.formats.table_survey import Survey
from dmn_cli.data.formats.table_text import TextTable, Written
from dmn_cli.errors import DataError, DmnError, UsageError
from dmn_cli.records.text import Question, Story

COLUMNS = Columns(("subject", "body"), "team")
USUAL = Written()


def stream(content: bytes) -> io.BufferedReader:
    return io.BufferedReader(io.BytesIO(content))


def opened(content: bytes, written: Written = USUAL, wanted: tuple[str, ...] = ()) -> TextTable:
    return TextTable(stream(content), "t.csv", written, wanted)


def read(path: Path, content: bytes | None, columns: Columns = COLUMNS, written: Written = USUAL) -> list[Row]:
    """content: None: it is written"""
    if content is not None:
        path.write_bytes(content)
    return list(table.rows([path], columns, written))


# characters of one line end, and none of another; NUL is no text
CELL = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=12)


@given(
    rows=st.lists(st.lists(CELL, min_size=3, max_size=3), max_size=8),
    delimiter=st.sampled_from(",;\t|"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    end=st.sampled_from(["\n", "\r\n"]),
)
@settings(deadline=None)
def test_what_is_written_reads_back(rows: list[list[str]], delimiter: str, encoding: str, end: str) -> None:
    """Every cell the text that it was; the rows as they are written are together all that follows the header."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end)
    writer.writerows([["a b", "é", "c"], *rows])
    found = opened(text.getvalue().encode(encoding), wanted=("é",))
    assert (found.columns, found.delimiter) == (["a b", "é", "c"], delimiter)
    records = list(found.records(["c", "a b"]))
    assert [record.cells for record in records] == [[c, a] for a, _, c in rows]
    assert found.head + "".join(record.text for record in records) == text.getvalue()
    lines = text.getvalue().count("\n")
    numbers = [record.number for record in records] + [lines + 1]
    assert numbers[0] == 2
    assert all(
        before + record.text.count("\n") == n for record, (before, n) in zip(records, pairwise(numbers), strict=True)
    )


def test_a_row_becomes_a_story(tmp_path: Path) -> None:
    content = b"id,subject,body,team\n001,Screen,Dark. Cold.,NA\n\n2,,Where?, 007 \n"
    rows = read(tmp_path / "t.csv", content)
    assert [(row.texts, row.labels, row.where[-2:]) for row in rows] == [
        (["Screen", "Dark. Cold."], ("NA",), ":2"),
        (["Where?"], ("007",), ":4"),
    ]
    cut: Any = {"sentences": lambda text: text.split(" "), "words": list}
    pairs = list(table.read(iter(rows), Survey.of(rows, 1).said * 0, "teams", "Which team?", cut))
    asked = Question("Which team?", 3, ("NA",))
    assert pairs[0] == ("train", Story("teams", ("Screen", "Dark.", "Cold."), (asked,)))
    assert pairs[1][1].facts == ("Where?",)
    words = list(table.read(iter(rows), Survey.of(rows, 1).said * 0, "teams", "Q?", cut, "words", several=True))
    assert words[1][1].facts == tuple("Where?")
    assert words[1][1].facts_are_words
    assert words[1][1].questions[0].any_order


@pytest.mark.parametrize(
    ("content", "written"),
    [
        ("\ufeffsubject;body;team\r\nNaïve, but;x;A\r\n".encode(), Written()),
        ("sep=;\r\nsubject;body;team\r\nNaïve, but;x;A\r\n".encode("cp1252"), Written("cp1252")),
        ("subject\tbody\tteam\r\nNaïve, but\tx\tA\r\n".encode("utf-16"), Written()),
        ('"subject","body","team"\n"Naïve, but","x","A"'.encode(), Written("utf-8")),
        ("\n\nsubject^body^team\nNaïve, but^x^A\n".encode(), Written(delimiter="^")),
        ('"subject", "body", "team"\n"Naïve, but", "x", "A"\n'.encode(), Written()),
        ("subject;body;team\nNaïve, but;x;A\n".encode("utf-16-le"), Written()),
        ("subject\tbody\tteam\n \nNaïve, but\tx\tA\n\x1a".encode(), Written()),
    ],
    ids=[
        *("Excel's", "with sep=", "Excel's Unicode text", "all in quotes", "another delimiter", "blanks before quotes"),
        *("UTF-16 without a mark", "a line of blanks, and the end of a file of DOS"),
    ],
)
def test_as_people_write_them(tmp_path: Path, content: bytes, written: Written) -> None:
    (row,) = read(tmp_path / "t.csv", content, written=written)
    assert (row.texts, row.labels) == (["Naïve, but", "x"], ("A",))


def test_a_quote_after_a_blank_may_be_a_letter(tmp_path: Path) -> None:
    content = b'subject,body,team\na, "Hi" he said,A\n"b, ""c""", d "e",B\n'
    assert [row.texts for row in read(tmp_path / "t.csv", content)] == [["a", '"Hi" he said'], ['b, "c"', 'd "e"']]


def test_quotes_that_are_letters(tmp_path: Path) -> None:
    content = b'subject\tbody\tteam\n"Hi" he said\t5" disk\tA\n"no\tend\tB\n'
    rows = read(tmp_path / "t.tsv", content, written=Written(quotes=False))
    assert [row.texts for row in rows] == [['"Hi" he said', '5" disk'], ['"no', "end"]]
    with pytest.raises(DataError, match=r"(?s)t\.tsv:2.*--no-quotes") as error:
        read(tmp_path / "t.tsv", content)
    assert error.value.exit_code == 3


@pytest.mark.parametrize(
    ("content", "written", "said"),
    [
        (b"", Written(), "is empty"),
        (b"subject,body,team\n", Written(), r"t\.csv: has no rows"),
        (b"a,b\n1,2\n", Written(), "has no column 'subject'.*It has: a, b"),
        (b"subject,body,team,team\n1,2,3,4\n", Written(), "two columns 'team'"),
        (b'subject,body,team\n"a\nb",c,d\n1,2\n', Written(), r"t\.csv:4: the row has 2 cells, and the header 3"),
        (b'subject,body,team\n1,2,3\n"a,b,c\n', Written(), r"t\.csv:3: a quote isn't closed"),
        (b'subject,body,team\n1,"\n\xe9",3\n', Written(), r"t\.csv:3: byte 0xe9 is not utf-8.*cp1252"),
        (b"subject,body,team\n", Written("klingon"), "no such encoding"),
        (b"PK\3\4", Written("base64"), "no such encoding"),
    ],
)
def test_what_is_wrong_and_where(tmp_path: Path, content: bytes, written: Written, said: str) -> None:
    with pytest.raises(DmnError, match=f"(?s){said}"):
        read(tmp_path / "t.csv", content, written=written)


def test_a_workbook_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a workbook") as error:
        read(tmp_path / "t.xlsx", b"PK")
    assert "CSV" in (error.value.hint or "")


def test_parquet(tmp_path: Path) -> None:
    """Cells are texts there too; what is missing is empty; a row that is wanted is named by its number."""
    path = tmp_path / "t.parquet"
    columns = {"team": [7, None, 8], "subject": ["a", None, "c"], "body": pa.array(["x", "y", "x"]).dictionary_encode()}
    parquet.write_table(pa.table({**columns, "lists": [[[1]], [[2]], [[3]]]}), path)
    rows = list(table.rows([path], COLUMNS, Written()))
    assert [(row.texts, row.labels) for row in rows] == [(["a", "x"], ("7",)), (["y"], ()), (["c", "x"], ("8",))]
    assert Survey.of(rows, 1).without == {"label": (1, f"{path}:2")}
    with pytest.raises(DataError, match="no text, but list"):
        list(table.rows([path], Columns(("lists",), "team"), Written()))
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(DataError, match="damaged"):
        list(table.rows([path], COLUMNS, Written()))


VALUE = st.one_of(CELL, st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.none())


@given(
    rows=st.lists(st.tuples(VALUE, VALUE), min_size=1, max_size=6),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    end=st.sampled_from(["\n", "\r\n"]),
    ascii_=st.booleans(),
)
@settings(deadline=None)
def test_json_lines_read_back(rows: list[tuple[Any, Any]], encoding: str, end: str, ascii_: bool) -> None:
    """Texts are what they are, numbers as they are written, true and false by name, null empty."""
    lines = [json.dumps({"a b": a, "list": [], "é": c}, ensure_ascii=ascii_) for a, c in rows]
    content = ("\n" + end.join(lines)).encode(encoding)
    found = as_text_or_json(stream(content), "t", USUAL, ())
    assert isinstance(found, JsonTable)
    assert found.columns == ["a b", "list", "é"]
    empty, *records = found.records(["é", "a b"])
    assert (empty.number, empty.cells) == (1, [])

    def as_cell(value: Any) -> str:
        return value if isinstance(value, str) else "" if value is None else json.dumps(value)

    assert [record.cells for record in records] == [[as_cell(c), as_cell(a)] for a, c in rows]
    assert [record.number for record in records] == [2 + n for n in range(len(rows))]
    assert "".join(record.text for record in (empty, *records)).encode(encoding) == content


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"text": "a"}', r"has no column 'subject'.*It has: text"),
        ('{"subject": "a", "body": "b", "team": "c"}\n\n{"subject": "a"', r"t\.jsonl:3: is not JSON"),
        ('{"subject": "a", "body": "b", "team": [["c"]]}', r't\.jsonl:1: an entry of "team" is a list, and not a text'),
        ('{"subject": "a", "body": [{}], "team": "c"}', r't\.jsonl:1: an entry of "body" is an object, and not a text'),
        ('{"subject": "a", "body": "b", "team": ["\\u001f"]}', r"t\.jsonl:1: a text of the list 'team' has .*U\+001F"),
        ('{"subject": {}, "body": "b", "team": "c"}', r't\.jsonl:1: "subject" is an object, and not a text'),
        ('{"subject": "\\ud800", "body": "b", "team": "c"}', r"t\.jsonl:1: .*half a surrogate"),
        ('[{"subject": "a"}]', r"t\.jsonl:1: is not an object.*jq -c"),
        ('{"subject": "a", "body": "b", "team": "c"}\n[1]', r"t\.jsonl:2: is not an object"),
    ],
)
def test_what_is_wrong_in_json_lines_and_where(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(DataError, match=f"(?s){said}"):
        read(tmp_path / "t.jsonl", content.encode())


def test_a_key_that_a_row_lacks_is_an_empty_cell(tmp_path: Path) -> None:
    content = b'{"team": 1, "subject": "a", "body": null}\n{"body": "b", "more": []}\n'
    found = [(row.texts, row.labels, row.where) for row in read(tmp_path / "t.jsonl", content)]
    assert found == [(["a"], ("1",), f"{tmp_path}/t.jsonl:1"), (["b"], (), f"{tmp_path}/t.jsonl:2")]


def test_nan_is_a_cell_that_is_missing(tmp_path: Path) -> None:
    """As pandas and Python's json write it."""
    content = b'{"subject": "a", "body": NaN, "team": NaN}\n{"subject": NaN, "body": "b", "team": Infinity}\n'
    found = [(row.texts, row.labels) for row in read(tmp_path / "t.jsonl", content)]
    assert found == [(["a"], ()), (["b"], ("Infinity",))]
    columns = pa.table({"subject": ["a", "b"], "body": ["c", "d"], "team": pa.array([float("nan"), 1.5])})
    parquet.write_table(columns, tmp_path / "t.parquet")
    assert [row.labels for row in table.rows([tmp_path / "t.parquet"], COLUMNS, Written())] == [(), ("1.5",)]


LISTS = {
    "subject": ["a", "b", "c", "d"],
    "body": [["Dark. ", "Cold."], None, [], [None, "Wet."]],
    "team": [["y", "x", "y"], ["x"], None, [" x"]],
}


@pytest.mark.parametrize("large", [False, True])
def test_a_list_is_several_texts_or_labels(tmp_path: Path, large: bool) -> None:
    texts = pa.large_list(pa.large_string()) if large else pa.list_(pa.string())
    schema = pa.schema({"subject": pa.string(), "body": texts, "team": texts})
    parquet.write_table(pa.table(LISTS, schema=schema), tmp_path / "t.parquet")
    lines = [json.dumps(dict(zip(LISTS, row, strict=True))) for row in zip(*LISTS.values(), strict=True)]
    for name, content in (("t.parquet", None), ("t.jsonl", "\n".join(lines).encode())):
        rows = read(tmp_path / name, content)
        assert [row.texts for row in rows] == [["a", "Dark.", "Cold."], ["b"], ["c"], ["d", "Wet."]]
        assert [row.labels for row in rows] == [("x", "y"), ("x",), (), ("x",)]
        assert Survey.of(rows, 1).several
        assert not Survey.of(rows[1:], 1).several


def test_a_list_and_a_separator(tmp_path: Path) -> None:
    content = b'{"subject": "a", "body": "b", "team": ["z;x", "y"]}'
    [row] = read(tmp_path / "t.jsonl", content, Columns(("subject", "body"), "team", separator=";"))
    assert row.labels == ("x", "y", "z")


def test_a_folder_has_several_tables(tmp_path: Path) -> None:
    for name in ("train.csv", "Test.tsv", "notes.txt"):
        (tmp_path / name).write_text("subject,body,team\na,b,c\n".replace(",", "\t" if "tsv" in name else ","))
    parquet.write_table(pa.table({"subject": ["a"], "body": ["b"], "team": ["c"]}), tmp_path / "dev.parquet")
    (tmp_path / "train2.jsonl").write_text('{"subject": "a", "body": "b", "team": "c"}')
    found = [name for name, _ in tables(tmp_path, Written(), ())]
    assert found == ["Test.tsv", "dev.parquet", "train.csv", "train2.jsonl"]
    survey = Survey.of(table.rows([tmp_path], COLUMNS, Written()), 1)
    survey.divide(None, None)
    assert (survey.by, survey.splits.tolist()) == ("files", [2, 1, 0, 0])


def row(text: str, *labels: str, split: str | None = None, file: str = "t.csv") -> Row:
    return Row(file, f"{file}:1", [text] if text else [], labels, split)


ROWS = st.lists(st.tuples(st.integers(0, 60), st.sampled_from("abc")), min_size=1, max_size=200)


@given(rows=ROWS, seed=st.integers(0, 5), valid=st.sampled_from([0.0, 0.1, 0.3]), test=st.sampled_from([0.1, 0.2]))
@settings(deadline=None)
def test_splits_are_stratified_and_keep_equal_rows_together(
    rows: list[tuple[int, str]], seed: int, valid: float, test: float
) -> None:
    """Of each class the shares that were asked for, but for half of the largest group of equal rows and a row that the
    class before it owes, and whatever the order of the rows is."""
    made = [row(str(text), "abc"[text % 3]) for text, _ in rows]  # a text has one label
    survey = Survey.of(made, seed)
    survey.divide(valid, test)
    sides = defaultdict(set)
    for one, split in zip(made, survey.splits.tolist(), strict=True):
        sides[one.texts[0]].add(split)
    assert all(len(splits) == 1 for splits in sides.values())
    for label in "abc":
        there = [one.texts[0] for one in made if one.labels == (label,)]
        if there:
            splits = Counter(next(iter(sides[text])) for text in there)
            largest = max(Counter(there).values())
            assert splits[0]
            assert splits[2] <= test * len(there) + largest / 2 + 1
            assert splits[1] <= valid * len(there) + largest / 2 + 1
            assert splits[1] == 0 or valid
            if largest == 1:
                assert abs(splits[2] - test * len(there)) < 1.51 or splits[0] == 1
    backwards = Survey.of(made[::-1], seed)
    backwards.divide(valid, test)
    assert backwards.splits.tolist() == survey.splits.tolist()[::-1]


@pytest.mark.parametrize("rows", [2, 3, 7])
def test_many_small_classes_give_their_shares_together(rows: int) -> None:
    """None of them could by itself."""
    survey = Survey.of([row(f"{label} {i}", f"{label}") for label in range(100) for i in range(rows)], 1)
    survey.divide(0.1, 0.1)
    _, valid, test = np.bincount(survey.splits)
    assert valid == pytest.approx(10 * rows, abs=1)
    assert test == pytest.approx(10 * rows, abs=1)
    assert len(np.unique(survey.labels[survey.splits == 0])) == 100


def test_texts_in_another_case_are_equal() -> None:
    rows = [*(row(f"text {i}", "x") for i in range(40)), *(row(f" TEXT  {i}", "x") for i in range(40))]
    survey = Survey.of(rows, 1)
    survey.divide(0.2, 0.2)
    assert survey.splits[:40].tolist() == survey.splits[40:].tolist()
    assert len(set(survey.splits.tolist())) == 3
    assert survey.as_json()["duplicates"] == 40


def test_what_a_survey_says() -> None:
    rows = [
        *(row(f"{i}", "x") for i in range(20)),
        row("twice", "y"),
        row("twice", "x"),
        row("", "y"),
        row("none"),
        row("held", "y", file="test.csv"),
        row("3", "x", file="test.csv"),
    ]
    survey = Survey.of(rows, 1)
    survey.divide(0.0, None)
    said = survey.as_json()
    assert said["rows"] == 26
    assert said["without_label"] == said["without_text"] == {"rows": 1, "first": "t.csv:1"}
    assert said["splits_by"] == "files"
    assert said["classes"] == {
        "x": {"train": 21, "valid": 0, "test": 1},
        "y": {"train": 1, "valid": 0, "test": 1},
    }
    assert (said["duplicates"], said["contradictory"], said["leaks"]) == (2, 2, {"test": 1})
    assert said["majority"] == {"answer": ["x"], "share": {"train": round(21 / 22, 6), "test": 0.5}}


def test_splits_of_a_column() -> None:
    named = [row("a", "x", split="Train"), row("b", "x", split="dev"), row("c", "x", split="test"), row("", split="")]
    survey = Survey.of(named, 1)
    survey.divide(None, None)
    assert (survey.by, survey.splits.tolist()) == ("column", [0, 1, 2, -1])
    with pytest.raises(DataError, match=r"t\.csv:1.*'unlabelled' is no split"):
        Survey.of([row("a", "x", split="unlabelled")], 1)


def test_nothing_to_learn() -> None:
    with pytest.raises(DataError, match="no row with a text and a label"):
        Survey.of([row("", "x"), row("a")], 1)


def test_labels_of_a_cell() -> None:
    assert Columns(("a",), "b", separator=";").labels(" c;a ;; c") == ("a", "c")
    assert Columns(("a",), "b").labels(" c;a ") == ("c;a",)
    assert Columns(("a",), "b", separator=";").labels(" ; ") == ()


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        list(table.rows([tmp_path / "t.csv"], COLUMNS, Written()))
