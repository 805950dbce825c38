"""The stream: as many answers as lines, in their order, each as it comes; and the model as it was when it was saved."""

import gc
import itertools
import json
import os
import signal
import subprocess
import threading
import tracemalloc
import weakref
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest
from conftest import Dmn, Process, strict_json
from helpers import Whitespace
from hypothesis import given, settings
from hypothesis import strategies as st

from dmn_cli.answering import stream
from dmn_cli.answering.answer import Answer
from dmn_cli.answering.asked import Asked
from dmn_cli.answering.predictor import Predictor
from dmn_cli.artifact.model import Model
from dmn_cli.data.formats.story_world.names import AT_HOME, HOUSE
from dmn_cli.errors import ResourceError
from dmn_cli.records.batch import Batch
from dmn_cli.records.network import Likeliest

QUESTION = "Where is Mary?"
GOOD = {"story": ["Mary went to the kitchen.", "John went to the office."], "question": QUESTION}


@pytest.fixture(scope="module")
def predictor(run: Path) -> Predictor:
    return Predictor(run)


def answers(predictor: Predictor, lines: Iterable[bytes], **limits: int) -> list[dict[str, Any]]:
    return [json.loads(answer) for batch in streamed(predictor, lines, **limits) for answer in batch]


def streamed(predictor: Predictor, lines: Iterable[bytes], **limits: int) -> Iterator[list[bytes]]:
    """The answers to lines that come one by one."""
    return stream.answers(predictor, ([line] for line in lines), **limits)


def line(**record: Any) -> bytes:
    return json.dumps(record).encode() + b"\n"


PEOPLE = st.sampled_from([person.name for person in AT_HOME])
facts = st.builds("{} went to the {}.".format, PEOPLE, st.sampled_from(HOUSE))
stories = st.lists(facts, min_size=1, max_size=6)
questions = st.builds("Where is {}?".format, PEOPLE)
ids = st.one_of(st.none(), st.integers(), st.text(st.characters(codec="utf-8")), st.lists(st.booleans(), max_size=2))
good_records = st.fixed_dictionaries({"story": stories | stories.map(" ".join), "question": questions})

BAD = {
    "not JSON": b"Where is Mary?\n",
    "blank": b"\n",
    "cut short": line(**GOOD)[:-8] + b"\n",
    "not UTF-8": line(**GOOD).replace(b"Mary", b"Ren\xe9"),
    "too deep": b"[" * 100_000 + b"\n",
    "not an object": b'["Mary went to the kitchen.", "Where is Mary?"]\n',
    "a number": b"7\n",
    "no story": line(question=QUESTION),
    "no question": line(story=GOOD["story"]),
    "an empty story": line(story=[], question=QUESTION),
    "an empty text": line(story="", question=QUESTION),
    "a fact without words": line(story=["Mary went to the kitchen.", "  "], question=QUESTION),
    "a question without words": line(story=GOOD["story"], question=" "),
    "a question that is a list": line(story=GOOD["story"], question=[QUESTION]),
    "a story that is a number": line(story=3, question=QUESTION),
    "a story of numbers": line(story=[1, 2], question=QUESTION),
    "null": line(story=None, question=None),
}


@pytest.mark.parametrize(("processes", "at_once"), [(1, 1024), (3, 2)])
@given(asked=st.lists(st.tuples(ids, good_records | st.sampled_from(sorted(BAD))), max_size=12))
@settings(max_examples=15, deadline=None)
def test_every_line_is_answered_in_order(
    predictor: Predictor, processes: int, at_once: int, asked: list[tuple[Any, dict[str, Any] | str]]
) -> None:
    lines = [BAD[record] if isinstance(record, str) else line(id=i, **record) for i, record in asked]
    answered = answers(predictor, lines, processes=processes, at_once=at_once, few=1)
    assert len(answered) == len(lines)
    for number, ((i, record), answer) in enumerate(zip(asked, answered, strict=True), start=1):
        if isinstance(record, str):
            assert answer.keys() == {"id", "error"}
            assert answer["error"].startswith(f"line {number}: ")
            continue
        assert answer["id"] == i
        alone = predictor.answer(predictor.encoder.story(record["story"], record["question"]), record["question"])
        assert answer["answer"] == alone.text
        assert answer["confidence"] == pytest.approx(alone.confidence, abs=1e-4)


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_a_bad_line_is_answered_by_an_error(predictor: Predictor, bad: bytes) -> None:
    before, answered, after = answers(predictor, [line(id="before", **GOOD), bad, line(id="after", **GOOD)])
    assert answered.keys() == {"id", "error"}
    assert answered["error"].startswith("line 2: ")
    assert (before["id"], before["answer"]) == ("before", "kitchen")
    assert (after["id"], after["answer"]) == ("after", "kitchen")


def test_an_error_keeps_the_id_of_its_line(predictor: Predictor) -> None:
    [answer] = answers(predictor, [line(id="mine", story=[], question=QUESTION)])
    assert answer["id"] == "mine"


def test_a_line_without_an_id_is_answered_without_one(predictor: Predictor) -> None:
    [answer] = answers(predictor, [line(**GOOD)])
    assert "id" not in answer
    assert answer["answer"] == "kitchen"


@pytest.mark.parametrize("where", ["id", "story", "question"])
def test_half_a_surrogate_pair_spoils_no_other_line(dmn: Dmn, run: Path, where: str) -> None:
    """JSON can spell what UTF-8 can't: "\\ud800" alone."""
    odd = {"id": 1, **GOOD, where: ["\ud800"] if where == "story" else "\ud800"}
    result = dmn("ask", run, "--batch", "-", stdin=line(**odd) + line(id=2, **GOOD))
    assert result.code == 0, result.err
    _, after = result.lines
    assert (after["id"], after["answer"]) == (2, "kitchen")


def test_the_first_of_the_likeliest_is_the_answer(predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it is no whole answer that is the likeliest, as early in training."""
    likeliest = predictor.model.network.likeliest

    def second_first(batch: Batch, k: int) -> Likeliest:
        words, probability = likeliest(batch, k)
        return Likeliest(words.roll(1, 1), probability)

    monkeypatch.setattr(predictor.model.network, "likeliest", second_first)
    answer = predictor.answer(GOOD["story"], QUESTION)
    top = predictor.likeliest(GOOD["story"], QUESTION, 3)
    assert top[0] == (answer.text, pytest.approx(answer.confidence))
    assert len({text for text, _ in top}) == 3


@pytest.mark.parametrize("number", [b"1e999", b"[-1e999]", b"NaN"])
def test_an_id_that_is_no_number_of_json_is_refused(dmn: Dmn, run: Path, number: bytes) -> None:
    result = dmn("ask", run, "--batch", "-", stdin=line(id=0, **GOOD).replace(b'"id": 0', b'"id": ' + number))
    assert result.code == 0, result.err
    [said] = result.lines
    assert said["id"] is None
    assert said["error"].startswith('line 1: "id" holds what JSON')


@pytest.mark.parametrize("size", [1, 2, 7])
def test_any_batch_size_gives_the_same_answers(predictor: Predictor, run: Path, size: int) -> None:
    lines = (run / "model" / "golden.jsonl").read_bytes().splitlines(keepends=True)
    lines[2:2] = [BAD["not JSON"], line(id="new", **GOOD)]
    usual = answers(predictor, lines)
    batches = list(streamed(Predictor(run, max_batch=size), lines, at_once=2 * size))
    assert max(map(len, batches)) <= 2 * size
    small = [json.loads(answer) for batch in batches for answer in batch]
    for one, other in zip(usual, small, strict=True):
        assert one.get("answer") == other.get("answer")
        assert one.get("error") == other.get("error")
        assert one.get("confidence", 0) == pytest.approx(other.get("confidence", 0), abs=1e-5)


def test_it_answers_before_the_next_line_comes(predictor: Predictor) -> None:
    released = threading.Event()

    def lines() -> Iterator[bytes]:
        yield line(id=1, **GOOD)
        assert released.wait(20), "the first line waits for the second"
        yield line(id=2, **GOOD)

    answered = streamed(predictor, lines())
    assert [json.loads(answer)["id"] for answer in next(answered)] == [1]
    released.set()
    assert [json.loads(answer)["id"] for answer in next(answered)] == [2]


def test_it_reads_only_so_far_ahead(predictor: Predictor) -> None:
    """An endless stream needs no more memory than a short one."""
    read = 0

    def endless() -> Iterator[bytes]:
        nonlocal read
        while True:
            read += 1
            yield line(id=read, **GOOD)

    answered = 0
    for results in itertools.islice(streamed(predictor, endless(), at_once=8, few=1), 40):
        answered += len(results)
        assert read - answered <= 8 * 6


def test_sentences_are_not_remembered_for_ever(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is the tokenizer that cut them, which may remember their words."""
    monkeypatch.setattr(Model, "tokenizer", lambda _: Whitespace())
    forgetful = Predictor(run, remembered=100_000)
    tokenizer = weakref.ref(forgetful.encoder.tokenizer)

    def held_after(first: int) -> int:
        stories = ([f"Mary went to the room{i}."] for i in range(first, first + 1000))
        lines = (line(story=story, question=QUESTION) for story in stories)
        assert sum(b'"answer"' in result for results in streamed(forgetful, lines) for result in results) == 1000
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before, after = held_after(0), held_after(1000)
    finally:
        tracemalloc.stop()
    assert after - before < 600_000
    assert tokenizer() is None


def test_a_story_and_its_beginnings_are_read_once(predictor: Predictor) -> None:
    story = [f"{name} went to the {place}." for name in ("Mary", "John") for place in ("kitchen", "garden", "office")]
    other = ["John went to the garden.", *story[:2]]
    asked = [(told, QUESTION) for told in (story[:4], other, story, story[:1], story, other[:2])]
    [(places, batch, _)] = predictor.encoder.batches([predictor.encoder.asked(*one) for one in asked])
    assert batch.story_length.tolist() == [3, 6]
    assert batch.facts_seen.tolist() == [len(asked[place][0]) for place in places]
    together, alone = predictor.answer_all(asked), [predictor.answer(*one) for one in asked]
    for one, other_one in zip(together, alone, strict=True):
        assert (one.text, one.facts, one.read) == (other_one.text, other_one.facts, other_one.read)
        assert np.array(one.gates) == pytest.approx(np.array(other_one.gates), abs=1e-4)


TWO_PROCESSES = {"processes": 2, "at_once": 4, "few": 2}


def test_other_processes_answer_the_same(run: Path) -> None:
    """Each line once and in order, and none of them here but the first and the last few."""
    lines = [line(id=i, **GOOD) if i % 5 else BAD["not JSON"] for i in range(103)]
    here: list[object] = []

    class Watched(Predictor):
        def answer_encoded(self, asked: Sequence[Asked]) -> list[Answer]:
            here.extend(asked)
            return super().answer_encoded(asked)

    results = answers(Watched(run), lines, **TWO_PROCESSES)
    assert [result["id"] for result in results] == [i if i % 5 else None for i in range(103)]
    assert [result.get("answer") for result in results] == ["kitchen" if i % 5 else None for i in range(103)]
    assert results[50]["error"].startswith("line 51: ")
    assert len(here) < 50


def test_the_other_processes_end_with_the_stream(predictor: Predictor) -> None:
    """Also with one that nobody wants the rest of."""

    def children() -> set[str]:
        return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())

    before = children()
    answered = streamed(predictor, (line(id=i, **GOOD) for i in itertools.count()), **TWO_PROCESSES)
    for _ in range(20):
        next(answered)
    assert len(children() - before) == 2
    del answered
    assert children() == before


def test_a_process_that_is_killed_is_an_error(predictor: Predictor) -> None:
    before = set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())
    answered = streamed(predictor, (line(id=i, **GOOD) for i in itertools.count()), **TWO_PROCESSES)
    for _ in range(20):
        next(answered)
    for process in set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()) - before:
        os.kill(int(process), signal.SIGKILL)
    with pytest.raises(ResourceError, match="killed"):
        list(itertools.islice(answered, 100))


def test_what_goes_wrong_with_the_input_is_raised(predictor: Predictor) -> None:
    def lines() -> Iterator[bytes]:
        yield line(**GOOD)
        raise OSError("the disk was pulled out")

    with pytest.raises(OSError, match="pulled out"):
        answers(predictor, lines())


def read_line(pipe: IO[bytes] | None, seconds: float = 30) -> bytes:
    """A line from a pipe, or a failed test where none comes."""
    assert pipe
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.readline()), daemon=True)
    reader.start()
    reader.join(seconds)
    assert read, f"no line came within {seconds} s"
    return read[0]


def test_a_program_at_the_other_end_gets_each_answer_before_it_asks_on(run: Path, dmn_process: Process) -> None:
    process = dmn_process("ask", run, "--batch", "-")
    assert process.stdin
    for i in range(3):
        process.stdin.write(line(id=i, **GOOD))
        process.stdin.flush()
        answer = strict_json(read_line(process.stdout).decode())
        assert (answer["id"], answer["answer"]) == (i, "kitchen")
    process.stdin.close()
    assert process.wait(20) == 0


def test_a_prompt_behind_a_pipe_answers_at_once_too(run: Path, dmn_process: Process) -> None:
    process = dmn_process("ask", run, stderr=subprocess.STDOUT)
    assert process.stdin
    for place in ("kitchen", "garden"):
        process.stdin.write(f"Mary went to the {place}.\n{QUESTION}\n".encode())
        process.stdin.flush()
        assert read_line(process.stdout) == f"{place}\n".encode()


def test_the_model_answers_as_when_it_was_saved(dmn: Dmn, run: Path) -> None:
    golden = run / "model" / "golden.jsonl"
    saved = [json.loads(text) for text in golden.read_text().splitlines()]
    result = dmn("ask", run, "--batch", golden)
    assert (result.code, result.err) == (0, "")
    assert len(saved) == len(result.lines) > 0
    for then, now in zip(saved, result.lines, strict=True):
        assert (now["id"], now["facts"], now["answer"]) == (then["id"], then["story"], then["answer"])
        assert now["confidence"] == pytest.approx(then["confidence"], abs=1e-4)
