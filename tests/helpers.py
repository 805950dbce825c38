"""What several tests are made from: the real data, a tokenizer, small networks and batches."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dmn_cli.data.formats import story_world
from dmn_cli.data.formats.splits import hold_out
from dmn_cli.data.store import writer
from dmn_cli.model.gated_gru import GatedGRU
from dmn_cli.model.network import DynamicMemoryNetwork
from dmn_cli.records.batch import END, Batch, from_arrays, padded
from dmn_cli.records.packing import Packing
from dmn_cli.records.spelling import Spelled, Spelling
from dmn_cli.settings.load import load

WORDS, ANSWERS = 12, 5
SPELLING = Spelling(["word"[: i % 5] + "é" * (i % 3) for i in range(WORDS)])

Asked = tuple[list[list[int]], list[int], Sequence[int], list[int]]
"""Facts, question, answer, support; an answer that is a tuple has a word for each fact."""

COMMANDS = """
import shlex, sys
from dmn_cli.cli.app import main
for command in sys.argv[1:]:
    sys.argv = ["dmn", *shlex.split(command)]
    try:
        main()
    except SystemExit as ended:
        if ended.code:
            raise
"""
"""A program that runs several commands of dmn in one interpreter, since most of their time is its start."""

_DATA = Path(__file__).parents[2] / "shared" / "data"
BABI = _DATA / "babi" / "tasks_1-20_v1-2.tar.gz"
SST = _DATA / "sst" / "trainDevTestTrees_PTB.zip"
POS = _DATA / "pos"


def needs(path: Path) -> pytest.MarkDecorator:
    """Skips a test where the real data are not at hand."""
    return pytest.mark.skipif(not path.is_file(), reason=f"the data are not at {path}")


class Whitespace:
    """A tokenizer that takes no time."""

    spec: dict[str, Any] = {"kind": "whitespace"}  # noqa: RUF012
    files: dict[str, bytes] = {}  # noqa: RUF012

    def __call__(self, text: str) -> list[str]:
        return text.split()

    words = __call__

    def spelled(self, words: list[str]) -> list[str]:
        return words

    def sentences(self, text: str) -> list[str]:
        return text.splitlines()


def written_qa1(out: Path, questions: int) -> Path:
    """A data set of so many questions of qa1 from the story world, of which some are held out."""
    stories = (("train", story) for story in story_world.stories("qa1", questions, 1, "train"))
    writer.write(out, hold_out(stories, 1), Whitespace(), {})
    return out


def network(preset: str, seed: int = 0, **changes: Any) -> DynamicMemoryNetwork:
    torch.manual_seed(seed)
    settings = {
        **load(preset).model.model_dump(exclude={"network"}),
        "hidden": 8,
        "dropout": 0.0,
        "gates": "softmax",
        "ngrams": 0,
        "passes": 3,
        **changes,
    }
    net = DynamicMemoryNetwork(words=WORDS, answers=ANSWERS, max_answer_steps=4, **settings)
    for name, parameter in net.named_parameters():
        if name.endswith(("b", "bias")):
            torch.nn.init.normal_(parameter)
    return net.double().eval()


def batch(asked: list[Asked], *, extra_words: int = 0, extra_facts: int = 0) -> Batch:
    """Each question with a story of its own; padding can be added at will."""
    sentences = [fact for facts, *_ in asked for fact in facts]
    length = np.array([len(facts) for facts, *_ in asked])
    per_fact = [isinstance(answer, tuple) for _, _, answer, _ in asked]
    ended = [[*answer] if by_fact else [*answer, 0] for (_, _, answer, _), by_fact in zip(asked, per_fact, strict=True)]

    def rectangle(rows: Sequence[Sequence[int]], fill: int, extra: int = 0) -> np.ndarray:
        values = np.array([value for row in rows for value in row], dtype=np.int64)
        return np.pad(
            padded(values, np.array([len(r) for r in rows]), fill), ((0, 0), (0, extra)), constant_values=fill
        )

    numbers = np.arange(len(sentences))
    return from_arrays(
        sentences=rectangle(sentences, 0, extra_words),
        story=np.pad(padded(numbers, length, 0), ((0, 0), (0, extra_facts))),
        story_length=length,
        question_sentences=rectangle([question for _, question, _, _ in asked], 0, extra_words),
        question=np.arange(len(asked)),
        story_of=np.arange(len(asked)),
        facts_seen=length,
        per_fact=np.array(per_fact),
        answer=rectangle(ended, -1),
        support=rectangle([support for *_, support in asked], -1),
        task=np.zeros(len(asked)),
        spelled=Spelled(np.array([word for fact in sentences for word in fact]), SPELLING),
    )


def everything(net: DynamicMemoryNetwork, b: Batch, row: int = 0) -> list[torch.Tensor]:
    """All that the network says of one question, cut to what is real."""
    output, answered = net(b), net.answer(b, with_loss=True)
    assert answered.gates is not None
    assert answered.loss is not None
    facts, steps, episode = int(b.facts_seen[row]), int((b.answer[row] >= 0).sum()), output.episode
    words = torch.nn.functional.pad(answered.words[row], (0, 12 - answered.words.shape[1]), value=END)
    gates = [every[row, :, :facts] for every in (episode.gates, answered.gates)]
    said = [words, answered.confidence[row], answered.loss[row]]
    return [output.logits[row, :steps], *gates, episode.running[row], episode.memory[row], *said]


def assert_same(one: list[torch.Tensor], other: list[torch.Tensor]) -> None:
    for a, b in zip(one, other, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-11)


def by_forward_and_by_reference(gru: GatedGRU, length: torch.Tensor, *, gated: bool, started: bool) -> list[list[Any]]:
    """The padded states and all gradients, of the same random numbers: by `GatedGRU.forward`, and by the plain loop."""
    packing = Packing.of(length)
    rows, steps = packing.at.shape
    results = []
    for fast in (True, False):
        torch.manual_seed(1)
        options: Any = {"dtype": gru.U.dtype, "requires_grad": True}
        x = torch.randn(rows, steps, gru.U.shape[1], **options)
        gates = torch.rand(rows, steps, **options) if gated else None
        start = torch.randn(rows, gru.hidden, **options) if started else None
        gru.zero_grad()
        if fast:
            packed = gru(packing.pack(x), packing, None if gates is None else packing.pack(gates), start=start)
            states = packing.unpack(packed)
        else:
            states = gru.reference(x, length, gates, start=start)
        states.sin().sum().backward()
        results.append([states, gru.U.grad, *(given.grad for given in (x, gates, start) if given is not None)])
    return results
