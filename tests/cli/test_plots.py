"""--plot of dmn ask and dmn eval, and the curves of dmn train: drawn whole, or refused before anything is computed."""

from pathlib import Path

import pytest
from commands import QUESTION, STORY, disk_that_fills_up
from conftest import Dmn, fails

from dmn_cli.reporting.plots import style

PNG, SVG = b"\x89PNG\r\n\x1a\n", b"<?xml"


@pytest.fixture
def no_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(style, "find_spec", lambda name: None)


@pytest.mark.parametrize(("name", "begins"), [("why.png", PNG), ("why.svg", SVG)])
def test_an_answer_is_drawn_beside_what_is_printed(
    dmn: Dmn, run: Path, story: Path, tmp_path: Path, name: str, begins: bytes
) -> None:
    asked = ("ask", run, "--story", story, "--question", QUESTION, "--why")
    plain, drawn = dmn(*asked), dmn(*asked, "--plot", tmp_path / name)
    assert (drawn.code, drawn.out) == (0, plain.out)
    assert (tmp_path / name).read_bytes().startswith(begins)
    as_json = dmn(*asked, "--plot", tmp_path / name, "--force", "--json", "--quiet")
    assert (as_json.document["answer"], as_json.err) == ("kitchen", "")


def test_the_prompt_draws_the_same_picture(dmn: Dmn, run: Path, story: Path, tmp_path: Path) -> None:
    asked, at_the_prompt = tmp_path / "asked.svg", tmp_path / "plots" / "prompt.svg"
    assert dmn("ask", run, "--story", story, "--question", QUESTION, "--plot", asked).out == "kitchen\n"
    lines = f"{STORY}{QUESTION}\n/plot {at_the_prompt}\n/plot {tmp_path}/why.gif\n/plot {asked}\n"
    prompted = dmn("ask", run, stdin=lines.encode())
    assert prompted.out == f"kitchen\n{at_the_prompt} is drawn.\n"
    assert at_the_prompt.read_bytes() == asked.read_bytes()
    assert [".svg file" in line or "exists" in line for line in prompted.err.splitlines()].count(True) == 2
    assert {path.name for path in tmp_path.iterdir()} >= {"asked.svg", "plots"}
    assert not (tmp_path / "why.gif").exists()


@pytest.mark.usefixtures("no_matplotlib")
def test_the_prompt_says_how_to_install_matplotlib(dmn: Dmn, run: Path, tmp_path: Path) -> None:
    prompted = dmn("ask", run, stdin=f"{STORY}{QUESTION}\n/plot {tmp_path}/why.png\n?\n".encode())
    assert prompted.out == "kitchen\n" * 2
    assert "pip install matplotlib" in prompted.err
    assert not list(tmp_path.iterdir())


def test_an_evaluation_is_drawn_as_one_plot_or_as_a_folder_of_them(
    dmn: Dmn, run: Path, world: Path, tmp_path: Path
) -> None:
    plain = dmn("eval", run, world, "--json").document
    drawn = dmn("eval", run, world, "--json", "--plot", tmp_path / "all.svg")
    assert drawn.document.keys() == plain.keys()
    assert (tmp_path / "all.svg").read_bytes().startswith(SVG)
    assert dmn("eval", run, world, "--plot", tmp_path / "plots").code == 0
    names = {path.name for path in (tmp_path / "plots").iterdir()}
    mistakes = {"worst-mistake.png"} if plain["accuracy"] < 1 else set[str]()
    assert names == {"confusions-qa1.png", "length.png", "reliability.png"} | mistakes
    assert dmn("eval", run, world, "--plot", tmp_path / "plots", "--force").code == 0
    (tmp_path / "plots" / "notes.txt").write_text("mine")
    fails(dmn("eval", run, world, "--plot", tmp_path / "plots", "--force"), 2, "didn't write")
    assert (tmp_path / "plots" / "notes.txt").read_text() == "mine"


def test_a_training_leaves_its_curves(run: Path) -> None:
    assert (run / "curves.svg").read_bytes().startswith(SVG)


@pytest.mark.usefixtures("no_matplotlib")
def test_without_matplotlib_a_training_leaves_none_and_plots_say_how_to_install_it(
    dmn: Dmn, world: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    small = ("--epochs", 1, "--set", "model.hidden=8", "--set", "training.steps=1")
    assert dmn("train", world, "--out", out, *small).code == 0
    assert (out / "model").is_dir()
    assert not (out / "curves.svg").exists()
    install = "pip install matplotlib"
    nowhere = tmp_path / "nowhere"
    fails(dmn("ask", nowhere, "--story", "-", "--question", QUESTION, "--plot", tmp_path / "a.png"), 2, install)
    for name in ("a.png", "folder"):
        fails(dmn("eval", nowhere, nowhere, "--plot", tmp_path / name), 2, install)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize(
    ("plot", "says"),
    [
        ("plot.gif", ".png or an .svg"),
        ("there.png", "exists already"),
        ("there.png/plot.png", "its folder can't be made"),
    ],
)
def test_a_plot_that_cannot_be_is_refused_before_anything_is_read(
    dmn: Dmn, tmp_path: Path, plot: str, says: str
) -> None:
    (tmp_path / "there.png").write_bytes(b"")
    nowhere = tmp_path / "nowhere"
    fails(dmn("ask", nowhere, "--story", "-", "--question", QUESTION, "--plot", tmp_path / plot), 2, says)
    fails(dmn("eval", nowhere, nowhere, "--plot", tmp_path / plot), 2, says)
    assert [path.name for path in tmp_path.iterdir()] == ["there.png"]


@pytest.mark.parametrize("way", [("--batch", "-"), ("--table", "-"), ()], ids=["batch", "table", "prompt"])
def test_only_one_question_is_drawn(dmn: Dmn, run: Path, tmp_path: Path, way: tuple[str, ...]) -> None:
    fails(dmn("ask", run, *way, "--plot", tmp_path / "plot.png"), 2, "one question")


def test_a_full_disk_leaves_nothing_half_written(dmn: Dmn, run: Path, story: Path, tmp_path: Path) -> None:
    out = tmp_path / "plots"
    out.mkdir()
    with disk_that_fills_up(1000):
        fails(dmn("ask", run, "--story", story, "--question", QUESTION, "--plot", out / "why.png"), 5, "no room")
    assert not list(out.iterdir())
