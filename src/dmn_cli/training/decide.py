"""What a setting of "auto" comes to, decided from the training data alone.

Where names change in each batch (`data/symmetries/`), there is no end of new stories. Then noise costs more than it
gives, the order of the supporting facts can be taught to the end, and a training is over once its answers are right: it
is measured in steps, not in readings of the data (docs/log.md).

Where names stay, few stories are learnt by heart. What helps there are small batches, much dropout, and as many steps
as many stories would get. Where there are many, of sentences that are told again and again, noise costs more than it
gives there too, and L2 has the rule found in place of the stories.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from dmn_cli.data.joint import Joint
from dmn_cli.settings.networks import NETWORKS
from dmn_cli.settings.schema import AUTO, Settings, TrainingSettings
from dmn_cli.training.suits import is_natural_text

_FACTS = 2048  # that the questions of a batch see
_LEAST, _USUAL, _MOST = 64, 128, 512  # questions in a batch
_FEWEST = 32  # where names stay and questions are few
_STEPS = 100  # of an epoch
_AGAIN = 50  # times that questions see a sentence, in the mean, where a language has few
_PASSES = 3
_TOGETHER = 32  # tasks, of each of which a step can read a batch
_FIRST = 1000  # questions of each task: the more, the more alike are stories and their mirror images (docs/log.md)
_NGRAMS = 3  # words in a row
_COUNTS = 0.05  # of a task's questions have more supporting facts than passes: then gates may be several


class _Staying(NamedTuple):
    """How stories are learnt whose names stay."""

    dropout: float
    epochs: int
    rate: float
    averaging: float
    l2: float
    supervision: str
    ngrams_rate: float = 1.0


_FEW = _Staying(
    dropout=0.3, epochs=60, rate=0.001, averaging=0.998, l2=0.0, supervision="ordered-first", ngrams_rate=20.0
)
_OF_FEW_SENTENCES = _Staying(dropout=0.0, epochs=60, rate=0.002, averaging=0.998, l2=0.0001, supervision="ordered")
_OTHERS = _Staying(dropout=0.1, epochs=30, rate=0.002, averaging=0.0, l2=0.0, supervision="ordered-first")


class Decided(NamedTuple):
    settings: Settings  # without any "auto"
    said: dict[str, Any]  # what was decided, by key


def decide(settings: Settings, joint: Joint, before: Mapping[str, Any] | None = None) -> Decided:
    """before: what was decided when the run began, where it goes on: that stays, however it would be decided now

    Raises: UsageError where a data set has no training split."""
    stay = _staying(joint)
    model, training = dict(settings.model), dict(settings.training)
    batch = training["batch_size"]
    together = not stay and 1 < len(joint.tasks) <= _TOGETHER and training["sampling"] in (AUTO, "together")
    if batch == AUTO:
        batch = _MOST if together else _batch_size(joint, stay)
    rate = training["learning_rate"]
    if rate == AUTO:
        rate = stay.rate if stay else 0.003 if together else round(0.001 * batch / _USUAL, 6)
    passes = model.get("passes", 1)
    counting = [False] if stay else _counting(joint, _PASSES if passes == AUTO else passes)
    several, throughout = any(counting), all(counting)
    in_one = throughout and model.get("gates") in (AUTO, "sigmoid")  # a pass reads all that counts, in order
    noise = 0.2 if throughout else 0.0  # to count, stories are learnt by heart
    values = {
        "model.gates": "sigmoid" if several else "softmax",
        "model.passes": 1 if in_one else _PASSES,
        "model.ngrams": _ngrams(joint, stay),
        "model.dropout": stay.dropout if stay else noise,
        "training.epochs": stay.epochs if stay else 90 if together else 60,
        "training.steps": _STEPS,
        "training.batch_size": batch,
        "training.learning_rate": rate,
        "training.final_learning_rate": round(rate / 10, 7),
        "training.first_questions": 0 if stay else _FIRST,
        "training.sampling": "together" if together else "proportional",
        "training.schedule": "cosine" if stay else "solved",
        "training.averaging": stay.averaging if stay else 0.998,
        "training.l2": stay.l2 if stay else 0.0,
        "training.gate_supervision": stay.supervision if stay else "ordered",
        "training.ngrams_rate": stay.ngrams_rate if stay else 1.0,
    }
    tables = {"model": model, "training": training}
    said = {}
    for key, value in values.items():
        table, _, last = key.partition(".")
        if tables[table].get(last) == AUTO:
            tables[table][last] = said[key] = (before or {}).get(key, value)
    if not model.get("ngrams"):
        said.pop("training.ngrams_rate", None)  # of which there are none
    network = NETWORKS[settings.model.network].settings.model_validate(model)
    fixed = TrainingSettings.model_validate(training)
    decided = settings.model_copy(update={"model": network, "training": fixed})
    return Decided(decided, said)


def _staying(joint: Joint) -> _Staying | None:
    """How it is learnt; None where most questions are of tasks whose names change."""
    changing = [
        np.isin([batches.tasks[i] for i in batches.task_ids], list(joint.symmetries))[batches.split.task]
        for batches in joint.train
    ]
    asked = [batches.split.questions.lengths for batches in joint.train]
    if float(np.average(np.concatenate(changing), weights=np.concatenate(asked))) > 0.5:
        return None
    if _questions(joint) < _STEPS * _FEWEST:
        return _FEW
    return _OF_FEW_SENTENCES if _told_again(joint) else _OTHERS


def _told_again(joint: Joint) -> bool:
    """Whether stories are told in few sentences. Words and regions of pictures are none."""
    if joint.pictures or _about_words(joint):
        return False
    return _facts_seen(joint).sum() > _AGAIN * sum(len(batches.data.sentences) for batches in joint.train)


def _ngrams(joint: Joint, stay: _Staying | None) -> int:
    """Of natural text. Not of a treebank's words, whose phrases are parts of each other: what they repeat is learnt by
    heart. And not of few texts with word vectors, which say more, and which n-grams would drown."""
    natural = all(is_natural_text(data.summary) for data in joint.data)
    parts = joint.table is None and _about_words(joint)
    few = stay is _FEW and joint.vector_size is not None
    return _NGRAMS if natural and not parts and not few else 0


def _about_words(joint: Joint) -> bool:
    return any(form.facts_are_words for form in joint.forms.values())


def _batch_size(joint: Joint, stay: _Staying | None) -> int:
    """Questions that see about so many facts or, where names stay, of which there are enough for the steps."""
    if stay:
        return _USUAL if stay is _OF_FEW_SENTENCES else int(np.clip(_questions(joint) / _STEPS, _FEWEST, _USUAL))
    return int(np.clip(_FACTS / _facts_seen(joint).mean(), _LEAST, _MOST))


def _facts_seen(joint: Joint) -> np.ndarray:
    """(questions,)"""
    return np.concatenate(
        [batches.split.positions.take(np.arange(batches.split.stories))[0] for batches in joint.train]
    )


def _questions(joint: Joint) -> int:
    return sum(len(batches.split) for batches in joint.train)


def _counting(joint: Joint, passes: int) -> list[bool]:
    """Of which tasks more than a few questions have more supporting facts than there are passes to read them one by
    one."""
    found = []
    for batches in joint.train:
        task, supports = np.repeat(batches.split.task, batches.split.questions.lengths), batches.split.supports.lengths
        found += [bool((supports[task == one] > passes).mean() > _COUNTS) for one in np.unique(task)]
    return found
