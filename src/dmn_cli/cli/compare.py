"""dmn compare: two models on the same questions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dmn_cli.cli.gate import read_predictions
from dmn_cli.cli.measured import check_split, opened
from dmn_cli.cli.options import Device, Json, NoBind, Quiet
from dmn_cli.cli.output import Output, plural, show_rows
from dmn_cli.errors import UsageError
from dmn_cli.wording import one_text

if TYPE_CHECKING:
    from dmn_cli.evaluation.compare import Comparison
    from dmn_cli.evaluation.marked import Predictions

_FACTS = 8  # of an example's story, the last ones
_LETTERS = 300  # of an example's text
_SIGNIFICANT = 0.05
_BATCH = 512


def command(
    a: Annotated[
        Path,
        typer.Argument(metavar="A", help="A run, or a file that dmn eval --predictions wrote.", show_default=False),
    ],
    b: Annotated[Path, typer.Argument(metavar="B", help="Another one.", show_default=False)],
    data: Annotated[
        list[Path] | None,
        typer.Argument(metavar="DATA", help="Data sets made by dmn prepare, which runs answer.", show_default=False),
    ] = None,
    split: Annotated[str, typer.Option(help="What runs are measured on: test, valid or train.")] = "test",
    examples: Annotated[
        int, typer.Option(metavar="K", help="Show so many questions that one of them alone has right.", min=0)
    ] = 3,
    batch_size: Annotated[int, typer.Option(help="Questions answered at once.", min=1, max=1_000_000)] = _BATCH,
    no_bind: NoBind = False,
    device: Device = "auto",
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compare two models on the same questions: by how much is B more accurate than A, and how sure is that?

    A question is right or wrong as a whole. The test is McNemar's, exact, with tasks as groups, the interval Tango's
    for paired answers.

    Example: dmn compare runs/old runs/new data/two
    """
    from dmn_cli.artifact.stored import find, is_demo

    output = Output(as_json=json, quiet=quiet)
    check_split(split)
    if models := [path for path in (a, b) if path.is_dir() or is_demo(path)]:
        for model in models:
            find(model)
        if not data:
            raise UsageError(f"which questions shall {models[0]} answer?", hint="Give DATA after A and B.")
    elif data:
        raise UsageError("two files of predictions are compared as they are, without DATA", where=data[0])
    else:
        of_models = {"--split": split != "test", "--batch-size": batch_size != _BATCH, "--no-bind": no_bind}
        if option := next((option for option, given in of_models.items() if given), None):
            raise UsageError(f"{option} is for runs: two files of predictions are compared as they are")

    from dmn_cli.evaluation.compare import Comparison

    both = []
    for path in (a, b):
        if path in models:
            both.append(_answered(output, path, data or [], split, device, batch_size, bind=not no_bind))
        else:
            both.append(read_predictions(path))
    comparison = Comparison.of(*both)
    found = comparison.as_json()
    shown = {"only_a": comparison.only_a[:examples], "only_b": comparison.only_b[:examples]}
    output.json({"a": str(a), "b": str(b), "data": " ".join(map(str, data or [])), **found, **shown})
    if json:
        return
    output.result(f"A: {a}\nB: {b}")
    _show(output, comparison, found)
    for name, other, questions, count in (
        ("A", "B", shown["only_a"], found["lost"]),
        ("B", "A", shown["only_b"], found["gained"]),
    ):
        if questions:
            _show_examples(output, f"What {name} has right and {other} hasn't", questions, count)


def _answered(
    output: Output, model: Path, data: list[Path], split: str, device: str, batch_size: int, *, bind: bool
) -> Predictions:
    from dmn_cli.evaluation.marked import Marking

    measured = opened(output, model, data, split, device)
    marking = Marking(str(model), measured.splits, measured.model.vocabulary)
    measured.report(bind=bind, batch_size=batch_size, watching=[marking])
    return marking.predictions


def _show(output: Output, comparison: Comparison, found: dict[str, Any]) -> None:
    header = ("task", "questions", "A", "B", "B - A", "95 % interval", "only A", "only B", "p")
    lines = [(name, *_line(one), _p(one["p"]) + _star(one["p_holm"])) for name, one in found["tasks"].items()]
    show_rows(output, [header, *lines])
    if any(_star(one["p_holm"]).strip() for one in found["tasks"].values()):
        tests = f" after Holm's correction for {len(lines)} tests" if len(lines) > 1 else ""
        output.result(f"* p below {_SIGNIFICANT}{tests}")
    if found["repeated"]:
        verb = "is" if found["repeated"] == 1 else "are"
        output.note(f"{plural(found['repeated'], 'question')} {verb} there more than once; each time counts")
    a, b = (f"{100 * accuracy:.2f} %" for accuracy in comparison.accuracy)
    low, high = comparison.interval
    output.prose(
        f"mean over {plural(len(lines), 'task')}: A {a}, B {b}; B is {_difference(comparison.difference)}\n"
        f"95 % interval {points(low)} to {points(high)} points, "
        f"exact McNemar {'p < ' if comparison.p < 1e-4 else 'p = '}{_p(comparison.p).removeprefix('< ')}"
    )


def _line(one: dict[str, Any]) -> tuple[str, ...]:
    accuracies = (f"{100 * one['accuracy'][which]:.1f} %" for which in "ab")
    limits = f"{points(one['low'])} to {points(one['high'])}"
    counts = (f"{one['lost']:,}", f"{one['gained']:,}")
    return f"{one['questions']:,}", *accuracies, points(one["difference"]), limits, *counts


def points(difference: float) -> str:
    """Of a hundred, with its sign: 0.012 → +1.20"""
    return f"{100 * difference:+.2f}"


def _difference(value: float) -> str:
    if value == 0:
        return "neither better nor worse"
    return f"{abs(100 * value):.2f} points {'better' if value > 0 else 'worse'}"


def _p(value: float) -> str:
    return "< 0.0001" if value < 1e-4 else f"{value:.4f}"


def _star(corrected: float) -> str:
    return " *" if corrected < _SIGNIFICANT else "  "


def _show_examples(output: Output, title: str, questions: list[dict[str, Any]], count: int) -> None:
    from textwrap import shorten

    more = f", {len(questions)} of {count:,}" if len(questions) < count else ""
    output.result(f"\n{title}{more}:")
    for one in questions:
        text = one_text(one["story"])
        facts = [shorten(text, _LETTERS, placeholder=" …")] if text else one["story"][-_FACTS:]
        before = 0 if text else len(one["story"]) - len(facts)
        output.prose(f"\n  {one['task']}: {one['question']}   A: {one['a']}   B: {one['b']}   right: {one['answer']}")
        if before:
            output.result(f"    … {plural(before, 'fact')} before")
        output.prose("\n".join(f"    {fact}" for fact in facts))
