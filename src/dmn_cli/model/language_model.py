"""The input module learns to read: a forward and a backward language model over plain text (Dai & Le 2015).

Sentences are read word by word, each from a state of zero, in both directions, and each state foretells the word that
comes next in its direction, or that the sentence ends:

    h→_j = GRU→(w_j, h→_{j-1});   P(w_{j+1}) = softmax(O A→ h→_j + b)
    h←_j = GRU←(w_j, h←_{j+1});   P(w_{j-1}) = softmax(O A← h←_j + b)

w is a word's vector, with those of what says its form added to it. O is the table of word vectors itself (Press & Wolf
2017), with a learned vector for the end of a sentence; A brings a state to the width of that table. The unknown word
is read as a vector of zeros, and not foretold.

Softmax over all words would take nearly all of the time. In training it is over the right word and some that are
sampled (`sampled_softmax`), each corrected by the expected count of its being sampled (Jean et al. 2015, sec. 3):

    s_c = O_c A h + b_c - log E[c];   loss = -log (exp s_y / (exp s_y + Σ_{c sampled, c ≠ y} exp s_c))

Words are sampled once for a batch and both directions. With E = 1 and all words sampled this is the softmax itself.

Both GRUs are those that read the words of a sentence (`SentenceGRU`). Afterwards the fusion layer, whose facts may be
words, begins with the same weights.
"""

from __future__ import annotations

import math
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dmn_cli.errors import UsageError
from dmn_cli.kernels.elementwise import Dropout
from dmn_cli.model.input_module import FusionReader, SentenceGRU
from dmn_cli.model.linear import linear
from dmn_cli.model.network import DynamicMemoryNetwork
from dmn_cli.model.word_vectors import WordVectors
from dmn_cli.records.network import Network
from dmn_cli.records.next_words import UNKNOWN_WORD, NextWords

_AT_A_TIME = 512  # steps whose probabilities of all words are held
_SMALL = 0.01  # what A begins with, so that words are foretold by their frequency at first


class LanguageModel(nn.Module):
    """Reads with the word vectors and the sentence reader of a network, which are trained in place."""

    foretold: Tensor  # (words,) True where a word can come next; in row 0, the end of the sentence

    def __init__(self, network: Network, counts: Tensor, dropout: float) -> None:
        """counts: (words,) how often each word occurs; those that don't aren't foretold

        Raises: UsageError where the network doesn't read sentences word by word.
        """
        super().__init__()
        self.word_vectors, self.reader = _parts_that_read(network)
        self.read = cast("SentenceGRU", self.reader.sentences).read
        hidden, size = self.read.forwards.hidden, self.word_vectors.weight.shape[1]
        self.after, self.before = (linear(hidden, size, bias=False) for _ in range(2))
        for weights in (self.after.weight, self.before.weight):
            nn.init.normal_(weights, std=_SMALL)
        self.end = nn.Parameter(torch.zeros(1, size))
        self.register_buffer("foretold", counts > 0, persistent=False)
        self.foretold[:1] = True
        self.b = nn.Parameter(torch.log(counts + 1.0) - math.log(float(counts.sum()) + len(counts)))
        self.dropout = Dropout(dropout)

    def states(self, batch: NextWords, v: Tensor) -> Tensor:
        """v: (classes, word_size), whose row 0 isn't read → A→ h→ of all steps, then A← h←, (2 x packed, word_size)"""
        vectors = self.word_vectors.widened(v)
        w = F.embedding_bag(batch.words, vectors, batch.texts.start, mode="sum")
        right, left = self.read.directions(self.dropout(w), batch.texts.packing)
        return torch.cat([self.after(self.dropout(right)), self.before(self.dropout(left))])

    def foretelling(self, batch: NextWords) -> tuple[Tensor, Tensor, Tensor]:
        """The vectors of the classes, (classes, word_size); and of all that is foretold, in both directions, the state
        that foretells it, (n, word_size), and its class, (n,)."""
        v = self.word_vectors.E(batch.classes) * (batch.classes > 1).unsqueeze(1)
        targets = torch.cat([batch.after, batch.before])
        foretold = torch.nonzero(targets != UNKNOWN_WORD).squeeze(1)
        return v, self.states(batch, v).index_select(0, foretold), targets.index_select(0, foretold)

    def forward(self, batch: NextWords, log_expected: Tensor) -> tuple[Tensor, int]:
        """log_expected: (words,) log E of each word, row 0 that of the sentence's end

        → the sum of the losses of all words foretold, and how many these are
        """
        v, h, targets = self.foretelling(batch)
        table = torch.cat([self.end, v[1:]])
        b = (self.b - log_expected).index_select(0, batch.classes)
        return sampled_softmax(h, table, b, targets, batch.sampled).sum(), len(targets)

    @torch.no_grad()
    def full_loss(self, batch: NextWords) -> tuple[Tensor, int]:
        """The same by the softmax over all words."""
        E = self.word_vectors.weight
        table = torch.cat([self.end, E[1:]])
        b = torch.where(self.foretold, self.b, -torch.inf)
        _, h, targets = self.foretelling(batch)
        words = batch.classes[targets]
        losses = [
            F.cross_entropy(torch.addmm(b, some, table.t()), right, reduction="sum")
            for some, right in zip(h.split(_AT_A_TIME), words.split(_AT_A_TIME), strict=True)
        ]
        return torch.stack(losses).sum(), len(targets)

    @torch.no_grad()
    def hand_over(self) -> None:
        """Has the fusion layer begin with what reads the words of a sentence."""
        self.reader.forwards.load_state_dict(self.read.forwards.state_dict())
        self.reader.backwards.load_state_dict(self.read.backwards.state_dict())


def _parts_that_read(network: Network) -> tuple[WordVectors, FusionReader]:
    if isinstance(network, DynamicMemoryNetwork):
        reader = network.input_module
        if isinstance(reader, FusionReader) and isinstance(reader.sentences, SentenceGRU):
            return network.word_vectors, reader
    raise UsageError("this network doesn't read sentences word by word", hint='Set model.sentence="gru".')


def sampled_softmax(h: Tensor, table: Tensor, b: Tensor, target: Tensor, sampled: Tensor) -> Tensor:
    """h: (n, size); table: (classes, size); b: (classes,); target: (n,) classes; sampled: (k,) distinct classes

    → (n,) -log of the probability of the target, among it and the sampled ones
    """
    return cast("Tensor", _SampledSoftmax.apply(h, table, b, target, sampled))


class _SampledSoftmax(torch.autograd.Function):
    """The matrix of scores becomes in turn that of probabilities and that of gradients, in place."""

    @staticmethod
    def forward(ctx, h, table, b, target, sampled):
        scores = torch.addmm(b.index_select(0, sampled), h, table.index_select(0, sampled).t())
        column = sampled.new_full((len(table),), -1).index_copy_(
            0, sampled, torch.arange(len(sampled), device=h.device)
        )
        hit = column.index_select(0, target)
        row = torch.nonzero(hit >= 0).squeeze(1)
        scores[row, hit[row]] = -torch.inf
        right = torch.linalg.vecdot(h, table.index_select(0, target)) + b.index_select(0, target)
        top = torch.maximum(scores.amax(dim=1), right)
        scores.sub_(top.unsqueeze(1)).exp_()
        p = (right - top).exp()
        total = scores.sum(dim=1).add_(p)
        ctx.save_for_backward(h, table, target, sampled, scores.div_(total.unsqueeze(1)), p / total)
        return total.log() + top - right

    @staticmethod
    def backward(ctx, *gradients):
        h, table, target, sampled, scores, p = ctx.saved_tensors
        g = gradients[0]
        d = scores * g.unsqueeze(1)
        d_right = (p - 1) * g
        d_h = d @ table.index_select(0, sampled) + d_right.unsqueeze(1) * table.index_select(0, target)
        d_table = torch.zeros_like(table).index_add_(0, target, d_right.unsqueeze(1) * h)
        d_table.index_add_(0, sampled, d.t() @ h)
        d_b = table.new_zeros(len(table)).index_add_(0, target, d_right).index_add_(0, sampled, d.sum(dim=0))
        return d_h, d_table, d_b, None, None
