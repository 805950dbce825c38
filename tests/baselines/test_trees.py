"""Trees as words, and all trees of a batch level by level: the same as one node after the other."""

from collections.abc import Callable, Sequence
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from torch import Tensor

from dmn_cli.baselines.drnn import Drnn, Layer
from dmn_cli.baselines.mv_rnn import MvRnn
from dmn_cli.baselines.rntn import Rntn
from dmn_cli.baselines.tree_classifier import TreeClassifier
from dmn_cli.baselines.tree_lstm import TreeLstm
from dmn_cli.data.words.tokenizer import WhitespaceTokenizer
from dmn_cli.data.words.trees import CLOSED, NoTree, TreeTokenizer, nodes_of, post_order, split
from dmn_cli.data.words.vocabulary import Index, Vocabulary
from dmn_cli.errors import DataError
from dmn_cli.records.batch import Batch, from_arrays, rectangle
from dmn_cli.records.network import Sizes
from dmn_cli.records.text import WORD
from dmn_cli.records.trees import Trees

LABELS = ["bad", "", "good"]
SIZES = Sizes(words=30, answers=3, max_answer_steps=2, word_size=5, per_fact=False)
MAKES: dict[str, Callable[[], TreeClassifier]] = {
    "tree-lstm": lambda: TreeLstm(SIZES, hidden=4, dropout=0.0),
    "rntn": lambda: Rntn(SIZES, hidden=4),
    "mv-rnn": lambda: MvRnn(SIZES, hidden=4, rank=2),
    "drnn": lambda: Drnn(SIZES, hidden=4, layers=3, dropout=0.0),
}
TREES = [
    "(2 (0 a) (2 (1 b) (2 (0 (1 c) (1 d)) (2 e))))",
    "(0 f)",
    "(2 (2 (2 (1 a) (1 a)) (1 c)) (0 (0 e) (1 f)))",
    "(1 ((a) (b)) (0 c))",
]

Tree = Any
"""A word, or a pair of trees."""


def net(name: str, seed: int = 0) -> TreeClassifier:
    torch.manual_seed(seed)
    made = MAKES[name]().double().eval()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return made


def batch(trees: Sequence[str], *, extra: int = 0) -> Batch:
    """A question about each of them. extra: columns of padding"""
    words, answers = Vocabulary().words, Index(["<end>", "bad", "good"])
    ids = [[words.add(word) for word in post_order(tree, len(LABELS))] for tree in trees]
    # the words of one tree have the same ids in any company
    order = [" )", " )0", " )1", " )2", *"abcdefgh"]
    rows = [[2 + order.index(words.items[i]) for i in row] for row in ids]
    said = nodes_of(LABELS, Index(["", "", *order]), answers)
    questions = len(trees)
    numbers = np.arange(questions)
    pad = ((0, 0), (0, extra))
    return from_arrays(
        sentences=np.pad(rectangle(rows, 0), pad),
        story=numbers[:, np.newaxis],
        story_length=np.ones(questions),
        question_sentences=np.array([[2]]),
        question=np.zeros(questions),
        story_of=numbers,
        facts_seen=np.ones(questions),
        per_fact=np.zeros(questions),
        answer=np.array([[1 + (tree[1] == "2"), 0] for tree in trees]),
        support=np.full((questions, 1), -1),
        task=np.zeros(questions),
        nodes=np.pad(rectangle([said[row] for row in rows], WORD), pad, constant_values=WORD),
    )


# --- what each network computes, one node after the other


def children(words: Tensor, said: Tensor) -> Any:
    """A tree as nested pairs of word ids, with the labels in post-order, from its row of a batch."""
    stack: list[Any] = []
    for place, (word, label) in enumerate(zip(words.tolist(), said.tolist(), strict=True)):
        if word == 0:
            break
        if label == WORD:
            stack.append(word)
        elif int(said[place - 1]) != WORD:
            right, left = stack.pop(), stack.pop()
            stack.append((left, right))
    [tree] = stack
    return tree


def visited(tree: Tree, leaf: Callable[[int], Any], node: Callable[[Any, Any], Any]) -> list[Any]:
    """The states of all nodes in post-order."""
    if not isinstance(tree, tuple):
        return [leaf(tree)]
    left, right = (visited(branch, leaf, node) for branch in tree)
    return [*left, *right, node(left[-1], right[-1])]


def naive(network: TreeClassifier, tree: Tree) -> Tensor:
    """s of all nodes in post-order: (nodes, answers)"""
    table: Any = network.word_table

    def x(word: int) -> Tensor:
        return table(torch.tensor(word))

    if isinstance(network, TreeLstm):
        H = network.hidden

        def lstm_leaf(word: int) -> tuple[Tensor, Tensor]:
            c, o = network.leaf(x(word)).split(H)
            return torch.sigmoid(o) * torch.tanh(c), c

        def lstm(left: tuple[Tensor, Tensor], right: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
            i, fl, fr, o, u = network.U(torch.cat([left[0], right[0]])).split(H)
            c = torch.sigmoid(i) * torch.tanh(u) + torch.sigmoid(fl) * left[1] + torch.sigmoid(fr) * right[1]
            return torch.sigmoid(o) * torch.tanh(c), c

        return network.W(torch.stack([h for h, _ in visited(tree, lstm_leaf, lstm)]))
    if isinstance(network, Rntn):
        d = len(network.b)

        def tensor(a: Tensor, b: Tensor) -> Tensor:
            ab = torch.cat([a, b])
            numbers = [ab @ network.V[:, k] @ ab + network.W[k] @ ab + network.b[k] for k in range(d)]
            return torch.tanh(torch.stack(numbers))

        return network.W_s(torch.stack(visited(tree, x, tensor)))
    if isinstance(network, MvRnn):
        d, r = network.d, network.rank

        def leaf(word: int) -> tuple[Tensor, Tensor]:
            U, V, diagonal = network.matrices(torch.tensor(word)).split([d * r, d * r, d])
            return x(word), U.view(d, r) @ V.view(r, d) + torch.diag(1 + diagonal)

        def changed(left: tuple[Tensor, Tensor], right: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
            (a, A), (b, B) = left, right
            p = torch.tanh(network.W @ torch.cat([B @ a, A @ b]) + network.b)
            return p, network.W_M @ torch.cat([A, B])

        return network.W_s(torch.stack([p for p, _ in visited(tree, leaf, changed)]))
    assert isinstance(network, Drnn)
    below = visited(tree, x, lambda left, right: None)
    for layer in network.layers:
        assert isinstance(layer, Layer)
        under = iter(below)
        half = 0.5 * torch.eye(len(layer.b), dtype=layer.b.dtype).repeat(1, 2)
        W = layer.D + half

        def deep_leaf(word: int, layer: Any = layer, under: Any = under) -> Tensor:
            return torch.relu(layer.V_x(next(under)))

        def deep(left: Tensor, right: Tensor, layer: Any = layer, W: Tensor = W, under: Any = under) -> Tensor:
            z = W @ torch.cat([left, right]) + layer.b
            h = next(under)
            return torch.relu(z if layer.V is None else z + layer.V(h))

        below = visited(tree, deep_leaf, deep)
    return network.W_s(torch.stack(below))


@pytest.mark.parametrize("name", MAKES)
def test_levels_give_what_recursion_gives_gradients_too(name: str) -> None:
    network, b = net(name), batch(TREES)
    gradients = []
    for by_levels in (True, False):
        network.zero_grad()
        if by_levels:
            _, _, loss = network.losses(b, None)
            assert loss is not None
            scores = network.classes(b)
        else:
            trees = [children(*row) for row in zip(b.sentences, b.nodes, strict=True)]  # type: ignore[arg-type]
            s = [naive(network, tree) for tree in trees]
            labels = [said[said != WORD] for said in b.nodes]  # type: ignore[union-attr]
            parts = [
                torch.nn.functional.cross_entropy(one, label, ignore_index=-1, reduction="sum")
                for one, label in zip(s, labels, strict=True)
            ]
            loss, scores = torch.stack(parts), torch.stack([one[-1] for one in s])
        (loss * torch.arange(1, 5)).sum().backward()
        gradients.append([loss, scores, *(parameter.grad for parameter in network.parameters())])
    for one, other in zip(*gradients, strict=True):
        assert one is not None
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", MAKES)
def test_company_order_and_padding_change_nothing(name: str) -> None:
    network = net(name)
    together = network.classes(batch(TREES, extra=7))
    alone = torch.cat([network.classes(batch([tree])) for tree in TREES])
    torch.testing.assert_close(together, alone, rtol=1e-9, atol=1e-11)
    torch.testing.assert_close(network.classes(batch(TREES[::-1])).flip(0), alone, rtol=1e-9, atol=1e-11)


def test_trees_go_to_the_device_where_their_batch_goes() -> None:
    b = batch(TREES)
    assert len(b.trees.levels) == 4
    there = b.to(torch.device("meta")).trees
    moved = [there.words, there.label, there.tree, there.root, *(level.take for level in there.levels)]
    assert {tensor.device.type for tensor in moved} == {"meta"}


def test_a_neutral_node_is_learnt_and_never_answered() -> None:
    """Of two classes: node 1 is the end token to the softmax, and the answer is one of the others."""
    network, b = net("tree-lstm"), batch(TREES[:1])
    with torch.no_grad():
        network.W.bias.copy_(torch.tensor([50.0, 0.0, 0.0]))  # type: ignore[union-attr]
    answered = network.answer(b, with_loss=True)
    assert answered.words.tolist()[0][0] in (1, 2)
    assert answered.loss is not None
    assert answered.loss.item() < 5, "the root's loss is of what can be answered"
    smoothed = network.losses(b, None).smoothed
    assert smoothed is not None
    assert smoothed.item() > 200, "nodes that aren't neutral are wrong by 50 each"


def test_labels_are_of_no_account_where_it_answers() -> None:
    network = net("mv-rnn")
    bare = [tree.translate(str.maketrans("", "", "012")).replace("( ", "(") for tree in TREES]
    torch.testing.assert_close(network.classes(batch(bare)), network.classes(batch(TREES)))


# --- trees as words


def test_a_tree_by_hand() -> None:
    assert post_order("(3 (2 It) (4 (2 's) (NP good)))", 5) == [
        *("It", " )2", "'s", " )2", "good", " )"),
        *(" )4", " )3"),
    ]
    assert post_order("(9 (( -LRB- )) (S (1\\/2)))", 5, str.lower) == ["(", " )", "1/2", " )", " )"]
    assert post_order("(It)", 5) == ["It", " )"]
    assert post_order("(2 8\xa01/2)", 5) == ["8\xa01/2", " )2"], "a word with a blank of its own"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("(3 (2 A) (4 good)", "not balanced: 1 open"),
        ("(3 (2 A) (4 good)))", "something after"),
        ("()", "no words"),
        ("(2 a b)", "'b' beside"),
        ("((a) b)", "'b' beside"),
        ("((a) (b) (c))", "3 branches"),
        ("(S 2 (a) (b))", "2 branches and a word"),
        ("a (b)", "not a tree"),
        ("", "not balanced: 0 open"),
        ("(" * 5000 + "a" + ")" * 5000 + "x", "something after"),
    ],
)
def test_what_is_no_tree_is_said(text: str, said: str) -> None:
    with pytest.raises(NoTree, match=said) as caught:
        post_order(text)
    assert caught.value.exit_code == 2
    assert "(3 (2 It)" in (caught.value.hint or "")


def test_a_tree_has_no_end_of_words() -> None:
    many = "(a)"
    for _ in range(2000):
        many = f"({many} (b))"
    with pytest.raises(NoTree, match="more than 2,000 words"):
        post_order(many)


def test_a_text_of_trees_is_split_into_them_and_questions_into_words() -> None:
    words = TreeTokenizer(WhitespaceTokenizer("en"), LABELS)
    assert split("(2 (A)\n (1 b))\n(c)") == ["(2 (A)\n (1 b))", "(c)"]
    assert words.sentences("(2 (A)\n (1 b))\n(c)") == ["(2 (A)\n (1 b))", "(c)"]
    assert words("What is it ?") == ["what", "is", "it", "?"]
    assert words("(2 (A) (1 B))") == ["a", " )", "b", " )1", " )2"]
    assert words.words("(2 (A) (1 B))") == ["A", "B"]
    with pytest.raises(NoTree, match="closed before"):
        split("(a))")


@settings(deadline=None, max_examples=300)
@given(st.one_of(st.text(max_size=40), st.text("(()) 0123a\\/", max_size=60)))
@example("(" * 50_000)
def test_any_text_is_a_tree_or_a_clear_error(text: str) -> None:
    try:
        words = post_order(text, 3)
    except NoTree:
        return
    ids = np.array([[1 if word.startswith(CLOSED) else 2 for word in words]])
    trees = Trees.of(torch.from_numpy(ids), torch.from_numpy(np.where(ids == 1, -1, WORD)))
    assert len(trees.label) == 2 * len(trees.words) - 1


SHAPES = st.recursive(st.integers(0, 7), lambda branch: st.tuples(branch, branch), max_leaves=12)


def written(tree: Tree) -> str:
    return f"({written(tree[0])} {written(tree[1])})" if isinstance(tree, tuple) else f"({'abcdefgh'[tree]})"


@settings(deadline=None, max_examples=200)
@given(st.lists(SHAPES, min_size=1, max_size=5))
def test_any_trees_go_up_level_by_level(shapes: list[Tree]) -> None:
    """What each node is told of its branches is what stands in the brackets."""
    b = batch([written(shape) for shape in shapes])
    trees = b.trees
    texts = ["abcdefgh"[i - 6] for i in trees.words.tolist()]
    leaves = torch.arange(len(texts)).unsqueeze(1)

    def node(left: Tensor, right: Tensor, at: slice) -> Tensor:
        assert at.start == len(texts)
        for i, j in zip(left.flatten().tolist(), right.flatten().tolist(), strict=True):
            texts.append(f"({texts[i]} {texts[j]})")
        return torch.arange(at.start, at.stop).unsqueeze(1)

    assert trees.up(leaves, node).flatten().tolist() == [*range(len(trees.label))]
    wanted = [written(shape) for shape in shapes]
    for word in "abcdefgh":
        wanted = [text.replace(f"({word})", word) for text in wanted]
    assert [texts[i] for i in trees.root.tolist()] == wanted
    assert [texts.count(text) > 0 for text in wanted]


@pytest.mark.parametrize("said", [[-2, -1, -1], [-2, -2, -1], [-1, -2, -1], [-2, -1, -2], [-2, -1, -2, -1]])
def test_a_strangers_data_are_no_trees(said: list[int]) -> None:
    with pytest.raises(DataError, match="no binary tree"):
        Trees.of(torch.full((1, len(said)), 5), torch.tensor([said]))
