"""Tables, from the file to the answers and back into the file."""

import csv
import json
from pathlib import Path

import pyarrow as pa
import pytest
from commands import filled_in
from conftest import Dmn, fails
from pyarrow import parquet
from schemas import Answered

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
    assert "texts have 54 letters on average: their words are the facts (--facts)" in result.out
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


def test_words_of_short_texts_and_sentences_of_long_ones_are_the_facts(dmn: Dmn, tmp_path: Path) -> None:
    """A row without a label doesn't count."""
    short = [[f"A word {i}. And another.", "ab"[i % 2]] for i in range(20)] + [["long " * 2000, ""]]
    long = [[f"This text is number {i}. " * 9 + "It ends here.", "ab"[i % 2]] for i in range(20)]
    options = ("--input", "text", "--label", "label", "--json")
    for name, table, how, facts, kind in (
        ("short", short, (), 7, "words"),
        ("long", long, (), 10, "sentences"),
        ("sentences", short, ("--facts", "sentences"), 2, "sentences"),
        ("words", long, ("--facts", "words"), 9 * 6 + 4, "words"),
    ):
        path = write(tmp_path / f"{name}.csv", [["text", "label"], *table])
        document = dmn("prepare", "table", path, *options, *how, "--out", tmp_path / name).document
        assert document["longest_story"] == facts, name
        assert document["table"]["facts"] == document["source"]["facts"] == kind


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
    assert result.document["forms"] == {"Which tags?": {"words": True, "each": False, "set": True}}
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


def train(dmn: Dmn, data: Path, out: Path) -> Path:
    settings = {"model.hidden": 16, "training.batch_size": 16, "training.steps": 30, "training.learning_rate": 0.01}
    sets = [f"--set={key}={value}" for key, value in settings.items()]
    result = dmn("train", data, "--out", out, "--epochs", 4, "--device", "cpu", *sets)
    assert result.code == 0, result.err
    return out


@pytest.fixture(scope="session")
def sorter(dmn: Dmn, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that knows which team a ticket is for."""
    folder = tmp_path_factory.mktemp("sorter")
    path = write(folder / "tickets.csv", [HEADER, *rows(120)])
    prepared = dmn("prepare", "table", path, "--input", "subject,body", "--label", "team", "--out", folder / "data")
    assert prepared.code == 0, prepared.err
    return train(dmn, folder / "data", folder / "run")


def test_the_prompt_answers_each_line(dmn: Dmn, sorter: Path) -> None:
    lines = [
        "This is the invoice.",
        "Where is the parcel?",
        "?",
        "which TEAM ?",
        "/edit 4 new invoice",
        "?",
        "A screen",
    ]
    result = dmn("ask", sorter, stdin="\n".join(lines).encode())
    assert result.code == 0
    assert result.out.split() == ["billing", "001", "001", "billing", "tech"], "the ? behind a text says nothing new"


def test_a_table_comes_back_with_answers(dmn: Dmn, sorter: Path, tmp_path: Path) -> None:
    """As it was written, to the byte, but for two more cells a row: empty lines, quotes, NA, line ends."""
    text = 'subject;id;body\r\n"the ""screen""";001;"a\r\nscreen"\r\n\r\n;NA; \r\nThe invoice;1e5;é'
    path, out = tmp_path / "new.csv", tmp_path / "labelled.csv"
    path.write_bytes(text.encode("utf-8-sig"))
    result = dmn("ask", sorter, "--table", path, "--out", out, "--json")
    assert result.code == 0
    assert "1 row without a text" in result.err
    assert (result.document["rows"], result.document["unanswered"]) == (3, 1)
    assert result.document["columns"] == ["answer", "confidence"]
    labelled = out.read_bytes()
    assert labelled == dmn("ask", sorter, "--table", path, "--encoding", "utf-8").out.encode()
    lines = labelled.decode("utf-8-sig").splitlines(keepends=True)
    header, screen, nothing, invoice = filter(None, csv.reader(lines, delimiter=";"))
    assert header == ["subject", "id", "body", "answer", "confidence"]
    assert screen[:4] == ['the "screen"', "001", "a\r\nscreen", "tech"]
    assert nothing == ["", "NA", " ", "", ""]
    assert invoice[3] == "billing"
    assert 0.5 < float(invoice[4]) <= 1
    kept = labelled.decode("utf-8-sig").replace(";answer;confidence", "").replace(";;\r\n", "\r\n")
    for row in (screen, invoice):
        kept = kept.replace(f";{row[3]};{row[4]}", "")
    assert kept == text


def test_a_table_is_answered_as_its_rows_are_by_themselves(dmn: Dmn, sorter: Path, tmp_path: Path) -> None:
    """More rows than are answered at once, in their order; as JSON lines without a question, they say the same."""
    told = rows(4200)
    path = write(tmp_path / "new.tsv", [["body", "subject"], *([body, subject] for _, subject, body, _ in told)], "\t")
    _, *labelled = csv.reader(dmn("ask", sorter, "--table", path).out.splitlines(keepends=True), delimiter="\t")
    assert [row[:3] for row in labelled] == [[body, subject, team] for _, subject, body, team in told]
    lines = "".join(json.dumps({"story": f"{subject}\n{body}"}) + "\n" for _, subject, body, _ in told[:5])
    batch = dmn("ask", sorter, "--batch", "-", stdin=lines.encode()).lines
    assert [line["answer"] for line in batch] == [row[2] for row in labelled[:5]]
    assert [line["confidence"] for line in batch] == [pytest.approx(float(row[3]), abs=1e-4) for row in labelled[:5]]


def test_json_lines_come_back_with_answers(dmn: Dmn, sorter: Path, tmp_path: Path) -> None:
    """As they were written, to the byte, but for two more keys an object; from a file and from stdin."""
    text = '{"subject":"the screen","n":1.50,"answer":[]}\r\n\r\n{ }\n {"body": "The invoice", "é": "\\u00e9" } '
    path, out = tmp_path / "new.jsonl", tmp_path / "labelled.jsonl"
    path.write_text(text, encoding="utf-8", newline="")
    result = dmn("ask", sorter, "--table", path, "--input", "subject", "--out", out, "--json")
    assert result.code == 0, result.err
    assert (result.document["rows"], result.document["unanswered"]) == (3, 2)
    assert "answer_2 and confidence" in result.err
    labelled = out.read_bytes().decode()
    assert dmn("ask", sorter, "--table", "-", "--input", "subject", stdin=path.read_bytes()).out == labelled
    screen, empty, nothing, invoice = labelled.split("\n")
    said = json.loads(screen)
    assert (list(said), said["answer_2"]) == (["subject", "n", "answer", "answer_2", "confidence"], "tech")
    assert 0.5 < said["confidence"] <= 1
    added = json.dumps({key: said[key] for key in ("answer_2", "confidence")})
    assert screen == f'{{"subject":"the screen","n":1.50,"answer":[], {added[1:]}\r'
    assert empty == "\r"
    assert nothing == '{"answer_2": null, "confidence": null}'
    assert invoice == ' {"body": "The invoice", "é": "\\u00e9", "answer_2": null, "confidence": null} '


def test_no_row_of_json_lines_gets_a_key_twice(dmn: Dmn, sorter: Path, tmp_path: Path) -> None:
    """The new columns are named by all rows; where these are read but once, a row that has one is refused."""
    path = tmp_path / "new.jsonl"
    path.write_text('{"subject": "the screen"}\n{"subject": "the parcel", "answer": "mine"}\n')
    result = dmn("ask", sorter, "--table", path, "--input", "subject")
    assert [[*line] for line in result.lines] == [
        ["subject", "answer_2", "confidence"],
        ["subject", "answer", "answer_2", "confidence"],
    ]
    assert result.lines[1]["answer"] == "mine"
    piped = dmn("ask", sorter, "--table", "-", "--input", "subject", stdin=path.read_bytes())
    assert piped.code == 3
    assert "-:2: has 'answer'" in piped.err


def test_a_parquet_table_keeps_its_types(dmn: Dmn, sorter: Path, tmp_path: Path) -> None:
    columns = {
        "n": [1, 2, None],
        "subject": ["parcel", None, "invoice"],
        "body": ["a", "", "b"],
        "answer": [[1], [], [2]],
    }
    path, out = tmp_path / "new.parquet", tmp_path / "labelled.parquet"
    parquet.write_table(pa.table(columns).replace_schema_metadata({"made by": "us"}), path)
    fails(dmn("ask", sorter, "--table", path), 2, "--out")
    result = dmn("ask", sorter, "--table", path, "--out", out)
    assert "answer_2 and confidence" in result.err
    labelled = parquet.read_table(out)
    assert labelled.select(list(columns)).equals(parquet.read_table(path))
    assert labelled["answer_2"].to_pylist() == ["001", None, "billing"]
    assert labelled["confidence"].to_pylist()[1] is None
    assert labelled.schema.metadata[b"made by"] == b"us"


def test_other_columns_and_stdin(dmn: Dmn, sorter: Path) -> None:
    stdin = '"text","confidence"\n"my screen","high"\n'.encode("utf-16")
    result = dmn("ask", sorter, "--table", "-", "--input", "text", "--quiet", stdin=stdin, encoding="utf-16")
    assert result.out.splitlines()[0] == '"text","confidence","answer","confidence_2"'
    assert result.out.splitlines()[1].startswith('"my screen","high","tech","0.')


def test_a_model_of_one_question_needs_none(dmn: Dmn, sorter: Path, run: Path, tmp_path: Path) -> None:
    story = tmp_path / "ticket.txt"
    story.write_text("The parcel.\n")
    assert dmn("ask", sorter, "--story", story).out == "001\n"
    fails(dmn("ask", run, "--story", story), 2, "more than one question", "--question")
    [line] = dmn("ask", run, "--batch", "-", stdin=b'{"story": "Mary left."}').lines
    assert line == {"id": None, "error": 'line 1: "question" is not a text'}


def test_the_likeliest_answers_are_told(dmn: Dmn, sorter: Path, tmp_path: Path) -> None:
    """All classes, of which the first is the answer that is given, with nearly all of the probability together."""
    story = tmp_path / "ticket.txt"
    story.write_text("The parcel.\n")
    said = dmn("ask", sorter, "--story", story, "--top", 3, "--json").document
    assert Answered.model_validate(said)
    answers = [one["answer"] for one in said["top"]]
    assert answers[0] == said["answer"] == "001"
    assert set(answers) == {"001", "billing", "tech"}
    chances = [one["confidence"] for one in said["top"]]
    assert chances[0] == pytest.approx(said["confidence"], abs=1e-5)
    assert chances == sorted(chances, reverse=True)
    assert 0.9 < sum(chances) < 1.0001
    [line] = dmn("ask", sorter, "--batch", "-", "--top", 2, stdin=b'{"story": "The parcel."}').lines
    assert line["top"] == [{**one, "confidence": pytest.approx(one["confidence"], abs=1e-5)} for one in said["top"][:2]]
    fails(dmn("ask", sorter, "--story", story, "--top", 3), 2, "--top is for --json and --batch")


def test_several_labels_come_back_as_they_were_written(dmn: Dmn, tmp_path: Path) -> None:
    tags = ["red", "blue; red", "blue"]
    told = [[f"{i} {tag.replace(';', '')} things", tag] for i in range(90) if (tag := tags[i % 3])]
    path = write(tmp_path / "t.csv", [["text", "tags"], *told])
    options = ("--input", "text", "--label", "tags", "--label-separator", "; ")
    assert dmn("prepare", "table", path, *options, "--out", tmp_path / "data").code == 0
    model = train(dmn, tmp_path / "data", tmp_path / "run")
    _, *labelled = csv.reader(dmn("ask", model, "--table", path).out.splitlines())
    assert [row[2] for row in labelled] == [tag for _, tag in told]


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        ("--table NEW --story NEW", 2, "not from --story"),
        ("--table NEW --batch NEW", 2, "not from --story or --batch"),
        ("--table NEW --json", 2, "--out FILE"),
        ("--table NEW --why", 2, "--why is for facts"),
        ("--table NEW --out NEW", 2, "--force"),
        ("--story NEW --input a", 2, "--input is for --table"),
        ("--batch NEW --out OUT", 2, "--out is for --table"),
        ("--table NEW --out OUT.parquet --input text", 2, "new.csv is CSV or TSV"),
        ("--table NEW --out OUT.gz --input text", 2, "a name that ends with .csv"),
        ("--table NOWHERE", 2, "nowhere.csv: No such file"),
        ("--table FOLDER", 2, "is not one table"),
        ("--table NEW --out OUT", 3, "new.csv: has no column 'body'"),
        ("--table NEW --input text,oops --out OUT", 3, "has no column 'oops'"),
        ("--table BAD --input text --out OUT", 3, "bad.csv:3: the row has 2 cells, and the header 1"),
    ],
)
def test_what_ask_refuses(dmn: Dmn, sorter: Path, tmp_path: Path, options: str, code: int, said: str) -> None:
    paths = {"NEW": tmp_path / "new.csv", "BAD": tmp_path / "bad.csv", "OUT": tmp_path / "out.csv"}
    paths["NEW"].write_text("text,subject\na,b\n")
    paths["BAD"].write_text("text\na\nb,c\n")
    words = filled_in(options, **paths, FOLDER=tmp_path, NOWHERE=tmp_path / "nowhere.csv")
    fails(dmn("ask", sorter, *words), code, said)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.csv", "new.csv"]


def test_a_model_without_a_table_is_told_the_columns(dmn: Dmn, run: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", [["story"], ["Mary went to the kitchen."]])
    ask = ("ask", run, "--table", path, "--question", "Where is Mary?")
    fails(dmn(*ask), 2, "wasn't trained on a table", "--input")
    assert dmn(*ask, "--input", "story").out.splitlines()[1].startswith("Mary went to the kitchen.,kitchen,0.")
