"""Questions that no fact answers: an independent reader finds no answer to any of them; all else is as it was."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Dmn, fails
from helpers import BABI, needs
from oracles import ORACLES

from dmn_cli.data.batches import Batches
from dmn_cli.data.formats.story_world import FAMILIES, Dials, bears, stories
from dmn_cli.data.formats.unanswerable import CLOSED, Unanswerable, adding, by_words
from dmn_cli.data.store.reader import DataSet
from dmn_cli.data.words.from_spacy import stop_words
from dmn_cli.errors import DataError
from dmn_cli.records.text import Question, Story

OPEN = [task for task in FAMILIES if task not in CLOSED]
BY_WORDS = by_words(stop_words("en"))


def added(pairs: Iterator[tuple[str, Story]]) -> list[Story]:
    return [story for _, story in pairs if story.questions[0].answer == ("unknown",)]


def story(*facts: str, asked: str, support: tuple[int, ...] = (), answer: str = "garden") -> Story:
    return Story("mine", facts, (Question(asked, len(facts), (answer,), support),))


def left(told: Story) -> tuple[str, ...] | None:
    """The facts that don't bear on the question, by its words; None: it isn't sure to be open."""
    bearing = BY_WORDS(told, told.questions[0])
    return None if bearing is None else tuple(fact for i, fact in enumerate(told.facts) if i not in bearing)


@pytest.mark.parametrize("dials", [Dials(), Dials(distractors=3)], ids=["usual", "distracted"])
@pytest.mark.parametrize("task", OPEN)
def test_the_world_leaves_them_open(task: str, dials: Dials) -> None:
    told = [("train", story) for story in stories(task, 400, 5, "train", dials)]
    pairs = list(adding(told, Unanswerable(0.5, "unknown", bears), 1))
    assert [pair for pair in pairs if pair[1].questions[0].answer != ("unknown",)] == told
    unknown = added(iter(pairs))
    assert len(unknown) == 200 or (task == "qa20" and len(unknown) > 80)  # "Why did sumit go there?" is never open
    for open_story in unknown:
        [question] = open_story.questions
        assert question == Question(question.text, len(open_story.facts), ("unknown",))
        if not dials.distractors:  # whom the readers don't know
            assert ORACLES[task](open_story.facts, question.text) is None


@pytest.mark.parametrize("task", CLOSED)
def test_the_world_has_closed_families(task: str) -> None:
    assert FAMILIES[task].bears is None
    told = [("train", story) for story in stories(task, 100, 5, "train")]
    with pytest.raises(DataError, match=rf"{task} can't have unanswerable questions"):
        list(adding(told, Unanswerable(0.1, "unknown", bears), 1))


@pytest.mark.parametrize("task", OPEN)
def test_words_leave_them_open(task: str) -> None:
    """Without a look at how the stories are made, as of the published files."""
    told = [("train", story) for story in stories(task, 400, 6, "train")]
    unknown = added(adding(told, Unanswerable(0.1, "unknown", BY_WORDS), 1))
    assert len(unknown) >= 30
    for open_story in unknown:
        assert ORACLES[task](open_story.facts, open_story.questions[0].text) is None


def test_what_names_it_is_taken_out_and_what_refers_to_that() -> None:
    asked = "Where is Will?"
    assert left(story("Will left.", "He came.", "Ann sat.", "Will ran.", asked=asked, support=(3,))) == ("Ann sat.",)
    assert left(story("Ann sat.", "She ran.", "WILL ran.", asked=asked, support=(2,))) == ("Ann sat.", "She ran.")
    # where supporting facts follow one that names it, those after all others that do may mean it too
    facts = "Will ran.", "Ta jivo.", "Ann sat.", "Will ran.", "Ta kibo.", "Ann ran."
    assert left(story(*facts, asked=asked, support=(3, 4))) == ("Ann sat.", "Ann ran.")


def test_what_isn_t_sure_to_be_open_is_left_alone() -> None:
    assert left(story("They sat.", "Ann sat.", asked="Where is Will?", support=(0,))) is None
    assert left(story("They sat.", "Ann sat.", asked="Where is it?", support=(0,))) is None
    alone = story("Ann sat.", "Ann ran.", asked="Where is Ann?", support=(1,))
    with pytest.raises(DataError, match="no fact is left"):
        list(adding([("train", alone)] * 20, Unanswerable(0.1, "unknown", BY_WORDS), 1))


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (story("Ann sat.", asked="Did Ann sit?", support=(0,), answer="yes"), "some are answered by yes"),
        (story("Ann sat.", asked="How many sat?", support=(0,), answer="one"), "some are answered by counts"),
        (story("Ann sat.", asked="Who sat?", support=(0,), answer="Unknown"), "is an answer of mine already"),
        (story("Ann sat.", asked="Who sat?", answer="Ann"), "its supporting facts aren't known"),
        (story("Ann", asked="Who?", support=(0,))._replace(facts_are_words=True), "about the words of a text"),
        (Story("mine", ("A b.",), (Question("Who?", 1, ("A", "b"), (0,)),)), "some are answered by lists"),
    ],
)
def test_what_is_refused(told: Story, said: str) -> None:
    with pytest.raises(DataError, match=said):
        list(adding([("train", told)], Unanswerable(0.1, "unknown", BY_WORDS), 1))


@pytest.fixture(scope="module")
def data(dmn: Dmn, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("unanswerable") / "data"
    options = ("--tasks", "1,2", "--questions", 300, "--unanswerable", 0.2, "--out", out)
    result = dmn("prepare", "story", *options, "--export", out.with_suffix(".jsonl"))
    assert result.code == 0, result.err
    assert "132 unanswerable questions added (108 in train, 12 in valid, 12 in test), answered 'unknown'" in result.out
    return out


def test_a_data_set_says_which_they_are(dmn: Dmn, data: Path, tmp_path: Path) -> None:
    summary = json.loads((data / "dataset.json").read_text())
    assert summary["unanswerable"] == {
        "label": "unknown",
        "share": 0.2,
        "added": {"train": 108, "valid": 12, "test": 12},
    }
    lines: list[dict[str, Any]] = list(map(json.loads, data.with_suffix(".jsonl").read_text().splitlines()))
    counts = Counter((line["task"], line["split"]) for line in lines if line["answer"] == "unknown")
    assert counts == {
        (task, split): n for task in ("qa1", "qa2") for split, n in (("train", 54), ("valid", 6), ("test", 6))
    }
    assert not any("support" in line for line in lines if line["answer"] == "unknown")
    again = dmn(
        "prepare", "story", "--tasks", "1,2", "--questions", 300, "--unanswerable", 0.2, "--out", tmp_path / "2"
    )
    assert again.code == 0
    for name in ("train.arrow", "valid.arrow", "test.arrow", "vocabulary.json"):
        assert (tmp_path / "2" / name).read_bytes() == (data / name).read_bytes()


def test_jsonl_goes_by_words(dmn: Dmn, tmp_path: Path) -> None:
    lines = [line for i in range(30) for line in spoken(i)]
    path = tmp_path / "mine.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    options = ("--unanswerable", 0.1, "--unknown-label", "can't say", "--json")
    summary = dmn("prepare", "jsonl", path, "--out", tmp_path / "data", *options).document
    assert summary["unanswerable"]["label"] == "can't say"
    assert sum(summary["unanswerable"]["added"].values()) == 5


def spoken(i: int) -> Iterator[dict[str, Any]]:
    """Two questions about a story."""
    facts = ["Ann went to the park.", "Bob went home.", f"Ann took bus {i}."]
    yield {"story": facts[:2], "question": "Where is Ann?", "answer": "park", "support": [0]}
    yield {"story": facts, "question": "Where is Bob?", "answer": "home", "support": [1]}


def test_unknown_never_changes_place(data: Path) -> None:
    """Names do, in the same batches; and fewer facts leave it unknown."""
    opened = DataSet(data)
    symmetries = opened.summary["symmetries"]
    assert symmetries
    assert "unknown" not in json.dumps(symmetries)
    batches = Batches.of(opened, "train", opened.vocabulary.of_training())
    label = batches.answers[opened.unknown]
    everything = np.arange(batches.split.stories)
    unanswerable = opened.unanswerable(batches.split, batches.question_rows(everything))
    assert unanswerable.sum() == 108
    thinned = batches.batch(everything, thin=np.random.default_rng(1))
    assert (thinned.answer[:, 0].numpy() == label).tolist() == unanswerable.tolist()
    whole = batches.batch(everything)
    assert (thinned.facts_seen[unanswerable] < whole.facts_seen[unanswerable]).sum() > 30
    assert thinned.facts_seen.min() >= 1


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["story", "--unanswerable", 0.1], 2, ["qa6 (yes or no), qa7 (counts), qa8 (lists)", "--tasks"]),
        (["story", "--tasks", 1, "--unanswerable", 0.7], 2, ["--unanswerable"]),
        (["story", "--tasks", 1, "--unanswerable", "nan"], 2, ["nan"]),
        (["story", "--tasks", 1, "--unknown-label", "no"], 2, ["--unknown-label is for --unanswerable"]),
        (["story", "--tasks", 1, "--unanswerable", 0.1, "--unknown-label", "\t"], 2, ["--unknown-label is no word"]),
        (["story", "--tasks", 1, "--unanswerable", 0.1, "--unknown-label", "Garden"], 3, ["is an answer of qa1"]),
        (["story", "--tasks", 1, "--unanswerable", 0.1, "--format", "babi"], 2, ["--format babi"]),
    ],
)
def test_what_can_t_be(dmn: Dmn, tmp_path: Path, args: list[object], code: int, said: list[str]) -> None:
    fails(dmn("prepare", *args, "--out", tmp_path / "data"), code, *said)
    assert not list(tmp_path.iterdir())


@needs(BABI)
def test_the_published_files(dmn: Dmn, tmp_path: Path) -> None:
    babi = ("prepare", "babi", BABI, "--variant", "en", "--unanswerable", 0.1, "--out", tmp_path / "data")
    fails(dmn(*babi, "--tasks", "1,6"), 2, "qa6 (yes or no)")
    fails(dmn(*babi, "--tasks", 1, "--no-supports"), 2, "--no-supports")
    told = dmn(*babi, "--tasks", "4,11", "--export", tmp_path / "out.jsonl", "--json").document
    assert told["unanswerable"]["added"] == {"train": 180, "valid": 20, "test": 199}
    for line in map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines()):
        said = ORACLES[line["task"]](line["story"], line["question"])
        assert said == (None if line["answer"] == "unknown" else (line["answer"],))
