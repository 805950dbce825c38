"""A data set is the same however it is made, in little memory, and says what of its test is in its training."""

import os
import signal
import subprocess
import sys
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from conftest import Dmn, Process, fails
from helpers import Whitespace
from hypothesis import HealthCheck, given, settings

from dmn_cli.data.formats.story_world import stories
from dmn_cli.data.prepare import Reader, prepare
from dmn_cli.data.store.chunks import chunks
from dmn_cli.data.store.layout import SPLITS
from dmn_cli.data.store.writer import USUAL, Limits, write_chunks
from dmn_cli.data.words.spec import Choice
from dmn_cli.data.words.tokenizer import Tokenizer
from dmn_cli.errors import DataError, ResourceError
from dmn_cli.machine.processes import Advance, ahead
from dmn_cli.records.text import Question, Story

Pair = tuple[str, Story]
only_linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is one process")


@st.composite
def told(draw: st.DrawFn) -> Story:
    """Of few words, so that much occurs twice."""
    fact = st.sampled_from("abcd")
    facts = draw(st.lists(fact, min_size=1, max_size=3))
    positions = draw(st.lists(st.integers(0, len(facts)), min_size=1, max_size=3))
    answers = st.lists(st.sampled_from("xy"), min_size=1, max_size=2).map(tuple)
    asked = [Question(draw(st.sampled_from("abq")), position, draw(answers)) for position in positions]
    return Story(draw(st.sampled_from(["qa1", "qa2"])), tuple(facts), tuple(asked))


pairs_of_few_words = st.lists(st.tuples(st.sampled_from(SPLITS), told()), min_size=1, max_size=12)
no_deadline = settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


def write(
    folder: Path, pairs: Iterable[Pair], tokenizer: Tokenizer | None = None, *, limits: Limits = USUAL, **sizes: int
) -> dict[str, Any]:
    """`sizes`: those of `chunks`."""
    return write_chunks(folder / "data", chunks(pairs, **sizes), tokenizer or Whitespace(), {}, limits=limits)


# --- the same data set


@no_deadline
@given(pairs=pairs_of_few_words, sizes=st.tuples(st.integers(1, 5), st.integers(1, 9)))
def test_the_files_do_not_depend_on_where_chunks_end(tmp_path: Path, pairs: list[Pair], sizes: tuple[int, int]) -> None:
    expected = write(tmp_path, pairs)
    assert write(tmp_path, pairs, max_stories=sizes[0], max_numbers=sizes[1]) == expected


@pytest.mark.parametrize("processes", [0, 1, 2, 7])
def test_sources_are_taken_in_turn_by_any_number_of_processes(processes: int) -> None:
    def letters(text: str, advance: Advance) -> Iterator[str]:
        for letter in text:
            advance(1)
            yield letter

    told: list[int] = []
    with ahead([partial(letters, text) for text in ("abcd", "", "e", "fghij", "kl")], processes) as made:
        assert "".join(made(told.append)) == "aefkbglchdij"
    assert sum(told) == 12


def told_by_the_world(task: str, advance: Advance) -> Iterator[Pair]:
    for split, questions in (("train", 200), ("test", 30)):
        yield from ((split, story) for story in stories(task, questions, 1, split))


def test_a_data_set_is_the_same_with_any_number_of_processes(tmp_path: Path) -> None:
    """Also with sources that are longer than a chunk."""
    makes = [
        lambda advance, task=task: chunks(told_by_the_world(task, advance), max_stories=7) for task in ("qa1", "qa8")
    ]
    made: list[dict[str, Any]] = []
    for processes in (0, 1, 3):
        with ahead(makes, processes) as coming:
            made.append(write_chunks(tmp_path / "data", coming(lambda n: None), Whitespace(), {}))
    assert made[0] == made[1] == made[2]


def test_a_data_set_is_the_same_where_its_stories_are_exported_as_they_come(tmp_path: Path) -> None:
    readers: list[Reader] = [partial(told_by_the_world, task) for task in ("qa1", "qa8")]
    exported, choice = tmp_path / "exported.jsonl", Choice("whitespace")
    summaries = [prepare(tmp_path / "data", readers, 460, {}, choice, export=export) for export in (None, exported)]
    for summary in summaries:
        del summary["seconds"]
    assert summaries[0] == summaries[1]
    assert len(exported.read_text().splitlines()) == 460


def test_too_many_tasks(tmp_path: Path) -> None:
    story = Story("", ("a",), (Question("b", 1, ("c",)),))
    with pytest.raises(DataError, match="more than 32,768 tasks"):
        write(tmp_path, (("train", story._replace(task=str(n))) for n in range(40_000)))


# --- other processes


def sizes_then(error: Callable[[], BaseException], advance: Advance) -> Iterator[str]:
    advance(5)
    yield "one"
    advance(2)
    raise error()


class Odd(Exception):
    """Can't be made again from what it says of itself."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} {two}")


@pytest.mark.parametrize("processes", [0, 1])
def test_an_error_arrives_as_it_is(processes: int) -> None:
    def error() -> DataError:
        return DataError("is not a tree", where="file:3", hint="Plant one.")

    told: list[int] = []
    taken: list[str] = []
    with ahead([partial(sizes_then, error)], processes) as made, pytest.raises(DataError) as caught:
        taken.extend(made(told.append))
    assert (caught.value.message, caught.value.where, caught.value.hint) == ("is not a tree", "file:3", "Plant one.")
    assert taken == ["one"]
    assert sum(told) == 7


@only_linux
def test_an_error_says_where_it_came_from() -> None:
    with ahead([partial(sizes_then, lambda: DataError("wrong"))], 1) as made, pytest.raises(DataError) as caught:
        list(made(lambda n: None))
    assert "in sizes_then" in "".join(caught.value.__notes__)


@only_linux
@pytest.mark.parametrize("error", [lambda: Odd("quite", "odd"), lambda: ValueError("odd", lambda: 1)])
def test_an_error_that_can_not_travel_sends_its_text(error: Callable[[], BaseException]) -> None:
    with ahead([partial(sizes_then, error)], 1) as made, pytest.raises(RuntimeError, match=r"(Odd|ValueError): .*odd"):
        list(made(lambda n: None))


def killed(advance: Advance) -> Iterator[int]:
    yield os.getpid()
    os.kill(os.getpid(), signal.SIGKILL)


@only_linux
def test_a_process_that_is_killed() -> None:
    with ahead([killed], 1) as made:
        items = made(lambda n: None)
        assert next(items) != os.getpid()
        with pytest.raises(ResourceError, match="killed"):
            next(items)


def endless(advance: Advance) -> Iterator[int]:
    while True:
        yield os.getpid()


def is_there(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@only_linux
def test_no_process_outlives_its_block() -> None:
    with ahead([endless, endless], 2) as made:
        items = made(lambda n: None)
        processes = {next(items), next(items)}
        assert len(processes) == 2
        assert all(map(is_there, processes))
    assert not any(map(is_there, processes))


def children(process: int) -> list[int]:
    return [int(text) for text in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def when(condition: Callable[[], object]) -> None:
    for _ in range(3000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it never came to pass")


@only_linux
def test_ctrl_c_leaves_no_process_and_no_file(dmn_process: Process, tmp_path: Path) -> None:
    """It goes to all processes of a terminal, and is answered by the first."""
    export = tmp_path / "exported"
    process = dmn_process("prepare", "story", "--questions", 10**8, "--out", tmp_path / "data", "--export", export)
    when(lambda: list(tmp_path.glob(".data.*")))
    started = children(process.pid)
    assert len(started) == 1
    for number in (*started, process.pid):
        os.kill(number, signal.SIGINT)
    assert process.wait(timeout=90) == 130
    assert not any(map(is_there, started))
    assert process.stderr
    assert process.stderr.read() == b"stopped: interrupted\n"
    assert list(tmp_path.iterdir()) == []


@only_linux
def test_no_process_outlives_the_one_that_is_killed(tmp_path: Path) -> None:
    """Several, of which one knows the pipes of another."""
    program = """if True:
        import os
        from dmn_cli.machine.processes import ahead
        def endless(advance):
            while True:
                yield bytes(1 << 20)
        with ahead([endless] * 3, 3) as made:
            for n, item in enumerate(made(lambda n: None)):
                if n == 10:
                    print(flush=True)
    """
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert process.stdout
    with process.stdout:
        assert process.stdout.readline() == b"\n"
        started = children(process.pid)
        assert len(started) == 3
        process.kill()
        process.wait()
    when(lambda: not any(map(is_there, started)))


def test_what_is_wrong_with_a_line_is_said_as_ever(dmn: Dmn, tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_text('{"story": ["a"], "question": "b", "answer": "c"}\n{"story": ["a"]}\n')
    fails(dmn("prepare", "jsonl", path, "--out", tmp_path / "data"), 3, f"{path}:2: ", '"question" is missing')
    assert list(tmp_path.iterdir()) == [path]


# --- memory


def different(stories: int) -> Iterator[Pair]:
    """No sentence occurs twice."""
    for n in range(stories):
        facts = tuple(f"{n} {i} went" for i in range(4))
        yield "train" if n % 5 else "test", Story("qa1", facts, (Question(f"who is {n} ?", 4, ("x",)),))


class LastWord(Whitespace):
    """So that there are few words."""

    def __call__(self, text: str) -> list[str]:
        return text.split()[-1:]


@pytest.mark.parametrize("limits", [Limits(rows=500, sentences=1_000), Limits(rows=500, letters=10_000)])
def test_memory_does_not_grow_with_the_stories(tmp_path: Path, limits: Limits) -> None:
    """What is remembered is small here, and so soon full."""

    def peak(stories: int) -> int:
        tracemalloc.start()
        try:
            write(tmp_path, different(stories), LastWord(), limits=limits, max_stories=100)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(1_000)  # what is imported, and made once
    assert peak(8_000) < 1.3 * peak(1_500)


# --- what is in the training too


def seen_in_training(pairs: list[Pair]) -> dict[str, dict[str, int]]:
    """By definition."""

    def asked(split: str) -> list[tuple[str, tuple[object, ...]]]:
        return [
            (story.task, (story.facts[: q.position], q.text, q.answer))
            for of, story in pairs
            if of == split
            for q in story.questions
        ]

    trained = {what for _, what in asked("train")}
    return {split: Counter(task for task, what in asked(split) if what in trained) for split in ("valid", "test")}


@no_deadline
@given(pairs=pairs_of_few_words, size=st.integers(1, 5))
def test_held_out_questions_that_training_has_are_counted(tmp_path: Path, pairs: list[Pair], size: int) -> None:
    summary = write(tmp_path, pairs, max_stories=size)
    assert summary["seen_in_training"] == seen_in_training(pairs)
    assert summary["questions_of"] == {
        split: Counter(story.task for of, story in pairs if of == split for _ in story.questions) for split in SPLITS
    }


def test_a_test_question_that_training_has_is_warned_of(dmn: Dmn, tmp_path: Path) -> None:
    """The same facts up to the question, the question and the answer; in another order, or with others, it is new."""

    def line(split: str, story: str, question: str = "Who?", answer: str = "Tom") -> str:
        facts = ", ".join(f'"{fact}"' for fact in story.split())
        return f'{{"story": [{facts}], "question": "{question}", "answer": "{answer}", "split": "{split}"}}\n'

    path = tmp_path / "lines.jsonl"
    same = line("train", "a b c") + line("valid", "d") + line("test", "a b c")
    new = (
        line("test", "a c b")
        + line("test", "a b")
        + line("test", "a b c", answer="Tim")
        + line("test", "a b c", "Whom?")
    )
    path.write_text(same + new)
    result = dmn("prepare", "jsonl", path, "--out", tmp_path / "data")
    assert result.err == "1 of 5 test questions of data also occur in training, with the same story\n"
    assert dmn("prepare", "jsonl", path, "--out", tmp_path / "data", "--force", "--quiet").err == ""
    path.write_text(line("train", "a b c") + line("valid", "d") + new)
    assert dmn("prepare", "jsonl", path, "--out", tmp_path / "data", "--force").err == ""


def test_another_run_of_python_writes_the_same(tmp_path: Path) -> None:
    """Though texts have other hashes there."""
    program = """if True:
        import sys
        from pathlib import Path
        from dmn_cli.data.formats.story_world import stories
        from dmn_cli.data.words.tokenizer import WhitespaceTokenizer
        from dmn_cli.data.store.writer import write
        told = [(split, story) for split in ("train", "test") for story in stories("qa4", 500, 1, split)]
        print(write(Path(sys.argv[1]), told, WhitespaceTokenizer(), {}))
    """
    said = {
        subprocess.run(
            [sys.executable, "-c", program, tmp_path / "data"],
            env=os.environ | {"PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in "12"
    }
    assert len(said) == 1
    assert "'seen_in_training': {'valid': {}, 'test': {'qa4': " in said.pop()
