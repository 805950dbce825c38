"""How the processes of one command find out which of them are there now.

torchrun starts killed processes again, with the same store of keys and values: it still has what dead ones wrote, their
addresses among it. So each process writes who it is, by a name that none had before; the first one says whom it has
found, and again whenever that changes, until all have answered to the same.
"""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

_LOOK_EVERY = 0.02  # seconds


def meet(store: Any, rank: int, size: int, seconds: float) -> Any:
    """A part of the store that nobody has written to before, the same for all who are there.

    store: a torch.distributed.Store
    Raises: TimeoutError where not all come within so many seconds; RuntimeError where the store has gone
    """
    from torch.distributed import PrefixStore  # type: ignore[reportPrivateImportUsage]

    name, end = uuid.uuid4().hex, time.monotonic() + seconds
    store.set(f"here/{rank}", name)
    place = _found_by_first(store, name, size, end) if rank == 0 else _found(store, name, rank, end)
    return PrefixStore(place, store)


def _found_by_first(store: Any, name: str, size: int, end: float) -> str:
    place, met = "", []
    while True:
        names = [name, *(_read(store, f"here/{rank}") for rank in range(1, size))]
        if names != met:
            place, met = uuid.uuid4().hex, names
            store.set("meeting", json.dumps([place, names]))
        if all(_read(store, f"{place}/{rank}") for rank in range(1, size)):
            store.set(f"{place}/all", "here")
            return place
        _wait(end)


def _found(store: Any, name: str, rank: int, end: float) -> str:
    while True:
        place, names = json.loads(_read(store, "meeting") or '["", []]')
        if name in names:
            store.set(f"{place}/{rank}", "here")
            if _read(store, f"{place}/all"):
                return place
        _wait(end)


def _read(store: Any, key: str) -> str:
    """What is written there; nothing where nothing is."""
    return store.get(key).decode() if store.check([key]) else ""


def _wait(end: float) -> None:
    if time.monotonic() > end:
        raise TimeoutError("not all processes have come")
    time.sleep(_LOOK_EVERY)
