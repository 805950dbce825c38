"""dmn ask at a terminal: keys in, and what is seen; once by prompt_toolkit's own pipe, once at a real terminal."""

import os
import pty
import re
import select
import signal
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from commands import QUESTION, STORY
from conftest import Dmn, Process
from prompt_toolkit.application import create_app_session
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from dmn_cli.answering.hints import Hints, Span
from dmn_cli.answering.predictor import Predictor
from dmn_cli.answering.repl import Session
from dmn_cli.answering.samples import Samples
from dmn_cli.cli import editor
from dmn_cli.cli.editor_view import View
from dmn_cli.cli.output import Output

ENTER, TAB, CTRL_C, CTRL_D, HOME = "\r", "\t", "\x03", "\x04", "\x01"
READY = "Ctrl-D leaves"  # is said below a line that can be typed
Typed = Callable[..., str]


@pytest.fixture(scope="module")
def predictor(run: Path) -> Predictor:
    return Predictor(run)


@pytest.fixture
def typed(
    predictor: Predictor, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Typed:
    """typed(*keys) → what is shown until the editor is left, without what is being typed."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def shown(*keys: str, why: bool = False, quiet: bool = False) -> str:
        with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
            pipe.send_text("".join(keys))
            editor.edit(Output(quiet=quiet), predictor, Samples(run, seed=1), why=why)
        return capsys.readouterr().out

    return shown


def lines(*texts: str) -> str:
    return "".join(f"{text}{ENTER}" for text in texts)


def test_the_answer_changes_with_the_story(typed: Typed) -> None:
    out = typed(lines(*STORY.splitlines(), QUESTION, "Mary moved to the garden.", "/without 3"), CTRL_D)
    first, second, *story, question, third = [line for line in out.splitlines() if line]
    assert re.fullmatch(r" {5}kitchen  (almost )?sure, \d+ %", first)
    assert re.fullmatch(r" {5}garden  (almost )?sure, \d+ %  was kitchen", second)
    assert story == [f"  {number}  {fact}" for number, fact in enumerate(STORY.splitlines(), start=1)]
    assert question == f"  ?  {QUESTION}"
    assert re.fullmatch(r" {5}kitchen  (almost )?sure, \d+ %  was garden", third)


def test_a_fact_is_changed_in_its_line(typed: Typed) -> None:
    """/edit 1 leaves the line with the fact, and its end is typed anew."""
    out = typed(lines(*STORY.splitlines(), QUESTION, "/edit 1"), "\x7f" * len("kitchen."), lines("garden."), CTRL_D)
    assert "  1  Mary went to the garden." in out
    assert "garden" in out.splitlines()[-1]
    assert "was kitchen" in out.splitlines()[-1]


def test_of_a_long_story_what_has_changed_is_shown(typed: Typed, tmp_path: Path) -> None:
    story = tmp_path / "story.txt"
    story.write_text("".join(f"Mary went to the {place}.\n" for place in ["garden", "kitchen"] * 50))
    out = typed(lines(f"/load {story}", "/edit 30 John went to the office."), CTRL_D)
    loaded, edited = out.removeprefix("\n").split("\n\n")
    assert [line.split()[0] for line in loaded.splitlines() if line] == [*map(str, range(1, 21)), "…"]
    assert [line.split()[0] for line in edited.splitlines() if line] == ["…", *map(str, range(20, 40)), "…"]
    assert " 30  John went to the office." in edited
    assert edited.endswith("100 facts; /story shows them all\n")
    assert "  1  Mary went to the garden." in typed(lines(f"/load {story}", "/story"), CTRL_D)


def test_long_lines_go_on_beside_the_margin(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    View(Output()).say("New names: Aisha (like bill, daniel, fred), Bob (like bill, daniel, fred)")
    assert capsys.readouterr().out.splitlines() == [
        "     New names: Aisha (like bill,",
        "     daniel, fred), Bob (like bill,",
        "     daniel, fred)",
    ]


def test_why_and_probs_and_a_sample(typed: Typed) -> None:
    out = typed(lines(*STORY.splitlines(), QUESTION, "/why", "/probs", "/sample"), CTRL_D)
    assert "• Mary went to the kitchen." in out
    assert "without fact 1: " in out
    assert re.search(r"█{10,} *0\.\d{4}  kitchen|█{24} 1\.0000  kitchen", out)
    assert re.search(r"  (right|the right answer is \w+)$", out.rstrip())


def test_each_answer_with_its_reasons_where_they_were_asked_for(typed: Typed) -> None:
    assert "• Mary went to the kitchen." in typed(lines(*STORY.splitlines(), QUESTION), CTRL_D, why=True)


def test_mistakes_and_new_names_are_told(typed: Typed) -> None:
    out = typed(lines("/dance", "/sample qa99", "/load no.txt", "Mary waved to Zaphod."), CTRL_D)
    assert "There is no command /dance." in out
    assert "     There is no task 'qa99'" in out
    assert "     no.txt: No such file" in out
    assert "The model doesn't know: " in out
    quiet = typed(lines("/dance", "Mary waved to Zaphod."), CTRL_D, quiet=True)
    assert "/dance" in quiet
    assert "doesn't know" not in quiet


def test_ctrl_c_gives_a_line_up_and_ctrl_d_leaves(typed: Typed) -> None:
    out = typed("Mary went", CTRL_C, lines(STORY.splitlines()[0], "/story"), CTRL_D, lines("/help"))
    assert "Ctrl-D or /quit leaves." in out
    assert "  1  Mary went to the kitchen." in out
    assert "/help" not in out


def test_lines_that_are_pasted_are_facts_each(typed: Typed) -> None:
    out = typed(f"\x1b[200~{lines(*STORY.splitlines(), QUESTION)}\x1b[201~", ENTER, lines("/story"), CTRL_D)
    assert re.match(r" {5}kitchen  (almost )?sure", out)
    for number, fact in enumerate(STORY.splitlines(), start=1):
        assert f"  {number}  {fact}\n" in out


def test_each_line_has_its_sign(predictor: Predictor, run: Path) -> None:
    session = Session(predictor, Samples(run, seed=1), lambda *_: None)
    session.story.add(["Mary went to the kitchen."])
    pasted = ["John left.", "", "/why", "Where is Mary?", "John came.", ""]
    assert [editor.sign(pasted, number, session) for number in range(6)] == [2, " ", "›", "?", 3, 4]
    assert editor.sign([""], 0, session) == 2


def test_quit_leaves(typed: Typed) -> None:
    assert typed(lines("/quit", "/help")) == ""


def test_lines_are_kept_for_the_next_time(typed: Typed, tmp_path: Path) -> None:
    typed(lines(STORY.splitlines()[0]), CTRL_D)
    out = typed("\x1b[A", ENTER, lines("/story"), CTRL_D)
    assert "  1  Mary went to the kitchen." in out
    kept = tmp_path / "state" / "dmn" / "stories"
    kept.unlink()
    kept.mkdir()  # where nothing can be written
    assert "  1  Mary" in typed(lines(STORY.splitlines()[0], "/story"), CTRL_D)


def completions(predictor: Predictor, text: str) -> list[str]:
    completer = editor.Completing(Hints(predictor.encoder), ["qa1", "qa2"])
    return [found.text for found in completer.get_completions(Document(text, len(text)), CompleteEvent())]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/wi", ["/without"]),
        ("/sample q", ["qa1", "qa2"]),
        ("Ma", ["Mary"]),
        ("/edit 2 Ma", ["Mary"]),
        ("/without 1", []),
        ("/edit 2", []),
        ("", []),
    ],
)
def test_what_tab_offers(predictor: Predictor, text: str, expected: list[str]) -> None:
    assert completions(predictor, text) == expected


def test_tab_offers_files_to_load(predictor: Predictor, tmp_path: Path) -> None:
    (tmp_path / "story.txt").touch()
    assert completions(predictor, f"/load {tmp_path}/sto") == ["ry.txt"]
    assert completions(predictor, f"/plot {tmp_path}/sto") == ["ry.txt"]


def styled(predictor: Predictor, line: str) -> list[tuple[str, str]]:
    hints = Hints(predictor.encoder)

    def unknown(text: str) -> list[Span]:
        return editor.unknown_in(hints, text)

    parts = editor.Underlining(unknown).lex_document(Document(line))(0)
    return [(part[0], part[1]) for part in parts if part[1]]


def test_unknown_words_are_underlined(predictor: Predictor) -> None:
    unknown, name = "class:unknown", "class:name"
    assert styled(predictor, "Mary waved to Zaphod.") == [
        ("", "Mary "),
        (unknown, "waved"),
        ("", " to "),
        (unknown, "Zaphod"),
        ("", "."),
    ]
    assert (name, "Trillian") in styled(predictor, "Where is Trillian?")
    assert styled(predictor, "Mary went to the kitchen.") == [("", "Mary went to the kitchen.")]
    assert (unknown, "waved") in styled(predictor, "/edit 1 Mary waved")
    assert styled(predictor, "/load waved") == [("class:command", "/load waved")]


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """A real one: the end that a person types at, and the one that a program reads from."""
    ends = pty.openpty()
    yield ends
    for end in ends:
        os.close(end)


def read_until(terminal: int, *texts: str, seconds: float = 60) -> None:
    """Reads what is written to the terminal until it has these texts, one after the other."""
    got, end = b"", time.monotonic() + seconds
    expected = re.compile(".*".join(map(re.escape, texts)), re.DOTALL)
    while not expected.search(plain(got)):
        left = end - time.monotonic()
        assert left > 0, plain(got)
        if select.select([terminal], [], [], left)[0]:
            read = os.read(terminal, 1 << 16)
            os.write(terminal, b"\x1b[1;1R" * read.count(b"\x1b[6n"))  # it asks where the cursor is
            got += read


def plain(got: bytes) -> str:
    return re.sub(r"\x1b(\[[0-9;?]*[A-Za-z]|[=>])|\r", "", got.decode(errors="replace"))


def test_at_a_real_terminal(
    dmn_process: Process, run: Path, tmp_path: Path, terminal: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("TERM", "xterm-256color")
    person, program = terminal
    process = dmn_process("ask", run, stdin=program, stdout=program)
    read_until(person, READY)
    for text, *seen in (
        ("Mary went to the kitchen.\r", "  2  ", READY),
        ("Where is Mary?\r", "kitchen  ", READY),
        ("Mary moved to the gar\t", "den"),
        (".\r", "was kitchen", READY),
        ("half a line\x03", "Ctrl-D or /quit leaves.", READY),
        ("/undo\r", "was garden", READY),
    ):
        os.write(person, text.encode())
        read_until(person, *seen)
    os.write(person, CTRL_D.encode())
    assert process.wait(60) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_stop_ends_it(
    dmn_process: Process,
    run: Path,
    tmp_path: Path,
    terminal: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
) -> None:
    """The terminal is as it was before, and lines are kept."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("TERM", "xterm-256color")
    person, program = terminal
    before = termios.tcgetattr(program)
    process = dmn_process("ask", run, stdin=program, stdout=program)
    read_until(person, READY)
    os.write(person, b"Mary went to the kitchen.\r")
    read_until(person, "  2  ", READY)
    assert termios.tcgetattr(program) != before
    process.send_signal(number)
    assert process.wait(60) == 143
    assert process.stderr
    assert process.stderr.read().endswith(b"stopped: terminated\n")
    assert termios.tcgetattr(program) == before
    assert "+Mary went to the kitchen.\n" in (tmp_path / "dmn" / "stories").read_text()


@pytest.mark.parametrize("option", ["--story", "--batch", "--table"])
def test_data_for_samples_are_for_the_prompt(dmn: Dmn, run: Path, story: Path, world: Path, option: str) -> None:
    question = () if option == "--batch" else ("--question", QUESTION)
    result = dmn("ask", run, option, story, *question, "--data", world)
    assert result.code == 2
    assert "--data is for /sample" in result.err


def test_a_sample_behind_a_pipe(dmn: Dmn, run: Path, world: Path, model: Path) -> None:
    out = dmn("ask", run, stdin=b"/sample\n").out.splitlines()
    assert out[-3].startswith("Where is ")
    assert out[-1].startswith("The right answer is ")
    copied = dmn("ask", model, stdin=b"/sample\n")
    assert (copied.code, copied.out) == (0, "")
    assert "--data DIR" in copied.err
    assert dmn("ask", model, "--data", world, stdin=b"/sample\n").out
