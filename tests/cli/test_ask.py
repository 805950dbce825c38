"""dmn ask with one question or a stream of them: answers, reasons, and which models it refuses."""

import json
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import QUESTION, STORY, batch, cut_in_half, filled_in, flip_a_byte, seen
from conftest import Dmn, Process, Result, fails


def test_json_of_ask(dmn: Dmn, run: Path, story: Path) -> None:
    result = dmn("ask", run, "--story", story, "--question", QUESTION, "--json", "--quiet")
    assert (result.code, result.err) == (0, "")
    document = result.document
    assert document["answer"] == "kitchen"
    assert document["facts"] == STORY.splitlines()
    assert 0.5 < document["confidence"] <= 1
    assert [len(gates) for gates in document["gates"]] == [2] * 3
    assert all(0 <= gate <= 1 for gates in document["gates"] for gate in gates)


def test_why_shows_the_facts_and_how_far_they_were_let_through(dmn: Dmn, run: Path, story: Path) -> None:
    result = dmn("ask", run, "--story", story, "--question", QUESTION, "--why")
    answer, header, *facts, confidence, without = result.out.splitlines()
    assert answer == "kitchen"
    assert header.split() == ["fact", "pass", "1", "pass", "2", "pass", "3"]
    assert re.fullmatch(r"1  \* Mary went to the kitchen\.( +[01]\.\d\d){3}", facts[0])
    assert re.fullmatch(r"2    John went to the office\.( +[01]\.\d\d){3}", facts[1])
    assert re.fullmatch(r"confidence [01]\.\d{4}", confidence)
    assert re.fullmatch(r"without fact 1: \w+ \([01]\.\d\d\)", without)


def test_why_on_a_terminal_is_a_table_with_the_facts_as_they_are(dmn: Dmn, run: Path, story: Path) -> None:
    story.write_text(STORY + "Sandra went to the [red]garden[/red].\n")
    result = dmn("ask", run, "--story", story, "--question", QUESTION, "--why", terminal=True)
    assert result.code == 0
    assert "• Mary went to the kitchen." in seen(result)
    assert "Sandra went to the [red]garden[/red]." in seen(result)


def test_why_cuts_no_words_where_there_are_few_columns(dmn: Dmn, story: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "xterm")
    story.write_text("Mary journeyed to the observatory.\n")
    shown = seen(dmn("ask", "demo", "--story", story, "--question", QUESTION, "--why", terminal=True))
    assert re.search(r"• Mary journeyed to( +[01]\.\d\d){3} *\n +the observatory\. *\n", shown)
    assert "…" not in shown


@pytest.mark.parametrize("terminal", [False, True])
def test_nothing_that_is_told_steers_the_terminal(dmn: Dmn, story: Path, *, terminal: bool) -> None:
    story.write_text("Mary went to the \x1b]0;oops\x07kitchen.\n", encoding="utf-8")
    shown = seen(dmn("ask", "demo", "--story", story, "--question", QUESTION, "--why", terminal=terminal))
    prompt = seen(dmn("ask", "demo", stdin=f"{story.read_text()}/edit 1\n/story\n".encode()))
    batch = seen(dmn("ask", "demo", "--batch", "\x9b31mred", terminal=terminal))
    for said, spelled in ((shown, r"\x1b]0;oops\x07"), (prompt, r"\x1b]0;oops\x07"), (batch, r"\x9b31mred")):
        assert spelled in said
        assert not {"\x1b", "\x07", "\x9b"} & {*said}


def test_all_ways_to_ask_give_the_same_answer(dmn: Dmn, run: Path, story: Path) -> None:
    text = "John went to the garden.\nMary went to the office.\nMary journeyed to the hallway.\n"
    story.write_text(text)
    once = dmn("ask", run, "--story", story, "--question", QUESTION, "--json").document
    prompt = dmn("ask", run, "--json", stdin=f"{text}{QUESTION}\n".encode()).document
    line = json.dumps({"story": text.splitlines(), "question": QUESTION})
    other = json.dumps({"story": STORY, "question": "Where is John?"})
    first, second, third = dmn("ask", run, "--batch", "-", stdin=f"{line}\n{other}\n{line}".encode()).lines
    assert once == prompt
    assert second["answer"] == "office"
    for batched in (first, third):
        assert batched.keys() == once.keys()
        for key in ("answer", "facts", "read", "unknown_words"):
            assert batched[key] == once[key]
        assert batched["confidence"] == pytest.approx(once["confidence"], abs=1e-5)
        assert batched["gates"] == [pytest.approx(gates, abs=1e-5) for gates in once["gates"]]


@pytest.mark.parametrize("text", [STORY, STORY.replace("\n", " "), STORY.replace("\n", "\r\n"), "\ufeff" + STORY])
def test_a_story_from_stdin(dmn: Dmn, run: Path, text: str) -> None:
    result = dmn("ask", run, "--story", "-", "--question", QUESTION, stdin=text.encode())
    assert result == Result(0, "kitchen\n", "")


def test_unknown_words_are_named_and_it_still_answers(dmn: Dmn, run: Path, story: Path) -> None:
    story.write_text(STORY + "Zaphod went to the [lounge].\n")
    result = dmn("ask", run, "--story", story, "--question", QUESTION)
    assert (result.code, result.out) == (0, "kitchen\n")
    for word in ("zaphod", "[", "lounge"):
        assert word in result.err
    assert "mary" not in result.err
    told = dmn("ask", run, "--story", story, "--question", QUESTION, "--json")
    assert "zaphod" in told.document["unknown_words"]


def test_quiet_leaves_the_result(dmn: Dmn, run: Path, story: Path) -> None:
    result = dmn("ask", run, "--story", story, "--question", "Where is Zaphod?", "--quiet")
    assert result.code == 0
    assert result.err == ""
    assert result.out.strip()


def test_answers_are_utf_8_whatever_the_terminal_is(
    dmn_process: Process, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONUTF8", "0")
    monkeypatch.setenv("PYTHONIOENCODING", "latin-1")
    line = json.dumps({"id": "żółw", "story": STORY, "question": QUESTION})
    out, err = dmn_process("ask", run, "--batch", "-").communicate(line.encode(), timeout=90)
    assert err == b""
    assert json.loads(out)["id"] == "żółw"


@pytest.mark.parametrize("kind", ["file", "stdin", "named pipe"])
def test_a_reader_that_leaves_ends_the_stream_silently(
    dmn_process: Process, run: Path, tmp_path: Path, kind: str
) -> None:
    """dmn ask --batch … | head -1, where a pipe's other end stays open."""
    lines, source = (
        batch(600),
        tmp_path / "questions.jsonl",
    )  # fewer than a pipe holds, with more answers than one holds
    held = None
    if kind == "file":
        source.write_bytes(lines)
    elif kind == "named pipe":
        os.mkfifo(source)
        held = os.open(source, os.O_RDWR)
        os.write(held, lines)
    process = dmn_process("ask", run, "--batch", "-" if kind == "stdin" else source)
    assert process.stdin
    assert process.stdout
    assert process.stderr
    try:
        if kind == "stdin":
            process.stdin.write(lines)
            process.stdin.flush()
        assert json.loads(process.stdout.readline())["answer"] == "kitchen"
        process.stdout.close()
        code = process.wait(timeout=90)
        assert (code, process.stderr.read()) == (0, b"")
    finally:
        if held is not None:
            os.close(held)


def test_an_interrupted_stream(dmn_process: Process, run: Path) -> None:
    process = dmn_process("ask", run, "--batch", "-")
    assert process.stdin
    assert process.stdout
    process.stdin.write(batch(1))
    process.stdin.flush()
    assert process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=90) == 130
    assert process.stderr
    assert b"Fatal" not in process.stderr.read()


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("ask RUN --batch STORY --question Where?", "--batch"),
        ("ask RUN --batch STORY --story STORY", "--batch"),
        ("ask RUN --question Where?", "--question is asked about"),
        ("ask RUN --story STORY", "more than one question"),
        ("ask RUN --story NEW --question Where?", "no such file"),
        ("ask RUN --batch NEW", "no such file"),
    ],
)
def test_a_mistake_on_the_command_line(
    dmn: Dmn, run: Path, story: Path, tmp_path: Path, command: str, said: str
) -> None:
    new = tmp_path / "NEW"
    fails(dmn(*filled_in(command, RUN=run, STORY=story, NEW=new)), 2, said)
    assert not new.exists()


@pytest.mark.parametrize("option", ["--story", "--batch"])
def test_text_in_the_place_of_a_file(dmn: Dmn, run: Path, option: str) -> None:
    asked = () if option == "--batch" else ("--question", QUESTION)
    fails(dmn("ask", run, option, "Mary went home.", *asked), 2, "no such file", "comes from stdin: echo … | dmn … -")


@pytest.mark.parametrize("option", ["--story", "--batch"])
def test_a_file_that_cannot_be_read(dmn: Dmn, tmp_path: Path, option: str) -> None:
    question = ("--question", QUESTION) if option == "--story" else ()
    fails(dmn("ask", "demo", option, tmp_path, *question), 2, f"{tmp_path}: can't be read: Is a directory")


def test_a_weight_file_that_cannot_be_read(dmn: Dmn, model: Path) -> None:
    weights = model / "model.safetensors"
    weights.unlink()
    weights.mkdir()
    fails(dmn("ask", model, "--batch", "-"), 4, f"{weights}: can't be read: Is a directory")


def test_a_story_in_latin_1(dmn: Dmn, run: Path, story: Path) -> None:
    story.write_bytes(STORY.encode() + "René went to the office.\n".encode("latin-1"))
    fails(dmn("ask", run, "--story", story, "--question", QUESTION), 3, f"{story}:3: ", "UTF-8")


@pytest.mark.parametrize("text", ["", "\n \n"])
def test_an_empty_story(dmn: Dmn, run: Path, story: Path, text: str) -> None:
    story.write_text(text)
    fails(dmn("ask", run, "--story", story, "--question", QUESTION), 3, "empty")


@pytest.mark.parametrize("options", [(), ("--batch", "-")])
def test_a_model_that_is_not_there(dmn: Dmn, tmp_path: Path, options: tuple[str, ...]) -> None:
    fails(dmn("ask", tmp_path, *options), 4, str(tmp_path), "dmn train")


@pytest.mark.parametrize("name", ["model.safetensors", "vocabulary.json"])
def test_a_flipped_byte_in_a_model(dmn: Dmn, model: Path, name: str) -> None:
    flip_a_byte(model / name, (model / name).stat().st_size // 2)
    fails(dmn("ask", model, "--batch", "-", stdin=batch(1)), 4, str(model / name), "damaged")


@pytest.mark.parametrize("name", ["model.safetensors", "vocabulary.json", "config.json"])
@pytest.mark.parametrize("damage", [cut_in_half, Path.unlink])
def test_a_model_with_a_damaged_file(dmn: Dmn, model: Path, name: str, damage: Callable[[Path], object]) -> None:
    damage(model / name)
    fails(dmn("ask", model, "--batch", "-", stdin=batch(1)), 4, str(model))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"format_version": 99}, "upgrade"),
        ({"model": {"hidden": 3}}, "damaged"),
        ({"sha256": None}, "damaged"),
        ({"tokenizer": {}}, "damaged"),
        ({"tokenizer": {"kind": "spacy", "language": "klingon"}}, "klingon"),
        ({"sizes": {"max_answer_steps": "many", "word_size": 8, "each": False}}, "damaged"),
    ],
    ids=str,
)
def test_a_model_with_another_config(dmn: Dmn, model: Path, changes: dict[str, object], said: str) -> None:
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | changes))
    fails(dmn("ask", model, "--batch", "-", stdin=batch(1)), 4, str(model), said)


def test_a_device_that_is_not_there(dmn: Dmn, run: Path) -> None:
    fails(dmn("ask", run, "--device", "cuda:99"), 5, "cuda:99", "cpu")


def test_processes_answer_the_same_in_the_same_order(dmn: Dmn, run: Path, story: Path, tmp_path: Path) -> None:
    asked = tmp_path / "asked.jsonl"
    people = ("Mary", "John", "nobody")
    lines = [{"id": i, "story": STORY, "question": f"Where is {people[i % 3]}?"} for i in range(1500)]
    asked.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    alone, together = (dmn("ask", run, "--batch", asked, "--processes", count) for count in (1, 2))
    assert (alone.code, together.code) == (0, 0), together.err
    assert [line["id"] for line in together.lines] == [*range(1500)]
    assert together.out == alone.out
    fails(dmn("ask", run, "--story", story, "--question", QUESTION, "--processes", 2), 2, "--processes is for --batch")
