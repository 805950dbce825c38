"""Which preset data get of which a user says nothing more."""

from pathlib import Path
from typing import Any

import pytest
from conftest import Dmn

from dmn_cli.settings.load import load
from dmn_cli.training.suits import suited

TEXT = {"tokenizer": {"kind": "spacy"}, "forms": {}, "words": 501, "questions_with_support": 0}
WORDS = {"What?": {"words": True, "each": False}}
TAGS = {"Which tags?": {"words": True, "each": True}}
TREES = {"tokenizer": {"kind": "spacy", "trees": ["bad", "good"]}}
PICTURES = {"pictures": {"count": 1}, "words": 40}


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, "text"),
        ({"forms": WORDS}, "text"),
        ({"words": 500}, None),
        ({"questions_with_support": 1}, None),
        ({"forms": TAGS}, None),
        ({"symmetries": {"qa1": {"classes": [["john", "mary"]]}}}, None),
        ({"symmetries": {"mine": {}}}, "text"),
        (TREES, "tree-lstm"),
        (PICTURES, "dmn-image"),
    ],
)
def test_the_preset_suits_the_data(changes: dict[str, Any], name: str | None) -> None:
    found = suited([TEXT | changes])
    assert (found and found.name) == name
    assert suited([TEXT, TEXT | changes]) == (found if name == "text" else None)


def test_natural_text_is_read_as_such_where_nothing_else_is_said(dmn: Dmn, tmp_path: Path) -> None:
    rows = [f'"{" ".join(f"w{i}x{j}" for j in range(10))}",{"ab"[i % 2]}' for i in range(100)]
    (tmp_path / "t.csv").write_text("\n".join(["text,label", *rows]))
    (tmp_path / "mine.toml").write_text("[model]\nhidden = 4\n")
    data, run = tmp_path / "data", tmp_path / "run"
    prepared = dmn("prepare", "table", tmp_path / "t.csv", "--input", "text", "--label", "label", "--out", data)
    assert prepared.code == 0, prepared.err
    train = "train", data, "--out", run, "--force", "--epochs", 1, "--set=model.hidden=4", "--set=training.steps=1"
    for more, preset, said in (
        ((), "text", True),
        (("--config", tmp_path / "mine.toml"), "text", True),
        (("--preset", "dmn-plus"), "dmn-plus", False),
        (("--config", run / "config.toml"), "dmn-plus", False),  # of the run before, which names its preset
    ):
        trained = dmn(*train, *more)
        assert trained.code == 0, trained.err
        assert ("preset text: the data are natural text" in trained.err) == said
        assert load(config=run / "config.toml", of_run=True).preset == preset
        assert ("ngrams 3" in trained.err) == ("ngrams_rate 20.0" in trained.err) == (preset == "text")
    (tmp_path / "v.txt").write_text("w1x1 0.5 1\nw2x2 1 -0.5\n")
    options = ("--input", "text", "--label", "label", "--vectors", tmp_path / "v.txt")
    assert dmn("prepare", "table", tmp_path / "t.csv", *options, "--out", tmp_path / "given").code == 0
    trained = dmn("train", tmp_path / "given", *train[2:])
    assert "ngrams 0" in trained.err, "what vectors say of few texts, n-grams would drown"
