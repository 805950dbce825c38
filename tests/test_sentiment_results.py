"""The table of tools/sentiment_results.py, and what it trains."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from dmn_cli.settings.load import load, parse_override

TOOLS = Path(__file__).parent.parent / "tools"


@pytest.fixture(scope="module")
def tools() -> Iterator[dict[str, Any]]:
    with pytest.MonkeyPatch.context() as patch:
        for folder in (TOOLS, TOOLS / "peers"):
            patch.syspath_prepend(folder)
        yield {
            name: importlib.import_module(name) for name in ("sentiment_results", "sentiment_trainings", "peer", "pvec")
        }


def line(data: str, system: str, vectors: str, seed: int, test: float, **more: Any) -> dict[str, Any]:
    return {
        "table": "sentiment",
        "data": data,
        "system": system,
        "vectors": vectors,
        "seed": seed,
        "test": test,
        **more,
    }


def cells(page: str, system: str, table: int) -> list[str]:
    return page.split(f"\n| {system} | ")[table + 1].split(" |\n")[0].split(" | ")


def test_the_table(tools: dict[str, Any]) -> None:
    lines = [line("sst5", "rntn", "own", seed, 0.45 + seed / 100, seconds=100 * seed, rate=1000) for seed in (1, 2)]
    lines += [line("sst2", "pvec", "own", 1, 0.8, seconds=9), {"table": "babi", "system": "memnn", "data": "qa1"}]
    page = tools["sentiment_results"].page(lines)
    assert cells(page, "rntn", 0) == ["·", "·", "46.5 ± 0.7 (2)", "·", "85.4", "45.7"]
    assert cells(page, "rntn", 1) == ["150", "·", "1,000", "·"]
    assert cells(page, "pvec", 0) == ["80.0 (1)", "–", "·", "–", "87.8", "48.7"]
    assert cells(page, "bi-lstm", 0) == ["–", "·", "–", "·", "87.5", "49.1"]
    assert tools["sentiment_results"].page([])


def test_what_is_trained(tools: dict[str, Any]) -> None:
    """Every seed of five classes comes before the next; each cell has its five seeds."""
    trainings = tools["sentiment_trainings"]
    every = trainings.jobs(list(trainings.SYSTEMS), trainings.SEEDS)
    assert len(set(every)) == len(every) == 5 * 2 * (6 * 2 + 2)
    assert [job.seed for job in every] == sorted(job.seed for job in every)
    assert {job.vectors for job in every if job.system == "pvec"} == {"own"}
    for name, system in trainings.SYSTEMS.items():
        if not system.peer:
            overrides = [parse_override(part) for part in system.binary if "=" in part]
            assert load(name, overrides=overrides).preset == name, "a preset, which its options suit"


def test_paragraph_vectors(tools: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """They tell two kinds of texts apart, and say the same each time that they are asked."""
    pvec, peer = tools["pvec"], tools["peer"]
    for name, value in (("SIZE", 8), ("EPOCHS", 100), ("INFERRED", 100), ("SAMPLE", 0)):
        monkeypatch.setattr(pvec, name, value)
    kinds = {
        "good": ["a", "fine", "warm", "happy", "lovely", "film"],
        "bad": ["the", "dull", "cold", "weak", "awful", "plot"],
    }
    train = [
        peer.Example([words[(n * k) % 6] for k in (1, 2, 3, 5)], kind)
        for n in range(30)
        for kind, words in kinds.items()
    ]
    predict = pvec.Fit()(peer.Task(train, [], seed=1, vectors=None), l2=1e-3)
    texts = [example.words for example in train[:20]]
    said = predict(texts)
    assert said == [example.answer for example in train[:20]]
    assert predict(texts[::-1])[::-1] == said


def test_the_regression_is_where_its_loss_is_smallest(tools: dict[str, Any]) -> None:
    torch.manual_seed(0)
    x, y = torch.randn(50, 3), torch.arange(50) % 3
    W = tools["pvec"].regression(x, y, 0.01).requires_grad_()
    loss = torch.nn.functional.cross_entropy(x @ W[:-1] + W[-1], y) + 0.01 * W[:-1].square().sum()
    loss.backward()
    assert W.grad is not None
    assert W.grad.abs().max() < 1e-3
