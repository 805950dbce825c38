"""What a search has found: the best trial, what it gains, its settings as a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dmn_cli.artifact import directory
from dmn_cli.files import write_text
from dmn_cli.settings.load import to_toml
from dmn_cli.training.tuning.gain import Gain, answers, gain
from dmn_cli.training.tuning.halving import stage_of
from dmn_cli.training.tuning.search import Search
from dmn_cli.training.tuning.space import Values
from dmn_cli.training.tuning.trials import Trial
from dmn_cli.wording import plural

CONFIG = "tuned.toml"
_FINALISTS = 16  # trials that the gain is measured with, at most


@dataclass(frozen=True)
class Found:
    best: Trial
    usual: Trial  # trial 0, whose settings were given
    epochs: int  # of a whole training
    changed: Values  # what is other than in trial 0
    gain: Gain | None  # None: trial 0 is the best, or not as far trained
    trials: int
    failed: int
    questions: int  # trained on
    seconds: float

    @property
    def whole(self) -> bool:
        """Whether the best was trained to its end."""
        return self.best.last.finished is not None

    def as_json(self) -> dict[str, Any]:
        counts = {"trials": self.trials, "failed": self.failed, "questions": self.questions, "seconds": self.seconds}
        best, usual = (
            {"trial": trial.number, "epochs": trial.last.epochs, **(trial.last.best or {})}
            for trial in (self.best, self.usual)
        )
        gained = {} if self.gain is None else {"gain": self.gain._asdict()}
        return {**counts, "best": best, "preset": usual, **gained, "changed": self.changed}


def conclude(search: Search) -> Found | None:
    """Writes the best one's settings and model, and what was found. None: not even one stage is done"""
    best = search.leader
    if best is None:
        return None
    usual = search.trials[0]
    changed = {key: value for key, value in best.values.items() if value != usual.values[key]}
    found = Found(
        best=best,
        usual=usual,
        epochs=search.ends[-1],
        changed=changed,
        gain=_gain(search, best, usual),
        trials=len(search.trials),
        failed=sum(trial.last.failed is not None for trial in search.trials),
        questions=sum(trial.last.questions for trial in search.trials),
        seconds=sum(trial.last.seconds for trial in search.trials),
    )
    search.keep(best)
    write_text(search.path / CONFIG, config(search, found))
    search.save(found.as_json())
    return found


def _gain(search: Search, best: Trial, usual: Trial) -> Gain | None:
    """Measured with the trials that got as far as the best."""
    stage = stage_of(best, search.ends)
    if best is usual or stage_of(usual, search.ends) < stage:
        return None
    others = [trial for trial in search.trials if trial is not usual and stage_of(trial, search.ends) == stage]
    others.sort(key=lambda trial: trial.score(search.ends[stage]), reverse=True)
    valid = search.joint.batches("valid")
    all_answers = [
        answers(directory.load(search.run(trial.number), search.device).network, valid, search.device)
        for trial in (usual, *others[:_FINALISTS])
    ]
    right = np.stack([one.right for one in all_answers])
    return gain(right, all_answers[0].asked, all_answers[0].task, search.given.training.seed)


def config(search: Search, found: Found) -> str:
    """The settings of the best trial, as a TOML file with comments."""
    settings = search.settings(found.best.number, found.best.values)
    comments = [
        f"Found by dmn train --tune {search.budget.text}: trial {found.best.number}, of {found.trials},",
        f"after {found.best.last.epochs} of {plural(found.epochs, 'epoch')}.",
        figures(found),
        "What differs from trial 0, the settings given, is commented. dmn train --config takes this file.",
    ]
    lines = to_toml(settings).splitlines()
    return "\n".join([*(f"# {line}" for line in comments), *_commented(lines, found), ""])


def figures(found: Found) -> str:
    """In words: accuracies, and the gain."""

    def accuracy(trial: Trial) -> str:
        assert trial.last.best is not None
        return f"{100 * trial.last.best['accuracy']:.2f} %"

    if found.best is found.usual:
        return f"Validation {accuracy(found.best)}; nothing was better than the settings given."
    said = f"Validation {accuracy(found.best)}, trial 0 {accuracy(found.usual)}"
    if found.gain is None:
        return f"{said} after epoch {found.usual.last.epochs}."
    mean, low, high = (f"{100 * value:+.2f}" for value in found.gain)
    doubt = "" if found.gain.sure else ": it may be none"
    so_far = "" if found.whole else f", after epoch {found.best.last.epochs}; whole trainings may differ by less"
    return f"{said}; gain {mean}, 95 % interval {low} to {high}{doubt}{so_far}."


def _commented(lines: Sequence[str], found: Found) -> list[str]:
    """With what trial 0 had, where that is something else."""
    table, said = "", []
    for line in lines:
        if line.startswith("["):
            table = line.strip("[]")
        key = f"{table}.{line.partition(' = ')[0]}"
        was = f"# {found.usual.values[key]} in trial 0" if key in found.changed else ""
        said.append(f"{line:<31} {was}" if was else line)
    return said
