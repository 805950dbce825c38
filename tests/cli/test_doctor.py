"""dmn doctor: what is installed, what computes, how fast."""

import platform
from pathlib import Path

import pytest
import torch
from conftest import Dmn, fails
from schemas import Examined

from dmn_cli.kernels import c_build, c_library
from dmn_cli.reporting import doctor


@pytest.fixture(autouse=True)
def _briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch each is enough."""
    monkeypatch.setattr(doctor.rates, "__defaults__", (0.0,))


def test_what_it_says_in_json(dmn: Dmn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_best", lambda work, device, seconds: (work(), 0.5)[1])
    found = Examined.model_validate_json(dmn("doctor", "--device", "cpu", "--json").out)
    assert found.python == platform.python_version()
    assert found.packages["torch"] == torch.__version__
    assert found.environment["OMP_NUM_THREADS"] == "1"
    assert found.rate.training_questions_per_s == round(found.rate.questions / 0.5)
    c = c_library.library(torch.float32) is not None
    assert (found.kernels["recurrence"], found.kernels["gates"]) == (("C", "C") if c else ("torch", "torch"))


def test_text_to_paste(dmn: Dmn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_best", lambda work, device, seconds: 0.01)
    result = dmn("doctor", "--device", "cpu")
    assert result.code == 0
    assert [line.partition(" ")[0] for line in result.out.splitlines() if line[0] != " "] == [
        *("dmn", "system", "cpu", "memory", "gpu", "compiler", "kernels", "cache", "packages", "environment", "rate")
    ]
    assert str(Path.home()) not in result.out


def test_it_says_why_it_is_slow(dmn: Dmn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_best", lambda work, device, seconds: 0.01)
    monkeypatch.setenv("DMN_NATIVE", "0")
    c_library.forget()
    try:
        assert "DMN_NATIVE=0 keeps the kernels in C out" in dmn("doctor", "--device", "cpu").err
        assert dmn("doctor", "--device", "cpu", "--quiet").err == ""
    finally:
        c_library.forget()


def test_no_such_device(dmn: Dmn) -> None:
    fails(dmn("doctor", "--device", "cuda:99"), 5, "there is no device cuda:99")
    fails(dmn("doctor", "--device", "abacus"), 2, "there is no device 'abacus'")


def test_the_batch_is_of_the_story_world() -> None:
    batch, words, answers = doctor._batch()
    assert len(batch) == 128
    assert answers == 1 + 6  # the end, and the rooms
    assert int(batch.sentences.max()) == words - 1 or int(batch.question_sentences.max()) == words - 1
    assert (batch.support >= 0).sum(dim=1).tolist() == [2] * 128
    assert bool((batch.support.max(dim=1).values < batch.facts_seen).all())


def test_no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    assert c_build.compiler_version() is None
    monkeypatch.setenv("CC", "false")
    assert c_build.compiler_version() is None
