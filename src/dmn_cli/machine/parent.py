"""A process that helps another doesn't outlive it, however that ended."""

from __future__ import annotations

import os
import threading
import time

_EVERY = 0.5  # seconds


def end_with_parent(parent: int) -> None:
    """Has this process end within a second of the one that started it. parent: its number"""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_EVERY)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
