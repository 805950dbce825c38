"""Whether facts are trees where a network reads trees, and texts where it reads texts."""

from __future__ import annotations

from dmn_cli.data.store.reader import DataSet
from dmn_cli.errors import UsageError
from dmn_cli.records.network import Network


def check_trees(network: Network, data: DataSet) -> None:
    """Raises: UsageError where they aren't."""
    if network.reads_trees and data.labels is None:
        raise UsageError(
            "has no trees, and this kind of network reads nothing else",
            where=data.path,
            hint="Prepare the data with dmn prepare sst --trees.",
        )
    if data.labels is not None and not network.reads_trees:
        raise UsageError(
            "has trees, whose labels this kind of network would take for words",
            where=data.path,
            hint="Prepare the data without --trees, or train a network that reads trees: --preset tree-lstm.",
        )
