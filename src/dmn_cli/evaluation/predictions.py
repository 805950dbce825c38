"""Every question of an evaluation as a JSON line: what was asked, answered, expected and read."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import BinaryIO

import numpy as np

from dmn_cli.data.batches import Batches
from dmn_cli.data.vocabulary import Vocabulary, answer_text
from dmn_cli.evaluation.metrics import Judged
from dmn_cli.records import Form


def writer(file: BinaryIO, vocabulary: Vocabulary) -> Callable[[Batches, Judged], None]:
    """Returns what writes a judged batch to `file`. `id` is the question's number in its split; the order is the
    evaluation's.

    A line can be asked again: dmn ask MODEL --batch FILE reads it.
    """

    def write(batches: Batches, judged: Judged) -> None:
        for i, row in enumerate(judged.rows):
            example = batches.data.example(batches.split, int(row))
            each = batches.data.forms.get(example.question, Form()).each
            line = {
                "id": int(row),
                "task": example.task,
                "story": example.facts,
                "question": example.question,
                "answer": answer_text(example.answer, each=each),
                "prediction": vocabulary.answer_text(judged.words[i].tolist(), each=each),
                "correct": bool(judged.right[i] == judged.answers[i]),
                "confidence": round(float(judged.confidence[i]), 6),
                "support": example.support,
                "read": np.flatnonzero(judged.facts_read[i]).tolist(),
            }
            file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")

    return write
