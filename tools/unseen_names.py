"""Writes the test questions of a data set anew, with every word that can change places replaced by a name that nobody
has seen: what a model makes of names that are only names.

    python tools/unseen_names.py data/qa1 unseen-qa1.jsonl [--split test] [--seed 1]
    dmn prepare jsonl unseen-qa1.jsonl --out data/unseen-qa1
    dmn eval runs/qa1 data/unseen-qa1

Prepare them with the words cut as in DATA (`--tokenizer`, `--case`, `--language`, `--affixes`). Each story draws its
names from some dozens that are invented for each kind, and nothing is bound where --no-bind is given to dmn eval.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from dmn_cli.answering.spelling import one_letter_apart
from dmn_cli.data.formats.jsonl import lines
from dmn_cli.data.store.reader import DataSet, Split
from dmn_cli.data.symmetries import Entity, Symmetries
from dmn_cli.data.symmetries.files import symmetries_of
from dmn_cli.data.symmetries.spares import kinds
from dmn_cli.records.text import Question, Story

_NAMES = 48  # of each kind, at least
_ENDINGS = ("", "s", "en", "ling")  # of the forms of a name


def invented(known: set[str], number: int, random: np.random.Generator) -> list[str]:
    """Names that are no known word, nor differ by a letter from one or from one another, endings and all."""
    taken = set(known)
    names: list[str] = []
    while len(names) < number:
        syllables = int(random.integers(2, 4))
        letters = ((str(random.choice([*"bdfgklmnprstvz"])), str(random.choice([*"aeiou"]))) for _ in range(syllables))
        name = "".join(consonant + vowel for consonant, vowel in letters) + str(random.choice([*"nrlmk"]))
        forms = {name + ending for ending in _ENDINGS}
        if not any(form == word or one_letter_apart(form, word) for form in forms for word in taken):
            names.append(name)
            taken |= forms
    return names


def stories(data: DataSet, split_name: str, seed: int) -> Iterator[Story]:
    """Those of a split, with new names."""
    random = np.random.default_rng(seed)
    symmetries = symmetries_of(data.summary, data.path / "dataset.json")
    known = {word for word in data.vocabulary.words.items if word.isalpha()}
    pools: dict[frozenset[Entity], list[str]] = {}
    for kind in kinds(symmetries):
        pools[kind.members] = invented(known, max(_NAMES, len(kind.members)), random)
        known |= {name + ending for name in pools[kind.members] for ending in _ENDINGS}
    split = data.split(split_name)
    for number in range(split.stories):
        story = _story(data, split, number)
        images = _images(symmetries.get(story.task, Symmetries()), pools, random)
        yield _renamed(story, images) if images else story


def _images(
    symmetries: Symmetries, pools: Mapping[frozenset[Entity], list[str]], random: np.random.Generator
) -> dict[str, str]:
    """What each form of the members of classes becomes in a story. Of a form that is several, the first counts."""
    images: dict[str, str] = {}
    for members in symmetries.classes:
        (pool,) = (
            names for kind, names in pools.items() if kind.issuperset(members) and _forms(kind) == len(members[0])
        )
        for entity, name in zip(members, random.choice(pool, len(members), replace=False), strict=True):
            for form, ending in zip(entity, _ENDINGS, strict=False):
                images.setdefault(form.casefold(), f"{name}{ending}")
    return images


def _forms(kind: frozenset[Entity]) -> int:
    return len(next(iter(kind)))


def _story(data: DataSet, split: Split, number: int) -> Story:
    rows = range(int(split.question_offset[number]), int(split.question_offset[number + 1]))
    examples = [data.example(split, row) for row in rows]
    forms = [data.forms.get(example.question) for example in examples]
    longest = max((example.facts for example in examples), key=len)
    questions = tuple(
        Question(e.question, len(e.facts), tuple(e.answer), tuple(e.support), bool(form and form.per_fact))
        for e, form in zip(examples, forms, strict=True)
    )
    return Story(examples[0].task, tuple(longest), questions, any(form and form.facts_are_words for form in forms))


def _renamed(story: Story, images: Mapping[str, str]) -> Story:
    forms = sorted(images, key=len, reverse=True)
    pattern = re.compile(rf"\b({'|'.join(map(re.escape, forms))})\b", re.IGNORECASE)

    def image(match: re.Match[str]) -> str:
        name = images[match.group().casefold()]
        return name.capitalize() if match.group()[0].isupper() else name

    def renamed(text: str) -> str:
        return pattern.sub(image, text)

    questions = tuple(
        q._replace(text=renamed(q.text), answer=tuple(renamed(a) if a.casefold() in images else a for a in q.answer))
        for q in story.questions
    )
    return story._replace(facts=tuple(map(renamed, story.facts)), questions=questions)


def write(data: Path, out: Path, split: str = "test", seed: int = 1) -> None:
    with out.open("w", encoding="utf-8") as file:
        for story in stories(DataSet(data), split, seed):
            file.writelines(lines("test", story))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="a data set made by dmn prepare")
    parser.add_argument("out", type=Path, help="the JSON lines to write")
    parser.add_argument("--split", default="test")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    write(options.data, options.out, options.split, options.seed)


if __name__ == "__main__":
    main()
