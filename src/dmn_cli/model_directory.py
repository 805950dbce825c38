"""The model directory: everything that answering needs, and nothing that could run code.

config.json         format version, settings, sizes, tokenizer, tasks, forms, the hashes of the four files below
model.safetensors   weights
vocabulary.json     words and answers in the order of their numbers
tokenizer.model     what the tokenizer needs, where it is one that was learnt
rules.json          the language's rules for words and sentences, unless only spaCy itself knows them
metrics.json        the validation that this model was chosen by
golden.jsonl        a few validation questions with the answers it gave, in the form that dmn ask --batch reads
README.md           a card, written from the figures above
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

from dmn_cli import __version__
from dmn_cli.data.tokenizers import Tokenizer, file_names, from_spec
from dmn_cli.data.vocabulary import Vocabulary, load_versioned_json
from dmn_cli.errors import DataError, DmnError, ModelError, UsageError
from dmn_cli.files import atomic_directory, write_json, write_text
from dmn_cli.model import DynamicMemoryNetwork
from dmn_cli.records import Form
from dmn_cli.settings import ModelSettings

FORMAT_VERSION = 1
_CHECKED = ("model.safetensors", "vocabulary.json")


@dataclass(frozen=True)
class Sizes:
    """What a network takes over from its data."""

    max_answer_steps: int
    word_size: int
    each: bool

    @classmethod
    def of(cls, *, max_answer_steps: Any, word_size: Any, each: Any) -> Sizes:
        """Raises: TypeError where they can't be meant."""
        if type(max_answer_steps) is not int or type(word_size) is not int or type(each) is not bool:
            raise TypeError("sizes")
        return cls(max_answer_steps, word_size, each)


@dataclass
class Model:
    """A network with all that it takes to ask it things."""

    network: DynamicMemoryNetwork
    settings: ModelSettings
    vocabulary: Vocabulary
    sizes: Sizes
    tokenizer_spec: dict[str, Any]
    tasks: list[str]
    forms: dict[str, Form]
    preset: str
    tokenizer_files: dict[str, bytes] = field(default_factory=dict)
    folder: Path | None = None  # where it was loaded from

    def form(self, question: str) -> Form:
        return self.forms.get(question, Form())

    def tokenizer(self) -> Tokenizer:
        """Raises: ModelError where this dmn, or the spaCy that it has, doesn't know it, or its file is none."""
        try:
            return from_spec(self.tokenizer_spec, self.tokenizer_files)
        except DataError as error:
            raise ModelError(f"its tokenizer is damaged: {error.message}", where=self.folder, hint=_AGAIN) from error
        except (KeyError, TypeError, UsageError) as error:
            raise ModelError(f"is damaged: its tokenizer is {self.tokenizer_spec}", where=self.folder) from error


def build(
    settings: ModelSettings,
    vocabulary: Vocabulary,
    sizes: Sizes,
    tokenizer_spec: dict[str, Any],
    tasks: list[str],
    forms: dict[str, Form],
    preset: str,
) -> Model:
    """A new model with random weights."""
    network = DynamicMemoryNetwork(
        words=len(vocabulary.words),
        answers=len(vocabulary.answers),
        **asdict(sizes),
        **settings.model_dump(),
    )
    return Model(network, settings, vocabulary, sizes, tokenizer_spec, tasks, forms, preset)


def save(path: Path, model: Model, metrics: dict[str, Any], golden: list[dict[str, Any]]) -> None:
    """Writes the directory, all of it or nothing."""
    with atomic_directory(path) as folder:
        weights = {name: tensor.detach().cpu().contiguous() for name, tensor in model.network.state_dict().items()}
        metadata = {"format": "dmn", "format_version": str(FORMAT_VERSION)}
        (folder / "model.safetensors").write_bytes(safetensors.torch.save(weights, metadata))
        model.vocabulary.save(folder / "vocabulary.json")
        for name, content in model.tokenizer_files.items():
            (folder / name).write_bytes(content)
        write_json(folder / "metrics.json", metrics)
        write_text(folder / "golden.jsonl", "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in golden))
        write_text(folder / "README.md", _card(model, metrics, sum(w.numel() for w in weights.values())))
        config = {
            "format_version": FORMAT_VERSION,
            "dmn_version": __version__,
            "preset": model.preset,
            "model": model.settings.model_dump(),
            "sizes": asdict(model.sizes),
            "tokenizer": model.tokenizer_spec,
            "tasks": model.tasks,
            "forms": {question: form._asdict() for question, form in model.forms.items()},
            "sha256": {name: _sha256(folder / name) for name in (*_CHECKED, *model.tokenizer_files)},
        }
        write_json(folder / "config.json", config)


def find(path: Path) -> Path:
    """MODEL on the command line: a model directory, or a run that holds one. Raises: ModelError"""
    for folder in (path, path / "model"):
        if (folder / "config.json").is_file():
            return folder
    if (path / "checkpoints").is_dir():
        raise ModelError("has no model yet: its first validation is still to come", where=path)
    raise ModelError("there is no model", where=path, hint="Train one with dmn train DATA --out RUN.")


def load(path: Path, device: torch.device | str = "cpu") -> Model:
    """Reads a model directory, or that of a run, and checks it.

    Raises: ModelError where it is missing, damaged or written by a newer dmn.
    """
    folder = find(path)
    config = load_versioned_json(folder / "config.json", FORMAT_VERSION, ModelError)
    try:
        hashes, tokenizer_files = config["sha256"], file_names(config["tokenizer"])
        for name in (*_CHECKED, *tokenizer_files):
            if _sha256(folder / name) != hashes[name]:
                raise ModelError("is damaged: it isn't the file that was saved", where=folder / name, hint=_AGAIN)
        vocabulary = Vocabulary.load(folder / "vocabulary.json", ModelError)
        settings = ModelSettings(**config["model"])
        model = build(
            settings,
            vocabulary,
            Sizes.of(**config["sizes"]),
            config["tokenizer"],
            config["tasks"],
            {question: Form(**form) for question, form in config["forms"].items()},
            config["preset"],
        )
        model.network.load_state_dict(safetensors.torch.load_file(folder / "model.safetensors"))
    except DmnError:
        raise
    except FileNotFoundError as error:
        raise ModelError("is missing from the model", where=error.filename, hint=_AGAIN) from error
    except (AttributeError, KeyError, TypeError, ValueError, RuntimeError, safetensors.SafetensorError) as error:
        raise ModelError(f"the model is damaged ({type(error).__name__})", where=folder, hint=_AGAIN) from error
    model.network.to(device).eval()
    model.tokenizer_files = {name: (folder / name).read_bytes() for name in tokenizer_files}
    model.folder = folder
    return model


_AGAIN = "Copy the model directory again, or train it again."


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _card(model: Model, metrics: dict[str, Any], weights: int) -> str:
    rows = "\n".join(
        f"| {name} | {task['questions']} | {100 * task['accuracy']:.1f} % |" for name, task in metrics["tasks"].items()
    )
    return f"""# A Dynamic Memory Network

Preset `{model.preset}`, {model.settings.passes} passes, width {model.settings.hidden}, {weights:,} weights; it knows
{len(model.vocabulary.words) - 2:,} words and {len(model.vocabulary.answers) - 1:,} answers. Made by dmn {__version__}.

Chosen by its validation, not measured on a test set:

| task | questions | accuracy |
| --- | ---: | ---: |
{rows}

    dmn ask . --story story.txt --question "…" --why
    dmn ask . --batch golden.jsonl    # answers as it did when it was saved
"""
