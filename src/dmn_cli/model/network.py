"""The Dynamic Memory Network: four modules, in reading order."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from dmn_cli.model.answer_module import AnswerModule
from dmn_cli.model.episodic_memory import EpisodicMemory
from dmn_cli.model.gated_gru import Reset, Update
from dmn_cli.model.input_module import FusionReader, WordGRU
from dmn_cli.model.question_module import QuestionModule
from dmn_cli.records import Batch, Episode, Output


class DynamicMemoryNetwork(nn.Module):
    """Reads a story, reads a question, passes over the story again and again, and answers.

    `words` and `answers` are the sizes of the two vocabularies, `max_answer_steps` the longest answer, its end token
    counted. The rest says which form each module takes; `presets/` names the two published combinations.
    """

    def __init__(
        self,
        *,
        words: int,
        answers: int,
        max_answer_steps: int,
        hidden: int,
        reader: Literal["word-gru", "fusion"],
        gate_features: Literal["dmn", "dmn-plus"],
        gates: Literal["softmax", "sigmoid"],
        episode: Update,
        memory: Literal["gru", "relu"],
        reset: Reset,
        passes: int,
        end_of_passes: bool,
        dropout: float,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, hidden, padding_idx=0)
        nn.init.uniform_(self.embedding.weight, -(3**0.5), 3**0.5)  # Xiong et al. 2016, sec. 5.3
        with torch.no_grad():
            self.embedding.weight[:2] = 0.0  # padding, and the unknown word: it says nothing
        self.input_module = (WordGRU if reader == "word-gru" else FusionReader)(hidden, dropout, reset)
        self.question_module = QuestionModule(hidden, reset)
        self.episodic_memory = EpisodicMemory(
            hidden,
            passes=passes,
            features=gate_features,
            gates=gates,
            episode=episode,
            memory=memory,
            reset=reset,
            end_of_passes=end_of_passes,
        )
        self.answer_module = AnswerModule(answers, hidden, dropout, reset, max_answer_steps)

    def remember(self, batch: Batch) -> tuple[Tensor, Episode]:
        """q (questions, hidden), and what the passes over the facts left behind."""
        facts = self.input_module(batch, self.embedding)
        q = self.question_module(batch, self.embedding)
        return q, self.episodic_memory(facts, q)

    def forward(self, batch: Batch) -> Output:
        """What training needs: logits for the right answer's steps, and the gates."""
        q, episode = self.remember(batch)
        return Output(self.answer_module(episode.memory, q, batch.answer), episode)

    @torch.no_grad()
    def answer(self, batch: Batch) -> tuple[Tensor, Tensor, Episode]:
        """The network's own answers: words (questions, steps), probability (questions,), and the episode."""
        q, episode = self.remember(batch)
        words, confidence = self.answer_module.decode(episode.memory, q)
        return words, confidence, episode
