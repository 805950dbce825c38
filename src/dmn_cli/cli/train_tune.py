"""dmn train --tune: settings found by validation, and what a person sees meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dmn_cli.cli.output import Output, plural, rows, stderr, wrapped
from dmn_cli.cli.train_asked import Asked
from dmn_cli.cli.train_stop import until_interrupted
from dmn_cli.errors import UsageError

if TYPE_CHECKING:
    from dmn_cli.training.tuning.found import Found
    from dmn_cli.training.tuning.search import Ended, Search

_SHOWN = 5  # trials


def train_tune(asked: Asked, tune: str | None, given: set[str]) -> None:
    """Searches, and says what was found. tune: the budget, which may be None where a search is resumed; given: keys
    that stay as they are

    Raises: Interrupted where it was asked to stop
    """
    from dmn_cli.training.events import Stopped
    from dmn_cli.training.tuning.budget import Budget
    from dmn_cli.training.tuning.found import conclude
    from dmn_cli.training.tuning.search import Search

    budget = Budget.parse(tune) if tune is not None else None
    known = (asked.data_sets, asked.out, asked.settings)
    if asked.resume:
        search = Search.resume(*known, budget, asked.device, processes=asked.processes)
    else:
        assert budget is not None  # or this isn't what was asked for
        search = Search(*known, budget, asked.device, wanted=lambda key: key not in given, processes=asked.processes)
        search.begin(force=asked.force)
    _introduce(asked.output, search)
    with until_interrupted(asked) as stop, asked.output.warned():
        trial, last = _watch(asked.output, search, stop)
        if stop() and isinstance(last, Stopped):
            raise stop.stopped(last, of=f"trial {trial}, ")
        if stop():
            raise stop.to_continue(f"after {plural(len(search.trials), 'trial')}")
        found = conclude(search)
    if found is None:
        raise UsageError(
            f"--tune {search.budget.text} was over before one epoch was",
            where=asked.out,
            hint="Continue with --resume --tune and several times as much as a whole training takes.",
        )
    _report(asked, search, found)


def _introduce(output: Output, search: Search) -> None:
    """What is looked for, and where."""
    for key, span in search.ranges.items():
        output.note(f"{key}: {span} ({search.space.usual[key]} in trial 0)")
    *firsts, last = map(str, search.ends)
    ends = ", ".join([*firsts, plural(int(last), "epoch")])
    output.note(f"a trial goes on after {ends} where it is among the best third")
    spent = f"{search.spent:,.0f} of " if search.spent else ""
    short = ", less than four whole trainings: the best trial won't be trained to its end" if search.short else ""
    output.note(wrapped(f"{spent}{search.budget.amount:,} {search.budget.unit} of training{short}"))


def _watch(output: Output, search: Search, stop: Callable[[], bool]) -> tuple[int, Any]:
    """The trial that was trained last, and the last event."""
    from dmn_cli.cli.train_progress import introduce
    from dmn_cli.training.tuning.search import Begun, Ended

    introduced, before, trial, event = False, 0, 0, None
    with _shown(output, search) as show:
        for event in search.events(stop):
            if isinstance(event, Begun):
                if not introduced:
                    introduce(output, event.training)
                    introduced = True
                trial, is_new = event.trial, event.trial == len(search.trials)
                before = 0 if is_new else search.trials[trial].last.epochs
                if is_new and trial:
                    output.note(wrapped(f"trial {trial}: {_values(event.values)}"))
            elif isinstance(event, Ended):
                output.note(_line(event, before, search))
            show(event)
    return trial, event


@contextmanager
def _shown(output: Output, search: Search) -> Iterator[Callable[[Any], None]]:
    """Yields a function that shows on a terminal how much of the budget is spent, and what is trained."""
    if not output.live:
        yield lambda event: None
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    from dmn_cli.training.events import Step
    from dmn_cli.training.tuning.search import Begun, Ended

    columns = (TextColumn("{task.description}"), BarColumn(20), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=stderr(), transient=True, redirect_stdout=False) as progress:
        bar = progress.add_task("starting", total=search.budget.amount, completed=int(search.spent))
        trial, epochs = 0, 0

        def show(event: Any) -> None:
            nonlocal trial, epochs
            if isinstance(event, Begun):
                trial, epochs = event.trial, event.epochs
            elif isinstance(event, Step):
                progress.update(bar, description=f"trial {trial}  epoch {event.epoch}/{epochs}  loss {event.loss:.4f}")
            elif isinstance(event, Ended):
                progress.update(bar, completed=search.spent)

        yield show


def _line(ended: Ended, before: int, search: Search) -> str:
    """before: epochs that the trial had"""
    stage = ended.stage
    epochs = f"{before + 1}-{stage.epochs}" if stage.epochs > before + 1 else str(stage.epochs)
    if stage.best is None:
        return f"trial {stage.trial:>3}  epoch {epochs:>5}  given up: {stage.failed}"
    best = "  best" if ended.best else "      "
    validation = f"validation {100 * stage.best['accuracy']:6.2f} %  loss {stage.best['loss']:.4f}"
    over = "  done" if stage.finished else ""
    left = 100 * max(0.0, 1 - search.spent / search.budget.amount)
    return f"trial {stage.trial:>3}  epoch {epochs:>5}  {validation}{best}  {left:3.0f} % left{over}"


def _values(values: dict[str, Any]) -> str:
    return ", ".join(f"{key.partition('.')[2]} {value:g}" for key, value in values.items())


def _report(asked: Asked, search: Search, found: Found) -> None:
    from dmn_cli.training.tuning.found import CONFIG, figures

    model, config = asked.out / "model", asked.out / CONFIG
    asked.output.json({"run": str(asked.out), "model": str(model), "config": str(config), **found.as_json()})
    train = f"dmn train {' '.join(map(str, asked.data))} --config {config} --out RUN"
    how_far = (
        "trained to its end"
        if found.whole
        else f"trained for {found.best.last.epochs} of {plural(found.epochs, 'epoch')}"
    )
    failed = f", {found.failed} given up" if found.failed else ""
    asked.output.result(
        f"{rows(_table(search))}\n"
        + wrapped(
            f"{plural(found.trials, 'trial')}{failed}, {plural(found.questions, 'question')}, {found.seconds:.0f} s. "
            f"The best is trial {found.best.number}.\n"
            f"{figures(found)}"
        )
        + f"\n{config} has its settings.\n{model} is its model, {how_far}."
        + f"\nNext: {asked.next if found.whole else train}"
    )


def _table(search: Search) -> list[tuple[str, ...]]:
    """The trials that got the furthest, the best first, in a column each: there are more settings than trials."""
    from dmn_cli.training.tuning.halving import stage_of

    ends = search.ends
    ranked = [trial for trial in search.trials if trial.last.best]
    ranked.sort(key=lambda trial: (stage_of(trial, ends), trial.score(trial.last.epochs)), reverse=True)
    columns: list[tuple[str, ...]] = [
        ("trial", "epochs", "validation", *(key.partition(".")[2] for key in search.ranges))
    ]
    for trial in ranked[:_SHOWN]:
        assert trial.last.best is not None
        figures = (str(trial.last.epochs), f"{100 * trial.last.best['accuracy']:.2f} %")
        columns.append((str(trial.number), *figures, *(f"{value:.4g}" for value in trial.values.values())))
    return list(zip(*columns, strict=True))
