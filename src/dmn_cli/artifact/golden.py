"""Golden questions: a few of the validation that a model directory keeps, with what the model answered to them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from dmn_cli.artifact.stored import AGAIN, GOLDEN
from dmn_cli.errors import ModelError


class Golden(NamedTuple):
    story: list[str] | str  # or its picture, as a data: URL
    question: str
    answer: str
    confidence: float  # in the whole answer

    @classmethod
    def of(cls, line: Any) -> Golden:
        """Raises: KeyError, TypeError, ValueError where it isn't a line of golden.jsonl."""
        question, answer = line["question"], line["answer"]
        image = line.get("image")
        story = line["story"] if image is None else image
        texts = (*story, question, answer) if isinstance(story, list) else (image, question, answer)
        if not all(isinstance(text, str) for text in texts):
            raise TypeError("golden")
        if not story:
            raise ValueError("golden")
        return cls(story, question, answer, float(line["confidence"]))


def read(folder: Path) -> list[Golden]:
    """Those of a model directory, in their order; none where it has none. Raises: ModelError where it is damaged."""
    path = folder / GOLDEN
    try:
        return [Golden.of(json.loads(line)) for line in path.read_bytes().splitlines()]
    except FileNotFoundError:
        return []
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ModelError("is damaged: not the golden questions that dmn writes", where=path, hint=AGAIN) from error
