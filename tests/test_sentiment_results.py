"""The table of tools/sentiment_results.py, and what it trains."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dmn_cli.settings.load import load, parse_override

TOOLS = Path(__file__).parent.parent / "tools"


@pytest.fixture(scope="module")
def tools() -> Iterator[dict[str, Any]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(TOOLS)
        yield {name: importlib.import_module(name) for name in ("sentiment_results", "sentiment_trainings")}


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
