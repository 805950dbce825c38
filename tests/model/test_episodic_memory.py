"""Passes over the facts: what a gate lets through, and where the passes end."""

import pytest
import torch
from helpers import network

from dmn_cli.model.objective import given_gates
from dmn_cli.records.output import Facts
from dmn_cli.records.packing import Packing


def test_a_gate_on_one_fact_makes_the_episode_that_fact() -> None:
    """The memory after one pass with all weight on fact 2 is that of a story of fact 2 alone."""
    net = network("dmn-plus", passes=1)
    memory = net.episodic_memory
    c, q = torch.randn(4, 8).double(), torch.randn(1, 8).double()
    score = torch.tensor([-1e9, -1e9, 0.0, -1e9]).double()
    memory.gate.forward = lambda shared, m, q: score  # type: ignore[method-assign]
    whole = memory(Facts(c, Packing.of(torch.tensor([4]))), q)
    score = torch.zeros(1).double()
    alone = memory(Facts(c[2:3], Packing.of(torch.tensor([1]))), q)
    torch.testing.assert_close(whole.memory, alone.memory)


def test_the_end_of_passes_keeps_the_memory() -> None:
    """Once the end-of-passes fact has all the weight, later passes change nothing, and are said not to have run."""
    net = network("dmn", passes=3)
    memory = net.episodic_memory
    of_facts, of_end = [0.0, -1e9], [-1e9]
    scores = iter([of_facts, of_end, [-1e9, -1e9], [0.0], of_facts, of_end])  # the second pass is the end's
    memory.gate.forward = lambda shared, m, q: torch.tensor(next(scores)).double()  # type: ignore[method-assign]
    facts = Facts(torch.randn(2, 8).double(), Packing.of(torch.tensor([2])))
    q = torch.randn(1, 8).double()
    stopped = memory(facts, q)
    assert stopped.running.tolist() == [[1, 0, 0]]
    memory.passes = 1
    scores = iter([of_facts, of_end])
    torch.testing.assert_close(stopped.memory, memory(facts, q).memory)


@pytest.mark.parametrize("gates", ["softmax", "sigmoid"])
@pytest.mark.parametrize("preset", ["dmn-plus", "dmn"])
def test_given_gates_read_the_supporting_facts_alone(preset: str, gates: str) -> None:
    """A memory that is given facts 2 and 0 has read these, one a pass, and then the last one again; its own gates are
    still there to be taught."""
    net = network(preset, passes=3, gates=gates)
    memory, c, q = net.episodic_memory, torch.randn(4, 8).double(), torch.randn(1, 8).double()
    facts = Facts(c, Packing.of(torch.tensor([4])))
    forced = memory(facts, q, given_gates(torch.tensor([[2, 0]]), 3, 4, softmax=gates == "softmax"))
    m = q
    for t, fact in enumerate((2, 0, 0)):
        one = Packing.of(torch.tensor([1]))
        e = memory.episode(memory.episode.project(c[fact : fact + 1]), one, torch.ones(1).double(), last=True)
        m = memory.update(t, m, e, q)
    torch.testing.assert_close(forced.memory, m)
    torch.testing.assert_close(forced.gates[:, 0], memory(facts, q).gates[:, 0])
    assert forced.gates.max().item() < 1


def test_nothing_is_given_where_no_supporting_fact_is_known() -> None:
    net = network("dmn-plus", passes=2)
    facts, q = Facts(torch.randn(8, 8).double(), Packing.of(torch.tensor([4, 4]))), torch.randn(2, 8).double()
    forced = net.episodic_memory(facts, q, given_gates(torch.tensor([[3], [-1]]), 2, 4, softmax=True)).memory
    own = net.episodic_memory(facts, q).memory
    assert not torch.allclose(forced[0], own[0])
    torch.testing.assert_close(forced[1], own[1])
