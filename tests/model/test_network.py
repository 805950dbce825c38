"""What must hold of every form of the network: padding, company and order never change an answer."""

from dataclasses import replace
from typing import Any

import hypothesis.strategies as st
import pytest
import torch
from helpers import ANSWERS, WORDS, Asked, assert_same, batch, everything, network
from hypothesis import given, settings

from dmn_cli.model.network import DynamicMemoryNetwork
from dmn_cli.records.ngrams import distinct, keys

FORMS: dict[str, dict[str, Any]] = {
    "dmn": {},
    "dmn-plus": {},
    "dmn, sigmoid gates": {"gates": "sigmoid"},
    "dmn, no end of passes": {"end_of_passes": False},
    "dmn-plus, end of passes": {"end_of_passes": True},
    "dmn-plus, one pass, GRU memory": {"passes": 1, "memory": "gru"},
    "dmn, answers at each fact": {"per_fact": True},
    "dmn-plus, answers at each fact": {"per_fact": True},
    "dmn-plus, narrower word vectors": {"word_size": 5},
    "dmn-plus, sentences read word by word": {"sentence": "gru"},
    "dmn-plus, three layers of fusion": {"fusion_layers": 3, "sentence": "gru", "per_fact": True},
    "dmn-plus, seeing all facts at once": {"pooled": True, "per_fact": True},
    "dmn-plus, letters read too": {"sentence": "gru", "characters": 3, "per_fact": True},
    "dmn-plus, a bag of n-grams": {"ngrams": 3, "ngram_rows": 200, "per_fact": True},
}


def form(name: str) -> DynamicMemoryNetwork:
    net = network(name.partition(",")[0], **FORMS[name])
    if net.ngram_bag:
        words = torch.cartesian_prod(*[torch.arange(2, WORDS)] * 3)[::5].flatten().numpy()
        found, _ = distinct(*keys(words, words // WORDS, 3))
        rows = len(net.ngram_bag.keys)
        net.give_ngrams(torch.from_numpy(found[:rows]), torch.rand(rows))
        torch.nn.init.normal_(net.ngram_bag.T.weight)
    return net


word = st.integers(2, WORDS - 1)
sentence = st.lists(word, min_size=1, max_size=5)
answer_word = st.integers(1, ANSWERS - 1)
asked_once: st.SearchStrategy[Asked] = st.tuples(
    st.lists(sentence, min_size=1, max_size=6),
    sentence,
    st.lists(answer_word, min_size=1, max_size=3),
    st.just([0]),
)
asked_of_each: st.SearchStrategy[Asked] = st.lists(st.tuples(sentence, answer_word), min_size=1, max_size=6).flatmap(
    lambda pairs: st.tuples(st.just([f for f, _ in pairs]), sentence, st.just(tuple(a for _, a in pairs)), st.just([0]))
)


def asked(name: str) -> st.SearchStrategy[Asked]:
    """Questions that a form of the network can be asked."""
    return asked_once | asked_of_each if "per_fact" in FORMS[name] else asked_once


@pytest.mark.parametrize("name", FORMS)
@settings(deadline=None, max_examples=8)
@given(data=st.data(), words=st.integers(0, 3), facts=st.integers(0, 3))
def test_padding_never_changes_an_answer(name: str, data: st.DataObject, words: int, facts: int) -> None:
    net, question = form(name), data.draw(asked(name))
    assert_same(
        everything(net, batch([question])), everything(net, batch([question], extra_words=words, extra_facts=facts))
    )


@pytest.mark.parametrize("name", FORMS)
@settings(deadline=None, max_examples=8)
@given(data=st.data())
def test_company_and_order_never_change_an_answer(name: str, data: st.DataObject) -> None:
    net, questions = form(name), data.draw(st.lists(asked(name), min_size=1, max_size=5))
    order = data.draw(st.permutations(range(len(questions))))
    together = batch([questions[i] for i in order])
    for row, i in enumerate(order):
        assert_same(everything(net, together, row), everything(net, batch([questions[i]])))


def test_what_many_questions_begin_with_changes_nothing() -> None:
    """It is read once for all. Gradients too."""
    net = network("dmn-plus")
    questions: list[Asked] = [([[2, 3]], [4, 5, 6, 2 + n % (WORDS - 2), *[3] * (n % 3)], [1], [0]) for n in range(80)]
    together = batch(questions)
    assert together.fact_packings.wordings.beginning == 3
    expected = torch.cat([net.question_module(batch([one]), net.word_vectors) for one in questions])
    found = net.question_module(together, net.word_vectors)
    assert_same([found], [expected])
    parameters = [*net.question_module.parameters(), net.word_vectors.weight]
    gradients = (torch.autograd.grad(q.sin().sum(), parameters) for q in (found, expected))
    for one, other in zip(*gradients, strict=True):
        assert_same([one], [other])


@pytest.mark.parametrize("name", ["dmn", "dmn-plus"])
def test_a_story_read_once_equals_one_read_for_each_question(name: str) -> None:
    """Three questions at different places of one story, and three stories cut off there. Gradients too."""
    net = form(name)
    story: list[list[int]] = [[2, 3, 4], [5, 6], [7], [8, 9, 10, 11], [3, 5]]
    seen, question = [2, 5, 3], [4, 9]
    apart = batch([(story[:n], question, [1], [0]) for n in seen])
    once = batch([(story, question, [1], [0])] * 3)
    shared = replace(
        once,
        story=once.story[:1],
        story_length=once.story_length[:1],
        story_of=torch.zeros(3, dtype=torch.int64),
        facts_seen=torch.tensor(seen),
    )
    gradients = []
    for b in (apart, shared):
        net.zero_grad()
        net(b).logits.sin().sum().backward()
        gradients.append([p.grad.clone() for p in net.parameters() if p.grad is not None])
    assert_same([net(apart).logits, *gradients[0]], [net(shared).logits, *gradients[1]])


@pytest.mark.parametrize("name", FORMS)
def test_gates_are_a_distribution_or_each_its_own(name: str) -> None:
    net = form(name)
    episode = net(batch([([[2], [3], [4]], [5], [1], [0]), ([[2]], [5], [1], [0])])).episode
    total = episode.gates.sum(dim=2) + (0 if episode.stop is None else episode.stop)
    assert (episode.gates[1, :, 1:] == 0).all(), "padding has no gate"
    if net.episodic_memory.gates == "softmax":
        torch.testing.assert_close(total, torch.ones_like(total))
    else:
        assert ((episode.gates >= 0) & (episode.gates <= 1)).all()
