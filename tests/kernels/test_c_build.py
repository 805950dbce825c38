"""The C library is compiled once for each machine and kept if it is right; else dmn does without it, and says so."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from conftest import Dmn

from dmn_cli.kernels import c_library, recurrence_c, recurrence_loop
from dmn_cli.kernels.c_build import build
from dmn_cli.kernels.c_library import Recipe, this_cpu
from dmn_cli.kernels.recurrence import kernel_for
from dmn_cli.kernels.tune import compiled
from dmn_cli.machine.device import describe

needs_compiler = pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler")


@pytest.fixture
def new_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Nothing has been compiled yet. Returns the cache folder."""
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.delenv("DMN_NATIVE", raising=False)
    monkeypatch.setenv("DMN_CACHE", str(tmp_path / "cache"))
    c_library.forget()
    yield tmp_path / "cache"
    c_library.forget()


def in_c() -> bool:
    """Whether the recurrence is computed in C."""
    kernel = kernel_for(torch.zeros(1, 12), torch.zeros(4, 12), gates=False, before=False)
    assert kernel in (recurrence_c.Recurrence, recurrence_loop.Recurrence)
    assert compiled() == (kernel is recurrence_c.Recurrence)
    return compiled()


@needs_compiler
def test_it_is_compiled_once_for_a_machine(new_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not in_c()
    random = torch.get_rng_state()
    build()
    assert torch.equal(torch.get_rng_state(), random)  # so what is drawn next doesn't depend on it
    assert in_c()
    (kept,) = (new_machine / "native").iterdir()
    monkeypatch.setenv("CC", "false")  # would fail
    c_library.forget()
    build()
    assert in_c()
    c_library.forget()
    assert not c_library.library(torch.float32, Recipe(cpu="another"))  # a home folder may be that of many machines
    assert list((new_machine / "native").iterdir()) == [kept]


@needs_compiler
@pytest.mark.parametrize("target", ["", "-mavx2 -mfma"])
def test_it_computes_the_same_with_shorter_vectors(new_machine: Path, target: str) -> None:
    if target and "avx2" not in this_cpu():
        pytest.skip("this CPU has no AVX2")
    build(recipe=Recipe(targets=(target,)))  # would warn if it didn't agree with torch
    assert in_c()


@needs_compiler
def test_who_does_not_want_it_does_without(new_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build()
    monkeypatch.setenv("DMN_NATIVE", "0")
    c_library.forget()
    build()
    assert not in_c()


def test_without_a_compiler_the_loop_computes_and_nothing_is_said(
    new_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", "no-such-compiler -O2")
    build()  # a warning would fail the test
    assert not in_c()
    assert not new_machine.exists()


@pytest.mark.parametrize(
    ("does", "said"),
    [
        ("echo no licence found >&2; exit 3", "no licence found"),
        ("echo in a.h: >&2; echo a.c:3: error: no such type >&2; exit 1", "a.c:3: error: no such type"),
        ("exit 4", "my cc ended with exit code 4"),
        ("exec sleep 60", "my cc takes longer than 0.2 s"),
        ("exit 0", "cannot open shared object file"),
    ],
)
def test_a_compiler_that_fails_is_reported(
    new_machine: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, does: str, said: str
) -> None:
    compiler = tmp_path / "my cc"
    compiler.write_text(f"#!/bin/sh\n{does}\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("CC", f"'{compiler}'")
    recipe = Recipe(seconds=0.2) if "sleep" in does else Recipe()
    with pytest.warns(UserWarning, match=f"can't be compiled, so dmn is slower: .*{re.escape(said)}"):
        build(recipe=recipe)
    assert not in_c()
    assert list((new_machine / "native").iterdir()) == []


def test_the_report_is_one_line_and_quiet_silences_it(
    new_machine: Path, monkeypatch: pytest.MonkeyPatch, dmn: Dmn, run: Path, world: Path
) -> None:
    monkeypatch.setenv("CC", "false")
    for quiet in ([], ["--quiet"]):
        c_library.forget()
        said = dmn("eval", run, world, *quiet)
        assert said.code == 0
        assert said.err == (
            "" if quiet else "the C kernels can't be compiled, so dmn is slower: false ended with exit code 1\n"
        )


@needs_compiler
def test_what_computes_something_else_is_not_kept(new_machine: Path) -> None:
    wrong = new_machine.parent / "sources"
    wrong.mkdir()
    for function in ("recurrence", "comparison"):
        (wrong / f"{function}.c").write_text(f"int {function}(const void *loop) {{ return loop != 0; }}")
    with pytest.warns(UserWarning, match="doesn't compute what torch does"):
        build(recipe=Recipe(sources=wrong))
    assert not in_c()
    assert list((new_machine / "native").iterdir()) == []


def test_a_cache_that_cannot_be_written_is_reported(new_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new_machine.write_text("a file, not a folder")
    monkeypatch.setenv("CC", "true")
    with pytest.warns(UserWarning, match="can't be compiled"):
        build()
    assert not in_c()


@needs_compiler
def test_a_damaged_library_is_compiled_again(new_machine: Path) -> None:
    kept = Recipe().place(torch.float32)
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"\x7fELF, cut off")
    assert not in_c()
    build()
    assert in_c()


@needs_compiler
def test_dmn_says_when_it_computes_without(new_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build()
    assert describe(torch.device("cpu"), compiled=compiled()) == "cpu (1 thread)"
    c_library.forget()
    monkeypatch.setenv("DMN_NATIVE", "0")
    assert describe(torch.device("cpu"), 2, compiled=compiled()) == "cpu (2 processes, without C)"
