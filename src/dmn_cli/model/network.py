"""The Dynamic Memory Network: four modules, in reading order."""

from __future__ import annotations

from functools import partial

from torch import Tensor

from dmn_cli.model.answer_module import AnswerModule
from dmn_cli.model.decoding import Reading
from dmn_cli.model.episodic_memory import EpisodicMemory
from dmn_cli.model.forms import GateFeatures, Gates, MemoryUpdate, Reader, Reset, Sentence, Update
from dmn_cli.model.gated_gru import GatedGRU
from dmn_cli.model.image_regions import ImageRegions, PictureReader
from dmn_cli.model.input_module import FactGRU, FusionReader, PositionEncoding, Regions, SentenceGRU, WordGRU
from dmn_cli.model.letter_reader import LetterReader
from dmn_cli.model.ngram_bag import NgramBag
from dmn_cli.model.objective import answer_loss, gate_loss, given_gates
from dmn_cli.model.question_module import QuestionModule
from dmn_cli.model.speaking import SpeakingNetwork
from dmn_cli.model.word_vectors import WordVectors
from dmn_cli.records.batch import Batch
from dmn_cli.records.network import Losses
from dmn_cli.records.output import Episode, Facts, Output, effective_gates
from dmn_cli.records.regions import PictureForm


class DynamicMemoryNetwork(SpeakingNetwork):
    """Reads a story, reads a question, passes over the story again and again, and answers.

    words and answers: the sizes of the two vocabularies; max_answer_steps: the longest answer, its end token counted;
    word_size: the width of word vectors, None: `hidden`; each: whether it can answer at each fact; regions: the width
    of facts that are vectors, and pictures: the form of pictures of which they are regions, None: facts are sentences;
    ngram_rows: how many n-grams it can know. The rest says which form each module takes (`forms.py`);
    `settings/presets/` has the published combinations.
    """

    gated = True
    sees = True
    transferable = ("word_vectors.", "input_module.", "question_module.")

    def __init__(
        self,
        *,
        words: int,
        answers: int,
        max_answer_steps: int,
        hidden: int,
        reader: Reader,
        gate_features: GateFeatures,
        gates: Gates,
        episode: Update,
        memory: MemoryUpdate,
        reset: Reset,
        passes: int,
        end_of_passes: bool,
        dropout: float,
        recurrent_dropout: float = 0.0,
        word_dropout: float = 0.0,
        vectors_spread: float = 1.0,
        sentence: Sentence = "position",
        fusion_layers: int = 1,
        pooled: bool = False,
        ngrams: int = 0,
        characters: int = 0,
        channels: int = 32,
        ngram_rows: int = 0,
        word_size: int | None = None,
        per_fact: bool = False,
        regions: int | None = None,
        pictures: PictureForm | None = None,
    ) -> None:
        super().__init__()
        gru = partial(GatedGRU, reset=reset)
        self.word_vectors = WordVectors(words, word_size or hidden, hidden, spread=vectors_spread)
        encoded = _regions(regions, pictures, channels, hidden)
        reads = partial(gru, dropout=recurrent_dropout)
        if encoded and pictures and reader == "fusion":
            self.input_module = PictureReader(encoded, hidden, dropout, reads, fusion_layers)
        elif reader == "fusion":
            if encoded is None and sentence == "gru":
                letters = LetterReader(characters, hidden, gru) if characters else None
                encoded = SentenceGRU(hidden, dropout, word_dropout, reads, letters)
            self.input_module = FusionReader(
                encoded or PositionEncoding(word_dropout), hidden, dropout, reads, fusion_layers
            )
        elif encoded:
            self.input_module = FactGRU(encoded, hidden, dropout, reads)
        else:
            self.input_module = WordGRU(hidden, dropout, reads)
        self.question_module = QuestionModule(hidden, gru)
        self.episodic_memory = EpisodicMemory(
            hidden,
            gru,
            passes=passes,
            features=gate_features,
            gates=gates,
            episode=episode,
            memory=memory,
            end_of_passes=end_of_passes,
        )
        self.answer_module = AnswerModule(
            answers, hidden, dropout, gru, max_answer_steps, per_fact=per_fact, pooled=pooled
        )
        self.ngram_bag = NgramBag(ngrams, ngram_rows, hidden, dropout) if ngrams and ngram_rows else None

    @property
    def word_table(self) -> WordVectors:
        return self.word_vectors

    def give_ngrams(self, keys: Tensor, w: Tensor) -> None:
        if self.ngram_bag:
            self.ngram_bag.keys.copy_(keys)
            self.ngram_bag.w.copy_(w)

    def arrange(self, batch: Batch) -> Batch:
        _ = batch.fact_packings
        self.input_module.arrange(batch)
        if self.ngram_bag:
            self.ngram_bag.arrange(batch)
        return batch

    def remember(self, batch: Batch) -> tuple[Facts, Tensor, Episode]:
        """The facts, q (questions, hidden), and the episodes that the passes over the facts make."""
        facts = self.input_module(batch, self.word_vectors)
        q = self.question_module(batch, self.word_vectors)
        given = None
        if self.training and self.teacher_forcing:
            memory = self.episodic_memory
            given = given_gates(batch.support, memory.passes, facts.packing.steps, softmax=memory.gates == "softmax")
        return facts, q, self.episodic_memory(facts, q, given)

    def see(self, m: Tensor, facts: Facts, batch: Batch) -> Tensor:
        """What the answer begins from. m: (questions, hidden) → (questions, hidden)"""
        seen = self.answer_module.see(m, facts)
        return seen if self.ngram_bag is None else seen + self.ngram_bag(batch)

    def forward(self, batch: Batch) -> Output:
        """What training needs: logits at each step of the right answer, and the gates."""
        facts, q, episode = self.remember(batch)
        m = self.see(episode.memory, facts, batch)
        return Output(self.answer_module(m, q, facts, batch), episode)

    def losses(self, batch: Batch, supervision: str | None) -> Losses:
        logits, episode = self(batch)
        softmax = self.episodic_memory.gates == "softmax"
        gates = None if supervision is None else gate_loss(episode, batch, supervision, softmax=softmax)
        smoothed = answer_loss(logits, batch, self.label_smoothing) if self.label_smoothing else None
        return Losses(answer_loss(logits, batch), gates, smoothed)

    def read(self, batch: Batch) -> Reading:
        facts, q, episode = self.remember(batch)
        module = self.answer_module
        m = self.see(episode.memory, facts, batch)
        return Reading(
            gates=effective_gates(episode),
            packing=facts.packing,
            max_steps=module.max_steps,
            once=partial(module.speaker, m, q, batch),
            at_each=partial(module.speaker, m, q, batch, facts) if module.per_fact else None,
            forced=partial(module, m, q, facts, batch),
        )


def _regions(
    regions: int | None, pictures: PictureForm | None, channels: int, hidden: int
) -> Regions | ImageRegions | None:
    """What makes facts of vectors, or of pictures; None where facts are sentences."""
    if pictures and pictures.side:
        return ImageRegions(pictures, channels, hidden)
    width = pictures.width if pictures else regions
    return None if width is None else Regions(width, hidden)
