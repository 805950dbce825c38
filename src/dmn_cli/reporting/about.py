"""What a run says of itself, without its data: settings, epochs, validation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def epochs_of(run: Path) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl; none where there is no such file. A line that a kill has cut off is left out."""
    path = run / "metrics.jsonl"
    epochs = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        try:
            epochs.append(json.loads(line))
        except ValueError:
            break
    return epochs
