"""Questions with their answers as JSON lines, in the form that `dmn ask --batch` reads."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

import numpy as np
import torch

from dmn_cli.artifact.model import Model
from dmn_cli.data.batches import Batches
from dmn_cli.data.words.vocabulary import NOTHING, Vocabulary, answer_text
from dmn_cli.evaluation.metrics import Judged, judge_stories
from dmn_cli.records.text import Example, Form

_GOLDEN = 8  # questions in golden.jsonl


def writer(file: BinaryIO, vocabulary: Vocabulary) -> Callable[[Batches, Judged], None]:
    """Returns a function that writes a judged batch to `file`, a line for each question, whose `id` is its number in
    the split. They come in the order of the evaluation, and dmn ask MODEL --batch FILE can read them.
    """

    def write(batches: Batches, judged: Judged) -> None:
        examples = batches.data.examples(batches.split, judged.rows)
        for i, (row, example) in enumerate(zip(judged.rows.tolist(), examples, strict=True)):
            line = {
                "id": row,
                "task": example.task,
                "story": example.facts,
                "question": example.question,
                "answer": right_answer(batches, example),
                "prediction": given_answer(batches, example, judged, i, vocabulary),
                "correct": bool(judged.right[i] == judged.answers[i]),
                "confidence": round(float(judged.confidence[i]), 6),
                "support": example.support,
                "read": np.flatnonzero(judged.facts_read[i]).tolist(),
            }
            if judged.needs is not None:
                line["needed"] = judged.needs.needed(i)
            file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")

    return write


def right_answer(batches: Batches, example: Example) -> str:
    """The right answer to a question of a data set as text."""
    return answer_text(example.answer, per_fact=_per_fact(batches, example))


def given_answer(batches: Batches, example: Example, judged: Judged, row: int, vocabulary: Vocabulary) -> str:
    """The answer that a model with this vocabulary gave to the question in a row of a judged batch, as text."""
    said = judged.said[row] if judged.said else NOTHING
    return vocabulary.answer_text(judged.words[row].tolist(), said, per_fact=_per_fact(batches, example))


def _per_fact(batches: Batches, example: Example) -> bool:
    return batches.data.forms.get(example.question, Form()).per_fact


def golden(model: Model, valid: Sequence[Batches], device: torch.device) -> list[dict[str, Any]]:
    """The first validation questions of each data set, with the answers that the network gives them now; none where
    they are about vectors, which no line can hold."""
    lines: list[dict[str, Any]] = []
    for batches in valid:
        if batches.data.picture_form and batches.data.picture_form.width:
            continue
        judged = judge_stories(model.network, batches, batches.plan(_GOLDEN)[0], device)
        for i, row in enumerate(judged.rows[:_GOLDEN]):
            example = batches.data.example(batches.split, int(row))
            per_fact = model.form(example.question).per_fact
            lines.append(
                {
                    "id": len(lines) + 1,
                    **_told(batches, int(row), example),
                    "question": example.question,
                    "answer": model.vocabulary.answer_text(judged.words[i], per_fact=per_fact),
                    "confidence": round(float(judged.confidence[i]), 6),
                }
            )
    return lines


def _told(batches: Batches, row: int, example: Example) -> dict[str, Any]:
    """The story of a question, or its picture."""
    picture = batches.data.picture(batches.split, row)
    if picture is None:
        return {"story": example.facts}
    from dmn_cli.data.formats.images.pixels import as_url

    return {"image": as_url(picture)}
