"""What a model directory refuses to be read as."""

import json
import shutil
from pathlib import Path

import pytest
from conftest import Dmn, fails

from dmn_cli.artifact import directory
from dmn_cli.artifact.card import card
from dmn_cli.errors import ModelError


@pytest.fixture
def model(run: Path, tmp_path: Path) -> Path:
    """A copy, to be changed."""
    return Path(shutil.copytree(run / "model", tmp_path / "model"))


def test_a_network_of_a_newer_dmn_is_not_called_damaged(dmn: Dmn, model: Path) -> None:
    config = json.loads((model / "config.json").read_text())
    assert "network" not in config["model"], "it is the DMN"
    config["model"] = {"network": "oracle", "depth": 3}
    (model / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError) as caught:
        directory.load(model)
    assert "damaged" not in str(caught.value)
    fails(dmn("ask", model, "--batch", "-"), 4, "its network is 'oracle', which this dmn doesn't know", "upgrade")


def test_the_same_weights_are_the_same_bytes(model: Path, tmp_path: Path) -> None:
    loaded = directory.load(model)
    metrics = json.loads((model / "metrics.json").read_text())
    for i in range(8):  # since the order of a hash table is another one each time
        directory.save(tmp_path / str(i), loaded, metrics, [])
    assert len({(tmp_path / str(i) / "model.safetensors").read_bytes() for i in range(8)}) == 1


def test_names_in_the_card_are_no_markdown_and_no_html(model: Path) -> None:
    loaded = directory.load(model)
    metrics = json.loads((model / "metrics.json").read_text())
    [task] = metrics["tasks"].values()
    task["classes"][0]["class"] = "*a*|<b>"
    written = card(loaded, {**metrics, "tasks": {"<script>x": task}}, 1)
    assert r"| \<script\>x | " in written
    assert r"| \*a\*\|\<b\> | " in written
    assert "<script" not in written.replace(r"\<", "")


@pytest.mark.parametrize("network", [5, None, [1], {}])
def test_a_network_without_a_name_is_damaged(model: Path, network: object) -> None:
    config = json.loads((model / "config.json").read_text())
    config["model"] = {**config["model"], "network": network}
    (model / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="damaged"):
        directory.load(model)
