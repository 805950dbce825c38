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
from dmn_cli.model.word_vectors import WordVectors
from dmn_cli.records import Batch, Episode, Facts, Output


class DynamicMemoryNetwork(nn.Module):
    """Reads a story, reads a question, passes over the story again and again, and answers.

    `words` and `answers` are the sizes of the two vocabularies, `max_answer_steps` the longest answer, its end token
    counted; `word_size` is the width of word vectors, if not `hidden`; `each` lets it answer at each fact; `features`
    is the width of facts that are vectors, where they are. The rest says which form each module takes; `presets/` names
    the two published combinations.
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
        word_size: int | None = None,
        each: bool = False,
        features: int | None = None,
    ) -> None:
        super().__init__()
        self.word_vectors = WordVectors(words, word_size or hidden, hidden)
        self.input_module = (WordGRU if reader == "word-gru" else FusionReader)(hidden, dropout, reset, features)
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
        self.answer_module = AnswerModule(answers, hidden, dropout, reset, max_answer_steps, each=each)

    def arrange(self, batch: Batch) -> Batch:
        """Has a batch work out ahead what this network will ask of it."""
        _ = batch.fact_packings
        if batch.vectors is None:
            _ = batch.word_packings if isinstance(self.input_module, WordGRU) else batch.bags
        return batch

    def remember(self, batch: Batch) -> tuple[Facts, Tensor, Episode]:
        """The facts, q (questions, hidden), and what the passes over the facts left behind."""
        facts = self.input_module(batch, self.word_vectors)
        q = self.question_module(batch, self.word_vectors)
        return facts, q, self.episodic_memory(facts, q)

    def forward(self, batch: Batch) -> Output:
        """What training needs: logits for the right answer's steps, and the gates."""
        facts, q, episode = self.remember(batch)
        return Output(self.answer_module(episode.memory, q, facts, batch), episode)

    @torch.no_grad()
    def answer(self, batch: Batch) -> tuple[Tensor, Tensor, Episode]:
        """The network's own answers: words (questions, steps), probability (questions,), and the episode."""
        facts, q, episode = self.remember(batch)
        words, confidence = self.answer_module.decode(episode.memory, q, facts, batch.each)
        return words, confidence, episode
