"""A conversation in which the story is edited: what lines do, and what a person who types is told."""

import json
import random
from pathlib import Path

import pytest
from conftest import Dmn

from dmn_cli.answering.answer import Answer
from dmn_cli.answering.hints import Hints, Span
from dmn_cli.answering.in_words import confidence_in_words
from dmn_cli.answering.predictor import Predictor
from dmn_cli.answering.repl import COMMANDS, HELP, OF_FACTS, OF_TEXTS, Reply, Session
from dmn_cli.answering.samples import Samples
from dmn_cli.errors import UsageError
from dmn_cli.records.text import Form

FACTS = ["Mary went to the kitchen.", "John went to the office.", "Mary moved to the garden."]
QUESTION = "Where is Mary?"


@pytest.fixture(scope="module")
def predictor(run: Path) -> Predictor:
    return Predictor(run)


def nothing_drawn(path: Path, question: str, answer: Answer) -> None:
    raise AssertionError(path)


@pytest.fixture
def session(predictor: Predictor, run: Path) -> Session:
    return Session(predictor, Samples(run, seed=1), nothing_drawn, live=True)


def replies(session: Session, *lines: str) -> list[Reply]:
    return [session.reply(line) for line in lines]


def said(reply: Reply) -> tuple[str, str | None]:
    """The answer, and the one before."""
    assert reply.answer
    return reply.answer.text, reply.before.text if reply.before else None


def test_the_question_is_asked_again_after_each_change(session: Session) -> None:
    replies(session, *FACTS[:2])
    assert said(session.reply(QUESTION)) == ("kitchen", None)
    assert said(session.reply(FACTS[2])) == ("garden", "kitchen")
    assert said(session.reply("/without 3")) == ("kitchen", "garden")
    assert said(session.reply("/undo")) == ("garden", "kitchen")
    assert said(session.reply("/move 3 1")) == ("kitchen", "garden")
    assert said(session.reply("/edit 2 Mary went to the hallway.")) == ("hallway", "kitchen")
    assert session.story.facts == [FACTS[2], "Mary went to the hallway.", FACTS[1]]
    assert said(session.reply("?")) == ("hallway", None)


def test_another_story_is_asked_nothing_by_itself(session: Session, tmp_path: Path) -> None:
    """Until it is asked; and the story before, which comes back with its question, until then."""
    file = tmp_path / "story.txt"
    file.write_text("Sandra went to the hallway.\nMary went to the bathroom.\n")
    replies(session, *FACTS)
    assert said(session.reply(QUESTION)) == ("garden", None)
    loaded = session.reply(f"/load {file}")
    assert (loaded.answer, loaded.text, session.story.facts) == (None, "Read 2 facts.", file.read_text().splitlines())
    assert session.reply("John went to the office.").answer is None
    assert [session.reply(line).text for line in ("/why", "/probs", "/plot why.png")] == ["Nothing was asked yet."] * 3
    assert said(session.reply("Where is Sandra?")) == ("hallway", None)
    assert said(session.reply("/without 3")) == ("hallway", "hallway")
    replies(session, "/undo", "/undo")
    back = session.reply("/undo")
    assert (said(back), session.question) == (("garden", None), QUESTION)
    assert session.story.facts == FACTS
    assert said(session.reply("/undo")) == ("kitchen", "garden")


def test_a_story_that_nothing_was_asked_of_comes_back_so(session: Session, tmp_path: Path) -> None:
    replies(session, *FACTS, "/sample")
    assert session.question
    assert session.reply("/undo").answer is None
    assert session.story.facts == FACTS


def test_the_last_question_can_be_asked_of_another_story(session: Session, tmp_path: Path) -> None:
    file = tmp_path / "story.txt"
    file.write_text("Mary went to the bathroom.")
    replies(session, *FACTS, QUESTION, f"/load {file}")
    assert said(session.reply("?")) == ("bathroom", None)
    assert said(session.reply(FACTS[0])) == ("kitchen", "bathroom")


def test_a_file_without_facts_is_no_story(session: Session, tmp_path: Path) -> None:
    file = tmp_path / "empty.txt"
    file.write_text("\n \n")
    replies(session, *FACTS, QUESTION)
    reply = session.reply(f"/load {file}")
    assert (reply.error, session.story.facts) == (True, FACTS)
    assert said(session.reply("?")) == ("garden", None)


def test_the_last_answer_is_drawn(predictor: Predictor, run: Path, tmp_path: Path) -> None:
    drawn: list[tuple[Path, str, str]] = []

    def draw(path: Path, question: str, answer: Answer) -> None:
        if path.suffix != ".png":
            raise UsageError("a plot is a .png file")
        drawn.append((path, question, answer.text))

    session = Session(predictor, Samples(run), draw)
    there = tmp_path / "there.png"
    there.write_text("mine")
    replies(session, *FACTS, QUESTION)
    mistakes = replies(session, "/plot", f"/plot {there}", f"/plot {tmp_path / 'why.gif'}")
    assert [reply.error for reply in mistakes] == [True] * 3
    assert [word in reply.text for word, reply in zip(("FILE", "exists", ".png"), mistakes, strict=True)] == [True] * 3
    assert session.reply(f"/plot {tmp_path / 'why.png'}").text == f"{tmp_path / 'why.png'} is drawn."
    assert drawn == [(tmp_path / "why.png", QUESTION, "garden")]


def test_behind_a_pipe_nothing_is_asked_again(predictor: Predictor, run: Path) -> None:
    session = Session(predictor, Samples(run), nothing_drawn)
    replies(session, *FACTS, QUESTION)
    for line in ("/without 3", "/undo", "/move 1 2", f"/edit 1 {FACTS[0]}", FACTS[0]):
        reply = session.reply(line)
        assert (reply.answer, reply.error) == (None, False)
    assert session.reply("/edit 1").error


def test_before_a_question_and_without_facts_nothing_is_asked(session: Session) -> None:
    assert session.reply(FACTS[0]).answer is None
    assert session.reply(QUESTION).answer
    emptied = session.reply("/without 1")
    assert (emptied.answer, emptied.text) == (None, f"Left out: {FACTS[0]}")
    assert session.reply("/clear").text == "Forgot the story."
    assert session.reply(FACTS[0]).answer is None
    assert session.reply("?").text == "Nothing was asked yet."


def test_a_fact_to_be_changed_comes_back_as_a_line(session: Session) -> None:
    replies(session, *FACTS)
    assert session.reply("/edit 2").line == f"/edit 2 {FACTS[1]}"


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("/edit", "by its number"),
        ("/edit two Mary went home.", "by its number"),
        ("/edit 4 Mary went home.", "no fact 4"),
        ("/without", "by its number"),
        ("/without -1", "by its number"),
        ("/without 0", "no fact 0"),
        ("/move 1", "by its number"),
        ("/move 1 4", "no fact 4"),
        ("/sample qa99", "no task 'qa99'"),
    ],
)
def test_a_mistake_changes_nothing(session: Session, line: str, text: str) -> None:
    replies(session, *FACTS)
    reply = session.reply(line)
    assert reply.error
    assert text in reply.text
    assert session.story.facts == FACTS


def test_the_likeliest_answers(session: Session) -> None:
    assert session.reply("/probs").text == "Nothing was asked yet."
    replies(session, *FACTS, QUESTION)
    probs = session.reply("/probs").probs
    assert probs
    assert probs[0][0] == "garden"
    assert len(probs) == 5
    assert [chance for _, chance in probs] == sorted((chance for _, chance in probs), reverse=True)
    assert sum(chance for _, chance in probs) <= 1 + 1e-6


def test_a_sample_is_a_test_story_with_its_right_answer(
    session: Session, dmn: Dmn, world: Path, tmp_path: Path
) -> None:
    written = tmp_path / "predictions.jsonl"
    assert dmn("eval", session.samples.model, world, "--predictions", written).code == 0
    known = {
        (tuple(line["story"]), line["question"]): line for line in map(json.loads, written.read_text().splitlines())
    }
    for line in ("/sample", "/sample qa1", "/sample"):
        reply = session.reply(line)
        expected = known[tuple(session.story.facts), reply.question]
        assert reply.answer
        assert (reply.right, reply.answer.text) == (expected["answer"], expected["prediction"])
        assert reply.is_right == expected["correct"]
    first = [*session.story.facts]
    session.reply("/undo")
    assert session.story.facts != first


def test_samples_come_from_all_of_the_split(run: Path, world: Path) -> None:
    drawn = Samples(run, world, seed=3)
    assert len({tuple(drawn.draw().facts) for _ in range(40)}) > 10
    assert drawn.draw("qa1").question.startswith("Where is ")


def test_without_its_data_a_model_asks_for_them(predictor: Predictor, model: Path, world: Path) -> None:
    """The model was copied out of its run."""
    reply = Session(predictor, Samples(model), nothing_drawn).reply("/sample")
    assert reply.error
    assert "--data DIR" in reply.text
    assert Session(predictor, Samples(model, world), nothing_drawn).reply("/sample").right


@pytest.fixture
def reader(run: Path) -> Session:
    """Of a model that knows texts alone, each of which is asked one question."""
    predictor = Predictor(run)
    predictor.model.texts, predictor.model.question = True, QUESTION
    return Session(predictor, Samples(run, seed=1), nothing_drawn, live=True)


def test_a_text_is_answered_at_once_and_forgotten_with_the_next(reader: Session, tmp_path: Path) -> None:
    assert said(reader.reply("Mary went to the kitchen. John went to the office.")) == ("kitchen", None)
    assert reader.story.facts == FACTS[:2]
    assert said(reader.reply("Mary moved to the garden?")) == ("garden", None)  # texts may end so
    assert reader.story.facts == ["Mary moved to the garden?"]
    for again in ("?", "where is mary?"):
        assert said(reader.reply(again)) == ("garden", None)
    assert said(reader.reply("/undo")) == ("kitchen", "garden")
    (tmp_path / "text.txt").write_text("Mary went to the hallway.\nJohn went to the office.\n")
    assert said(reader.reply(f"/load {tmp_path / 'text.txt'}"))[0] == "hallway"
    assert len(reader.story.facts) == 2
    assert reader.reply("/help").text.startswith("Type a text")


def test_a_loaded_text_is_cut_as_a_typed_one(reader: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = reader.predictor.encoder
    monkeypatch.setattr(encoder, "_forms", {tuple(encoder.tokenizer(QUESTION)): Form(facts_are_words=True)})
    (tmp_path / "text.txt").write_text("Mary went.\nJohn waved.\n")
    reply = reader.reply(f"/load {tmp_path / 'text.txt'}")
    assert (reply.text, reader.story.facts) == ("Read 6 facts.", ["Mary", "went", ".", "John", "waved", "."])
    assert reply.answer
    reader.reply("Mary went. John waved.")
    assert reader.story.facts == ["Mary", "went", ".", "John", "waved", "."]


def test_a_text_that_can_t_be_read_changes_nothing(reader: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    reader.reply(FACTS[0])
    monkeypatch.setattr("dmn_cli.answering.encoder.MOST_WORDS", 10)
    assert reader.reply("to " * 20).error
    assert reader.story.facts == FACTS[:1]
    assert said(reader.reply("?")) == ("kitchen", None)


def test_every_command_has_its_help() -> None:
    assert {"/why", "/probs", "/edit", "/without", "/move", "/undo", "/load", "/save", "/plot", "/sample", "/help"} <= {
        *COMMANDS
    }
    assert max(map(len, HELP.splitlines())) <= 75
    assert max(map(len, (OF_FACTS, OF_TEXTS))) <= 75


@pytest.mark.parametrize(
    ("confidence", "words"),
    [
        (1.0, "sure, 100 %"),
        (0.99999, "sure, 99 %"),
        (0.95, "almost sure, 95 %"),
        (0.899, "fairly sure, 90 %"),
        (0.5, "not sure, 50 %"),
        (0.2, "guessing, 20 %"),
        (0.0, "guessing, 0 %"),
    ],
)
def test_how_sure_it_is_in_words(confidence: float, words: str) -> None:
    assert confidence_in_words(confidence) == words


@pytest.fixture(scope="module")
def hints(predictor: Predictor) -> Hints:
    return Hints(predictor.encoder)


def words(line: str, spans: list[Span]) -> list[tuple[str, bool]]:
    return [(line[span.start : span.end], span.name) for span in spans]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", []),
        ("   ", []),
        ("Mary went to the kitchen.", []),
        ("Mary waved to Zaphod.", [("waved", False), ("Zaphod", False)]),
        ("Zaphod went to the lounge.", [("Zaphod", True), ("lounge", True)]),
        ("Where is Trillian?", [("Trillian", True)]),
        ("Mary went to the kitc", []),
        ("Mary went to the kitq", [("kitq", True)]),
        ("Mray went to the kitchen.", [("Mray", False)]),
        ("Mary Ann went to the swimming pool.", [("Mary Ann", True), ("swimming pool", True)]),
        ("Waved, waved Mary", [("Waved", False), ("waved", False)]),
    ],
)
def test_words_that_the_model_does_not_know(hints: Hints, line: str, expected: list[tuple[str, bool]]) -> None:
    assert words(line, hints.unknown(line)) == expected


@pytest.mark.parametrize(
    ("line", "begun", "expected"),
    [
        ("Mary went to the kit", "kit", ["kitchen"]),
        ("Ma", "Ma", ["Mary"]),
        ("ma", "ma", ["mary"]),
        ("Mary ", "", []),
        ("", "", []),
        ("Mary xyz", "xyz", []),
        ("kitchen", "kitchen", []),
    ],
)
def test_how_a_word_may_go_on(hints: Hints, line: str, begun: str, expected: list[str]) -> None:
    assert hints.goes_on(line) == (begun, expected)


def test_no_spare_and_nothing_special_is_offered(hints: Hints) -> None:
    offered = {word for letter in "abcdefghijklmnopqrstuvwxyz<\t" for word in hints.goes_on(letter)[1]}
    assert "mary" in offered
    assert not {word for word in offered if not word.isalpha()}


def test_hints_never_fail_whatever_is_typed(hints: Hints) -> None:
    letters = random.Random(5)
    for _ in range(200):
        line = "".join(letters.choice("Mary kitchen ?./\t'é\U0001f600<>") for _ in range(20))
        for start, end, _ in hints.unknown(line):
            assert 0 <= start < end <= len(line)
