"""The network as a graph against the network itself, in onnxruntime; and the files that dmn export writes."""

import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Dmn, fails
from helpers import ANSWERS, WORDS, network
from schemas import ExportedAs

from dmn_cli.artifact import directory
from dmn_cli.artifact.model import Model, build
from dmn_cli.data.words.tokenizer import WhitespaceTokenizer
from dmn_cli.data.words.vocabulary import SPARE, Vocabulary
from dmn_cli.errors import ModelError
from dmn_cli.records.network import Sizes
from dmn_cli.records.ngrams import keys
from dmn_cli.settings.load import load

pytest.importorskip("onnxruntime", reason="onnx and onnxruntime are an extra: dmn-cli[onnx]")
pytest.importorskip("onnx", reason="onnx and onnxruntime are an extra: dmn-cli[onnx]")

from dmn_cli.artifact.onnx import export as exporting
from dmn_cli.artifact.onnx.export import Asked, said
from dmn_cli.artifact.onnx.graph import Graph
from dmn_cli.artifact.onnx.network import network as as_graph

ROOT = Path(__file__).parents[2]
RULES = ROOT / "tests" / "golden" / "model-1" / "rules.json"
TEXT = ["mary", "john", "went", "to", "the", "kitchen", "office", ".", "where", "is", "?"]
Run = Callable[[Asked], tuple[np.ndarray, np.ndarray]]

NETWORKS = {
    "dmn": ("dmn", {}),
    "dmn-plus": ("dmn-plus", {}),
    "text": ("text", {}),
    "its own width of words": ("dmn", {"word_size": 5}),
    "end of passes": ("dmn", {"end_of_passes": True, "passes": 4}),
    "end of passes by sigmoids": ("dmn-plus", {"end_of_passes": True, "gates": "sigmoid"}),
    "sigmoid gates": ("text", {"gates": "sigmoid", "passes": 1, "fusion_layers": 3}),
    "mixed": ("dmn-plus", {"episode": "gru", "memory": "gru", "gate_features": "dmn", "reset": "before"}),
    "mixed otherwise": ("dmn", {"episode": "gate", "reset": "after", "memory": "relu", "pooled": True}),
}


def asked(*shape: int, words: int = WORDS, seed: int = 0) -> Asked:
    """questions, facts, words of a fact, words of a question: at most, and of all lengths up to these."""
    random = np.random.default_rng(seed)
    questions, *most = shape

    def text(longest: int) -> list[int]:
        return random.integers(1, words, random.integers(1, longest + 1)).tolist()

    return Asked.of(
        [([text(most[1]) for _ in range(random.integers(1, most[0] + 1))], text(most[2])) for _ in range(questions)]
    )


def graph_of(net: Any) -> Run:
    graph = Graph()
    logits, gates = as_graph(graph, net, torch.tensor([True] + [False] * (ANSWERS - 1)))
    model = graph.model(exporting.INPUTS, {"logits": (logits, ["q", "a"]), "gates": (gates, ["q", "p", "f"])})
    session = exporting.opened(model.SerializeToString())

    def run(given: Asked) -> tuple[np.ndarray, np.ndarray]:
        logits, gates = session.run(["logits", "gates"], given._asdict())
        return np.asarray(logits), np.asarray(gates)

    return run


@pytest.mark.parametrize("name", NETWORKS)
def test_the_graph_says_what_the_network_says(name: str) -> None:
    preset, changes = NETWORKS[name]
    net = network(preset, **changes)  # in float64
    net.temperature = 1.7
    run = graph_of(net)
    for shape in ((1, 1, 1, 1), (5, 6, 1, 3), (7, 9, 6, 5)):
        given = asked(*shape)
        logits, gates = run(given)
        expected, expected_gates = said(net, given)
        assert np.isneginf(logits[:, 0]).all()
        np.testing.assert_allclose(logits[:, 1:], expected[:, 1:], atol=2e-5)
        np.testing.assert_allclose(gates, expected_gates, atol=1e-5)
        assert gates.shape == (shape[0], net.episodic_memory.passes, given.story.shape[1])


@pytest.mark.parametrize("preset", ["dmn", "dmn-plus", "text"])
def test_padding_says_nothing(preset: str) -> None:
    run, given = graph_of(network(preset)), asked(4, 5, 6, 4, seed=3)
    room = [[(0, 0), *[(0, 3)] * (array.ndim - 1)] for array in given]
    padded = Asked(*(np.pad(array, more) for array, more in zip(given, room, strict=True)))
    padded.story[~padded.story_mask] = WORDS - 1  # whatever stands there
    (logits, gates), (same, more_gates) = run(given), run(padded)
    np.testing.assert_allclose(same, logits, atol=1e-6)
    np.testing.assert_allclose(more_gates[..., : gates.shape[2]], gates, atol=1e-6)
    assert (more_gates[..., gates.shape[2] :] == 0).all()


@pytest.mark.parametrize("longest", [1, 2, 3, 5])
def test_a_bag_of_n_grams(longest: int) -> None:
    """Across sentences, each of a text once, some of them known, where one is missing between known ones too."""
    given = asked(9, 6, 5, 4, words=6, seed=1)
    words = [story[mask] for story, mask in zip(given.story, given.story_mask, strict=True)]
    texts = np.repeat(np.arange(len(words)), [len(text) for text in words])
    found, _ = keys(np.concatenate(words), texts, longest)
    some = np.unique(found)[::2]
    net = network("text", ngrams=longest, ngram_rows=len(some))
    assert net.ngram_bag
    torch.nn.init.normal_(net.ngram_bag.T.weight)
    net.give_ngrams(torch.from_numpy(some), torch.linspace(0.1, 2, len(some)))
    run = graph_of(net)
    for shape in (given, asked(1, 1, 1, 1, words=3), asked(3, 2, 2, 2, words=4)):
        logits, _ = run(shape)
        np.testing.assert_allclose(logits[:, 1:], said(net, shape)[0][:, 1:], atol=2e-5)
    net.ngram_bag.w.zero_()
    assert np.abs(run(given)[0][:, 1:] - said(net, given)[0][:, 1:]).max() > 0.1


def made(preset: str = "dmn-plus", *, sizes: dict[str, Any] | None = None, ensemble: int = 1, **changes: Any) -> Model:
    """A model of random weights, with one name that stands for nobody."""
    vocabulary = Vocabulary()
    for word in (*TEXT, f"{SPARE}1"):
        vocabulary.words.add(word)
    for answer in ("kitchen", "office", f"{SPARE}1"):
        vocabulary.answers.add(answer)
    tokenizer = WhitespaceTokenizer("en", True, RULES.read_bytes())
    small = {"hidden": 8, "gates": "softmax", "passes": 3, "dropout": 0.0, "ngrams": 0}
    settings = load(preset).model.model_copy(update={**small, **changes})
    torch.manual_seed(5)
    of_data = Sizes(len(vocabulary.words), len(vocabulary.answers), 2, 8, per_fact=False)
    made = build(
        settings, vocabulary, replace(of_data, **(sizes or {})), tokenizer.spec, ["mine"], {}, preset, ensemble
    )
    made.tokenizer_files = tokenizer.files
    return made


def saved(model: Model, path: Path, golden: int = 1) -> Path:
    line = {"id": 1, "story": ["Mary went to the office ."], "question": "Where is Mary ?", "answer": "?"}
    directory.save(path, model, {"tasks": {}}, [{**line, "confidence": 0.5}] * golden)
    return path


@pytest.mark.parametrize("preset", ["dmn", "dmn-plus", "text"])
def test_the_page_s_python_answers_as_dmn_does(dmn: Dmn, tmp_path: Path, preset: str) -> None:
    """The lines of docs/onnx.md, in a process that imports neither dmn nor torch."""
    model = saved(made(preset), tmp_path / "model")
    exported = dmn("export", model, "--onnx", tmp_path / "two.onnx", "--json")
    assert exported.code == 0, exported.err
    told = ExportedAs.model_validate_json(exported.out)
    assert told.largest_difference <= 1e-4
    assert told.golden
    assert told.bytes == (tmp_path / "two.onnx").stat().st_size
    page = (ROOT / "docs" / "onnx.md").read_text(encoding="utf-8")
    [lines] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    check = "\nassert not {'torch', 'dmn_cli'} & set(sys.modules)\n"
    answered = subprocess.run([sys.executable, "-c", lines + check], cwd=tmp_path, check=True, capture_output=True)
    answer, _, gates = answered.stdout.decode().strip().partition(" ")
    line = {"story": ["mary went to the kitchen .", "john went to the office ."], "question": "where is mary ?"}
    expected = dmn("ask", model, "--batch", "-", stdin=json.dumps(line).encode()).document
    assert expected["answer"].split(",")[0] == answer  # random weights may go on after a word
    np.testing.assert_allclose(json.loads(gates), expected["gates"], atol=0.006)


def test_what_is_written(dmn: Dmn, tmp_path: Path) -> None:
    model, out = saved(made(), tmp_path / "model", golden=0), tmp_path / "out.onnx"
    result = dmn("export", model, "--onnx", out)
    assert result.code == 0, result.err
    assert result.err == ""
    assert re.search(r"checked in onnxruntime on \d+ questions: logits and gates differ by \S+ at most", result.out)
    assert re.search(r"a question takes \S+ ms in onnxruntime, \S+ ms in dmn", result.out)
    said = json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))
    assert said["words"] == [" <pad>", "<unk>", *TEXT, ""]
    assert said["answers"] == ["<end>", "kitchen", "office", ""]
    assert (said["unknown_word"], said["lowercase"], said["tokenizer"]) == (1, True, "whitespace")
    before = out.read_bytes()
    fails(dmn("export", model, "--onnx", out), 2, "exists already", "--force")
    assert dmn("export", model, "--onnx", out, "--force", "--quiet").code == 0
    assert out.read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"model", "out.onnx", "out.json"}


REFUSED: dict[str, dict[str, Any]] = {
    "answers at each fact": {"sizes": {"per_fact": True}},
    "answers have up to 2 words": {"sizes": {"max_answer_steps": 3}},
    "an ensemble of 2 networks": {"ensemble": 2},
    "the letters of words": {"preset": "text", "characters": 4},
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_it_can_t_express_is_named(dmn: Dmn, tmp_path: Path, reason: str) -> None:
    model = saved(made(**REFUSED[reason]), tmp_path / "model")
    fails(dmn("export", model, "--onnx", tmp_path / "out.onnx"), 2, "can't be exported to ONNX yet", reason)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        ([], 2, ["--onnx model.onnx"]),
        (["--onnx", "model.json"], 2, ["has the suffix .onnx"]),
        (["--onnx", "nowhere/out.onnx"], 4, ["there is no model"]),
    ],
)
def test_what_is_refused(
    dmn: Dmn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, args: list[str], code: int, said: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    fails(dmn("export", "model", *args), code, *said)


def test_without_the_libraries(dmn: Dmn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    hidden = {"onnxruntime"}
    monkeypatch.setattr(exporting, "find_spec", lambda name: None if name in hidden else found(name))
    args = ("export", tmp_path, "--onnx", tmp_path / "out.onnx")
    fails(dmn(*args), 2, "ONNX needs onnxruntime, which is not installed", "pip install onnxruntime")
    hidden.add("onnx")
    fails(dmn(*args), 2, "ONNX needs onnx and onnxruntime, which are not installed")


def test_a_file_that_answers_otherwise_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "said", lambda net, asked: tuple(part + 0.01 for part in said(net, asked)))
    with pytest.raises(ModelError, match=r"answers otherwise than the model: by up to 0.01"):
        exporting.export(made(), tmp_path / "out.onnx")
    assert not list(tmp_path.iterdir())
