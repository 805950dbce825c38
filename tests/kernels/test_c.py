"""What is in C equals the equations, whoever computes how much of it; and dmn does without where it must."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Dmn
from helpers import batch, by_forward_and_by_reference, network
from torch import Tensor

from dmn_cli.kernels import c_library as native
from dmn_cli.kernels import comparison_c as attention_gate_native
from dmn_cli.kernels import recurrence_c as gated_gru_native
from dmn_cli.kernels.comparison import compare
from dmn_cli.kernels.recurrence import recurrence
from dmn_cli.kernels.recurrence_loop import Recurrence
from dmn_cli.machine.device import describe
from dmn_cli.model.attention_gate import AttentionGate
from dmn_cli.model.gated_gru import GatedGRU
from dmn_cli.records.packing import Packing

needs_compiler = pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler")
FORMS = [(reset, update) for reset in ("before", "after") for update in ("gru", "gate")]
LENGTHS = torch.tensor([4, 7, 1, 7, 2, *range(1, 12), *[5] * 23])  # tiles of all heights, and two blocks of rows


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """It is there, for both types."""
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.delenv("DMN_NATIVE", raising=False)
    native.forget()
    for dtype in (torch.float32, torch.float64):
        native.build(dtype)
        assert native.library(dtype)
    yield
    native.forget()
    torch.set_num_threads(1)


@pytest.fixture
def new_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Nothing has been compiled yet. Returns the cache folder."""
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.delenv("DMN_NATIVE", raising=False)
    monkeypatch.setenv("DMN_CACHE", str(tmp_path / "cache"))
    native.forget()
    yield tmp_path / "cache"
    native.forget()


def chosen(dtype: torch.dtype = torch.float32) -> Any:
    gru = GatedGRU(3, 4).to(dtype)
    return recurrence(torch.zeros(1, 12, dtype=dtype), gru.U, gates=False, before=False)


@needs_compiler
@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("hidden", [1, 5, 16, 20, 70])
@pytest.mark.parametrize(("reset", "update"), FORMS)
@pytest.mark.parametrize("gated", [True, False])
@pytest.mark.parametrize("started", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equals_the_plain_loop_with_its_gradients(
    hidden: int, reset: Any, update: Any, gated: bool, started: bool, dtype: torch.dtype
) -> None:
    torch.manual_seed(0)
    gru = GatedGRU(5, hidden, reset=reset, update=update).to(dtype)
    assert chosen(dtype) is gated_gru_native.Recurrence
    results = by_forward_and_by_reference(gru, LENGTHS, gated=gated, started=started)
    rtol, atol = (1e-10, 1e-12) if dtype == torch.float64 else (1e-4, 2e-5)
    for ours, plain in zip(*results, strict=True):
        torch.testing.assert_close(ours, plain, rtol=rtol, atol=atol)


@needs_compiler
@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize(("reset", "update"), FORMS)
def test_gradcheck(reset: Any, update: Any) -> None:
    torch.manual_seed(0)
    gru = GatedGRU(3, 4, reset=reset, update=update).double()
    packing = Packing.of(torch.tensor([4, 7, 1, 7, 2]))
    x = torch.randn(21, gru.U.shape[1], dtype=torch.float64, requires_grad=True)
    gates = torch.rand(21, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, g: gru(x, packing, g), (x, gates))
    assert torch.autograd.gradcheck(lambda x, g: gru.last(x, packing, g), (x, gates))


def computed(x: Tensor, U: Tensor, packing: Packing, *, before: bool = False, which: Any = None) -> list[Any]:
    """The last states and the gradients, that of U at the end: it is a product of torch's."""
    torch.manual_seed(2)
    x, U = (tensor.clone().requires_grad_() for tensor in (x, U))
    g = torch.rand(len(x), 1, requires_grad=True)
    h_0 = torch.randn(packing.counts[0], len(U), requires_grad=True)
    last = (which or gated_gru_native.Recurrence).apply(x, U, g, h_0, packing, packing.last, before)
    last.sin().sum().backward()
    return [last.detach(), x.grad, g.grad, h_0.grad, U.grad]


@needs_compiler
@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize(("reset", "update"), FORMS)
def test_the_last_states_equal_those_of_the_loop_and_threads_change_no_bit(reset: str, update: str) -> None:
    torch.manual_seed(1)
    packing = Packing.of(torch.randint(1, 9, (150,)))
    width = 20 * (3 if update == "gru" else 2)
    x, U = torch.randn(len(packing.row), width), torch.randn(20, width) / 4
    results = []
    for threads in (1, 2, 5):
        torch.set_num_threads(threads)
        results.append(computed(x, U, packing, before=reset == "before"))
    torch.set_num_threads(1)
    for one, two, five in zip(*(result[:-1] for result in results), strict=True):
        assert torch.equal(one, two)
        assert torch.equal(one, five)
    loop = computed(x, U, packing, before=reset == "before", which=Recurrence)
    for ours, expected in zip(results[0], loop, strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-4, atol=2e-5)


@needs_compiler
@pytest.mark.usefixtures("compiled")
def test_answering_keeps_nothing_and_gives_the_same_states() -> None:
    torch.manual_seed(1)
    gru, packing = GatedGRU(3, 20), Packing.of(LENGTHS)
    x = gru.project(torch.randn(len(packing.row), 3))
    with torch.no_grad():
        states = gru(x, packing)
    assert torch.equal(states, gru(x, packing))


@needs_compiler
@pytest.mark.usefixtures("compiled")
def test_huge_numbers_saturate_and_what_is_no_number_stays_so() -> None:
    gru, packing = GatedGRU(3, 20), Packing.of(torch.tensor([2, 2]))
    x = torch.full((4, 60), 1e30)
    x[1::2] *= -1
    with torch.no_grad():
        states = packing.unpack(gru(x, packing))
        assert states.isfinite().all()
        torch.testing.assert_close(states[0], torch.zeros(2, 20))  # Z = 1 keeps h_0
        torch.testing.assert_close(states[1], -torch.ones(2, 20))  # Z = 0 takes H~ = -1
        x[2, 7] = torch.nan  # of the first row's second step
        states = packing.unpack(gru(x, packing))
    assert states[0, 1].isnan().any()
    assert not states[1].isnan().any()


def scored(gate: AttentionGate, c: Tensor, m: Tensor, q: Tensor, packing: Packing | None) -> list[Any]:
    """The scores, and all gradients."""
    given = [tensor.clone().requires_grad_() for tensor in (c, m, q)]
    gate.zero_grad()
    scores = gate(gate.read(given[0], given[2], packing), given[1], given[2])
    scores.sin().sum().backward()
    return [scores.detach(), *(tensor.grad for tensor in given), *(weights.grad for weights in gate.parameters())]


@needs_compiler
@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("hidden", [1, 5, 16, 70])
@pytest.mark.parametrize("features", ["dmn", "dmn-plus"])
@pytest.mark.parametrize("one_fact_each", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_scores_equal_those_of_torch_with_their_gradients(
    hidden: int, features: Any, one_fact_each: bool, dtype: torch.dtype
) -> None:
    torch.manual_seed(0)
    gate = AttentionGate(hidden, features).to(dtype)
    packing = None if one_fact_each else Packing.of(LENGTHS)
    questions = len(LENGTHS)
    facts = questions if packing is None else len(packing.row)
    c, m, q = (torch.randn(n, hidden, dtype=dtype) for n in (facts, questions, questions))
    m[0] = c[0]  # where |c - v| has no gradient
    results = []
    for threads in (1, 3):
        torch.set_num_threads(threads)
        results.append(scored(gate, c, m, q, packing))
    torch.set_num_threads(1)
    assert torch.equal(results[0][0], results[1][0])
    with native.without():
        expected = scored(gate, c, m, q, packing)
    rtol, atol = (1e-10, 1e-12) if dtype == torch.float64 else (1e-4, 1e-4)
    for ours, torchs in zip(results[0], expected, strict=True):
        torch.testing.assert_close(ours, torchs, rtol=rtol, atol=atol)
    with torch.no_grad():
        assert torch.equal(gate(gate.read(c, q, packing), m, q), results[0][0])


@needs_compiler
@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("biased", [True, False])
def test_comparing_has_the_gradients_of_its_equation(full: bool, biased: bool) -> None:
    torch.manual_seed(0)
    packing = Packing.of(torch.tensor([3, 1, 2]))
    c, v, cW, W1, base, W2, b2 = (
        torch.randn(shape, dtype=torch.float64, requires_grad=True)
        for shape in ((6, 3), (3, 3), (6, 3), (3, 6 + full), (3,) if biased else (6, 3), (1, 3), (1,))
    )
    given: Any = (c, v, cW if full else None, W1, base)
    comparing: Any = compare
    assert torch.autograd.gradcheck(lambda *of: comparing(*of, packing), given)
    assert torch.autograd.gradcheck(lambda *of: attention_gate_native.Compare.apply(*of, packing), (*given, W2, b2))


@needs_compiler
@pytest.mark.usefixtures("compiled")
@pytest.mark.parametrize("preset", ["dmn", "dmn-plus"])
def test_a_whole_network_gives_the_same_with_and_without(preset: str) -> None:
    asked = batch([([[2, 3], [4], [5]], [6, 7], [1, 2], [2, 0]), ([[3], [4, 2]], [7], [3], [])])
    results = []
    for way in (torch.enable_grad, native.without):
        net = network(preset).train()
        with way():
            output = net(asked)
            (output.logits.sin().sum() + output.episode.gates.sin().sum()).backward()
            words, confidence, _ = net.answer(asked)
        gradients = {name: weights.grad for name, weights in net.named_parameters() if weights.grad is not None}
        results.append({"logits": output.logits, "words": words, "confidence": confidence, **gradients})
    ours, torchs = results
    assert ours.keys() == torchs.keys()
    for name, expected in torchs.items():
        torch.testing.assert_close(ours[name], expected, rtol=1e-9, atol=1e-11)


@needs_compiler
def test_it_is_compiled_once_for_a_machine(new_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen() is Recurrence
    random = torch.get_rng_state()
    native.build()
    assert torch.equal(torch.get_rng_state(), random)  # what comes next is as with what was kept
    assert chosen() is gated_gru_native.Recurrence
    (kept,) = (new_machine / "native").iterdir()
    monkeypatch.setenv("CC", "false")  # would fail
    native.forget()
    native.build()
    assert chosen() is gated_gru_native.Recurrence
    monkeypatch.setattr(native, "_cpu", lambda: "another")
    native.forget()
    assert chosen() is Recurrence
    assert list((new_machine / "native").iterdir()) == [kept]


@needs_compiler
@pytest.mark.parametrize("target", ["", "-mavx2 -mfma"])
def test_it_computes_the_same_with_shorter_vectors(
    new_machine: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    if target and "avx2" not in native._cpu():
        pytest.skip("this CPU has no AVX2")
    monkeypatch.setattr(native, "_TARGETS", (target,))
    native.build()  # would warn of what doesn't agree
    assert chosen() is gated_gru_native.Recurrence


@needs_compiler
def test_who_does_not_want_it_does_without(new_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    native.build()
    monkeypatch.setenv("DMN_NATIVE", "0")
    native.forget()
    native.build()
    assert chosen() is Recurrence


def test_without_a_compiler_the_loop_computes_and_nothing_is_said(
    new_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", "no-such-compiler -O2")
    native.build()  # a warning would fail the test
    assert chosen() is Recurrence
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
def test_a_compiler_that_fails_is_told_of(
    new_machine: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, does: str, said: str
) -> None:
    compiler = tmp_path / "my cc"
    compiler.write_text(f"#!/bin/sh\n{does}\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("CC", f"'{compiler}'")
    if "sleep" in does:
        monkeypatch.setattr(native, "_SECONDS", 0.2)
    with pytest.warns(UserWarning, match=f"can't be compiled, so dmn is slower: .*{re.escape(said)}"):
        native.build()
    assert chosen() is Recurrence
    assert list((new_machine / "native").iterdir()) == []


def test_a_person_is_told_in_one_line_unless_quiet(
    new_machine: Path, monkeypatch: pytest.MonkeyPatch, dmn: Dmn, run: Path, world: Path
) -> None:
    monkeypatch.setenv("CC", "false")
    for quiet in ([], ["--quiet"]):
        native.forget()
        said = dmn("eval", run, world, *quiet)
        assert said.code == 0
        assert said.err == (
            "" if quiet else "what is in C can't be compiled, so dmn is slower: false ended with exit code 1\n"
        )


@needs_compiler
def test_what_computes_something_else_is_not_kept(new_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = new_machine.parent / "sources"
    wrong.mkdir()
    for function in ("recurrence", "attention_gate"):
        (wrong / f"{function}.c").write_text(f"int {function}(const void *loop) {{ return loop != 0; }}")
    monkeypatch.setattr(native, "_FOLDER", wrong)
    with pytest.warns(UserWarning, match="doesn't compute what torch does"):
        native.build()
    assert chosen() is Recurrence
    assert list((new_machine / "native").iterdir()) == []


def test_a_cache_that_cannot_be_written_is_told_of(new_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new_machine.write_text("a file, not a folder")
    monkeypatch.setenv("CC", "true")
    with pytest.warns(UserWarning, match="can't be compiled"):
        native.build()
    assert chosen() is Recurrence


@needs_compiler
def test_a_damaged_one_is_made_anew(new_machine: Path) -> None:
    kept = native._kept(torch.float32)
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"\x7fELF, cut off")
    assert chosen() is Recurrence
    native.build()
    assert chosen() is gated_gru_native.Recurrence


@needs_compiler
def test_dmn_says_when_it_computes_without(new_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    native.build()
    assert describe(torch.device("cpu")) == "cpu (1 thread)"
    native.forget()
    monkeypatch.setenv("DMN_NATIVE", "0")
    assert describe(torch.device("cpu"), 2) == "cpu (2 processes, without C)"
