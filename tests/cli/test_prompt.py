"""dmn ask without a question: the prompt."""

import json
import os
import pty
from pathlib import Path

import pytest
from commands import QUESTION, STORY
from conftest import Dmn, Process, Result, fails


def typed(dmn: Dmn, run: Path, *lines: str) -> Result:
    result = dmn("ask", run, stdin="".join(f"{line}\n" for line in lines).encode())
    assert result.code == 0, result.err
    return result


def test_the_prompt_takes_facts_and_questions(dmn: Dmn, run: Path) -> None:
    result = typed(dmn, run, "Mary went to the kitchen.", "", QUESTION, "Mary went to the garden.", QUESTION)
    assert result == Result(0, "kitchen\ngarden\n", "")


def test_the_prompt_says_why(dmn: Dmn, run: Path) -> None:
    result = typed(dmn, run, "/why", *STORY.splitlines(), QUESTION, "/why")
    nothing, answer, again, _, mary, john, confidence, without = result.out.splitlines()
    assert nothing == "Nothing was asked yet."
    assert answer == again == "kitchen"
    assert mary.startswith("1  * Mary went to the kitchen.")
    assert john.startswith("2    John went to the office.")
    assert confidence.startswith("confidence ")
    assert without.startswith("without fact 1: ")


def test_the_prompt_takes_facts_back(dmn: Dmn, run: Path) -> None:
    result = typed(
        dmn, run, "Mary went to the kitchen.", "Mary went to the garden.", "/undo", QUESTION, "/undo", "/undo"
    )
    assert result.out.splitlines() == [
        "Took back: Mary went to the garden.",
        "kitchen",
        "Took back: Mary went to the kitchen.",
        "There is no change to take back.",
    ]


def test_the_prompt_forgets(dmn: Dmn, run: Path) -> None:
    result = typed(dmn, run, "Mary went to the kitchen.", "/clear", "/story", QUESTION)
    assert result.out.splitlines() == ["Forgot the story.", "There are no facts yet."]
    assert "empty" in result.err


def test_the_prompt_saves_and_loads(dmn: Dmn, run: Path, tmp_path: Path) -> None:
    file = tmp_path / "my story.txt"
    result = typed(dmn, run, *STORY.splitlines(), f"/save {file}", "/clear", f"/load {file}", "/story", QUESTION)
    assert file.read_text() == STORY
    assert result.out.endswith(f"Read 2 facts.\n{STORY}kitchen\n")
    again = typed(dmn, run, "Mary went to the garden.", f"/save {file}")
    assert "exists" in again.err
    assert file.read_text() == STORY


def test_the_prompt_helps(dmn: Dmn, run: Path) -> None:
    result = typed(dmn, run, "/help")
    for command in ("/why", "/story", "/undo", "/clear", "/load", "/save", "/plot", "/help", "/quit"):
        assert command in result.out


def test_it_says_that_nothing_was_asked(dmn: Dmn, run: Path, tmp_path: Path) -> None:
    assert "Nothing was asked" in typed(dmn, run, STORY).err
    assert typed(dmn, run, STORY, f"/save {tmp_path / 'story.txt'}").err == ""


def test_a_text_among_the_options_is_told_how_to_come(dmn: Dmn, run: Path) -> None:
    fails(dmn("ask", run, QUESTION), 2, "extra argument", "echo … | dmn ask MODEL")


def test_quit_ends_the_prompt(dmn: Dmn, run: Path) -> None:
    assert typed(dmn, run, "/quit", "/help").out == ""


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("/dance", "/dance"),
        (QUESTION, "empty"),
        ("/load", "/load FILE"),
        ("/load nowhere.txt", "nowhere.txt"),
        ("/load .", "."),
        ("/save", "/save FILE"),
        ("/save nowhere/story.txt", "nowhere"),
        ("/load LATIN-1", "UTF-8"),
        ("/plot", "/plot FILE"),
    ],
)
@pytest.mark.parametrize("quiet", [(), ("--quiet",)])
def test_the_prompt_goes_on_after_a_mistake(
    dmn: Dmn, run: Path, story: Path, monkeypatch: pytest.MonkeyPatch, line: str, said: str, quiet: tuple[str, ...]
) -> None:
    """An error is an error, also with --quiet; none is shown as Python would."""
    monkeypatch.chdir(story.parent)
    Path("LATIN-1").write_bytes(b"Ren\xe9 went to the office.\n")
    result = dmn("ask", run, *quiet, stdin=f"{line}\n{STORY}{QUESTION}\n".encode())
    assert (result.code, result.out) == (0, "kitchen\n")
    assert said in result.err
    assert "Errno" not in result.err
    assert "codec" not in result.err


def test_the_prompt_goes_on_after_a_line_that_is_not_utf_8(dmn: Dmn, run: Path) -> None:
    result = dmn("ask", run, stdin=b"Ren\xe9 went to the office.\n" + f"{STORY}{QUESTION}\n".encode())
    assert (result.code, result.out) == (0, "kitchen\n")
    assert "UTF-8" in result.err


def test_the_prompt_names_unknown_words_on_stderr(dmn: Dmn, run: Path) -> None:
    result = typed(dmn, run, "Mary went to the kitchen.", "Mary waved to Zaphod.", QUESTION)
    assert result.err.count("zaphod") == 1


def test_the_prompt_says_once_what_names_are_new(dmn: Dmn, run: Path) -> None:
    told = "Zaphod went to the office.", "Zaphod went to the lounge.", "Where is Zaphod?", "/why", "Where is Trillian?"
    result = typed(dmn, run, *told)
    assert result.out.splitlines()[0] == "lounge"
    assert "Zaphod is read as a name like" in result.out
    first, second, third = result.err.splitlines()
    assert "Zaphod" in first
    assert "lounge" in second
    assert "Zaphod" not in second
    assert third == "Nowhere in the story: Trillian"


def test_the_prompt_in_json(dmn: Dmn, run: Path) -> None:
    result = dmn("ask", run, "--json", stdin=f"{STORY}/help\n{QUESTION}\n{QUESTION}\n".encode())
    assert [line["answer"] for line in result.lines] == ["kitchen", "kitchen"]


def test_the_prompt_shows_why_where_it_was_asked_to(dmn: Dmn, run: Path) -> None:
    result = dmn("ask", run, "--why", stdin=f"{STORY}{QUESTION}\n".encode())
    assert "* Mary went to the kitchen." in result.out


def test_a_prompt_for_a_person_stays_out_of_the_results(
    dmn_process: Process, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """dmn ask RUN --json | jq, typed at a terminal."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    terminal, stdin = pty.openpty()
    try:
        process = dmn_process("ask", run, "--json", stdin=stdin)
        os.write(terminal, f"{STORY}{QUESTION}\n/quit\n".encode())
        out, _ = process.communicate(timeout=30)
    finally:
        os.close(terminal)
        os.close(stdin)
    assert json.loads(out)["answer"] == "kitchen"
