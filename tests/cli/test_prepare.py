"""dmn prepare: what it reads, what it makes, and what it refuses."""

import json
import os
import tarfile
from pathlib import Path

import pytest
from commands import filled_in
from conftest import Dmn, fails


def test_prepare_says_what_it_made(dmn: Dmn, tmp_path: Path) -> None:
    result = dmn("prepare", "story", "--tasks", "2", "--questions", 20, "--out", tmp_path / "deep" / "data")
    assert result.code == 0
    assert "questions" in result.out
    assert f"Next: dmn train {tmp_path / 'deep' / 'data'}" in result.out


def test_json_of_prepare(dmn: Dmn, tmp_path: Path) -> None:
    out = tmp_path / "data"
    result = dmn("prepare", "story", "--tasks", "1,3", "--questions", 100, "--out", out, "--json", "--quiet")
    assert (result.code, result.err) == (0, "")
    assert result.document["out"] == str(out)
    assert result.document["tasks"] == ["qa1", "qa3"]
    assert {split: counts["questions"] for split, counts in result.document["splits"].items()} == {
        "train": 180,
        "valid": 20,
        "test": 20,
    }
    saved = json.loads((out / "dataset.json").read_text())
    assert {key: result.document[key] for key in saved} == saved


def test_stories_with_every_dial(dmn: Dmn, tmp_path: Path) -> None:
    out = tmp_path / "data"
    dials = {"facts": "6-9", "distractors": 2, "people": 6, "places": 8, "things": 2, "names": "held-out"}
    options = [word for dial, value in dials.items() for word in (f"--{dial}", value)]
    result = dmn("prepare", "story", "--tasks", "2", "--questions", 100, *options, "--out", out, "--json")
    assert result.document["longest_story"] == 11
    assert result.document["source"] == {
        "format": "story",
        "tasks": ["qa2"],
        "questions": 100,
        "seed": 1,
        "facts": [6, 9],
        "distractors": 2,
        "people": 6,
        "places": 8,
        "things": 2,
        "held_out_names": True,
    }


def test_stories_as_babi_text_make_the_same_data_set(dmn: Dmn, tmp_path: Path) -> None:
    """All twenty, by way of the files that any reader of bAbI can read."""
    text, data, same = (tmp_path / name for name in ("text", "data", "same"))
    result = dmn("prepare", "story", "--questions", 20, "--format", "babi", "--out", text, "--json")
    assert result.document["questions"] == {"train": 20, "test": 2}
    assert len(list(text.glob("qa*_*_train.txt"))) == len(list(text.glob("qa*_*_test.txt"))) == 20
    assert json.loads((text / "story.json").read_text())["seed"] == 1
    assert dmn("prepare", "babi", text, "--out", data).code == 0
    assert dmn("prepare", "story", "--questions", 20, "--out", same).code == 0
    for split in ("train", "valid", "test"):
        assert (data / f"{split}.arrow").read_bytes() == (same / f"{split}.arrow").read_bytes()
    fails(dmn("prepare", "story", "--out", text), 2, "--force")
    assert dmn("prepare", "story", "--tasks", 1, "--format", "babi", "--out", text, "--force").code == 0
    assert len(list(text.glob("qa*"))) == 2


def test_what_is_exported_makes_the_same_data_set(dmn: Dmn, tmp_path: Path) -> None:
    exported, data, same = (tmp_path / name for name in ("stories.jsonl", "data", "same"))
    prepare = ("prepare", "story", "--questions", 20, "--out", data, "--export", exported)
    assert dmn(*prepare).code == 0
    assert len(exported.read_text().splitlines()) == 20 * 22
    result = dmn("prepare", "jsonl", exported, "--out", same, "--json")
    assert result.document["tasks"] == [f"qa{n}" for n in range(1, 21)]
    for split in ("train", "valid", "test"):
        assert (data / f"{split}.arrow").read_bytes() == (same / f"{split}.arrow").read_bytes()
    fails(dmn(*prepare[:-4], "--out", tmp_path / "new", "--export", exported), 2, str(exported), "--force")
    assert not (tmp_path / "new").exists()


def test_a_treebank_of_sentiment(dmn: Dmn, tmp_path: Path) -> None:
    trees = tmp_path / "trees"
    trees.mkdir()
    for split in ("train", "dev", "test"):
        (trees / f"{split}.txt").write_text("(3 (2 A) (4 (3 good) (2 film)))\n(1 (2 A) (0 bad))\n(2 So)\n")
    result = dmn("prepare", "sst", trees, "--classes", 2, "--out", tmp_path / "data", "--json")
    assert result.document["tasks"] == ["sst2"]
    assert {split: counts["questions"] for split, counts in result.document["splits"].items()} == {
        "train": 5,
        "valid": 2,
        "test": 2,
    }
    (trees / "dev.txt").write_text("(3 (2 A) (4 good)\n")
    fails(dmn("prepare", "sst", trees, "--out", tmp_path / "new"), 3, f"{trees / 'dev.txt'}:1", "not balanced")
    fails(dmn("prepare", "sst", trees, "--classes", 3, "--out", tmp_path / "new"), 2, "--classes")


def test_lines_of_ones_own(dmn: Dmn, tmp_path: Path) -> None:
    """A text story is cut into sentences; the task is named after the data set; a bad line leaves nothing behind."""
    path, out = tmp_path / "mine.jsonl", tmp_path / "mine"
    line = {"story": "Mary went out. John came in.", "question": "Who is in?", "answer": "John"}
    path.write_text("".join(json.dumps(line) + "\n" for _ in range(30)))
    result = dmn("prepare", "jsonl", path, "--out", out, "--json")
    assert result.document["tasks"] == ["mine"]
    assert result.document["splits"]["train"] == {"stories": 1, "questions": 30, "facts": 2}
    path.write_text(json.dumps({**line, "answer": {"who": "John"}}))
    fails(
        dmn("prepare", "jsonl", path, "--out", tmp_path / "new", "--export", tmp_path / "e"), 3, f"{path}:1", "answer"
    )
    assert sorted(tmp_path.iterdir()) == [out, path]


def test_a_model_cuts_words_as_its_training_did(dmn: Dmn, tmp_path: Path) -> None:
    """Words between blanks: "in?" is a word of the question, and "in" is one that the model doesn't know."""
    path, data, run = tmp_path / "mine.jsonl", tmp_path / "data", tmp_path / "run"
    lines = [{"story": [f"Nr.{n} came in-to town"], "question": "Who is in?", "answer": "John"} for n in range(30)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert dmn("prepare", "jsonl", path, "--tokenizer", "whitespace", "--out", data).code == 0
    assert dmn("train", data, "--out", run, "--epochs", 1, "--set=model.hidden=4", "--set=training.steps=1").code == 0
    asked = tmp_path / "asked.jsonl"
    asked.write_text(
        '{"story": ["came in-to"], "question": "who IS in?"}\n{"story": ["came in to"], "question": "in ?"}\n'
    )
    answers = [json.loads(line) for line in dmn("ask", run, "--batch", asked).out.splitlines()]
    assert [answer["unknown_words"] for answer in answers] == [[], ["in", "to", "?"]]
    fails(dmn("prepare", "jsonl", path, "--language", "qq", "--out", tmp_path / "new"), 2, "'qq'")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("prepare story --out NEW --tasks 21", "1 to 20"),
        ("prepare story --out NEW --tasks 0", "1 to 20"),
        ("prepare story --out NEW --tasks 3-1", "1 to 20"),
        ("prepare story --out NEW --tasks one", "1,2,5-7"),
        ("prepare story --out NEW --tasks 1,,2", "1,2,5-7"),
        ("prepare story --out NEW --tasks ²", "1,2,5-7"),
        ("prepare story --out NEW --facts 9-3", "--facts 5-20"),
        ("prepare story --out NEW --facts few", "--facts 5-20"),
        ("prepare story --out NEW --tasks 3 --facts 2", "qa3 can't be told in 2 facts"),
        ("prepare story --out NEW --tasks 1,5 --people 1", "qa5 takes 2 to"),
        ("prepare story --out NEW --tasks 1 --things 4", "--things"),
        ("prepare story --out NEW --format babi --export NEW.jsonl", "--export"),
        ("prepare story --out NEW --tasks 1 --people 60 --names held-out", "there are 50"),
        ("prepare babi NEW.txt --out NEW", "NEW.txt"),
        ("prepare babi WORLD --out NEW --variant de", "en-10k"),
    ],
)
def test_a_mistake_on_the_command_line(dmn: Dmn, world: Path, tmp_path: Path, command: str, said: str) -> None:
    new = tmp_path / "NEW"
    fails(dmn(*filled_in(command, WORLD=world, NEW=new)), 2, said)
    assert not new.exists()


BABI = b"1 Mary went to the kitchen.\n2 Where is Mary?\tkitchen\t1\n"


@pytest.mark.parametrize("cut", [0.2, 0.5, 0.9])
def test_an_archive_that_is_cut_short(dmn: Dmn, tmp_path: Path, cut: float) -> None:
    for split in ("train", "test"):
        (tmp_path / f"qa1_a-task_{split}.txt").write_bytes(BABI + os.urandom(20_000).hex().encode())
    archive = tmp_path / "tasks.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for file in tmp_path.glob("*.txt"):
            tar.add(file, f"tasks/en-10k/{file.name}")
    archive.write_bytes(archive.read_bytes()[: int(archive.stat().st_size * cut)])
    fails(dmn("prepare", "babi", archive, "--tasks", "1", "--out", tmp_path / "data"), 3, str(archive))
    assert not (tmp_path / "data").exists()


def test_an_archive_that_is_none(dmn: Dmn, tmp_path: Path) -> None:
    archive = tmp_path / "tasks.tar.gz"
    archive.write_text("<html>404 Not Found</html>")
    fails(dmn("prepare", "babi", archive, "--out", tmp_path / "data"), 3, str(archive))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (BABI + b"1 Ren\xe9 went to the caf\xe9.\n", 3),
        (BABI + b"Mary went to the kitchen.\n", 3),
        (b"1 Mary went to the kitchen.\n2 Where is Mary?\tkitchen\t7\n", 2),
    ],
    ids=["Latin-1", "no number", "no such fact"],
)
def test_a_babi_file_that_is_wrong(dmn: Dmn, tmp_path: Path, text: bytes, line: int) -> None:
    file = tmp_path / "qa1_a-task_train.txt"
    file.write_bytes(text)
    fails(dmn("prepare", "babi", file, "--out", tmp_path / "data"), 3, f"{file}:{line}: ")
    assert list(tmp_path.iterdir()) == [file]
