"""dmn train --seeds, --restarts and --ensemble: a run for each seed, and the model of the best, or all as one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from dmn_cli.cli.output import plural, rows, wrapped
from dmn_cli.cli.train_asked import Asked, then
from dmn_cli.cli.train_stop import until_interrupted
from dmn_cli.errors import UsageError

if TYPE_CHECKING:
    from dmn_cli.training.loop import Training
    from dmn_cli.training.seeds import Seeds

_MOST = 1000


def parse(text: str) -> list[int]:
    """'1-3,9' → [1, 2, 3, 9], in the order that is given. Raises: UsageError"""
    hint = "For example: --seeds 1-5, or --seeds 1,3,7."
    found: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)(?:-(\d+))?\s*", part, re.ASCII)
        if not match:
            raise UsageError(f"--seeds {text!r} is not a list of seeds", hint=hint)
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise UsageError(f"--seeds {text!r}: {first}-{last} has no seed", hint=hint)
        if len(found) + last - first >= _MOST:
            raise UsageError(f"--seeds {text!r} has more than {_MOST:,} seeds")
        found += range(first, last + 1)
    twice = [seed for i, seed in enumerate(found) if seed in found[:i]]
    if twice:
        raise UsageError(f"--seeds {text!r} has {twice[0]} twice", hint="Each seed is trained once.")
    return found


def first_seed(text: str) -> int:
    return parse(text)[0]


def train_seeds(asked: Asked, seeds: str | None, restarts: int | None, ensemble: int | None) -> None:
    """Trains, and says what came of it. Of the options one is given, or none where a run is resumed.

    Raises: Interrupted where it was asked to stop
    """
    from dmn_cli.cli.train_progress import introduce, watch
    from dmn_cli.training.events import Stopped
    from dmn_cli.training.seeds import Seeds, so_many, train
    from dmn_cli.training.start import Start

    output, count = asked.output, restarts or ensemble
    numbers = parse(seeds) if seeds is not None else []
    if count:
        numbers = so_many(count, asked.settings.training.seed, asked.out if asked.resume else None)
    if asked.resume:
        keep_all = True if ensemble else False if restarts else None
        known = Seeds.resume(asked.data_sets, asked.out, asked.settings, numbers, ensemble=keep_all)
    else:
        keep_all = ensemble is not None
        start = Start.of_run(asked.start_from) if asked.start_from else None
        known = Seeds(
            asked.data_sets, asked.out, asked.settings, numbers, ensemble=keep_all, force=asked.force, start=start
        )
    introduced = False

    with until_interrupted(asked) as stop, output.warned():

        def finish(seed: int, training: Training) -> None:
            nonlocal introduced
            if not introduced:
                introduce(output, training)
                introduced = True
            state = training.state
            going_on = f", resuming at epoch {state.epoch}, step {state.step}" if state.network else ""
            output.note(f"seed {seed}, {known.seeds.index(seed) + 1} of {len(known.seeds)}{going_on}")
            last = watch(output, training, stop)
            if isinstance(last, Stopped):
                raise stop.stopped(last, of=f"seed {seed}, ")
            output.note(wrapped(f"seed {seed} is done after {plural(last.epochs, 'epoch')}: {last.reason}"))

        train(known, asked.device, finish, processes=asked.processes)
    _report(asked, known)


def _report(asked: Asked, seeds: Seeds) -> None:
    said, model = seeds.as_json(), asked.out / "model"
    asked.output.json({"run": str(asked.out), "model": str(model), **said})
    deviation = f" ± {_percent(said['sd'])}" if "sd" in said else ""
    extremes = (
        f"{name} {_percent(said[name]['accuracy'])} % (seed {said[name]['seed']})" for name in ("worst", "best")
    )
    kept = f"is that of seed {said['best']['seed']}"
    if "ensemble" in said:
        networks, accuracy = said["ensemble"]["networks"], _percent(said["ensemble"]["accuracy"])
        kept = f"has all {networks} networks: {accuracy} % of validation, and about {networks} times as long to answer"
    asked.output.result(
        f"{rows(_table(said['seeds']))}\n"
        + wrapped(f"mean {_percent(said['mean'])}{deviation} % of validation, {', '.join(extremes)}")
        + "\n"
        + then(f"{model} {kept}.", asked.next)
    )


def _table(seeds: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """A line a seed; with a column for the accuracy that the best is chosen by, where that counts other names in."""
    named = any(one["best"]["score"][0] != one["best"]["accuracy"] for one in seeds)
    lines: list[tuple[str, ...]] = [
        ("seed", "validation", *(["with other names"] if named else []), "epochs", "seconds")
    ]
    for one in seeds:
        best = one["best"]
        accuracies = [best["accuracy"], *([best["score"][0]] if named else [])]
        percents = (f"{_percent(accuracy)} %" for accuracy in accuracies)
        lines.append((str(one["seed"]), *percents, str(one["epochs"]), f"{one['seconds']:.0f}"))
    return lines


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.2f}"
