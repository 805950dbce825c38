"""dmn ask --why and dmn eval --why: what an answer needs is what asking without it says."""

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import Dmn, Result
from schemas import Answered, Evaluated, Predicted

from dmn_cli.answering.answer import Answer, Needs, Without
from dmn_cli.answering.in_words import needs_in_words
from dmn_cli.answering.pictures import Picture
from dmn_cli.answering.predictor import Predictor
from dmn_cli.artifact import directory
from dmn_cli.artifact.model import together
from dmn_cli.records.regions import PictureForm

STORY = [
    "John went to the office.",
    "Mary went to the kitchen.",
    "Sandra moved to the hallway.",
    "Mary moved to the garden.",
    "John travelled to the bedroom.",
]
NEW = [text.replace("Mary", "Aisha").replace("garden", "crypt") for text in STORY]
QUESTION = "Where is Mary?"


@pytest.fixture(scope="module")
def predictor(run: Path) -> Predictor:
    return Predictor(run, why=True)


@pytest.fixture(scope="module")
def ensemble(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model twice, as one."""
    folder = tmp_path_factory.mktemp("ensemble") / "model"
    one, other = directory.load(run), directory.load(run)
    one.network, one.ensemble = together([one.network, other.network]), 2
    directory.save(folder, one, json.loads((run / "model" / "metrics.json").read_text()), [])
    return folder


def ask(dmn: Dmn, run: Path, facts: list[str], question: str, *options: str) -> Result:
    result = dmn("ask", run, "--story", "-", "--question", question, *options, stdin="\n".join(facts).encode())
    assert result.code == 0, result.err
    return result


@pytest.mark.parametrize(
    ("facts", "question", "answer", "otherwise"),
    [(STORY, QUESTION, "garden", "kitchen"), (NEW, "Where is Aisha?", "crypt", "kitchen")],
    ids=["known names", "new names"],
)
def test_the_last_move_is_needed_and_nothing_else(
    dmn: Dmn, run: Path, facts: list[str], question: str, answer: str, otherwise: str
) -> None:
    said = Answered.model_validate_json(ask(dmn, run, facts, question, "--why", "--json", "--quiet").out)
    assert (said.answer, said.needed) == (answer, [[3]])
    assert [one.facts for one in said.without] == [[0], [1], [2], [3], [4]]
    assert [one.answer for one in said.without] == [answer] * 3 + [otherwise, answer]


@pytest.mark.parametrize("facts", [STORY, NEW, STORY[:1], [*STORY, STORY[3]]], ids=["known", "new", "one", "twice"])
@pytest.mark.parametrize("question", [QUESTION, "Where is Aisha?", "Where is Zaphod?"])
def test_it_is_as_asking_the_shortened_stories_one_by_one(
    predictor: Predictor, run: Path, facts: list[str], question: str
) -> None:
    plain, small = Predictor(run), Predictor(run, max_batch=2, why=True)
    answer = predictor.answer(facts, question)
    assert answer.needs is not None
    for one in answer.needs.without:
        told = [fact for at, fact in enumerate(facts) if at not in one.facts]
        alone = plain.answer(told, question)
        assert (one.answer, one.changed) == (alone.text, alone.text != answer.text)
        assert one.confidence == pytest.approx(alone.confidence, abs=1e-5)
    other = small.answer(facts, question).needs
    assert other is not None
    assert [(one.facts, one.answer) for one in other.without] == [
        (one.facts, one.answer) for one in answer.needs.without
    ]


def test_an_ensemble_of_one_network_twice_needs_the_same(predictor: Predictor, ensemble: Path) -> None:
    twice, once = (of.answer(NEW, "Where is Aisha?") for of in (Predictor(ensemble, why=True), predictor))
    assert twice.needs is not None
    assert once.needs is not None
    assert [one.facts for one in twice.needs.changing] == [one.facts for one in once.needs.changing] == [(3,)]


def test_where_a_fact_is_told_twice_the_pair_is_needed(predictor: Predictor) -> None:
    needs = predictor.answer([*STORY[:4], "Mary went back to the garden."], QUESTION).needs
    assert needs is not None
    assert [(one.facts, one.answer) for one in needs.changing] == [((3, 4), "kitchen")]


def test_many_questions_are_answered_together(predictor: Predictor) -> None:
    asked = [(STORY, QUESTION), (STORY[:1], "Where is John?"), (NEW, "Where is Aisha?")] * 30
    answers = predictor.answer_all(asked)
    needed = [[one.facts for one in answer.needs.changing] for answer in answers if answer.needs]
    assert needed == [[(3,)], [], [(3,)]] * 30


def test_a_stream_says_it_in_each_line(dmn: Dmn, run: Path) -> None:
    lines = [{"id": i, "story": facts, "question": QUESTION} for i, facts in enumerate((STORY, [], STORY[:2]))]
    text = "".join(f"{json.dumps(line)}\n" for line in lines)
    whole, empty, short = dmn("ask", run, "--batch", "-", "--why", stdin=text.encode()).lines
    assert (whole["needed"], short["needed"]) == ([[3]], [[1]])
    assert empty.keys() == {"id", "error"}
    assert "needed" not in dmn("ask", run, "--batch", "-", stdin=text.encode()).lines[0]


def test_a_table_has_no_place_for_it(dmn: Dmn, run: Path, tmp_path: Path) -> None:
    result = dmn("ask", run, "--table", tmp_path / "table.csv", "--why")
    assert result.code == 2
    assert "--why" in result.err


def test_a_person_reads_it_below_the_table(dmn: Dmn, run: Path) -> None:
    out = ask(dmn, run, STORY, QUESTION, "--why").out
    assert "without fact 4: kitchen (" in out.splitlines()[-1]
    assert "without" not in ask(dmn, run, STORY, QUESTION).out


def test_the_prompt_says_it_when_it_is_asked_why(dmn: Dmn, run: Path) -> None:
    lines = [*STORY, QUESTION, "/why", "/undo", "/why"]
    out = dmn("ask", run, stdin="".join(f"{line}\n" for line in lines).encode()).out
    assert out.count("without fact 4: kitchen (") == 2  # the last answer, whatever became of the story since


def answered(facts: list[str], without: list[Without] | None, **other: object) -> Answer:
    needs = None if without is None else Needs(without)
    return Answer("garden", 0.9, facts, [], [], [], words=("garden",), needs=needs, **other)  # type: ignore[arg-type]


def singles(facts: int, *changing: int) -> list[Without]:
    return [Without((at,), "hallway" if at in changing else "garden", 0.814, at in changing) for at in range(facts)]


def all_pairs(facts: int, *changing: tuple[int, int]) -> list[Without]:
    pairs = [(a, b) for a in range(facts) for b in range(a + 1, facts)]
    return [Without(pair, "office" if pair in changing else "garden", 0.5, pair in changing) for pair in pairs]


SENTENCES = [f"Fact {n}." for n in range(100)]


@pytest.mark.parametrize(
    ("facts", "without", "said"),
    [
        (3, singles(3, 2), ["without fact 3: hallway (0.81)"]),
        (1, [], ["the only fact can't be left out"]),
        (2, singles(2), ["still garden without any one fact"]),
        (3, [*singles(3), *all_pairs(3)], ["still garden without any one fact, or any two"]),
        (
            3,
            [*singles(3), *all_pairs(3, (0, 2))],
            ["still garden without any one fact", "without facts 1 and 3: office (0.50)"],
        ),
        (
            100,
            singles(64, 5),
            ["without fact 6: hallway (0.81)", "(of the 64 facts with the highest gates, one at a time)"],
        ),
        (
            100,
            [*singles(64), *all_pairs(12)],
            [
                "still garden without any one fact, or any two "
                "(of the 64 facts with the highest gates, pairs of the 12 with the highest gates)"
            ],
        ),
    ],
)
def test_in_words(facts: int, without: list[Without], said: list[str]) -> None:
    assert needs_in_words(answered(SENTENCES[:facts], without)) == said


def test_words_are_named_and_many_pairs_are_counted() -> None:
    words = ["this", "is", "not", "a", "good", "film"]
    assert needs_in_words(answered(words, singles(6, 2))) == ["without word 3 (not): hallway (0.81)"]
    pairs = [*singles(6), *all_pairs(6, *((0, other) for other in range(1, 6)), (1, 2), (1, 3))]
    first, *five, last = needs_in_words(answered(words, pairs))
    assert first == "still garden without any one word"
    assert five[0] == "without words 1 (this) and 2 (is): office (0.50)"
    assert (len(five), last) == (5, "and without 2 more pairs")


def test_regions_are_called_what_they_are() -> None:
    form = PictureForm(rows=10, columns=10, side=20)
    picture = Picture.whole(form, np.zeros(form.shape, np.uint8))
    assert needs_in_words(answered(picture.facts, singles(64, 12), picture=picture)) == [
        "without region row 2, column 8: hallway (0.81)",
        "(of the 64 regions with the highest gates, one at a time)",
    ]
    pairs = [*singles(100), *all_pairs(12, (0, 1))]
    assert needs_in_words(answered(picture.facts, pairs, picture=picture))[1:] == [
        "without regions row 1, column 1 and row 1, column 2: office (0.50)"
    ]


def test_where_each_fact_is_answered_that_is_said() -> None:
    tagged = answered(["The", "dog"], None, by_fact=["DET", "NOUN"])
    assert needs_in_words(tagged) == ["each fact has an answer, so none was left out"]
    assert "needed" not in tagged.as_json()
    assert needs_in_words(answered(["The dog."], None)) == []


@pytest.mark.parametrize("options", [(), ("--no-bind",), ("--batch-size", 3)])
def test_eval_and_ask_say_the_same(
    dmn: Dmn, run: Path, world: Path, tmp_path: Path, options: tuple[object, ...]
) -> None:
    predictions = tmp_path / "predictions.jsonl"
    said = dmn("eval", run, world, "--why", "--json", "--predictions", predictions, *options).out
    plain = Evaluated.model_validate_json(dmn("eval", run, world, "--json").out)
    document = Evaluated.model_validate_json(said)
    figures = document.tasks["qa1"]
    assert figures.model_fields_set - plain.tasks["qa1"].model_fields_set == {
        "faithfulness",
        "right_reason",
        "other_reason",
        "no_reason",
    }
    assert figures.right_reason + figures.other_reason + figures.no_reason == pytest.approx(figures.accuracy)
    assert figures.faithfulness > 0.95
    assert figures.right_reason > 0.8
    lines = [Predicted.model_validate_json(line) for line in predictions.read_text().splitlines()]
    asked = dmn("ask", run, "--batch", predictions, "--why").lines
    assert [line["needed"] for line in asked] == [line.needed for line in lines]
    right = [line for line in lines if line.correct and line.needed]
    for_the_right_reason = [line for line in right if all({*facts} & {*line.support} for facts in line.needed)]
    assert figures.right_reason == pytest.approx(len(for_the_right_reason) / len(lines))


def test_eval_on_names_that_nobody_has_seen(dmn: Dmn, run: Path, world: Path, tmp_path: Path) -> None:
    """Beside those that are known: both halves are judged in one evaluation."""
    jsonl, data, predictions = (tmp_path / name for name in ("stories.jsonl", "data", "predictions.jsonl"))
    lines = [
        {"story": facts, "question": question, "answer": answer, "support": [3], "split": "test"}
        for facts, question, answer in ((STORY, QUESTION, "garden"), (NEW, "Where is Aisha?", "crypt"))
    ]
    learnt = {"story": STORY, "question": QUESTION, "answer": "garden", "split": "train"}
    jsonl.write_text("".join(f"{json.dumps(line)}\n" for line in (*lines, learnt, {**learnt, "split": "valid"})))
    assert dmn("prepare", "jsonl", jsonl, "--out", data).code == 0
    said = dmn("eval", run, data, "--why", "--json", "--predictions", predictions)
    [figures] = Evaluated.model_validate_json(said.out).tasks.values()
    assert (figures.accuracy, figures.right_reason) == (1, 1)
    assert [json.loads(line)["needed"] for line in predictions.read_text().splitlines()] == [[[3]], [[3]]]


def test_what_a_person_reads_of_an_evaluation(dmn: Dmn, run: Path, world: Path) -> None:
    out = dmn("eval", run, world, "--why").out
    assert "faithful" in out.splitlines()[0]
    assert "right reason" in out.splitlines()[0]
    assert "for another reason" in out
    assert "reason" not in dmn("eval", run, world).out
