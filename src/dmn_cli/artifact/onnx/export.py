"""Writes a model as an ONNX file, once onnxruntime answers by it as the model does.

FILE.onnx   the network: story, question and their masks in; logits and gates out
FILE.json   what its numbers stand for: the words and the answers in the order of their ids, and what it takes

onnx and onnxruntime are an extra of the package, imported here alone and beside (`graph.py`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from dmn_cli.artifact import golden
from dmn_cli.artifact.model import Model
from dmn_cli.data.words.vocabulary import SPARE, UNKNOWN
from dmn_cli.errors import ModelError, UsageError
from dmn_cli.files import atomic_file
from dmn_cli.model.input_module import FusionReader, SentenceGRU
from dmn_cli.model.network import DynamicMemoryNetwork
from dmn_cli.notation import to_json
from dmn_cli.records.batch import END, from_arrays, padded

if TYPE_CHECKING:
    import onnxruntime

FORMAT_VERSION = 1
MOST_FACTS, MOST_WORDS = 512, 64  # of a story, of a fact or a question: it is checked with so many
TOLERANCE = 1e-4  # between its numbers and the model's
LIBRARIES = ("onnx", "onnxruntime")
INPUTS = {
    "story": ("int64", ["questions", "facts", "words"]),
    "story_mask": ("bool", ["questions", "facts", "words"]),
    "question": ("int64", ["questions", "question_words"]),
    "question_mask": ("bool", ["questions", "question_words"]),
}
_SHAPES = ((1, 1, 1, 1), (3, 7, 5, 4), (8, 20, 12, 9), (1, MOST_FACTS, MOST_WORDS, MOST_WORDS))
_TIMED = 0.3  # seconds


class Exported(NamedTuple):
    """What came of it."""

    vocabulary: Path
    size: int  # bytes
    golden: bool  # whether it was checked on the golden questions of the model, and not on made-up ones
    questions: int  # that it was checked on, together with the other shapes
    difference: float  # the largest, of a logit or a gate
    milliseconds: dict[str, float]  # for a question, of onnxruntime and of dmn: the network alone

    def as_json(self) -> dict[str, Any]:
        return {
            "vocabulary": str(self.vocabulary),
            "bytes": self.size,
            "golden": self.golden,
            "questions": self.questions,
            "largest_difference": self.difference,
            "max_facts": MOST_FACTS,
            "max_words": MOST_WORDS,
            "milliseconds": self.milliseconds,
        }


class Asked(NamedTuple):
    """Questions as the graph takes them: ids, and masks that are True where real."""

    story: np.ndarray  # (questions, facts, words) int64
    story_mask: np.ndarray
    question: np.ndarray  # (questions, words) int64
    question_mask: np.ndarray

    @classmethod
    def of(cls, asked: Sequence[tuple[list[list[int]], list[int]]]) -> Asked:
        """asked: facts as ids, and the question"""
        facts = max(len(story) for story, _ in asked)
        words = max(len(fact) for story, _ in asked for fact in story)
        story = np.zeros((len(asked), facts, words), np.int64)
        question = np.zeros((len(asked), max(len(text) for _, text in asked)), np.int64)
        for i, (told, text) in enumerate(asked):
            question[i, : len(text)] = text
            for n, fact in enumerate(told):
                story[i, n, : len(fact)] = fact
        return cls(story, story != 0, question, question != 0)


def beside(path: Path) -> Path:
    """Where the vocabulary goes."""
    return path.with_suffix(".json")


def check_libraries() -> None:
    """Raises: UsageError where onnx or onnxruntime isn't installed."""
    missing = [name for name in LIBRARIES if find_spec(name) is None]
    if missing:
        raise UsageError(
            f"ONNX needs {' and '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed",
            hint=f"Install what is missing: pip install {' '.join(missing)}",
        )


def check(model: Model) -> DynamicMemoryNetwork:
    """The network, if a graph can express it. Raises: UsageError, which says what it can't"""
    network = model.network
    if model.ensemble > 1:
        reason = f"it is an ensemble of {model.ensemble} networks"
    elif not isinstance(network, DynamicMemoryNetwork):
        reason = f"its network is {model.settings.network!r}"
    elif model.sizes.pictures:
        reason = "its facts are regions of pictures"
    elif model.sizes.per_fact:
        reason = "it answers at each fact"
    elif model.sizes.max_answer_steps > 2:
        reason = f"its answers have up to {model.sizes.max_answer_steps - 1} words"
    elif _spells(network):
        reason = "it reads the letters of words (model.characters)"
    elif model.tokenizer_spec.get("affixes"):
        reason = "it reads the affixes of words (--affixes)"
    else:
        return network
    raise UsageError(
        f"can't be exported to ONNX yet: {reason}",
        where=model.folder,
        hint="A model of one network can be, that answers with one word.",
    )


def _spells(network: DynamicMemoryNetwork) -> bool:
    reader = network.input_module
    sentences = reader.sentences if isinstance(reader, FusionReader) else None
    return isinstance(sentences, SentenceGRU) and sentences.letters is not None


def export(model: Model, path: Path) -> Exported:
    """Writes both files, or neither.

    Raises: UsageError where the model can't be exported; ModelError where onnxruntime doesn't answer as the model does.
    """
    from dmn_cli.artifact.onnx.graph import Graph
    from dmn_cli.artifact.onnx.network import network

    net = check(model).to("cpu").float().eval()
    graph = Graph()
    with torch.no_grad():
        logits, gates = network(graph, net, _barred(model))
    outputs = {
        "logits": (logits, ["questions", "answers"]),
        "gates": (gates, ["questions", "passes", "facts"]),
    }
    content = graph.model(INPUTS, outputs).SerializeToString()
    session = opened(content)
    sample, is_golden = _sample(model)
    shapes = [sample, *_shapes(model)]
    difference = max(_difference(model, net, session, asked) for asked in shapes)
    if not difference <= TOLERANCE:  # nor if it is no number
        raise ModelError(
            f"onnxruntime answers otherwise than the model: by up to {difference:.2g}, and {TOLERANCE:g} is allowed",
            where=model.folder,
            hint="Nothing was written. This is a bug of dmn or of onnxruntime: please report it.",
        )
    times = _milliseconds(net, session, sample)
    with atomic_file(path) as file, atomic_file(beside(path)) as words:
        file.write(content)
        words.write(to_json(_vocabulary(model), indent=1).encode() + b"\n")
    return Exported(beside(path), len(content), is_golden, sum(len(asked.story) for asked in shapes), difference, times)


def _barred(model: Model) -> torch.Tensor:
    """What is never said: an end, with which no answer begins, and names that stand for none. (answers,) bool"""
    barred = torch.tensor([answer.startswith(SPARE) for answer in model.vocabulary.answers.items])
    barred[END] = True
    return barred


def _vocabulary(model: Model) -> dict[str, Any]:
    """The JSON file. Spare names, which no text has, are left empty."""

    def named(items: list[str]) -> list[str]:
        return ["" if item.startswith(SPARE) else item for item in items]

    spec = model.tokenizer_spec
    return {
        "format_version": FORMAT_VERSION,
        "words": named(model.vocabulary.words.items),
        "answers": named(model.vocabulary.answers.items),
        "unknown_word": model.vocabulary.words.ids[UNKNOWN],
        "lowercase": spec.get("lowercase", True),
        "tokenizer": spec.get("kind"),
        "max_facts": MOST_FACTS,
        "max_words": MOST_WORDS,
        "temperature": model.network.temperature,
    }


def opened(content: bytes) -> onnxruntime.InferenceSession:
    """A graph, to be run in as many threads as torch uses."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _sample(model: Model) -> tuple[Asked, bool]:
    """The golden questions of the model directory, and True; where there are none, made-up ones."""
    if model.folder and (asked := golden.read(model.folder)):
        tokens, ids = model.tokenizer(), model.vocabulary.words.ids

        def encoded(text: str) -> list[int]:
            return [ids.get(word, ids[UNKNOWN]) for word in tokens(text)]

        return Asked.of([([*map(encoded, one.story)], encoded(one.question)) for one in asked]), True
    return _made_up(model, 8, 10, 7, 5), False


def _shapes(model: Model) -> Iterator[Asked]:
    return (_made_up(model, *shape) for shape in _SHAPES)


def _made_up(model: Model, questions: int, facts: int, words: int, asked: int) -> Asked:
    """Words at random, in stories and facts of all lengths up to these; the first question has the longest of all."""
    random = np.random.default_rng([questions, facts, words, asked])

    def some(most: int, *, all_: bool) -> int:
        return most if all_ else int(random.integers(1, most + 1))

    def text(most: int, *, all_: bool) -> list[int]:
        return random.integers(1, len(model.vocabulary.words), some(most, all_=all_)).tolist()

    return Asked.of(
        [
            ([text(words, all_=first or n == 0) for n in range(some(facts, all_=first))], text(asked, all_=first))
            for first in (i == 0 for i in range(questions))
        ]
    )


def _difference(model: Model, net: DynamicMemoryNetwork, session: onnxruntime.InferenceSession, asked: Asked) -> float:
    """The largest, of a logit that can be said or a gate."""
    logits, gates = map(np.asarray, session.run(["logits", "gates"], asked._asdict()))
    expected, expected_gates = said(net, asked)
    never = _barred(model).numpy()
    if not np.isneginf(logits[:, never]).all() or gates.shape != expected_gates.shape:
        return float("inf")
    return float(max(np.abs(logits - expected)[:, ~never].max(), np.abs(gates - expected_gates).max()))


@torch.inference_mode()
def said(net: DynamicMemoryNetwork, asked: Asked) -> tuple[np.ndarray, np.ndarray]:
    """The logits of the first word at the network's temperature, and the gates, as the network itself has them."""
    run = _prepared(net, asked)
    logits, gates = run()
    return logits.numpy(), gates.numpy()


def _prepared(net: DynamicMemoryNetwork, asked: Asked) -> Callable[[], tuple[torch.Tensor, torch.Tensor]]:
    """What runs the network on these questions, each with a story of its own."""
    facts = asked.story_mask.any(axis=2)
    length = facts.sum(axis=1)
    questions = len(length)
    batch = net.arrange(
        from_arrays(
            sentences=asked.story[facts],
            story=padded(np.arange(length.sum()), length, 0),
            story_length=length,
            question_sentences=asked.question,
            question=np.arange(questions),
            story_of=np.arange(questions),
            facts_seen=length,
            per_fact=np.zeros(questions, bool),
            answer=np.zeros((questions, 1)),
            support=np.full((questions, 1), -1),
            task=np.zeros(questions),
        )
    )

    def run() -> tuple[torch.Tensor, torch.Tensor]:
        reading = net.read(batch)
        assert reading.gates is not None
        return reading.once()(None) / net.temperature, reading.gates

    return run


@torch.inference_mode()
def _milliseconds(net: DynamicMemoryNetwork, session: onnxruntime.InferenceSession, sample: Asked) -> dict[str, float]:
    """For a question, asked by itself: the network alone, without words."""
    one = Asked(*(array[:1] for array in sample))._asdict()
    run = _prepared(net, Asked(**one))
    return {"onnxruntime": _timed(lambda: session.run(None, one)), "dmn": _timed(run)}


def _timed(run: Callable[[], object]) -> float:
    run()
    times = []
    start = time.perf_counter()
    while not times or time.perf_counter() - start < _TIMED:
        before = time.perf_counter()
        run()
        times.append(time.perf_counter() - before)
    return round(1000 * float(np.median(times)), 4)
