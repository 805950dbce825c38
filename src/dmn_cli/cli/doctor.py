"""dmn doctor: the machine and what is installed, to be pasted into a report of a problem."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dmn_cli.cli.options import Device, Json, Quiet
from dmn_cli.cli.output import Output, plural, rows, size


def command(device: Device = "auto", json: Json = False, quiet: Quiet = False) -> None:
    """Say what is installed, what computes and how fast, as text to paste into a report of a problem.

    It measures for two seconds; other programs that run meanwhile make it slower.

    Example: dmn doctor
    """
    output = Output(as_json=json, quiet=quiet)
    from dmn_cli.kernels.tune import tune
    from dmn_cli.machine.device import choose_device
    from dmn_cli.reporting.doctor import examine, rates
    from dmn_cli.settings.load import load

    where = choose_device(device)
    with output.warned():
        tune(load("dmn-plus").model.hidden)
        found = {**examine(where), "rate": rates(where)}
    output.json(found)
    if json:
        return
    output.result(rows([*_lines(found)], texts=2))
    for advice in _advice(found):
        output.warning(advice)


def _lines(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "dmn", f"{found['dmn']}, Python {found['python']}"
    yield "system", found["system"]
    yield "cpu", f"{found['cpu']}, {plural(found['cores'], 'core')}, {plural(found['threads'], 'thread')}"
    yield "memory", size(found["memory_bytes"]) if found["memory_bytes"] else "unknown"
    gpus = [f"{gpu['name']}, {size(gpu['memory_bytes'])}, sm {gpu['capability']}" for gpu in found["gpus"]]
    yield "gpu", "; ".join(gpus) or "none"
    yield "compiler", found["compiler"] or "none"
    kernels = found["kernels"]
    yield "kernels", f"recurrence: {kernels['recurrence']}; gates: {kernels['gates']}; products: {kernels['products']}"
    cache = found["cache"]
    yield "cache", f"{cache['folder']}, {plural(cache['files'], 'file')}, {size(cache['bytes'])}"
    packages = [f"{name} {version}" for name, version in found["packages"].items()]
    for n in range(0, len(packages), 4):
        yield "" if n else "packages", ", ".join(packages[n : n + 4])
    yield "environment", " ".join(f"{name}={value}" for name, value in found["environment"].items()) or "nothing set"
    rate = found["rate"]
    yield "rate", f"{rate['training_questions_per_s']:,} questions/s in training, on {rate['device']}"
    yield "", f"{rate['answering_questions_per_s']:,} questions/s in answering"
    yield "", f"(qa2, width {rate['hidden']}, batches of {rate['questions']}, one process)"


def _advice(found: dict[str, Any]) -> Iterator[str]:
    """What would make it faster."""
    if found["kernels"]["recurrence"] != "torch":
        return
    if found["gpus"] and found["rate"]["device"] != "cpu":
        yield "The GPU computes step by step, slowly: install triton."
    elif found["environment"].get("DMN_NATIVE") == "0":
        yield "DMN_NATIVE=0 keeps the kernels in C out: dmn is slower."
    elif not found["compiler"]:
        yield "There is no C compiler, so dmn is slower: install gcc or clang."
