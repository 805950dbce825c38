"""Tables, from the file to the answers and back into the file."""

import csv
import json
from pathlib import Path

import pytest
from conftest import Dmn, fails

TEAMS = {"billing": "invoice", "tech": "screen", "001": "parcel"}
HEADER = ["id", "subject", "body", "team"]


def rows(n: int) -> list[list[str]]:
    """Tickets whose team is said by one word."""
    teams = list(TEAMS.items())
    return [
        [
            f"{i:03}",
            f"About the {(word := teams[i % 3][1])}",
            f"Hello,\nthis is the {word}; ticket {i}.",
            teams[i % 3][0],
        ]
        for i in range(n)
    ]


def write(path: Path, rows: list[list[str]], delimiter: str = ",", encoding: str = "utf-8") -> Path:
    with path.open("w", newline="", encoding=encoding) as file:
        csv.writer(file, delimiter=delimiter).writerows(rows)
    return path


@pytest.fixture
def tickets(tmp_path: Path) -> Path:
    return write(tmp_path / "tickets.csv", [HEADER, *rows(120), ["x", "no team", "", ""], ["y", "", " ", "tech"]])


def test_a_table_becomes_a_data_set(dmn: Dmn, tickets: Path, tmp_path: Path) -> None:
    result = dmn("prepare", "table", tickets, "--input", "subject,body", "--label", "team", "--out", tmp_path / "d")
    assert result.code == 0, result.err
    assert f"1 row without a label, the first at {tickets}:242" in result.out
    assert f"1 row without a text, the first at {tickets}:243" in result.out
    assert "splits: drawn by the seed" in result.out
    assert "always answers 'billing' is right for 33.3 % of train, 33.3 % of valid, 33.3 % of test" in result.out
    saved = json.loads((tmp_path / "d" / "dataset.json").read_text())
    assert saved["table"]["classes"]["001"] == {"train": 32, "valid": 4, "test": 4}
    assert saved["question"] == "Which team?"
    assert {split: counts["stories"] for split, counts in saved["splits"].items()} == {
        "train": 96,
        "valid": 12,
        "test": 12,
    }


def test_the_same_seed_gives_the_same_splits(dmn: Dmn, tickets: Path, tmp_path: Path) -> None:
    splits = []
    for out, seed in (("a", 1), ("b", 1), ("c", 2)):
        options = ("--input", "body", "--label", "team", "--test", 0.2, "--seed", seed, "--facts", "words")
        assert dmn("prepare", "table", tickets, *options, "--out", tmp_path / out).code == 0
        splits.append((tmp_path / out / "test.arrow").read_bytes())
    assert splits[0] == splits[1] != splits[2]


def test_several_labels_travel_as_a_set(dmn: Dmn, tmp_path: Path) -> None:
    """Also by way of JSON lines."""
    path = write(
        tmp_path / "t.tsv", [["text", "tags"], *([f"text {i}", "b; a" if i % 2 else "c"] for i in range(40))], "\t"
    )
    options = ("--input", "text", "--label", "tags", "--label-separator", ";", "--question", "Which tags?")
    result = dmn(
        "prepare", "table", path, *options, "--out", tmp_path / "d", "--export", tmp_path / "e.jsonl", "--json"
    )
    assert result.document["table"]["separator"] == ";"
    assert result.document["forms"] == {"Which tags?": {"words": False, "each": False, "set": True}}
    assert result.document["table"]["majority"]["answer"] in (["a", "b"], ["c"])
    lines = [json.loads(line) for line in (tmp_path / "e.jsonl").read_text().splitlines()]
    assert [line["answer"] for line in lines if line["answer"] != "c"] == [["a", "b"]] * 20
    again = dmn("prepare", "jsonl", tmp_path / "e.jsonl", "--out", tmp_path / "again", "--json")
    assert again.document["forms"] == result.document["forms"]
    assert (tmp_path / "again" / "train.arrow").read_bytes() == (tmp_path / "d" / "train.arrow").read_bytes()


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        ("--input subject --label temm", 3, "has no column 'temm'"),
        ("--input subject,team --label team", 2, "named twice"),
        ("--input , --label team", 2, "names no columns"),
        ("--input subject --label team --split-column id --test 0.1", 2, "choose one of them"),
        ("--input subject --label team --split-column id", 3, "tickets.csv:2: '000' is no split"),
        ("--input subject --label team --valid 0.5 --test 0.5", 2, "leave nothing to train on"),
        ("--input subject --label team --delimiter ab", 2, "--delimiter"),
        ("--input subject --label team --label-separator=", 2, "--label-separator is empty"),
        ("--input subject --label team --encoding klingon", 2, "no such encoding"),
        ("--input subject --label team --tokenizer sentencepiece --pieces x", 2, "no such file"),
    ],
)
def test_what_prepare_refuses(dmn: Dmn, tickets: Path, tmp_path: Path, options: str, code: int, said: str) -> None:
    fails(dmn("prepare", "table", tickets, *options.split(), "--out", tmp_path / "d"), code, said)
    assert not (tmp_path / "d").exists()
