"""What a data set, a text, a run or a model says of itself, read from its files without loading a network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dmn_cli.artifact import stored, trained_on
from dmn_cli.data.store.layout import fingerprint_of
from dmn_cli.data.store.reader import DataSet
from dmn_cli.data.text.store import Text, is_prepared
from dmn_cli.data.words.vocabulary import SPARE, Vocabulary
from dmn_cli.errors import DmnError, ModelError, UsageError
from dmn_cli.files import load_versioned_json
from dmn_cli.reporting.about import epochs_of, flat, settings_file
from dmn_cli.settings.load import CONFIG, as_dict, load, presets
from dmn_cli.settings.networks import DEFAULT, NETWORKS, network_settings

_SEVERAL = {"seeds.json": "seeds", "tune.json": "search"}  # the record of a run of several trainings → its key here
_MODELS_OWN = ("dmn_version", "preset", "tasks", "tokenizer", "sha256")
_IF_ANY = ("seed", "question", "table", "read")


def describe(path: Path) -> dict[str, Any]:
    """What it is, as JSON; `kind` is data, text, run or model. All files of a data set or a model are checked.

    Raises: UsageError where it is none of these; DataError or ModelError where it is damaged or too new.
    """
    if (path / "dataset.json").is_file():
        return _data(path)
    if is_prepared(path):
        return _text(path)
    if (path / CONFIG).is_file():
        return _run(path)
    if (path / "config.json").is_file() or stored.is_demo(path):
        return _model(stored.find(path))
    wrong = "is neither a run nor a model nor a data set" if path.exists() else "there is no such run or data set"
    raise UsageError(wrong, where=path, hint="Give what --out of dmn train or dmn prepare named.")


def _about(kind: str, path: Path) -> dict[str, Any]:
    return {"kind": kind, "path": str(path), "bytes": sum(f.stat().st_size for f in path.rglob("*") if f.is_file())}


def _data(path: Path) -> dict[str, Any]:
    data = DataSet(path)
    data.check()
    summary = {key: value for key, value in data.summary.items() if key != "format_version"}
    return {**_about("data", path), "fingerprint": data.fingerprint, **summary}


def _text(path: Path) -> dict[str, Any]:
    text = Text(path)
    counts = {"words": text.words, "sentences": text.sentences, "distinct_words": len(text.items)}
    said = {"fingerprint": text.fingerprint, "texts": text.names, **counts, "tokenizer": text.tokenizer_spec}
    return {**_about("text", path), **said}


def _run(path: Path) -> dict[str, Any]:
    settings = load(config=settings_file(path))
    usual = load(settings.preset)
    said = {"preset": settings.preset, "changed": differences(as_dict(settings), as_dict(usual))}
    said["data"] = [
        {"name": one.name, "path": str(one.path), "fingerprint": one.fingerprint, "state": _state(one)}
        for one in trained_on.read(path)
    ]
    for name, key in _SEVERAL.items():
        if (path / name).is_file():
            record = load_versioned_json(path / name, 1, ModelError)
            said[key] = {k: v for k, v in record.items() if k not in ("format_version", "data")}
    if epochs := epochs_of(path):
        said["training"] = _training(path, epochs)
    try:
        model = _model(stored.find(path))
    except ModelError as error:
        if (path / "model").exists():
            raise
        model = {"missing": error.message}
    return {**_about("run", path), **said, "model": model}


def _state(data: trained_on.TrainedOn) -> str:
    """Whether the data of a training are still what they were."""
    try:
        return "unchanged" if fingerprint_of(data.path) == data.fingerprint else "changed"
    except OSError:
        return "gone"


def _training(run: Path, epochs: list[dict[str, Any]]) -> dict[str, Any]:
    try:
        best = next((one for one in reversed(epochs) if one["best"]), epochs[0])
        figures = {"epoch": best["epoch"], "accuracy": best["valid_accuracy"], "loss": best["valid_loss"]}
        named = {"changed": best["valid_changed"]} if "valid_changed" in best else {}
        return {"epochs": epochs[-1]["epoch"], "seconds": epochs[-1]["seconds"], "best": {**figures, **named}}
    except (KeyError, TypeError) as error:
        raise ModelError("is damaged: not the log that dmn writes", where=run / "metrics.jsonl") from error


def _model(folder: Path) -> dict[str, Any]:
    """A model directory."""
    config = stored.read_config(folder)
    try:
        stored.check(folder, config, also=stored.ALSO_CHECKED)
        vocabulary = Vocabulary.load(folder / stored.VOCABULARY, ModelError)
        settings = network_settings(config["model"])
        known = [word for word in vocabulary.words.items[2:] if not word.startswith(SPARE)]
        answers = [answer for answer in vocabulary.answers.items[1:] if not answer.startswith(SPARE)]
        kinds = config.get("names", {}).get("kinds", [])
        return {
            **_about("model", folder),
            "model_sha256": stored.digest(folder),
            **{key: config[key] for key in _MODELS_OWN},
            "network": NETWORKS[settings.network].title,
            "form": settings.summary,
            "settings": config["model"],
            "changed": _changed_in_model(config["preset"], config["model"]),
            "networks": config.get("ensemble", 1),
            "weights": stored.count_weights(folder),
            "words": len(known),
            "answers": len(answers),
            "names": [{"known": _first_forms(one["members"]), "spares": len(one["spares"])} for one in kinds],
            **{key: config[key] for key in _IF_ANY if key in config},
            "temperature": config.get("temperature", 1.0),
            "validation": _validation(folder),
        }
    except DmnError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        wrong = f"the model is damaged ({type(error).__name__})"
        raise ModelError(wrong, where=folder, hint=stored.AGAIN) from error


def _first_forms(members: list[list[str]]) -> list[str]:
    return [forms[0] for forms in members]


def _validation(folder: Path) -> dict[str, Any]:
    """The figures by which it was chosen: those of `dmn eval --json`, without what belongs to single answers."""
    metrics = stored.read_metrics(folder)
    tasks = {
        name: {key: value for key, value in figures.items() if key not in ("classes", "confusions")}
        for name, figures in metrics["tasks"].items()
    }
    calibration = {key: value for key, value in metrics.get("calibration", {}).items() if key != "bins"}
    calibrated = {"calibration": calibration} if calibration else {}
    return {"accuracy": metrics["accuracy"], "questions": metrics["questions"], **calibrated, "tasks": tasks}


def _changed_in_model(preset: str, table: dict[str, Any]) -> dict[str, Any]:
    """The keys of [model] that differ from the preset's; empty where this dmn lacks the preset or the network isn't
    its."""
    if preset not in presets():
        return {}
    usual = as_dict(load(preset))["model"]
    if table.get("network", DEFAULT) != usual.get("network", DEFAULT):
        return {}
    return differences({"model": table}, {"model": usual})


def differences(values: dict[str, Any], usual: dict[str, Any]) -> dict[str, Any]:
    """The dotted keys of tables of settings that differ: `{"model.passes": {"value": 5, "preset": 3}}`."""
    preset = flat(usual)
    return {
        key: {"value": value, "preset": preset.get(key)}
        for key, value in flat(values).items()
        if value != preset.get(key)
    }
