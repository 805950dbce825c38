"""Passes over the facts: what a gate lets through, and where the passes end."""

import torch
from helpers import network

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
