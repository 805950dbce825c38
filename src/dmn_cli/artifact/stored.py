"""A model directory as files: where it lies, whether it is whole, and how large its networks are. Without torch."""

from __future__ import annotations

import json
import math
from collections.abc import Collection
from pathlib import Path
from typing import Any

from dmn_cli.data.words.spec import file_names
from dmn_cli.errors import ModelError
from dmn_cli.files import file_digest, load_versioned_json, unreadable

FORMAT_VERSION = 2
CONFIG, WEIGHTS, VOCABULARY = "config.json", "model.safetensors", "vocabulary.json"
METRICS, GOLDEN = "metrics.json", "golden.jsonl"
CHECKED = (WEIGHTS, VOCABULARY)
ALSO_CHECKED = (METRICS, GOLDEN)  # which no answer depends on: by those who read them, unless the model is older
AGAIN = "Copy the model directory again, or train it again."
DEMO = "demo"  # the name of the model that comes with dmn, unless something of that name is in the current folder
_DEMO_FOLDER = Path(__file__).parents[1] / "demo"
_TO_COME = {  # what a run that has no model waits for, by what is in it
    "checkpoints": "its first validation is still to come",
    "seeds.json": "its seeds are still in training",
    "tune.json": "its first trial is still in training",
}


def is_demo(path: Path) -> bool:
    """Whether MODEL on the command line is the model that comes with dmn."""
    return path == Path(DEMO) and not path.exists()


def demo_story() -> list[str]:
    """The facts of a story that the model which comes with dmn can be asked about."""
    return (_DEMO_FOLDER / "story.txt").read_text(encoding="utf-8").splitlines()


def find(path: Path) -> Path:
    """MODEL on the command line: a model directory, a run that holds one, or `demo`. Raises: ModelError"""
    if is_demo(path):
        return _DEMO_FOLDER / "model"
    for folder in (path, path / "model"):
        if (folder / CONFIG).is_file():
            return folder
    for begun, to_come in _TO_COME.items():
        if (path / begun).exists():
            raise ModelError(f"has no model yet: {to_come}", where=path)
    if (path / "dataset.json").is_file():
        hint = f"Train one on it: dmn train {path} --out RUN. Where a command takes both, the model comes first."
        raise ModelError("is a data set, not a model", where=path, hint=hint)
    raise ModelError(
        "there is no model", where=path, hint="Train one with dmn train DATA --out RUN, or try dmn ask demo."
    )


def read_config(folder: Path) -> dict[str, Any]:
    """config.json of a model directory. Raises: ModelError where it is missing, damaged or of a newer dmn."""
    return load_versioned_json(folder / CONFIG, FORMAT_VERSION, ModelError)


def digest(folder: Path) -> str:
    """What names a model: the SHA-256 of its config.json, which has those of all files but the card."""
    return file_digest(folder / CONFIG)


def check(folder: Path, config: dict[str, Any], *, also: Collection[str] = ()) -> list[str]:
    """The files of its tokenizer, once all files that answers depend on are known to be those that were saved. also:
    those of `ALSO_CHECKED` that have to be too, where the config knows them

    Raises: ModelError where one isn't; KeyError or TypeError where the config isn't one.
    """
    hashes, tokenizer_files = config["sha256"], file_names(config["tokenizer"])
    for name in (*CHECKED, *tokenizer_files, *(name for name in also if name in hashes)):
        try:
            found = file_digest(folder / name)
        except OSError as error:
            raise ModelError(unreadable(error, "model"), where=folder / name, hint=AGAIN) from error
        if found != hashes[name]:
            raise ModelError("is damaged: it isn't the file that was saved", where=folder / name, hint=AGAIN)
    return list(tokenizer_files)


def read_metrics(folder: Path) -> dict[str, Any]:
    """metrics.json of a model directory: a `Report` as JSON. Raises: ModelError where it is missing or damaged."""
    path = folder / METRICS
    try:
        metrics = json.loads(path.read_bytes())
        figures = [metrics, *metrics["tasks"].values()]
        if not all(type(one[key]) in (int, float) for one in figures for key in ("accuracy", "questions")):
            raise TypeError("figures")
        if not isinstance(metrics.get("calibration", {}), dict):
            raise TypeError("calibration")
    except OSError as error:
        raise ModelError(unreadable(error, "model"), where=path, hint=AGAIN) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError("is damaged: not the metrics that dmn writes", where=path) from error
    return metrics


def count_weights(folder: Path) -> int:
    """How many numbers its networks have together. Raises: ModelError where the file isn't one of weights."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(folder / WEIGHTS, framework="numpy") as file:
            return sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118
    except SafetensorError as error:
        raise ModelError("is damaged: it isn't safetensors", where=folder / WEIGHTS, hint=AGAIN) from error
