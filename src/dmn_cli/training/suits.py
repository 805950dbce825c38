"""Which network suits data, and whether one can learn from them: some read trees, some see pictures, some answer one
question alone or each question once, and some need supporting facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from dmn_cli.data.joint import Joint
from dmn_cli.data.words.trees import labels_of
from dmn_cli.errors import UsageError
from dmn_cli.evaluation.trees import check_trees
from dmn_cli.records.network import Network
from dmn_cli.records.text import Form

_WORDS = 500  # that natural text has, and no small language of a few forms


class Preset(NamedTuple):
    """One that was chosen."""

    name: str
    why: str


def suited(data: Sequence[Mapping[str, Any]]) -> Preset | None:
    """The preset for data of which a user says nothing more; None: the usual one. data: dataset.json of each"""
    if all(one.get("pictures") for one in data):
        return Preset("dmn-image", "the data are pictures")
    if all(has_trees(one) for one in data):
        return Preset("tree-lstm", "the data are trees")
    if all(map(is_natural_text, data)):
        return Preset("text", "the data are natural text")
    return None


def has_trees(data: Mapping[str, Any]) -> bool:
    """Whether its texts are trees. data: dataset.json"""
    return labels_of(data["tokenizer"]) is not None


def is_natural_text(data: Mapping[str, Any]) -> bool:
    """Whether its stories have many words, answers to whole stories, and nothing that says what an answer rests on.
    data: dataset.json"""
    if data.get("pictures") or has_trees(data) or any(Form.from_json(form).per_fact for form in data["forms"].values()):
        return False
    return not is_taught(data) and data.get("words", 0) > _WORDS


def is_taught(data: Mapping[str, Any]) -> bool:
    """Whether it says more than answers: what some rest on, or which names can change. data: dataset.json"""
    return bool(data.get("questions_with_support")) or any(data.get("symmetries", {}).values())


def taught(joint: Joint) -> set[str]:
    """The tasks of the data sets that say so; all of them where none does."""
    tasks = {task for data in joint.data if is_taught(data.summary) for task in data.tasks}
    return tasks or set(joint.tasks)


def of_texts(joint: Joint) -> bool:
    """Whether each story is a text that is asked one question, and has nothing to do with those before."""
    return joint.question is not None and all(map(_is_of_texts, (data.summary for data in joint.data)))


def _is_of_texts(data: Mapping[str, Any]) -> bool:
    words = any(Form.from_json(form).facts_are_words for form in data["forms"].values())
    return bool(data.get("table")) or words or has_trees(data) or is_natural_text(data)


def check_suits(network: Network, joint: Joint, gate_supervision: str) -> None:
    """Raises: UsageError where it can't."""
    for data in joint.data:
        check_trees(network, data)
        if data.picture_form and not network.sees:
            raise UsageError(
                "has pictures, and this kind of network reads text alone",
                where=data.path,
                hint="Train one that sees pictures: --preset dmn-image.",
            )
        if network.taught_by_supports and not data.summary["questions_with_support"]:
            raise UsageError(
                "has no supporting facts, and this kind of network learns from nothing else what to read",
                where=data.path,
                hint="Train another kind, such as --preset memn2n or dmn-plus.",
            )
    if network.taught_by_supports and gate_supervision == "off":
        raise UsageError(
            "this kind of network learns from supporting facts alone what to read",
            hint="Leave out training.gate_supervision = off, or train another kind, such as --preset memn2n.",
        )
    if not network.per_fact and any(form.per_fact for form in joint.forms.values()):
        raise UsageError(
            "this kind of network answers a question once, and the data have questions with an answer for each fact",
            hint="Train another kind, such as --preset text.",
        )
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
