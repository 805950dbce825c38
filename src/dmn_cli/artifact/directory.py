"""The model directory: everything that answering needs, and nothing that could run code.

config.json         format version, settings, seed, sizes, tokenizer, tasks, forms, temperature, the hashes of the files
                    below but for the last: its own names the model
model.safetensors   weights
vocabulary.json     words and answers in the order of their ids
tokenizer.model     the pieces of words, where the tokenizer learnt them
rules.json          the language's rules for words and sentences, unless only spaCy itself knows them
metrics.json        the validation by which this model was chosen
golden.jsonl        a few validation questions with its answers, for dmn eval --verify, as dmn ask --batch reads them
README.md           the model card, written from the figures above

Nothing in it says when, where or how fast it was made: the same training makes the same bytes.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

from dmn_cli.artifact import weights
from dmn_cli.artifact.card import card
from dmn_cli.artifact.model import Model, build
from dmn_cli.artifact.stored import (
    AGAIN,
    ALSO_CHECKED,
    CHECKED,
    CONFIG,
    FORMAT_VERSION,
    GOLDEN,
    METRICS,
    VOCABULARY,
    WEIGHTS,
    check,
    find,
    read_config,
)
from dmn_cli.data.words.vocabulary import Vocabulary
from dmn_cli.errors import DmnError, ModelError
from dmn_cli.files import NEWER, atomic_directory, file_digest, write_json, write_text
from dmn_cli.records.names import Names
from dmn_cli.records.network import Sizes
from dmn_cli.records.regions import PictureForm
from dmn_cli.records.text import Form, TableForm
from dmn_cli.settings.networks import DEFAULT, NETWORKS, as_table, network_settings
from dmn_cli.version import __version__

_OF_ONE = 1  # of a model of one network, which has been the same since then
MOST_NETWORKS = 1000  # in an ensemble
_MOST_STEPS = 100_001  # of an answer, its end among them
_METADATA = {"format": "dmn"}  # one key: safetensors writes several in random order, and files would differ
_SIZES = {
    "max_answer_steps": "max_answer_steps",
    "word_size": "word_size",
    "each": "per_fact",
}  # those that the vocabulary doesn't say


def save(path: Path, model: Model, metrics: dict[str, Any], golden: list[dict[str, Any]]) -> None:
    """Writes the directory, all of it or nothing. metrics: a `Report` as JSON; golden: lines of golden.jsonl"""
    with atomic_directory(path) as folder:
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.network.state_dict().items()}
        (folder / WEIGHTS).write_bytes(safetensors.torch.save(tensors, _METADATA))
        model.vocabulary.save(folder / VOCABULARY)
        for name, content in model.tokenizer_files.items():
            (folder / name).write_bytes(content)
        write_json(folder / METRICS, metrics)
        write_text(folder / GOLDEN, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in golden))
        write_text(folder / "README.md", card(model, metrics, sum(t.numel() for t in tensors.values())))
        sizes = {key: getattr(model.sizes, name) for key, name in _SIZES.items()}
        if model.sizes.ngram_rows:
            sizes["ngrams"] = model.sizes.ngram_rows
        if model.sizes.pictures:
            sizes["pictures"] = model.sizes.pictures.as_json()
        config = {
            "format_version": FORMAT_VERSION if model.ensemble > 1 else _OF_ONE,
            "dmn_version": __version__,
            "preset": model.preset,
            **({} if model.seed is None else {"seed": model.seed}),
            "model": as_table(model.settings),
            **({"ensemble": model.ensemble} if model.ensemble > 1 else {}),
            "sizes": sizes,
            "tokenizer": model.tokenizer_spec,
            "tasks": model.tasks,
            "temperature": model.network.temperature,
            "forms": {question: form.as_json() for question, form in model.forms.items()},
            **({"names": model.names.as_json()} if model.names else {}),
            **({"question": model.question} if model.question else {}),
            **({"table": model.table.as_json()} if model.table else {}),
            **({"texts": True} if model.texts else {}),
            **({"read": model.read} if model.read else {}),
            "sha256": {name: file_digest(folder / name) for name in (*CHECKED, *model.tokenizer_files, *ALSO_CHECKED)},
        }
        write_json(folder / CONFIG, config)


def load(path: Path, device: torch.device | str = "cpu") -> Model:
    """Reads and checks a model directory, or that of a run.

    Raises: ModelError where it is missing, damaged or of a newer dmn.
    """
    folder = find(path)
    config = read_config(folder)
    try:
        network = config["model"].get("network", DEFAULT)
        if type(network) is str and network not in NETWORKS:
            raise ModelError(f"its network is {network!r}, which this dmn doesn't know", where=folder, hint=NEWER)
        tokenizer_files = check(folder, config)
        vocabulary = Vocabulary.load(folder / VOCABULARY, ModelError)
        settings, sizes = network_settings(config["model"]), _sizes(vocabulary, **config["sizes"])
        networks = _ensemble(config.get("ensemble", 1))
        weights.check(folder / WEIGHTS, settings, sizes, networks)
        model = build(
            settings,
            vocabulary,
            sizes,
            config["tokenizer"],
            config["tasks"],
            {question: Form.from_json(form) for question, form in config["forms"].items()},
            config["preset"],
            networks,
        )
        names = Names.from_json(config["names"]) if "names" in config else Names()
        question, seed = _question(config.get("question")), _seed(config.get("seed"))
        table = TableForm.from_json(config["table"]) if "table" in config else None
        model.network.load_state_dict(weights.load(folder / WEIGHTS))
        model.network.temperature = _temperature(config.get("temperature", 1.0))  # models of before have none
    except DmnError:
        raise
    except FileNotFoundError as error:
        raise ModelError("is missing from the model", where=error.filename, hint=AGAIN) from error
    except (AttributeError, KeyError, TypeError, ValueError, RuntimeError, safetensors.SafetensorError) as error:
        raise ModelError(f"the model is damaged ({type(error).__name__})", where=folder, hint=AGAIN) from error
    model.network.to(device).eval()
    model.tokenizer_files = {name: (folder / name).read_bytes() for name in tokenizer_files}
    model.names, model.question, model.table, model.texts = names, question, table, config.get("texts") is True
    model.read, model.seed = config.get("read", []), seed
    model.folder = folder
    return model


def _ensemble(networks: Any) -> int:
    """Raises: TypeError, ValueError where it isn't how many networks there are."""
    if type(networks) is not int:
        raise TypeError("ensemble")
    if not 1 <= networks <= MOST_NETWORKS:
        raise ValueError("ensemble")
    return networks


def _temperature(value: Any) -> float:
    """Raises: ValueError where it isn't one."""
    if type(value) not in (int, float) or not 0 < value < math.inf:
        raise ValueError("temperature")
    return float(value)


def _seed(value: Any) -> int | list[int] | None:
    """Raises: TypeError where it is neither one nor several."""
    if value is not None and any(type(one) is not int for one in (value if isinstance(value, list) else [value])):
        raise TypeError("seed")
    return value


def _question(value: Any) -> str | None:
    """Raises: TypeError where it is no text."""
    if not isinstance(value, str | None):
        raise TypeError("question")
    return value


def _sizes(
    vocabulary: Vocabulary, *, max_answer_steps: Any, word_size: Any, each: Any, ngrams: Any = 0, pictures: Any = None
) -> Sizes:
    """Raises: TypeError, ValueError where one can't be."""
    whole = max_answer_steps, word_size, ngrams
    if any(type(size) is not int for size in whole) or type(each) is not bool:
        raise TypeError("sizes")
    if not 0 < max_answer_steps <= _MOST_STEPS or word_size < 1 or ngrams < 0:
        raise ValueError("sizes")
    form = None if pictures is None else PictureForm.from_json(pictures)
    words, answers = len(vocabulary.words), len(vocabulary.answers)
    known = vocabulary.words_of_answers()
    return Sizes(words, answers, max_answer_steps, word_size, each, ngrams, known, form)
