"""The answer module: memory, q → the words of the answer.

    a_0 = m^T
    a_t = GRU([y_{t-1}, q], a_{t-1})
    y_t = softmax(W a_t)                        (Kumar et al. 2016, sec. 2.4)

until the end token. y_{t-1} is the previous word as a one-hot vector (the right one in training), and y_0 is zero. The
product of a one-hot vector and a matrix is a row of that matrix, so the first rows of the GRU's W are looked up.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dmn_cli.model.gated_gru import GatedGRU, Reset
from dmn_cli.model.linear import linear

END = 0  # the answer id that ends every answer


class AnswerModule(nn.Module):
    def __init__(self, answers: int, hidden: int, dropout: float, reset: Reset, max_steps: int) -> None:
        super().__init__()
        self.answers, self.max_steps = answers, max_steps
        self.gru = GatedGRU(answers + hidden, hidden, reset=reset)
        self.W = linear(hidden, answers)
        self.dropout = nn.Dropout(dropout)

    def start(self, m: Tensor, q: Tensor) -> tuple[Tensor, Tensor]:
        """a_0 and the part of the projected input that is the same at every step."""
        a, q = self.dropout(m), self.dropout(q)
        return a, q @ self.gru.W[self.answers :] + self.gru.b

    def forward(self, m: Tensor, q: Tensor, answer: Tensor) -> Tensor:
        """Logits given the right previous words. m, q: (questions, hidden); answer: (questions, steps), -1 where
        padded or unknown → (questions, steps, answers)"""
        a, x_q = self.start(m, q)
        x, logits = x_q, []
        for t in range(answer.shape[1]):
            a = self.gru.step(x, a)
            logits.append(self.W(a))
            x = x_q + self.gru.W[answer[:, t].clamp(min=0)]
        return torch.stack(logits, dim=1)

    @torch.no_grad()
    def decode(self, m: Tensor, q: Tensor) -> tuple[Tensor, Tensor]:
        """The likeliest word at each step, until the end token.

        Returns the answers (questions, steps), END from each one's end on, and the probability (questions,) that the
        model gives to the whole answer, its end included.
        """
        a, x_q = self.start(m, q)
        x, words, log_p = x_q, [], m.new_zeros(len(m))
        ended = torch.zeros(len(m), dtype=torch.bool, device=m.device)
        for _ in range(self.max_steps):
            a = self.gru.step(x, a)
            p, y = torch.log_softmax(self.W(a), dim=1).max(dim=1)
            words.append(y.where(~ended, END))
            log_p = log_p + p.where(~ended, 0.0)
            ended = ended | (y == END)
            if bool(ended.all()):
                break
            x = x_q + self.gru.W[y]
        return torch.stack(words, dim=1), log_p.exp()
