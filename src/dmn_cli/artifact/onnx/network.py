"""The Dynamic Memory Network as an ONNX graph: the equations of `dmn_cli.model`, on padded tensors with masks.

Each function is a module of the network, and is named after it; `tests/artifact/test_onnx.py` holds them to each other.
Whole GRUs are ONNX's own operation, whose form is the same (its linear_before_reset is our reset = "after"). The
episode is a loop, since its steps are held back by gates.

Shapes: questions B, facts F, words W, hidden H. A story's facts come first, and so do a fact's words.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from dmn_cli.artifact.onnx.graph import Graph, Value
from dmn_cli.model.attention_gate import AttentionGate
from dmn_cli.model.episodic_memory import STOP_THRESHOLD, EpisodicMemory
from dmn_cli.model.gated_gru import GatedGRU
from dmn_cli.model.input_module import FusionLayer, FusionReader, SentenceGRU, WordGRU
from dmn_cli.model.network import DynamicMemoryNetwork
from dmn_cli.model.ngram_bag import NgramBag
from dmn_cli.model.word_vectors import WordVectors
from dmn_cli.records.ngrams import P

_NEVER = -np.inf


class Masked:
    """Which of some steps are real. mask: (rows, steps) bool"""

    def __init__(self, graph: Graph, mask: Value) -> None:
        self.mask = mask
        self.real = graph.unsqueeze(graph.cast(mask, "float"), 2)  # (rows, steps, 1)
        # (rows, 1) how many: a row without a step is read as if it had one, and counts for nothing
        self.length = graph.node("Max", graph.sum(self.real, 1), 1.0)
        self.lengths = graph.cast(graph.squeeze(self.length, 1), "int32")  # (rows,) as ONNX's GRU takes them


def network(graph: Graph, net: DynamicMemoryNetwork, barred: Tensor) -> tuple[Value, Value]:
    """Reads the inputs story (B, F, W), story_mask, question (B, W') and question_mask.

    barred: (answers,) True for what is never said
    → the logits of the first word of the answer at the network's temperature, -inf for what is never said, (B,
    answers); the gates as they counted, (B, passes, F)
    """
    words = graph.input("story_mask")
    facts = Masked(graph, graph.cast(graph.maximum(graph.cast(words, "int64"), 2), "bool"))
    c = _input_module(graph, net, graph.input("story"), words, facts)
    question = Masked(graph, graph.input("question_mask"))
    v = _word_vectors(graph, net.word_vectors, graph.input("question"))
    _, q = _gru(graph, v, question.lengths, net.question_module.gru)
    m, gates = _episodic_memory(graph, net.episodic_memory, c, q, facts)
    bag = None if net.ngram_bag is None else _ngram_bag(graph, net.ngram_bag, graph.input("story"), words)
    logits = _answer_module(graph, net, m, q, c, facts, bag) / net.temperature
    return logits + torch.zeros(len(barred)).masked_fill(barred, _NEVER), gates


def _word_vectors(graph: Graph, vectors: WordVectors, words: Value) -> Value:
    """(…) → (…, H)"""
    v = graph.node("Gather", vectors.weight, words)
    return v if vectors.P is None else _linear(graph, v, vectors.P)


def _linear(graph: Graph, x: Value, layer: torch.nn.Linear) -> Value:
    y = x @ layer.weight.t()
    return y if layer.bias is None else y + layer.bias


def _gru(
    graph: Graph, x: Value, lengths: Value, forwards: GatedGRU, backwards: GatedGRU | None = None
) -> tuple[Value, Value]:
    """All states, of both directions added, (rows, steps, H), and the last one, (rows, H). x: (rows, steps, H);
    lengths: (rows,) int32"""
    grus = [gru for gru in (forwards, backwards) if gru is not None]
    W, U = torch.stack([gru.W.t() for gru in grus]), torch.stack([gru.U.t() for gru in grus])
    b = torch.stack([torch.cat([gru.b, torch.zeros_like(gru.b)]) for gru in grus])
    y, last = graph.several(
        "GRU",
        2,
        graph.transpose(x, 1, 0, 2),
        W,
        U,
        b,
        lengths,
        hidden_size=forwards.hidden,
        linear_before_reset=int(forwards.reset == "after"),
        direction="forward" if backwards is None else "bidirectional",
    )  # (steps, directions, rows, H), (directions, rows, H)
    return graph.transpose(graph.sum(y, 1), 1, 0, 2), graph.sum(last, 0)


def _step(graph: Graph, gru: GatedGRU, x: Value, h: Value, gate: Value | None = None) -> Value:
    """`GatedGRU.step`. x: (rows, blocks x H), projected; h: (rows, H); gate: (rows, 1)"""
    H, U = gru.hidden, gru.U
    blocks = U.shape[1] // H
    *_, x_r, x_h = parts = [graph.slice(x, n * H, (n + 1) * H, 1) for n in range(blocks)]
    R = graph.sigmoid(x_r + h @ U[:, -2 * H : -H])
    candidate = graph.tanh(x_h + ((R * h) @ U[:, -H:] if gru.reset == "before" else R * (h @ U[:, -H:])))
    u = gate
    if gru.update == "gru":
        u = 1.0 - graph.sigmoid(parts[0] + h @ U[:, :H])
        u = u if gate is None else gate * u
    assert u is not None
    return h + u * (candidate - h)


def _input_module(graph: Graph, net: DynamicMemoryNetwork, story: Value, words: Value, facts: Masked) -> Value:
    """→ c (B, F, H)"""
    module = net.input_module
    if isinstance(module, WordGRU):
        return _word_gru(graph, net, module, story, words)
    assert isinstance(module, FusionReader)
    f = _sentences(graph, net, module, story, words)
    c, _ = _gru(graph, f, facts.lengths, module.forwards, module.backwards)
    for layer in module.higher:
        assert isinstance(layer, FusionLayer)
        c = c + _gru(graph, c, facts.lengths, layer.forwards, layer.backwards)[0]
    return c


def _word_gru(graph: Graph, net: DynamicMemoryNetwork, module: WordGRU, story: Value, words: Value) -> Value:
    """The words of a story are read in a row, and the state at the end of each fact is its c."""
    together, lengths = _together(graph, story, words)
    h, _ = _gru(graph, _word_vectors(graph, net.word_vectors, together), graph.cast(lengths, "int32"), module.gru)
    ends = graph.cumulated(graph.sum(graph.cast(words, "int64"), 2))  # (B, F)
    last = graph.node("Max", graph.node("Sub", ends, graph.integers(1)), graph.integers(0))
    return graph.node("GatherND", h, graph.unsqueeze(last, 2), batch_dims=1)


def _together(graph: Graph, story: Value, words: Value) -> tuple[Value, Value]:
    """The words of a story moved together: (B, N + 1), with zeros behind them, and how many there are, (B,) int64"""
    B = graph.size(story, 0)
    real = graph.reshape(graph.cast(words, "int64"), B, -1)  # (B, N)
    N = graph.size(real, 1)
    before = graph.node("Sub", graph.cumulated(real), graph.integers(1))
    place = graph.where(graph.cast(real, "bool"), before, N)
    room = graph.node("Expand", graph.integers(0), graph.concat([B, graph.node("Add", N, graph.integers(1))], 0))
    moved = graph.reshape(graph.where(words, story, graph.integers(0)), B, -1)
    return graph.node("ScatterElements", room, place, moved, axis=1), graph.sum(real, 1)


def _sentences(graph: Graph, net: DynamicMemoryNetwork, module: FusionReader, story: Value, words: Value) -> Value:
    """→ f (B, F, H)"""
    B, F, W, H = (*(graph.size(story, axis) for axis in range(3)), module.forwards.hidden)
    flat = Masked(graph, graph.reshape(words, -1, W))  # (B F, W)
    w = _word_vectors(graph, net.word_vectors, graph.reshape(story, -1, W)) * flat.real
    if isinstance(module.sentences, SentenceGRU):
        f = _sentence_gru(graph, module.sentences, w, flat)
    else:
        d = torch.arange(1, H + 1) / H
        place = graph.cumulated(flat.real) / graph.unsqueeze(flat.length, 1)
        f = graph.sum(w, 1) * (1 - d) - graph.sum(w * place, 1) * (1 - 2 * d)
    return graph.reshape(f, B, F, H)


def _sentence_gru(graph: Graph, sentences: SentenceGRU, w: Value, steps: Masked) -> Value:
    h, _ = _gru(graph, w, steps.lengths, sentences.read.forwards, sentences.read.backwards)
    f = _linear(graph, graph.concat(_mean_and_maximum(graph, h, steps), 1), sentences.W)
    return graph.where(graph.node("Equal", steps.length, graph.value(1.0)), graph.sum(w, 1), f)


def _mean_and_maximum(graph: Graph, h: Value, steps: Masked) -> list[Value]:
    """Of the real steps of each row. (rows, steps, H) → (rows, H) twice"""
    highest = graph.where(graph.cast(steps.real, "bool"), h, _NEVER)
    return [graph.sum(h * steps.real, 1) / steps.length, graph.maximum(highest, 1)]


def _episodic_memory(graph: Graph, module: EpisodicMemory, c: Value, q: Value, facts: Masked) -> tuple[Value, Value]:
    """→ m (B, H), gates (B, passes, F)"""
    x = graph.transpose(_project(graph, module.episode, c), 1, 0, 2)  # (F, B, blocks x H)
    gate = _Gate(graph, module.gate, c, q)
    end = None if module.end is None else _Gate(graph, module.gate, graph.value(module.end.view(1, 1, -1)), q)
    unseen = graph.where(facts.mask, 0.0, _NEVER)
    m, running, gates = q, None, []
    for t in range(module.passes):
        score = gate.score(m, q) + unseen  # (B, F)
        if end is not None:
            score = graph.concat([score, end.score(m, q)], 1)
        g = graph.node("Softmax", score, axis=1) if module.gates == "softmax" else graph.sigmoid(score)
        stop = graph.slice(g, -1, 1 << 62, 1)
        if end is not None:
            g = graph.slice(g, 0, -1, 1)
        g = graph.unsqueeze(g, 2) * facts.real
        e = graph.scan(
            q * 0.0,
            [x, graph.transpose(g, 1, 0, 2)],
            lambda inner, h, x_i, g_i: _step(inner, module.episode, x_i, h, g_i),
        )
        m_t = _update(graph, module, t, m, e, q)
        counted = graph.squeeze(g, 2)
        if end is not None:
            running = 1.0 - stop if running is None else running * (1.0 - stop)
            going = graph.node("Greater", running, graph.value(STOP_THRESHOLD))
            running = graph.where(going, running, 0.0)
            m_t = m + running * (m_t - m)
            counted = counted * running
        m = m_t
        gates.append(graph.unsqueeze(counted, 1))
    return m, graph.concat(gates, 1)


def _project(graph: Graph, gru: GatedGRU, x: Value) -> Value:
    return x @ gru.W + gru.b


def _update(graph: Graph, module: EpisodicMemory, t: int, m: Value, e: Value, q: Value) -> Value:
    if module.gru is not None:
        return _step(graph, module.gru, _project(graph, module.gru, e), m)
    layer = module.W_t[t]
    assert isinstance(layer, torch.nn.Linear)
    return graph.node("Relu", _linear(graph, graph.concat([m, e, q], 1), layer))


class _Gate:
    """`AttentionGate` of some facts c: (B or 1, F, H)."""

    def __init__(self, graph: Graph, gate: AttentionGate, c: Value, q: Value) -> None:
        self.graph, self.gate, self.c = graph, gate, c
        H, W1_q = gate.W2.in_features, gate.W1_q.weight
        self.cW = _linear(graph, c, gate.W) if gate.full else None
        compared = torch.cat([W1_q[:, : 2 * H], W1_q[:, 3 * H :]], dim=1) if gate.full else W1_q
        self.base = self._compared(q) @ compared.t() + gate.W1_q.bias
        if gate.full:
            self.base = self.base + c @ W1_q[:, 2 * H : 3 * H].t()

    def _compared(self, v: Value) -> Value:
        """[c∘v, |c-v|] and, in full, [cᵀWv]. v: (B, H) → (B, F, features)"""
        graph, v = self.graph, self.graph.unsqueeze(v, 1)
        z = [self.c * v, graph.node("Abs", self.c - v)]
        if self.cW is not None:
            z.append(graph.sum(self.cW * v, 2, keep=True))
        return graph.concat(z, 2)

    def score(self, m: Value, q: Value) -> Value:
        """Before softmax or sigmoid. (B, F)"""
        a = self.base + self._compared(m) @ self.gate.W1_m.weight.t()
        if self.gate.full:
            alone = _linear(self.graph, self.graph.concat([m, q], 1), self.gate.W1_alone)
            a = a + self.graph.unsqueeze(alone, 1)
        return self.graph.squeeze(_linear(self.graph, self.graph.tanh(a), self.gate.W2), 2)


def _ngram_bag(graph: Graph, bag: NgramBag, story: Value, words: Value) -> Value:
    """→ P b (B, H)"""
    none = len(bag.keys)  # the row of all that it doesn't know, and of what a text has had already
    ids, _ = _together(graph, story, words)
    key, rows = ids, [_row(graph, bag, ids, ids)]
    for n in range(1, bag.longest):
        last = graph.slice(ids, n, 1 << 62, 1)
        key = graph.node("Mul", graph.slice(key, 0, -1, 1), graph.integers(P))
        key = graph.node("Add", key, last)
        rows.append(_row(graph, bag, key, last))
    row = graph.concat(rows, 1)  # (B, n-grams)
    row, _ = graph.several("TopK", 2, row, graph.size(row, 1), axis=1)  # the same beside each other
    before = graph.slice(graph.node("Pad", row, graph.integers(0, 1, 0, 0), graph.integers(-1)), 0, -1, 1)
    row = graph.where(graph.node("Equal", row, before), graph.integers(none), row)
    known = graph.node("Less", row, graph.integers(none))
    count = graph.node("Max", graph.sum(graph.cast(known, "float"), 1, keep=True), 1.0)
    weighted = torch.nn.functional.pad(bag.T.weight * bag.w[:, None], (0, 0, 0, 1))
    b = graph.sum(graph.node("Gather", weighted, row), 1) / graph.node("Sqrt", count)
    return _linear(graph, b, bag.P)


def _row(graph: Graph, bag: NgramBag, key: Value, last: Value) -> Value:
    """The row of each n-gram, by halves; one past all others for what there is no row for. key, and last, the word that
    it ends with: (B, n-grams)"""
    none = len(bag.keys)
    keys, end = graph.constant(bag.keys.numpy()), graph.integers(none - 1)
    row = graph.node("Mul", key, graph.integers(0))
    for half in reversed(range(none.bit_length())):
        probe = graph.node("Min", graph.node("Add", row, graph.integers(1 << half)), end)
        row = graph.where(graph.node("LessOrEqual", graph.node("Gather", keys, probe), key), probe, row)
    known = graph.node("Equal", graph.node("Gather", keys, row), key)
    known = graph.node("And", known, graph.cast(last, "bool"))
    return graph.where(known, row, graph.integers(none))


def _answer_module(
    graph: Graph, net: DynamicMemoryNetwork, m: Value, q: Value, c: Value, facts: Masked, bag: Value | None
) -> Value:
    """The logits of the first word: y_0 is zero, so that only q is projected. (B, answers)"""
    module = net.answer_module
    if module.W_0 is not None:
        m = _linear(graph, graph.concat([m, *_mean_and_maximum(graph, c, facts)], 1), module.W_0)
    if bag is not None:
        m = m + bag
    x = q @ module.gru.W[module.answers : module.answers + module.gru.hidden] + module.gru.b
    return _linear(graph, _step(graph, module.gru, x, m), module.W)
