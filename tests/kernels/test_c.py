"""The kernels in C equal the equations, gradients included, and the number of threads changes nothing."""

import shutil
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import torch
from helpers import batch, by_forward_and_by_reference, network
from torch import Tensor

from dmn_cli.kernels import c_build, c_library, comparison_c, recurrence_c
from dmn_cli.kernels.comparison import compare
from dmn_cli.kernels.fusion import fuse
from dmn_cli.kernels.recurrence import kernel_for, recurrence
from dmn_cli.model.attention_gate import AttentionGate
from dmn_cli.model.episodic_memory import EpisodicMemory
from dmn_cli.model.gated_gru import GatedGRU
from dmn_cli.records.output import Facts
from dmn_cli.records.packing import Packing, Pointers

FORMS = [(reset, update) for reset in ("before", "after") for update in ("gru", "gate")]
LENGTHS = torch.tensor([4, 7, 1, 7, 2, *range(1, 12), *[5] * 23])  # tiles of all heights, and two blocks of rows

pytestmark = [
    pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler"),
    pytest.mark.usefixtures("compiled"),
]


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The library is there, for both types."""
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.delenv("DMN_NATIVE", raising=False)
    c_library.forget()
    for dtype in (torch.float32, torch.float64):
        c_build.build(dtype)
        assert c_library.library(dtype)
    yield
    c_library.forget()
    torch.set_num_threads(1)


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
    x = torch.zeros(1, gru.U.shape[1], dtype=dtype)
    assert kernel_for(x, gru.U, gates=gated, before=reset == "before") is recurrence_c.Recurrence
    results = by_forward_and_by_reference(gru, LENGTHS, gated=gated, started=started)
    rtol, atol = (1e-10, 1e-12) if dtype == torch.float64 else (1e-4, 2e-5)
    for ours, plain in zip(*results, strict=True):
        torch.testing.assert_close(ours, plain, rtol=rtol, atol=atol)


@pytest.mark.parametrize(("reset", "update"), FORMS)
def test_gradcheck(reset: Any, update: Any) -> None:
    torch.manual_seed(0)
    gru = GatedGRU(3, 4, reset=reset, update=update).double()
    packing = Packing.of(torch.tensor([4, 7, 1, 7, 2]))
    x = torch.randn(21, gru.U.shape[1], dtype=torch.float64, requires_grad=True)
    gates = torch.rand(21, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, g: gru(x, packing, g), (x, gates))
    assert torch.autograd.gradcheck(lambda x, g: gru(x, packing, g, last=True), (x, gates))


def computed(x: Tensor, U: Tensor, packing: Packing, *, before: bool) -> list[Any]:
    """The last states and all gradients; that of U comes last: it is a product of torch's."""
    torch.manual_seed(2)
    x, U = (tensor.clone().requires_grad_() for tensor in (x, U))
    g = torch.rand(len(x), 1, requires_grad=True)
    h_0 = torch.randn(packing.counts[0], len(U), requires_grad=True)
    last = recurrence(x, U, g, h_0, packing, packing.last, before=before)
    last.sin().sum().backward()
    return [last.detach(), x.grad, g.grad, h_0.grad, U.grad]


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
    with c_library.without():
        loop = computed(x, U, packing, before=reset == "before")
    for ours, expected in zip(results[0], loop, strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-4, atol=2e-5)


def test_answering_keeps_nothing_and_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(1)
    gru, gate, packing = GatedGRU(3, 20), AttentionGate(20, "dmn-plus"), Packing.of(LENGTHS)
    x, q = gru.project(torch.randn(len(packing.row), 3)), torch.randn(len(LENGTHS), 20)

    def computed() -> tuple[Tensor, Tensor]:
        states = gru(x, packing)
        return states, gate(gate.read(states, q, packing), q, q)

    in_training = computed()
    kept, call = [], c_library.call
    monkeypatch.setattr(
        c_library, "call", lambda *of, **given: [kept.append(given.get("kept", given.get("z"))), call(*of, **given)]
    )
    with torch.no_grad():
        answered = computed()
    assert kept == [None] * 3
    for ours, expected in zip(answered, in_training, strict=True):
        assert torch.equal(ours, expected)


def remembering(hidden: int, dtype: torch.dtype, gates: Any) -> tuple[EpisodicMemory, Facts, Tensor]:
    """The memory of DMN+, with facts and questions that it passes over."""
    torch.manual_seed(0)
    forms: Any = {"features": "dmn-plus", "episode": "gate", "memory": "relu", "end_of_passes": False}
    memory = EpisodicMemory(hidden, partial(GatedGRU, reset="after"), passes=3, gates=gates, **forms).to(dtype).eval()
    packing = Packing.of(LENGTHS)
    c, q = (torch.randn(rows, hidden, dtype=dtype) for rows in (len(packing.row), len(LENGTHS)))
    return memory, Facts(c, packing), q


@pytest.mark.parametrize("hidden", [1, 5, 16, 20, 70])
@pytest.mark.parametrize("gates", ["softmax", "sigmoid"])
@pytest.mark.parametrize("sharp", [1, 30, 1000])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_passes_in_one_piece_equal_those_of_training(hidden: int, gates: Any, sharp: float, dtype: torch.dtype) -> None:
    memory, facts, q = remembering(hidden, dtype, gates)
    with torch.no_grad():
        memory.gate.W2.weight *= sharp  # most gates are closed, of some rows all are
        memory.gate.W2.bias.fill_(-sharp)
    expected = memory(facts, q)
    results = []
    with torch.no_grad():
        for threads in (1, 3):
            torch.set_num_threads(threads)
            results.append(memory(facts, q))
    torch.set_num_threads(1)
    rtol, atol = (1e-10, 1e-12) if dtype == torch.float64 else (1e-3 if sharp > 1 else 1e-4, 2e-5)
    for one, three, torchs in zip(*results, expected, strict=True):
        if torchs is None:
            assert one is three is None
        else:
            assert torch.equal(one, three)
            torch.testing.assert_close(one, torchs.detach(), rtol=rtol, atol=atol)


def test_passes_over_the_facts_of_one_question_are_those_of_the_batch() -> None:
    memory, facts, q = remembering(20, torch.float32, "softmax")
    with torch.no_grad():
        together = memory(facts, q)
        for i, length in enumerate(LENGTHS.tolist()):
            own = facts.vectors[facts.packing.row == i]
            alone = memory(Facts(own, Packing.of(LENGTHS[i : i + 1])), q[i : i + 1])
            assert torch.equal(alone.memory[0], together.memory[i])
            assert torch.equal(alone.gates[0], together.gates[i, :, :length])


def test_what_is_no_number_is_seen_in_its_own_question_alone() -> None:
    memory, facts, q = remembering(20, torch.float32, "softmax")
    facts.vectors[facts.packing.last[3]] = torch.nan
    with torch.no_grad():
        episode = memory(facts, q)
    assert episode.memory.isnan().any(dim=1).nonzero().tolist() == [[3]]
    assert episode.gates.isnan().any(dim=2).any(dim=1).nonzero().tolist() == [[3]]


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
    with c_library.without():
        expected = scored(gate, c, m, q, packing)
    rtol, atol = (1e-10, 1e-12) if dtype == torch.float64 else (1e-4, 1e-4)
    for ours, torchs in zip(results[0], expected, strict=True):
        torch.testing.assert_close(ours, torchs, rtol=rtol, atol=atol)
    with torch.no_grad():
        assert torch.equal(gate(gate.read(c, q, packing), m, q), results[0][0])


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
    assert torch.autograd.gradcheck(lambda *of: comparison_c.Compare.apply(*of, packing), (*given, W2, b2))


def test_both_directions_are_looked_up_and_added_with_their_gradients() -> None:
    torch.manual_seed(0)
    facts = Packing.of(LENGTHS)
    seen = Pointers.of(torch.randint(9, (len(facts.row),)), 12)  # some rows are seen often, some never
    right, left = (torch.randn(rows, 5, dtype=torch.float64, requires_grad=True) for rows in (12, len(facts.row)))
    expected = seen.look_up(right) + facts.reverse(left)
    for threads in (1, 2):
        torch.set_num_threads(threads)
        assert torch.equal(fuse(right, seen, left, facts), expected)
    with c_library.without():
        assert torch.equal(fuse(right, seen, left, facts), expected)
    weights = torch.randn_like(expected)
    ours, plain = (
        torch.autograd.grad((found * weights).sum(), (right, left))
        for found in (fuse(right, seen, left, facts), expected)
    )
    assert torch.equal(ours[0], plain[0])
    assert torch.equal(ours[1], plain[1])


@pytest.mark.parametrize("preset", ["dmn", "dmn-plus"])
def test_a_whole_network_gives_the_same_with_and_without(preset: str) -> None:
    asked = batch([([[2, 3], [4], [5]], [6, 7], [1, 2], [2, 0]), ([[3], [4, 2]], [7], [3], [])])
    results = []
    for way in (torch.enable_grad, c_library.without):
        net = network(preset).train()
        with way():
            output = net(asked)
            (output.logits.sin().sum() + output.episode.gates.sin().sum()).backward()
            answered = net.answer(asked)
        gradients = {name: weights.grad for name, weights in net.named_parameters() if weights.grad is not None}
        said = {"logits": output.logits, "words": answered.words, "confidence": answered.confidence}
        results.append({**said, **gradients})
    ours, torchs = results
    assert ours.keys() == torchs.keys()
    for name, expected in torchs.items():
        torch.testing.assert_close(ours[name], expected, rtol=1e-9, atol=1e-11)
