"""Every question of an evaluation as a JSON line: what was asked, answered, expected and read."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import BinaryIO

import numpy as np

from dmn_cli.data.batches import Batches
from dmn_cli.data.vocabulary import ANSWER_SEPARATOR, Vocabulary
from dmn_cli.evaluation.metrics import Judged


def writer(file: BinaryIO, batches: Batches, vocabulary: Vocabulary) -> Callable[[Judged], None]:
    """Returns what writes a judged batch to `file`. `id` is the question's number in its split; the order is the
    evaluation's.

    A line can be asked again: dmn ask MODEL --batch FILE reads it.
    """

    def write(judged: Judged) -> None:
        for i, row in enumerate(judged.rows):
            example = batches.data.example(batches.split, int(row))
            line = {
                "id": int(row),
                "task": example.task,
                "story": example.facts,
                "question": example.question,
                "answer": ANSWER_SEPARATOR.join(example.answer),
                "prediction": vocabulary.answer_text(judged.words[i]),
                "correct": bool(judged.right[i]),
                "confidence": round(float(judged.confidence[i]), 6),
                "support": example.support,
                "read": np.flatnonzero(judged.facts_read[i]).tolist(),
            }
            file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")

    return write
