"""Pictures from the command line: prepared, learnt from, and asked about."""

import base64
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from conftest import Dmn, fails
from PIL import Image

from dmn_cli import Predictor
from dmn_cli.data.formats.images import sort_of_clevr
from dmn_cli.data.store.reader import DataSet

QUESTION = "What is the shape of the red object?"
FEW_STEPS = ("--set=training.steps=1", "--set=training.learning_rate=0.002", "--set=training.averaging=0")
TINY = ["--preset=dmn-image", "--set=model.hidden=12", "--set=model.channels=6", "--device=cpu"]


@pytest.fixture(scope="module")
def shapes(dmn: Dmn, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of 40 pictures and two to test on."""
    out = tmp_path_factory.mktemp("shapes") / "data"
    made = dmn("prepare", "image", "--make", "sort-of-clevr", "--pictures", 40, "--grid", 5, "--out", out)
    assert made.code == 0, made.err
    return out


@pytest.fixture(scope="module")
def run(dmn: Dmn, shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("seen") / "run"
    trained = dmn("train", shapes, "--out", out, "--epochs", 2, *TINY, *FEW_STEPS)
    assert trained.code == 0, trained.err
    return out


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that is nowhere in the data."""
    path = tmp_path_factory.mktemp("picture") / "p.png"
    Image.fromarray(next(sort_of_clevr.pictures(range(999, 1000), 1))).save(path)
    return path


def test_each_picture_is_stored_once(shapes: Path) -> None:
    data = DataSet(shapes)
    assert data.pictures is not None
    assert data.pictures.array.shape == (42, 75, 75, 3)
    assert data.tasks == ["relational", "non-relational"]
    assert data.summary["questions_of"]["test"] == {"relational": 20, "non-relational": 20}
    assert data.pictures.of["test"].tolist() == [40, 40, 41, 41]
    assert np.array_equal(data.pictures.array[40], next(sort_of_clevr.pictures(range(40, 41), 1)))


def test_the_same_seed_makes_the_same_data(dmn: Dmn, shapes: Path, tmp_path: Path) -> None:
    for seed, same in ((1, True), (2, False)):
        made = ("prepare", "image", "--make", "sort-of-clevr", "--pictures", 40, "--grid", 5, "--seed", seed)
        assert dmn(*made, "--out", tmp_path / str(seed) / "data").code == 0
        again = DataSet(tmp_path / str(seed) / "data").summary["sha256"]
        assert (again == DataSet(shapes).summary["sha256"]) == same


def test_one_question_a_stream_and_the_library_answer_alike(dmn: Dmn, run: Path, picture: Path, tmp_path: Path) -> None:
    asked = dmn("ask", run, "--image", picture, "--question", QUESTION, "--json").document
    assert [len(gates) for gates in asked["gates"]] == [25, 25]
    assert asked["facts"][:6] == [*(f"row 1, column {n}" for n in range(1, 6)), "row 2, column 5"]
    lines = [{"id": i, "image": str(picture), "question": QUESTION} for i in range(3)]
    lines[1]["image"] = str(tmp_path / "none.png")
    said = dmn("ask", run, "--batch", "-", stdin="".join(json.dumps(line) + "\n" for line in lines).encode()).lines
    for place in (0, 2):  # within what docs/formats.md states
        numbers = {key: pytest.approx(np.array(asked[key]), abs=1e-5) for key in ("confidence", "gates")}
        assert {**said[place], "gates": np.array(said[place]["gates"])} == {"id": place, **asked, **numbers}
    assert set(said[1]) == {"id", "error"}
    assert "line 2: " in said[1]["error"]
    assert "none.png" in said[1]["error"]
    predictor = Predictor(run)
    for given in (str(picture), picture, picture.read_bytes(), np.asarray(Image.open(picture))):
        answer = predictor.answer(given, QUESTION)
        assert (answer.text, round(answer.confidence, 5)) == (asked["answer"], round(asked["confidence"], 5))


def test_questions_about_several_pictures_are_answered_as_about_each(run: Path) -> None:
    predictor = Predictor(run)
    pictures = [*sort_of_clevr.pictures(range(3), 5)]
    asked = [(picture, question) for picture in pictures for question in (QUESTION, "Is it red?")]
    for (picture, question), answer in zip(asked, predictor.answer_all(asked), strict=True):
        alone = predictor.answer(picture, question)
        assert alone.text == answer.text
        assert alone.confidence == pytest.approx(answer.confidence, rel=1e-4)
        assert np.allclose(alone.gates, answer.gates, atol=1e-5)


def test_evaluation_and_golden_questions(dmn: Dmn, run: Path, shapes: Path) -> None:
    report = dmn("eval", run, shapes, "--json").document
    assert set(report["tasks"]) == {"relational", "non-relational"}
    assert report["questions"] == 40
    assert "gate_recall" in report["tasks"]["relational"]
    page = run.parent / "page.html"
    assert dmn("report", run, shapes, "--out", page).code == 0
    written = page.read_text(encoding="utf-8")
    assert "row 5, column 5" in written
    cards = written.count('<article class="card">')
    pictures = re.findall(r'<img src="data:image/png;base64,([^"]+)"', written)
    assert len(pictures) == 3 * cards > 0, "as it is, and as each of two passes saw it"
    drawn = [np.asarray(Image.open(io.BytesIO(base64.b64decode(content)))) for content in pictures[:3]]
    known = DataSet(shapes).pictures
    assert known is not None
    assert any(np.array_equal(drawn[0], array) for array in known.array[40:])
    assert (drawn[1] >= drawn[0]).all(), "what a pass didn't read fades into the paper"
    assert dmn("eval", run, shapes, "--plot", run.parent / "plots").code == 0
    assert (run.parent / "plots" / "worst-mistake.png").is_file()
    verified = dmn("eval", run, "--verify", "--json")
    assert verified.code == 0, verified.err
    assert verified.document["questions"] == 8


def test_why_shows_where_each_pass_looked(dmn: Dmn, run: Path, picture: Path, tmp_path: Path) -> None:
    plot = tmp_path / "why.png"
    asked = ("ask", run, "--image", picture, "--question", QUESTION)
    shown = dmn(*asked, "--why", "--plot", plot)
    assert shown.code == 0, shown.err
    answer, titles, *grid = shown.out.splitlines()[:7]
    assert titles.split() == ["pass", "1", "pass", "2"]
    assert [len(line.split()) for line in grid] == [10] * 5
    assert answer == dmn(*asked, "--json").document["answer"]
    with Image.open(plot) as drawn:
        assert drawn.size[0] > 1000


def test_the_prompt_looks_at_pictures(dmn: Dmn, run: Path, picture: Path) -> None:
    said = dmn("ask", run, stdin=f"{QUESTION}\nMary is here.\n/image {picture}\n{QUESTION}\n/why\n/edit 1\n".encode())
    first, *_ = (line for line in said.out.splitlines() if line.startswith("Looking at"))
    assert str(picture) in first
    assert dmn("ask", run, "--image", picture, "--question", QUESTION).out in said.out
    assert "pass 1" in said.out
    assert "Say which picture first" in said.err
    assert said.err.count("this model looks at a picture") == 2
    sample = dmn("ask", run, stdin=b"/sample relational\n")
    assert "The right answer is" in sample.out, sample.err


def test_a_name_that_no_file_has_ends_nothing(dmn: Dmn, run: Path, picture: Path, tmp_path: Path) -> None:
    asked = [{"image": name, "question": QUESTION} for name in (str(picture), "a\0b", str(picture))]
    first, second, third = dmn("ask", run, "--batch", "-", stdin="\n".join(map(json.dumps, asked)).encode()).lines
    assert first["answer"] == third["answer"]
    assert "line 2: " in second["error"]
    assert "no file has such a name" in second["error"]
    said = dmn("ask", run, stdin=f"/image a\0b\n/image {picture}\n{QUESTION}\n".encode())
    assert "no file has such a name" in said.err
    assert first["answer"] in said.out
    (tmp_path / "p.png").write_bytes(picture.read_bytes())
    onto = ("--plot", tmp_path / "p.png", "--force")
    fails(dmn("ask", run, "--image", tmp_path / "p.png", "--question", QUESTION, *onto), 2, "is the picture")
    assert (tmp_path / "p.png").read_bytes() == picture.read_bytes()
    np.save(tmp_path / "f.npy", np.ones((5, 5, 3), np.float32))
    fails(dmn("ask", run, "--image", tmp_path / "f.npy", "--question", QUESTION), 3, "f.npy", "a picture is wanted")


def test_pictures_are_not_read_as_text(dmn: Dmn, shapes: Path, story: Path, tmp_path: Path) -> None:
    for sets in ((), ("--set=model.sentence=gru",)):
        fails(dmn("train", shapes, "--out", tmp_path / "run", "--read", story, *sets), 2, "the data are pictures")


def test_text_and_pictures_are_told_apart(
    dmn: Dmn, run: Path, shapes: Path, picture: Path, world: Path, story: Path, tmp_path: Path
) -> None:
    fails(dmn("ask", run, "--story", story, "--question", QUESTION), 2, "about pictures")
    fails(dmn("ask", "demo", "--image", picture, "--question", QUESTION), 2, "not about pictures")
    fails(dmn("eval", run, world), 2, "has text, and the model was taught about pictures of 5 × 5 regions")
    fails(dmn("eval", "demo", shapes), 2, "has pictures")
    fails(dmn("train", shapes, world, "--out", tmp_path / "both", *TINY), 2, "and not of both")
    fails(dmn("train", shapes, "--out", tmp_path / "cnn", "--preset", "bi-lstm"), 2, "has pictures", "dmn-image")
