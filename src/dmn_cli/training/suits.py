"""Whether a network can learn from data: some read trees, and some answer one question alone."""

from __future__ import annotations

from dmn_cli.data.joint import Joint
from dmn_cli.errors import UsageError
from dmn_cli.evaluation.trees import check_trees
from dmn_cli.records.network import Network


def check_suits(network: Network, joint: Joint) -> None:
    """Raises: UsageError where it can't."""
    for data in joint.data:
        check_trees(network, data)
    if not network.classifies:
        return
    if joint.question is None:
        raise UsageError(
            "this kind of network reads texts and no questions, and the data ask more than one",
            hint="Train another kind, such as --preset dmn-plus, or prepare the questions one by one.",
        )
    if joint.longest_answer > 1 or any(form.per_fact or form.any_order for form in joint.forms.values()):
        raise UsageError(
            "this kind of network answers with one word, and the data have answers of several",
            hint="Train another kind, such as --preset text.",
        )
