"""What a report of a problem needs to say of the machine and of what is installed, and how fast it computes here."""

from __future__ import annotations

import os
import platform
import re
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dmn_cli.data.formats import story_world
from dmn_cli.files import cache_folder
from dmn_cli.kernels import c_build, c_library, products, recurrence
from dmn_cli.machine.threads import cores
from dmn_cli.records.batch import Batch, from_arrays, padded, rectangle
from dmn_cli.records.network import Network, Sizes
from dmn_cli.records.text import Story
from dmn_cli.settings.load import load
from dmn_cli.settings.networks import NETWORKS
from dmn_cli.version import __version__

_PACKAGES = (
    "torch",
    "numpy",
    "pyarrow",
    "spacy",
    "sentencepiece",
    "gensim",
    "safetensors",
    "pydantic",
    "typer",
    "rich",
)
_EXTRAS = ("triton", "matplotlib", "onnxruntime")  # that there needn't be
_VARIABLES = (
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "DMN_NATIVE", "DMN_CACHE", "DMN_DEBUG", "CC", "CUDA_VISIBLE_DEVICES"),
    *("LANG", "LC_ALL", "PYTHONUTF8"),
)
_QUESTIONS = 128  # of the batch that is measured
_DECIDED = [("model.gates", "softmax"), ("model.passes", 3), ("model.dropout", 0.0)]  # what the preset leaves open


def examine(device: torch.device) -> dict[str, Any]:
    """All but the rates, as JSON. Kernels are those that have been chosen by `kernels.tune`."""
    return {
        "dmn": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "cpu": _cpu(),
        "cores": cores(),
        "memory_bytes": _memory(),
        "threads": torch.get_num_threads(),
        "compiler": c_build.compiler_version(),
        "kernels": _kernels(device),
        "gpus": _gpus(),
        "cache": _cache(),
        "packages": {name: version for name in (*_PACKAGES, *_EXTRAS) if (version := _version(name))},
        "environment": {name: os.environ[name] for name in _VARIABLES if name in os.environ},
    }


def rates(device: torch.device, seconds: float = 1.0) -> dict[str, Any]:
    """Questions a second in training and in answering, of a network as wide as the preset's on stories of qa2, each
    measured for so many seconds: the best of the batches, by one process."""
    batch, words, answers = _batch()
    settings = load("dmn-plus", overrides=_DECIDED)
    sizes = Sizes(words, answers, max_answer_steps=2, word_size=settings.model.hidden, per_fact=False)
    network = NETWORKS[settings.model.network].build(settings.model, sizes).to(device)
    batch = network.arrange(batch).to(device)
    adam = torch.optim.Adam(network.parameters(), lr=1e-9)  # hardly moves, so that all steps are alike

    def train() -> None:
        losses = network.train().losses(batch, "any-pass")
        assert losses.gates is not None
        (losses.answers.mean() + losses.gates.mean()).backward()
        adam.step()
        adam.zero_grad()

    return {
        "device": str(device),
        "hidden": settings.model.hidden,
        "questions": len(batch),
        "training_questions_per_s": round(len(batch) / _best(train, device, seconds)),
        "answering_questions_per_s": round(len(batch) / _best(lambda: _answer(network, batch), device, seconds)),
    }


def _answer(network: Network, batch: Batch) -> None:
    network.eval().answer(batch)


def _best(work: Callable[[], None], device: torch.device, seconds: float) -> float:
    """The shortest time that it took."""
    work()
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        best = min(best, time.perf_counter() - start)
    return best


def _batch() -> tuple[Batch, int, int]:
    """Stories of qa2 with their questions; how many words and answers there are, padding and the end counted."""
    words: dict[str, int] = {}
    answers: dict[str, int] = {}

    def ids(text: str) -> list[int]:
        return [words.setdefault(word, len(words) + 2) for word in re.findall(r"\w+", text.lower())]

    told: list[Story] = list(story_world.stories("qa2", _QUESTIONS, 1, "train"))
    facts = [ids(fact) for story in told for fact in story.facts]
    asked = [(n, question) for n, story in enumerate(told) for question in story.questions]
    questions = [ids(question.text) for _, question in asked]
    lengths = np.array([len(story.facts) for story in told])
    batch = from_arrays(
        sentences=rectangle(facts, 0),
        story=padded(np.arange(len(facts)), lengths, 0),
        story_length=lengths,
        question_sentences=rectangle(questions, 0),
        question=np.arange(len(asked)),
        story_of=np.array([n for n, _ in asked]),
        facts_seen=np.array([question.position for _, question in asked]),
        per_fact=np.zeros(len(asked)),
        answer=rectangle([[answers.setdefault(q.answer[0], len(answers) + 1), 0] for _, q in asked], -1),
        support=rectangle([list(question.support) for _, question in asked], -1),
        task=np.zeros(len(asked)),
    )
    return batch, len(words) + 2, len(answers) + 1


def _kernels(device: torch.device) -> dict[str, str]:
    """What computes on this device."""
    x, U = torch.zeros(1, 160, device=device), torch.zeros(80, 160, device=device)
    kernel = recurrence.kernel_for(x, U, gates=True, before=False)
    names = {"recurrence_c": "C", "recurrence_triton": "Triton", "recurrence_loop": "torch"}
    return {
        "recurrence": names[kernel.__module__.rpartition(".")[2]],
        "gates": "C" if c_library.serves(x) else "torch",
        "products": products.library() if device.type == "cpu" else "cuBLAS",
    }


def _gpus() -> list[dict[str, Any]]:
    if not torch.cuda.is_available():
        return []
    found = map(torch.cuda.get_device_properties, range(torch.cuda.device_count()))
    return [
        {"name": one.name, "memory_bytes": one.total_memory, "capability": f"{one.major}.{one.minor}"} for one in found
    ]


def _cpu() -> str:
    try:
        said = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    model = re.search(r"^model name\s*:\s*(.+)$", said, re.MULTILINE)
    return model[1].strip() if model else platform.machine()


def _memory() -> int | None:
    """Bytes of the machine; None where it doesn't say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None


def _cache() -> dict[str, Any]:
    """The cache folder, without the name of the user's home."""
    folder = cache_folder()
    files = [file for file in folder.rglob("*") if file.is_file()] if folder.is_dir() else []
    said = f"~/{folder.relative_to(Path.home())}" if folder.is_relative_to(Path.home()) else str(folder)
    return {"folder": said, "files": len(files), "bytes": sum(file.stat().st_size for file in files)}


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
