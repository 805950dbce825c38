"""The questions of DAQUAR with one grey picture for all of them: what can be answered without looking."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image

from dmn_cli.data.formats.images import daquar


def write(source: Path, out: Path) -> None:
    """A folder of JSON lines. source: DAQUAR's. The grey file has a copy for each picture, so that the same are held
    out for the validation as where they can be seen"""
    asked = [*daquar.read(source)]
    (out / "grey").mkdir(parents=True)
    for name in {one.picture.name for one in asked}:
        Image.new("RGB", (8, 8), "grey").save(out / "grey" / f"{Path(name).stem}.png")
    lines = (
        {
            "image": f"grey/{Path(one.picture.name).stem}.png",
            "question": one.question,
            "answer": one.answer[0] if len(one.answer) == 1 else list(one.answer),
            "split": one.split,
            "task": one.task,
        }
        for one in asked
    )
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    (out / "questions.jsonl").write_text(text, encoding="utf-8")
