"""What a stream must survive: lines that are too long, stories that are too large, readers and writers that stall."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Dmn, Process
from hypothesis import given, settings
from hypothesis import strategies as st

from dmn_cli import notation
from dmn_cli.answering import encoder, stream
from dmn_cli.answering.grouping import parts, shared
from dmn_cli.answering.predictor import Predictor
from dmn_cli.cli.input import lines_of

QUESTION = "Where is Mary?"
GOOD = {"story": ["Mary went to the kitchen.", "John went to the office."], "question": QUESTION}
TOLERANCE = 1e-5  # as docs/formats.md says


def line(**record: Any) -> bytes:
    return json.dumps(record).encode() + b"\n"


def answered(predictor: Predictor, lines: list[bytes], **limits: int) -> list[dict[str, Any]]:
    return [json.loads(one) for some in stream.answers(predictor, [lines], **limits) for one in some]


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor("demo")


def test_order_batches_and_processes_change_nothing() -> None:
    """Each line is answered as if it were alone, within the tolerance that is promised."""
    random = np.random.default_rng(1)
    people, places = ("Mary", "John", "Sandra", "Daniel"), ("kitchen", "garden", "office", "hallway")
    asked: list[dict[str, Any]] = []
    for i in range(120):
        story = [f"{random.choice(people)} went to the {random.choice(places)}." for _ in range(random.integers(1, 40))]
        asked.append({"id": i, "story": story[: 1 + i % 40], "question": f"Where is {random.choice(people)}?"})
    alone = {one["id"]: answered(Predictor("demo"), [line(**one)])[0] for one in asked[::10]}
    ways: list[dict[str, int]] = [{}, {"at_once": 7}, {"at_once": 16, "few": 1, "processes": 2}]
    for way in ways:
        order = random.permutation(len(asked)).tolist()
        said = answered(
            Predictor("demo", max_batch=int(random.integers(1, 50))), [line(**asked[i]) for i in order], **way
        )
        assert [one["id"] for one in said] == order
        for one in said:
            if other := alone.get(one["id"]):
                exact = one.keys() - {"confidence", "gates"}
                assert {key: one[key] for key in exact} == {key: other[key] for key in exact}
                assert one["confidence"] == pytest.approx(other["confidence"], abs=TOLERANCE)
                np.testing.assert_allclose(one["gates"], other["gates"], atol=TOLERANCE, rtol=0)


def test_brief_answers_are_the_same_and_nothing_more(dmn: Dmn) -> None:
    lines = line(id=1, **GOOD) + b"no JSON\n" + line(**GOOD)
    brief, full = (dmn("ask", "demo", "--batch", "-", *option, stdin=lines).lines for option in (["--brief"], []))
    assert [one.keys() for one in brief] == [{"id", "answer", "confidence"}, {"id", "error"}, {"answer", "confidence"}]
    assert [one | other for one, other in zip(full, brief, strict=True)] == full


@pytest.mark.parametrize("options", [("--why", "--batch", "-"), ("--story", "-", "--question", QUESTION)])
def test_brief_is_for_a_batch_without_reasons(dmn: Dmn, options: tuple[str, ...]) -> None:
    result = dmn("ask", "demo", "--brief", *options)
    assert (result.code, result.out) == (2, "")
    assert "--brief" in result.err


@pytest.mark.parametrize("i", [2**63, 10**40, -(2**70), 0.1, 1e-7, [1, [2.5, {"a": 10**30}]], {"k": [None]}, "é\u2028"])
def test_an_id_comes_back_as_it_was(predictor: Predictor, i: object) -> None:
    [answer] = answered(predictor, [line(id=i, **GOOD)])
    assert answer["id"] == i
    assert type(answer["id"]) is type(i)


def test_a_line_that_is_too_long_is_an_error(predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (notation, stream):
        monkeypatch.setattr(module, "LONGEST_LINE", 1 << 20)
    before, long, after = answered(predictor, [line(**GOOD), line(id=7, junk="x" * (1 << 20), **GOOD), line(**GOOD)])
    assert long == {"id": None, "error": "line 2: is longer than 1 MiB"}
    assert before == after


def test_a_long_line_is_cut_off_as_it_is_read(tmp_path: Path) -> None:
    """So that memory stays small, and the lines around it stay whole."""
    file = tmp_path / "lines"
    with file.open("wb") as out:
        out.write(b"first\n")
        for _ in range(40):
            out.write(b"x" * (1 << 18))
        out.write(b"\nlast")
    with lines_of(str(file), longest=1 << 19) as lines:
        first, long, last = [one for some in lines for one in some]
    assert (first, last) == (b"first", b"last")
    assert 1 << 19 < len(long) < 1 << 20
    with lines_of(str(file)) as lines:
        assert [len(one) for some in lines for one in some] == [5, 40 << 18, 4]


@given(text=st.binary(max_size=300).map(lambda raw: raw.replace(b"x", b"\n")))
@settings(max_examples=50, deadline=None)
def test_lines_are_cut_where_they_end(text: bytes) -> None:
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb") as out:
        out.write(text)
    with lines_of(f"/dev/fd/{reader}") as lines:
        read = [one for some in lines for one in some]
    os.close(reader)
    expected = text.split(b"\n")
    assert read == (expected if expected[-1] else expected[:-1])


def test_a_pipe_that_may_not_be_waited_for_is_waited_for() -> None:
    """As one that a program shares which has set O_NONBLOCK."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)

    def write() -> None:
        for part in (b"one\ntw", b"o\n"):
            time.sleep(0.05)
            os.write(writer, part)
        os.close(writer)

    thread = threading.Thread(target=write)
    thread.start()
    with lines_of(f"/dev/fd/{reader}") as lines:
        assert [one for some in lines for one in some] == [b"one", b"two"]
    thread.join()
    os.close(reader)


def test_it_reads_only_so_many_bytes_ahead(predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long lines need no more memory than short ones."""
    monkeypatch.setattr(stream, "_TOGETHER", 1 << 16)
    read = 0

    def endless() -> Iterator[list[bytes]]:
        nonlocal read
        while True:
            read += 1
            yield [b"x" * (1 << 14)]

    said = 0
    for results in stream.answers(predictor, endless(), few=1, processes=1):
        said += len(results)
        assert read - said <= 2 * (1 << 16) // (1 << 14) + 8
        if said > 100:
            break


def test_a_writer_waits_for_a_reader_that_has_stopped(dmn_process: Process) -> None:
    """What is read and not yet answered is bounded, and once somebody reads on, no line is missing."""
    process = dmn_process("ask", "demo", "--batch", "-")
    assert process.stdin
    assert process.stdout
    taken, still = 0, threading.Event()
    lines = b"".join(line(id=i, padding="x" * 20_000, **GOOD) for i in range(2000))  # 40 MB

    def write() -> None:
        nonlocal taken
        assert process.stdin
        for start in range(0, len(lines), 1 << 16):
            process.stdin.write(lines[start : start + (1 << 16)])
            process.stdin.flush()
            taken = start
        process.stdin.close()
        still.set()

    threading.Thread(target=write, daemon=True).start()
    before = -1
    while before != taken or taken == 0:
        before = taken
        time.sleep(1.5)
    assert not still.is_set()
    assert taken < 34_000_000
    assert [json.loads(answer)["id"] for answer in process.stdout] == [*range(2000)]
    assert process.wait(30) == 0


@pytest.mark.parametrize(
    ("story", "said"),
    [
        (["a " * 1001], "1,001 words"),
        (["Mary went to the kitchen."] * 201, "words"),
        (["a " * 300, *["Mary went to the kitchen."] * 100], "101 facts, the longest of 300 words"),
        ("Mary went to the kitchen. " * 201, "words"),
    ],
)
def test_what_is_too_large_to_be_read_is_an_error(monkeypatch: pytest.MonkeyPatch, story: object, said: str) -> None:
    monkeypatch.setattr(encoder, "MOST_WORDS", 1000)
    monkeypatch.setattr(encoder, "_FEW_CHARACTERS", 250)
    monkeypatch.setattr(encoder, "_MOST_CELLS", 16_000)
    lines = [line(**GOOD), line(id=2, story=story, question=QUESTION), line(**GOOD)]
    before, large, after = answered(Predictor("demo"), lines)
    assert large.keys() == {"id", "error"}
    assert said in large["error"]
    assert before == after


lengths = st.lists(st.integers(1, 30), min_size=1, max_size=40)


@given(length=lengths, random=st.randoms(use_true_random=False), most=st.integers(1, 20))
@settings(max_examples=60, deadline=None)
def test_questions_in_a_group_share_a_story(length: list[int], random: Any, most: int) -> None:
    stories = [[random.randrange(3) for _ in range(n)] for n in length]
    stories += [story[: random.randrange(1, len(story) + 1)] for story in stories]
    n = np.array([len(story) for story in stories])
    groups = shared(np.array([fact for story in stories for fact in story]), n.cumsum() - n, n, most)
    assert sorted(place for group in groups for place in group) == [*range(len(stories))]
    assert max(map(len, groups)) <= most
    for first, *others in groups:
        assert all(stories[first][: len(stories[other])] == stories[other] for other in others)
    assert [len(stories[group[0]]) for group in groups] == sorted(len(stories[group[0]]) for group in groups)


@given(
    groups=st.lists(st.tuples(st.integers(1, 200_000), st.integers(1, 9), st.integers(1, 100_000)), min_size=1),
    most=st.integers(1, 2000),
)
@settings(max_examples=100, deadline=None)
def test_a_batch_has_little_padding(groups: list[tuple[int, int, int]], most: int) -> None:
    """One story of 100,000 facts, or one sentence of 100,000 words, doesn't make all others as long."""
    length, questions, words = np.array(sorted(groups)).T
    found = parts(length, questions, words, most)
    assert np.concatenate(found).tolist() == [*range(len(groups))]
    for part in found:
        cells = max(questions[part].sum() * length[part].max(), length[part].sum() * words[part].max())
        assert len(part) == 1 or cells <= 1 << 20


def test_a_short_soak() -> None:
    """`make soak` does this with a million lines."""
    command = [sys.executable, "tools/soak.py", "--lines", "3000", "--brief"]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, encoding="utf-8", timeout=600)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["lines_in"], report["lines_out"], report["wrong"]) == (3000, 3000, 0)
