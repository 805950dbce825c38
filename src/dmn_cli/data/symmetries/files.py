"""Symmetries as TOML, which a person can correct or write, as JSON, and as a sentence.

[qa15]
classes = [["emily", "gertrude", "jessica", "winona"], [["mouse", "mice"], ["cat", "cats"], ["wolf", "wolves"]]]

[qa19]
swaps = [{north = "south", n = "s"}, {east = "west", e = "w"}]
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from dmn_cli.data.symmetries import Entity, Swap, Symmetries, folded
from dmn_cli.data.words.affixes import is_affix
from dmn_cli.errors import UsageError
from dmn_cli.notation import parse_toml

_NAMED = 2  # members of a class that a description names, where there are more than one more
_KEYS = ("classes", "swaps")


def to_toml(tasks: Mapping[str, Symmetries]) -> str:
    """A table a task; those without symmetries have an empty one."""
    return "\n".join(_table(task, symmetries) for task, symmetries in tasks.items())


def _table(task: str, symmetries: Symmetries) -> str:
    lines = [f"[{_key(task)}]"]
    if symmetries.classes:
        lines += [
            "classes = [",
            *(f"    [{', '.join(map(_entity, entities))}]," for entities in symmetries.classes),
            "]",
        ]
    if symmetries.swaps:
        pairs = (", ".join(f"{_key(a)} = {_quoted(b)}" for a, b in swap) for swap in symmetries.swaps)
        lines += ["swaps = [", *(f"    {{{pair}}}," for pair in pairs), "]"]
    return "\n".join(lines) + "\n"


def _entity(entity: Entity) -> str:
    return _quoted(entity[0]) if len(entity) == 1 else f"[{', '.join(map(_quoted, entity))}]"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(text: str) -> str:
    bare = text.isascii() and text.replace("-", "").replace("_", "").isalnum()
    return text if bare else _quoted(text)


def read(path: Path) -> dict[str, Symmetries]:
    """Those of a file, by task. Raises: UsageError as `from_toml` does, and where it can't be read."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"can't be read: {error.strerror}", where=path, hint="Say auto, off or a file.") from error
    return from_toml(content, path)


def from_toml(text: str | bytes, where: object) -> dict[str, Symmetries]:
    """Symmetries by task. Raises: UsageError where it isn't TOML, or doesn't say what may change places."""
    tables = parse_toml(text.encode() if isinstance(text, str) else text, where)
    return {task: _symmetries(table, f"{where}, [{task}]") for task, table in tables.items()}


def as_json(symmetries: Symmetries) -> dict[str, Any]:
    """What `from_json` reads: as in TOML, with an entity as a list of its forms and a swap as one of pairs."""
    return {
        "classes": [[list(entity) for entity in entities] for entities in symmetries.classes],
        "swaps": [[list(pair) for pair in swap] for swap in symmetries.swaps],
    }


def from_json(value: Any, where: object) -> Symmetries:
    """Raises: UsageError as `from_toml` does."""
    return _symmetries(value, where)


def _symmetries(value: Any, where: object) -> Symmetries:
    if not isinstance(value, dict):
        raise UsageError("must be a table with classes and swaps", where=where)
    unknown = sorted(set(value) - set(_KEYS))
    if unknown:
        raise UsageError(f"{unknown[0]!r} is not known here", where=where, hint=f"A task has {' and '.join(_KEYS)}.")
    classes = tuple(_class(members, where) for members in _list(value.get("classes", []), "classes", where))
    swaps = tuple(_swap(pairs, where) for pairs in _list(value.get("swaps", []), "swaps", where))
    _once((form for entities in classes for entity in entities for form in set(entity)), "in two classes", where)
    swapped = {form for swap in swaps for pair in swap for form in pair}
    _once(
        [*{form for entities in classes for entity in entities for form in entity}, *swapped],
        "in a class and in a swap",
        where,
    )
    return Symmetries(classes, swaps)


def _class(value: Any, where: object) -> tuple[Entity, ...]:
    members = tuple(_members(member, where) for member in _list(value, "a class", where))
    if len(members) < 2:
        raise UsageError(f"a class needs two members or more: {value!r}", where=where)
    if len({len(member) for member in members}) > 1:
        raise UsageError(
            f"the members of a class have different numbers of forms: {value!r}",
            where=where,
            hint='Give each as many, a word twice if need be: [["mouse", "mice"], ["sheep", "sheep"]].',
        )
    _once((form for member in members for form in set(member)), "twice in a class", where)
    return members


def _members(value: Any, where: object) -> Entity:
    forms = tuple(_form(form, where) for form in ([value] if isinstance(value, str) else _list(value, "a name", where)))
    if not forms:
        raise UsageError("a name has no forms", where=where)
    return forms


def _swap(value: Any, where: object) -> Swap:
    pairs = value.items() if isinstance(value, dict) else _list(value, "a swap", where)
    swap = tuple(_pair(pair, where) for pair in pairs)
    if not swap:
        raise UsageError("a swap has no words", where=where)
    _once((form for pair in swap for form in pair), "twice in a swap", where)
    return swap


def _pair(value: Any, where: object) -> tuple[str, str]:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise UsageError(f"what changes places in a swap are pairs: {value!r}", where=where)
    return _form(value[0], where), _form(value[1], where)


def _form(value: Any, where: object) -> str:
    if not isinstance(value, str) or not value.split() or is_affix(value):
        raise UsageError(f"is not a word, or some words with blanks between them: {value!r}", where=where)
    return " ".join(value.split())


def _list(value: Any, name: str, where: object) -> list[Any]:
    if not isinstance(value, list):
        raise UsageError(f"{name} must be a list: {value!r}", where=where)
    return value


def _once(forms: Iterable[str], what: str, where: object) -> None:
    form, times = max(Counter(forms).items(), key=lambda item: item[1], default=("", 1))
    if times > 1:
        raise UsageError(f"{form!r} is {what}", where=where)


def check(symmetries: Symmetries, words: Collection[str], answers: Iterable[str], where: object) -> None:
    """Raises: UsageError where a form doesn't occur among the words or answers, or what is an answer would become what
    is none."""
    known = folded(answers)
    swapped = [((a,), (b,)) for swap in symmetries.swaps for a, b in swap]
    for members in (*symmetries.classes, *swapped):
        for form in (form for member in members for form in member):
            if form.casefold() not in known and any(word not in words for word in form.split(" ")):
                raise UsageError(f"{form!r} doesn't occur in the training stories", where=where)
        answering = {any(form.casefold() in known for form in member): member[0] for member in members}
        if len(answering) > 1:
            raise UsageError(
                f"{answering[False]!r} can't take the place of {answering[True]!r}, since it is never an answer",
                where=where,
            )


def describe(symmetries: Symmetries) -> str:
    """As a person would say it; empty where nothing can change places."""
    classes = [_examples([entity[0] for entity in entities]) for entities in symmetries.classes]
    swaps = [" and ".join(f"{a} with {b}" for a, b in swap) for swap in symmetries.swaps]
    return "; ".join([*classes, *swaps])


def _examples(names: list[str]) -> str:
    if len(names) <= _NAMED + 1:
        return f"{', '.join(names[:-1])} and {names[-1]}"
    return f"{', '.join(names[:_NAMED])} and {len(names) - _NAMED} more"


def symmetries_of(summary: Mapping[str, Any], where: object) -> dict[str, Symmetries]:
    """Those of a data set, by task. summary: its dataset.json. Raises: UsageError"""
    return {task: from_json(value, where) for task, value in summary.get("symmetries", {}).items()}
