"""The model card: the README of a model directory, written from measured figures."""

from __future__ import annotations

from typing import Any

from dmn_cli import __version__
from dmn_cli.artifact.model import Model
from dmn_cli.settings.networks import NETWORKS


def card(model: Model, metrics: dict[str, Any], weights: int) -> str:
    """metrics: a `Report` as JSON; weights: how many the network has"""
    rows = "\n".join(
        f"| {name} | {task['questions']} | {100 * task['accuracy']:.1f} % |" for name, task in metrics["tasks"].items()
    )
    title = f"A {NETWORKS[model.settings.network].title}"
    several = ""
    if model.ensemble > 1:
        title = f"{model.ensemble} {NETWORKS[model.settings.network].title}s that answer as one"
        several = (
            f"\nIts probabilities and gates are the means over {model.ensemble} networks, so it takes about "
            f"{model.ensemble} times as long to answer as one.\n"
        )
    return f"""# {title}

Preset `{model.preset}`, {model.settings.summary}, {weights:,} weights; it knows
{len(model.vocabulary.words) - 2:,} words and {len(model.vocabulary.answers) - 1:,} answers. Made by dmn {__version__}.
{several}
Chosen by its validation, not measured on a test set:

| task | questions | accuracy |
| --- | ---: | ---: |
{rows}

    dmn ask . --story story.txt --question "…" --why
    dmn ask . --batch golden.jsonl    # answers as it did when it was saved
"""
