"""What plots show: every figure that is drawn is one of the answer's or the report's."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from conftest import Dmn
from matplotlib.collections import QuadMesh
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.text import Text

from dmn_cli.reporting.confusions import CLASSES, matrix
from dmn_cli.reporting.plots import style
from dmn_cli.reporting.plots.curves import curves
from dmn_cli.reporting.plots.measured import confusions, file_name, overview
from dmn_cli.reporting.plots.why import FACTS, Explained, furthest, why

FACTS_TOLD = ["Mary went to the kitchen.", "Mary got the milk.", "John slept."]
GATES = [[0.1, 0.9, 0.0], [0.8, 0.0, 0.004]]
LENGTHS = {
    "": [{"from": 2, "to": 4, "answers": 20, "accuracy": 0.5, "low": 0.3, "high": 0.7}],
    "qa1": [{"from": 2, "to": 4, "answers": 20, "accuracy": 0.5, "low": 0.3, "high": 0.7}],
}


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if isinstance(text, Text) and text.get_text()]


def written(figure: Figure, word: str) -> Text:
    [found] = [text for text in figure.findobj(Text) if isinstance(text, Text) and word == text.get_text()]
    return found


def explained(**changes: Any) -> Explained:
    whole = Explained("Where is the milk?", "kitchen", 0.987, FACTS_TOLD, GATES, read=[0, 1], support=[1, 0])
    return whole._replace(**changes)


def test_the_heat_map_has_the_gates_as_shades_and_numbers() -> None:
    figure = why(explained())
    [mesh] = figure.findobj(QuadMesh)
    assert isinstance(mesh, QuadMesh)
    np.testing.assert_array_equal(np.asarray(mesh.get_array()), np.transpose(GATES))
    said = texts(figure)
    assert {"Where is the milk?", "kitchen", "98.7 % sure", "pass 1", "pass 2", "0.90", "0.80", "0.10"} <= set(said)
    assert "0.00" not in said
    assert said.count("★ supporting") == 2
    weights = [written(figure, fact).get_fontweight() for fact in FACTS_TOLD]
    assert weights == ["bold", "bold", "normal"]


def test_words_stand_in_lines_with_their_tags() -> None:
    words = ["The", "dog", "barks"] * 20
    gates = [[i / 60 for i in range(60)]]
    figure = why(
        explained(facts=words, gates=gates, words=True, support=(), read=[], tags=["DET", "NOUN", "VERB"] * 20)
    )
    said = texts(figure)
    assert (said.count("dog"), said.count("NOUN")) == (20, 20)
    assert "kitchen" not in said
    meshes = [mesh for mesh in figure.findobj(QuadMesh) if isinstance(mesh, QuadMesh)]
    assert len(meshes) > 1
    shown = np.concatenate([np.asarray(mesh.get_array()) for mesh in meshes], axis=1)
    np.testing.assert_array_equal(shown, gates)


def test_of_a_long_story_the_facts_let_through_furthest_are_shown_and_the_supporting_ones() -> None:
    gates = np.linspace(0, 0.5, 100)[np.newaxis]
    assert furthest(gates, 3, [2]) == [2, 98, 99]
    figure = why(explained(facts=[f"fact {i}" for i in range(100)], gates=gates.tolist(), read=[], support=[5]))
    assert "fact 5" in texts(figure)
    assert "fact 6" not in texts(figure)
    assert f"{FACTS} of 100 facts" in " ".join(texts(figure))


def test_what_an_answer_needs_and_what_was_right_are_said() -> None:
    said = texts(why(explained(needed=[1], right="garden")))
    assert "★ supporting · needed" in said
    assert "98.7 % sure · right: garden" in said
    assert "needed: without it the answer is another" in " ".join(said)


def test_a_network_without_gates_says_so() -> None:
    assert "no gates" in " ".join(texts(why(explained(gates=[], read=[], support=()))))


def test_dollars_and_long_texts_are_shown_as_they_are(tmp_path: Path) -> None:
    figure = why(explained(question="$x$ " * 60, facts=["a_b $2^3$ " * 40, "", "{}"]))
    style.save(figure, tmp_path / "plot.png")
    assert any("$2^3$" in text for text in texts(figure))
    assert figure.get_figwidth() == style.WIDTH


@pytest.mark.parametrize("value", np.linspace(0, 1, 21))
def test_numbers_can_be_read_on_their_shades(value: float) -> None:
    """Contrast as WCAG 2 has it, of at least 4.5."""

    def luminance(color: Any) -> float:
        channels = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color)]
        return float(np.dot(channels, [0.2126, 0.7152, 0.0722]))

    dark, light = sorted([luminance(style.shades()(value)[:3]), luminance(style.on_shade(value))])
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_confusions_count_every_answer_of_the_task(dmn: Dmn, run: Path, world: Path) -> None:
    figures = dmn("eval", run, world, "--split", "valid", "--json").document["tasks"]["qa1"]
    names, counts = matrix(figures)
    assert names[: len(counts)] == [one["class"] for one in figures["classes"]]
    assert counts.sum(axis=1).tolist() == [one["count"] for one in figures["classes"]]
    figure = confusions("qa1", figures)
    [image] = [image for image in figure.findobj(AxesImage) if isinstance(image, AxesImage)]
    np.testing.assert_allclose(np.asarray(image.get_array()).sum(axis=1), 1)


def test_of_many_classes_the_most_frequent_are_shown() -> None:
    classes = [{"class": f"c{i}", "count": 100 - i} for i in range(CLASSES + 5)]
    wrong = [{"right": "c0", "answer": "c24", "count": 7}, {"right": "c1", "answer": "c0", "count": 2}]
    names, counts = matrix({"classes": classes, "confusions": wrong})
    assert names[-1] == "others"
    assert (counts[0, 0], counts[0, -1], counts[1, 0], counts[1, 1]) == (93, 7, 2, 97)


def test_a_report_without_classes_has_no_confusions() -> None:
    calibration = {"temperature": 1.0, "ece": 0.1, "ece_uncalibrated": 0.1}
    bins = [{"from": 0.8, "questions": 5, "confidence": 0.85, "accuracy": 0.8}]
    report = {"tasks": {"names": {"accuracy": 0.5}}, "calibration": {**calibration, "bins": bins}}
    said = texts(overview(report, LENGTHS))
    assert {"Calibration", "Accuracy by story length", "2–4"} <= set(said)
    assert not [text for text in said if "Confusions" in text]


@pytest.mark.parametrize("epochs", [1, 50])
def test_curves_show_every_epoch_and_say_which_is_kept(epochs: int) -> None:
    lines = [
        {"epoch": n, "loss": 2 / n, "gate_loss": 0.0, "valid_loss": 1 / n, "valid_accuracy": n / 100, "best": n < 40}
        for n in range(1, epochs + 1)
    ]
    figure = curves(lines)
    [loss, valid_loss], [accuracy, *_] = (axes.get_lines() for axes in figure.axes)
    assert np.asarray(loss.get_ydata()).tolist() == [line["loss"] for line in lines]
    assert np.asarray(valid_loss.get_xdata()).tolist() == [line["epoch"] for line in lines]
    assert np.asarray(accuracy.get_ydata()).tolist() == [line["valid_accuracy"] for line in lines]
    assert f"that of epoch {min(epochs, 39)}," in " ".join(texts(figure))


@pytest.mark.parametrize("suffix", [".svg", ".png", ".PNG"])
def test_the_same_plot_is_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    one, other = tmp_path / f"one{suffix}", tmp_path / f"other{suffix}"
    for path in (one, other):
        style.save(why(explained()), path)
    assert one.read_bytes() == other.read_bytes()
    if suffix == ".svg":
        assert ElementTree.fromstring(one.read_text()).tag.endswith("svg")


def test_characters_that_no_font_has_are_told(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="boxes"):
        style.save(why(explained(question="\U0001f9ff\ue000?")), tmp_path / "plot.png")
    assert (tmp_path / "plot.png").is_file()


def test_a_task_of_any_name_is_the_name_of_a_file() -> None:
    assert file_name("qa1") == "qa1"
    assert "/" not in file_name("a/../b c")


def test_json_has_all_that_is_drawn(dmn: Dmn, run: Path, world: Path) -> None:
    """Plots are of figures that `dmn eval --json` prints, so that a script can draw its own."""
    document = dmn("eval", run, world, "--json").document
    json.dumps(overview(document, LENGTHS).axes[0].get_title())
    assert overview(document, LENGTHS).axes[0].get_title(loc="left") == "Calibration"
