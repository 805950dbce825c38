"""Sort-of-CLEVR, made here: six coloured shapes, and questions about one of them or about its relation to others.

As described by Santoro et al. 2017, *A simple neural network module for relational reasoning* (arXiv 1706.01427): 75 ×
75 pixels, an object of each of six colours, each a square or a circle of 10 pixels, whose centres are at least 10
pixels apart, and ten relational and ten non-relational questions. There, questions are codes; here, they are sentences.
A picture's ten questions of a kind are different ones of the eighteen that there are, and none is asked that two
objects at the same distance would answer differently. The supporting facts are the regions of the objects that the
answer depends on, in the order of the reasoning.

Picture n of a seed is the same wherever and however often it is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from dmn_cli.data.formats.images.pictures import Pictured, Pictures
from dmn_cli.records.regions import PictureForm
from dmn_cli.records.text import Question, Story

SIDE = 75  # pixels
COLOURS = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "orange": (255, 156, 0),
    "grey": (128, 128, 128),
    "yellow": (255, 255, 0),
}
SHAPES = ("square", "circle")
TASKS = ("relational", "non-relational")
QUESTIONS = 10  # of a task, about a picture
_RADIUS = 5  # pixels: half of an object's width
_NAMES = tuple(COLOURS)


class Scene(NamedTuple):
    """What is in a picture. An object is its number: the place of its colour."""

    x: np.ndarray  # (objects,) pixels from the left
    y: np.ndarray  # (objects,) pixels from the top
    shape: np.ndarray  # (objects,) places in SHAPES


class Asked(NamedTuple):
    """A question, and the objects that its answer depends on."""

    text: str
    answer: str
    objects: tuple[int, ...]


def made(count: int, seed: int, grid: int) -> Pictured:
    """So many pictures to train and validate on, of which a tenth is held out, and a twentieth as many to test on.
    grid: rows and columns of regions"""
    form = PictureForm(grid, grid, SIDE)
    valid, test = count // 10, count // 20
    splits = {"train": range(count - valid), "valid": range(count - valid, count), "test": range(count, count + test)}

    def told(advance: Callable[[int], None]) -> Iterator[tuple[str, Story]]:
        for split, numbers in splits.items():
            for story in stories(numbers, seed, form):
                advance(1)
                yield split, story

    of = {split: np.repeat(np.arange(r.start, r.stop), len(TASKS)).tolist() for split, r in splits.items()}
    every = range(count + test)
    return Pictured(told, len(TASKS) * len(every), Pictures(form, len(every), lambda: pictures(every, seed), of))


def stories(numbers: range, seed: int, form: PictureForm) -> Iterator[Story]:
    """For each picture a story of each task. numbers: of the pictures"""
    facts = tuple(form.names)
    for number in numbers:
        random = _random(seed, number)
        scene = draw_scene(random)
        regions = [form.region_at(x / SIDE, y / SIDE) for x, y in zip(scene.x.tolist(), scene.y.tolist(), strict=True)]
        for task, ask in zip(TASKS, (relational, non_relational), strict=True):
            asked = [one for colour in range(len(COLOURS)) for one in ask(scene, colour)]
            chosen = sorted(random.permutation(len(asked))[:QUESTIONS].tolist())
            questions = tuple(
                Question(one.text, len(facts), (one.answer,), tuple(dict.fromkeys(regions[i] for i in one.objects)))
                for one in (asked[i] for i in chosen)
            )
            yield Story(task, facts, questions)


def pictures(numbers: range, seed: int) -> Iterator[np.ndarray]:
    """(height, width, 3) uint8 each."""
    from PIL import Image, ImageDraw

    for number in numbers:
        image = Image.new("RGB", (SIDE, SIDE), "white")
        draw = ImageDraw.Draw(image)
        shapes: tuple[Callable[..., None], ...] = (draw.rectangle, draw.ellipse)
        scene = draw_scene(_random(seed, number))
        for x, y, shape, colour in zip(*(column.tolist() for column in scene), COLOURS.values(), strict=True):
            shapes[shape]((x - _RADIUS, y - _RADIUS, x + _RADIUS, y + _RADIUS), fill=colour)
        yield np.asarray(image)


def draw_scene(random: np.random.Generator) -> Scene:
    """Objects within the picture, whose centres are at least an object's width apart."""
    x, y = np.empty(0, np.int64), np.empty(0, np.int64)
    while len(x) < len(COLOURS):
        new_x, new_y = random.integers(_RADIUS, SIDE - _RADIUS, 2)
        if not ((x - new_x) ** 2 + (y - new_y) ** 2 < (2 * _RADIUS) ** 2).any():
            x, y = np.append(x, new_x), np.append(y, new_y)
    return Scene(x, y, random.integers(len(SHAPES), size=len(COLOURS)))


def non_relational(scene: Scene, this: int) -> list[Asked]:
    """Those about one object alone."""
    name = _NAMES[this]
    left, top = (_yes(column[this] < SIDE / 2) for column in (scene.x, scene.y))
    return [
        Asked(f"What is the shape of the {name} object?", SHAPES[scene.shape[this]], (this,)),
        Asked(f"Is the {name} object on the left of the picture?", left, (this,)),
        Asked(f"Is the {name} object at the top of the picture?", top, (this,)),
    ]


def relational(scene: Scene, this: int) -> list[Asked]:
    """Those about an object and others."""
    name = _NAMES[this]
    distance = (scene.x - scene.x[this]) ** 2 + (scene.y - scene.y[this]) ** 2
    others = np.arange(len(distance)) != this
    asked = []
    for which, at in (("closest to", distance[others].min()), ("furthest from", distance.max())):
        there = np.flatnonzero(others & (distance == at)).tolist()
        shapes = {SHAPES[scene.shape[i]] for i in there}
        if len(shapes) == 1:
            text = f"What is the shape of the object that is {which} the {name} object?"
            asked.append(Asked(text, shapes.pop(), (this, *there)))
    same = np.flatnonzero(scene.shape == scene.shape[this]).tolist()
    text = f"How many objects have the shape of the {name} object?"
    return [*asked, Asked(text, str(len(same)), (this, *(i for i in same if i != this)))]


def _yes(true: bool) -> str:
    return "yes" if true else "no"


def _random(seed: int, number: int) -> np.random.Generator:
    return np.random.default_rng([seed, number])
