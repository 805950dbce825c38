"""dmn info: what a run, a model, a data set or a text is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from dmn_cli.cli.options import Json, Quiet
from dmn_cli.cli.output import WIDTH, Output, plural, rows, size, wrapped

_WIDTH = WIDTH - len("fingerprint  ")
_HASH = 16  # digits of a SHA-256 that a person is shown
_STATES = {"changed": "; the data have changed since", "gone": "; not there any more"}


def command(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="RUN|DATA",
            help="A run, a model directory, a data set, a prepared text or demo.",
            show_default=False,
        ),
    ],
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Say what a run, a model or a data set is: its sizes, settings, data and scores. Its files are checked.

    Example: dmn info runs/two
    """
    output = Output(as_json=json, quiet=quiet)
    from dmn_cli.reporting.info import describe

    about = describe(path)
    output.json(about)
    if not json:
        lines = [line for name, text in _SHOWN[about["kind"]](about) for line in _one_a_line(name, _cut(text))]
        output.result(rows(lines, texts=2))


def _cut(text: str) -> list[str]:
    return wrapped(text, _WIDTH).splitlines() or [""]


def _one_a_line(name: str, lines: list[str]) -> Iterator[tuple[str, str]]:
    for n, line in enumerate(lines):
        yield "" if n else name, line


def _data(about: dict[str, Any]) -> Iterator[tuple[str, str]]:
    from dmn_cli.cli.prepare.summary import describe

    yield "data set", f"{about['path']}, {size(about['bytes'])}"
    yield "made from", ", ".join(f"{key} {_value(value)}" for key, value in about.get("source", {}).items())
    yield from _one_a_line("has", describe(about).splitlines())
    for split, seen in about.get("seen_in_training", {}).items():
        if seen:
            yield "in training", f"too: {plural(sum(seen.values()), 'question')} of {split}, with the same story"
    yield "words", _tokenizer(about["tokenizer"])
    yield "fingerprint", f"{about['fingerprint']}; all files are as they were written"


def _text(about: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "text", f"{about['path']}, {size(about['bytes'])}"
    yield "of", ", ".join(about["texts"])
    counts = (
        plural(about["words"], "word"),
        f"{about['distinct_words']:,} distinct",
        plural(about["sentences"], "sentence"),
    )
    yield "has", ", ".join(counts)
    yield "words", _tokenizer(about["tokenizer"])
    yield "fingerprint", about["fingerprint"]


def _run(about: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "run", f"{about['path']}, {size(about['bytes'])}"
    yield "preset", about["preset"] + ("" if about["changed"] else ", nothing changed")
    yield from _one_a_line("changed", _changed(about["changed"]))
    data = [f"{one['path']} ({one['fingerprint']}{_STATES.get(one['state'], '')})" for one in about["data"]]
    yield from _one_a_line("data", data or ["unknown: the run is of an older dmn"])
    if "training" in about:
        training, best = about["training"], about["training"]["best"]
        yield "trained", f"{plural(training['epochs'], 'epoch')}, {training['seconds']:.0f} s"
        named = f", {_percent(best['changed'])} with other names" if "changed" in best else ""
        yield "best", f"epoch {best['epoch']}: {_percent(best['accuracy'])} of validation{named}"
    if "seeds" in about:
        yield from _one_a_line("seeds", [*_seeds(about["seeds"])])
    if "search" in about:
        found = about["search"]
        best = f", the best is {found['best']['trial']}" if "best" in found else ""
        trials = f", {plural(found['trials'], 'trial')}" if "trials" in found else ""
        yield "search", f"--tune {found['budget']}{trials}{best}"
    if "missing" in about["model"]:
        yield "model", about["model"]["missing"]
    else:
        yield from _model(about["model"])


def _seeds(found: dict[str, Any]) -> Iterator[str]:
    """A line on each seed, and one on all."""
    for one in found["seeds"]:
        done = f"{_percent(one['best']['accuracy'])} of validation" if "best" in one else "not done yet"
        yield f"{one['seed']}: {done}"
    if "mean" in found:
        yield f"mean {_percent(found['mean'])}" + (f" ± {_percent(found['sd'])}" if "sd" in found else "")


def _model(about: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "model", f"{about['path']}, {size(about['bytes'])}, by dmn {about['dmn_version']}"
    yield "hash", about["model_sha256"]
    several = f"{about['networks']} of them, " if about["networks"] > 1 else ""
    yield "network", f"{about['network']}, {several}{about['form']}, {about['weights']:,} weights"
    yield from _one_a_line("differs", _changed(about["changed"]))
    yield "knows", f"{plural(about['words'], 'word')}, {plural(about['answers'], 'answer')}"
    names = [f"{', '.join(kind['known'][:3])}, … ({kind['spares']} new ones at once)" for kind in about["names"]]
    yield from _one_a_line("names like", names)
    yield "tasks", _some(about["tasks"])
    if "question" in about:
        yield "question", about["question"]
    if "table" in about:
        yield "columns", ", ".join(about["table"]["input"])
    for one in about.get("read", []):
        yield "read", f"{one['name']}, {plural(one['words'], 'word')}, perplexity {one['perplexity']:.1f}"
    yield "words", _tokenizer(about["tokenizer"])
    found = about["validation"]
    scores = [f"{_percent(found['accuracy'])} of {plural(found['questions'], 'question')}, by task:"]
    scores += rows([(name, _percent(task["accuracy"])) for name, task in found["tasks"].items()]).splitlines()
    yield from _one_a_line("validation", scores)
    off = f", off by {_percent(found['calibration']['ece'])}" if "calibration" in found else ""
    yield "confidence", f"temperature {about['temperature']:.2f}{off}"
    yield from _one_a_line("sha256", [f"{digest[:_HASH]}… {name}" for name, digest in about["sha256"].items()])


def _changed(changed: dict[str, Any]) -> list[str]:
    """Settings beside those of the preset."""
    return [f"{key} = {_value(one['value'])} (preset: {_value(one['preset'])})" for key, one in changed.items()]


def _tokenizer(spec: dict[str, Any]) -> str:
    case = "lower case" if spec.get("lowercase", True) else "case kept"
    affixes = ", each followed by its form" if spec.get("affixes") else ""
    trees = ", trees" if "trees" in spec else ""
    return f"by {spec['kind']}, language {spec['language']}, {case}{affixes}{trees}"


def _some(names: list[str], most: int = 20) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _value(value: Any) -> str:
    return _some([*map(str, value)]) if isinstance(value, list) else str(value)


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.2f} %"


_SHOWN = {"data": _data, "text": _text, "run": _run, "model": _model}
