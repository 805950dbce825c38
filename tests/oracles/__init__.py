"""Independent readers of the bAbI families: from the text alone, without a look at how our stories are made."""

from collections.abc import Callable, Sequence

from oracles import directions, knowledge, people

Oracle = Callable[[Sequence[str], str], tuple[str, ...] | None]
ORACLES: dict[str, Oracle] = {**people.ORACLES, **directions.ORACLES, **knowledge.ORACLES}
