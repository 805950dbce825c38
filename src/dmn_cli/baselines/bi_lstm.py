"""A bi-directional LSTM with max pooling: the plain way to classify a text (Conneau et al. 2017, arXiv 1705.02364, sec.
3.2.1; LSTM: Hochreiter & Schmidhuber 1997).

    i_t = σ(W_i w_t + U_i h_{t-1} + b_i)     f_t, o_t alike     u_t = tanh(W_u w_t + U_u h_{t-1} + b_u)
    c_t = i_t ∘ u_t + f_t ∘ c_{t-1}          h_t = o_t ∘ tanh c_t
    v   = max_t [h→_t; h←_t]                 p(y) = softmax(W v + b)

w_t: (word_size,); h_t, c_t: (hidden,); v: (2 hidden,); the maximum is of each number by itself.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from dmn_cli.baselines.classifier import Classifier, texts
from dmn_cli.model.linear import linear
from dmn_cli.model.word_vectors import WordVectors
from dmn_cli.records.batch import Batch
from dmn_cli.records.network import Sizes


class BiLstm(Classifier):
    def __init__(self, sizes: Sizes, *, hidden: int, dropout: float) -> None:
        super().__init__()
        self.words = WordVectors(sizes.words, sizes.word_size, sizes.word_size)
        self.lstm = nn.LSTM(sizes.word_size, hidden, batch_first=True, bidirectional=True)
        self.W = linear(2 * hidden, sizes.answers)
        self.dropout = nn.Dropout(dropout)

    @property
    def word_table(self) -> WordVectors:
        return self.words

    def classes(self, batch: Batch) -> Tensor:
        words, length = texts(batch)
        w = self.dropout(self.words(words))  # (questions, words, word_size)
        packed = pack_padded_sequence(w, length.cpu(), batch_first=True, enforce_sorted=False)
        h, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True, padding_value=-torch.inf)
        v = h.amax(dim=1)
        return self.W(self.dropout(v))
