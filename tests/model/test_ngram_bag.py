"""The bag of n-grams against a loop over texts, and what it leaves out."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dmn_cli.model.ngram_bag import NgramBag
from dmn_cli.records.batch import Batch, from_arrays, padded
from dmn_cli.records.ngrams import distinct, keys

Story = list[list[int]]
LONGEST, HIDDEN = 3, 5

word = st.integers(1, 4)
ngrams = st.tuples(word) | st.tuples(word, word) | st.tuples(word, word, word)
sentences = st.lists(word, min_size=1, max_size=5)
stories = st.lists(st.lists(sentences, min_size=1, max_size=4), min_size=1, max_size=4)


def asked_everywhere(told: list[Story], *, affix: int | None = None) -> Batch:
    """A question after each fact of each story; distinct sentences are held once. affix: a word that is one"""
    known = sorted({tuple(fact) for story in told for fact in story})
    length = np.array([len(story) for story in told])
    rows = padded(np.concatenate([np.array(fact) for fact in known]), np.array([len(fact) for fact in known]), 0)
    questions = int(length.sum())
    return from_arrays(
        sentences=rows,
        story=padded(np.array([known.index(tuple(fact)) for story in told for fact in story]), length, 0),
        story_length=length,
        question_sentences=np.full((1, 1), 2),
        question=np.zeros(questions),
        story_of=np.repeat(np.arange(len(told)), length),
        facts_seen=np.concatenate([np.arange(1, n + 1) for n in length]),
        per_fact=np.zeros(questions),
        answer=np.zeros((questions, 1)),
        support=np.full((questions, 1), -1),
        task=np.zeros(questions),
        affix=None if affix is None else rows == affix,
    )


def grams(words: list[int]) -> set[tuple[int, ...]]:
    return {tuple(words[i : i + n]) for n in range(1, LONGEST + 1) for i in range(len(words) - n + 1)}


def key(gram: tuple[int, ...]) -> int:
    found, _ = keys(np.array(gram), np.zeros(len(gram), np.int64), len(gram))
    return int(found[-1])


def bag_of(known: list[tuple[int, ...]], dropout: float = 0.0) -> NgramBag:
    """With random rows for some n-grams, which may not be all."""
    torch.manual_seed(0)
    bag = NgramBag(LONGEST, len(known), HIDDEN, dropout).double()
    bag.keys.copy_(torch.tensor(sorted(map(key, known))))
    torch.nn.init.normal_(bag.T.weight)
    torch.nn.init.uniform_(bag.w, 0, 2)
    return bag


def by_loop(bag: NgramBag, known: list[tuple[int, ...]], told: list[Story], affix: int | None = None) -> torch.Tensor:
    row = {gram: i for i, gram in enumerate(sorted(known, key=key))}
    rows = []
    for story in told:
        for seen in range(1, len(story) + 1):
            words = [word for fact in story[:seen] for word in fact if word != affix]
            found = [row[gram] for gram in grams(words) if gram in row]
            total = bag.T.weight.new_zeros(bag.T.weight.shape[1])
            for i in found:
                total = total + bag.w[i] * bag.T.weight[i]
            rows.append(bag.P.weight @ total / max(1, len(found)) ** 0.5)
    return torch.stack(rows)


@settings(deadline=None, max_examples=40)
@given(told=stories, known=st.sets(ngrams, min_size=1), affix=st.none() | st.just(4))
def test_it_is_the_sum_over_what_each_question_sees(
    told: list[Story], known: set[tuple[int, ...]], affix: int | None
) -> None:
    """Gradients too."""
    those, batch = sorted(known), asked_everywhere(told, affix=affix)
    fast, slow = bag_of(those), bag_of(those)
    found, expected = fast(batch), by_loop(slow, those, told, affix)
    torch.testing.assert_close(found, expected)
    for value in (found, expected):
        value.sin().sum().backward()
    assert fast.T.weight.grad is not None
    assert slow.T.weight.grad is not None or not expected.any()
    if slow.T.weight.grad is not None:
        torch.testing.assert_close(fast.T.weight.grad.to_dense(), slow.T.weight.grad)
    torch.testing.assert_close(fast.P.weight.grad, slow.P.weight.grad)


def test_dropout_leaves_out_whole_ngrams_and_keeps_the_mean() -> None:
    known = sorted(grams([1, 2, 3, 4]))
    bag, batch = bag_of(known, dropout=0.5), asked_everywhere([[[1, 2, 3, 4]]])
    whole = bag.eval()(batch)
    bag.train()
    drawn = torch.stack([bag(batch) for _ in range(4000)])
    assert not torch.equal(drawn[0], drawn[1])
    torch.testing.assert_close(drawn.mean(dim=0), whole, rtol=0.1, atol=0.05)
    bag.zero_grad()
    bag(batch).sum().backward()
    assert bag.T.weight.grad is not None
    touched = bag.T.weight.grad.to_dense().any(dim=1)
    assert 0 < touched.sum() < len(known)


def test_keys_of_words_and_pairs_are_distinct() -> None:
    words = np.array([1, 2, 3, 1 << 10, (1 << 21) - 1], np.int64)
    pairs = [pair for one in words for other in words for pair in (one, other)]
    found, _ = keys(np.array(pairs), np.repeat(np.arange(len(pairs) // 2), 2), 2)
    assert len(np.unique(found)) == len(words) + len(words) ** 2


@pytest.mark.parametrize("longest", [1, 2, 5])
def test_a_text_shorter_than_an_ngram_has_the_shorter_ones(longest: int) -> None:
    found, text = distinct(*keys(np.array([7, 7, 8]), np.array([0, 1, 1]), longest))
    assert np.bincount(text).tolist() == [1, 2 if longest == 1 else 3]
    assert len(found) == len(text)
