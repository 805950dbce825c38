"""The parts of the page that need no script, from what a run says of itself and from a report as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dmn_cli.evaluation.titles import TITLES
from dmn_cli.reporting.about import About, Setting
from dmn_cli.reporting.confusions import matrix, mistakes_by_task
from dmn_cli.reporting.lengths import lines_by_length
from dmn_cli.reporting.page.svg import Axis, Series, chart
from dmn_cli.reporting.page.tables import Html, details, percent, section, shade, table, text, word

_OPEN = 3  # tasks whose confusions are open from the beginning
_COLUMNS = (
    *("accuracy", "macro_f1", "exact", "gate_precision", "gate_recall", "ece", "faithfulness"),
    *("right_reason", "other_reason", "no_reason", "false_answers", "false_unknowns"),
)
_READ = ("right, all supporting facts read", "right, not all of them read")


def tiles(report: dict[str, Any], reasons: dict[str, int] | None, *, why: bool) -> str:
    """The figures that one looks for first. reasons, why: as of `Findings`"""
    shown = [("mean accuracy", percent(report["accuracy"], 2)), ("questions", f"{report['questions']:,}")]
    if "calibration" in report:
        shown.append(("calibration error", percent(report["calibration"]["ece"])))
    if reasons:
        known = sum(reasons.values())
        names = ("right for the right reason", "for another") if why else _READ
        shown += [(name, percent(reasons[of] / known)) for name, of in zip(names, ("right", "other"), strict=True)]
    if "unanswerable" in report:
        names = {"false_answers": "unanswerable, but answered", "false_unknowns": "answerable, but “unknown”"}
        shown += [(name, percent(report["unanswerable"].get(key))) for key, name in names.items()]
    return "".join(f"<div><dt>{text(name)}</dt><dd>{text(value)}</dd></div>" for name, value in shown)


def settings(about: About) -> Html:
    """Those that differ from the preset first."""
    differing = [one for one in about.settings if one.differs]
    header = ("setting", "value", f"{about.preset} has")
    changed = table(header, map(_setting, differing)) if differing else Html("<p>All are those of the preset.</p>")
    everything = table(header, map(_setting, about.settings))
    inside = changed + details(f"All {len(about.settings)} settings", everything)
    return section("settings", "Settings", inside, f"Preset {about.preset}; what differs from it:" if differing else "")


def _setting(one: Setting) -> tuple[str, str, str]:
    value = word(one.value)
    return one.key, f"{value} → {word(one.decided)}" if one.decided is not None else value, word(one.preset)


def data(about: About, summaries: Sequence[dict[str, Any]]) -> Html:
    """summaries: dataset.json of those that it was measured on; none where only the validation is known"""
    splits = ("train", "valid", "test")
    rows = [
        (one.get("name", ""), ", ".join(one["tasks"]), *(f"{one['splits'][s]['questions']:,}" for s in splits))
        for one in summaries
    ]
    measured = table(("data set", "tasks", "training", "validation", "test"), rows, numbers=2) if rows else Html("")
    trained = [(one.name, one.path, one.fingerprint) for one in about.trained_on]
    known = table(("trained on", "path", "fingerprint"), trained) if trained else Html("")
    nothing = "" if measured or known else "<p>The model doesn't say what it was trained on.</p>"
    return section("data", "Data", measured + known + nothing)


def curves(about: About) -> Html:
    """How the training went."""
    epochs = about.epochs
    if not epochs:
        return Html("")
    numbers = [one["epoch"] for one in epochs]
    x = Axis("epoch", min(numbers), max(numbers) if len(numbers) > 1 else min(numbers) + 1)
    names = {"loss": "training", "valid_loss": "validation", "gate_loss": "gates"}
    losses = [_line(name, key, epochs) for key, name in names.items() if any(one.get(key) for one in epochs)]
    accuracies = [
        _line(name, key, epochs)
        for key, name in {"valid_accuracy": "validation", "valid_changed": "with other names"}.items()
        if any(one.get(key) is not None for one in epochs)
    ]
    top = max(max(one.y) for one in losses)
    lowest = min(min(one.y) for one in accuracies)
    best = [one for one in epochs if one.get("best")]
    kept = f"The model of epoch {best[-1]['epoch']} is kept." if best else ""
    if about.best:
        kind, number = about.best
        kept = f"Of several {kind}s this is the best one, {number}. {kept}"
    first, last = epochs[0], epochs[-1]
    says = f"The loss, from {first['loss']:.3g} to {last['loss']:.3g}."
    drawn = _figure("Loss", chart(says, losses, x, Axis("loss", 0, top)))
    y = Axis("accuracy", max(0.0, lowest - 0.05), 1, percent=True)
    says = f"From {percent(first['valid_accuracy'])} to {percent(last['valid_accuracy'])}."
    drawn += _figure("Accuracy of the validation", chart(says, accuracies, x, y))
    rows = [
        (
            one["epoch"],
            f"{one['loss']:.4f}",
            f"{one['valid_loss']:.4f}",
            percent(one["valid_accuracy"], 2),
            f"{one['seconds']:.0f}",
        )
        for one in epochs
    ]
    figures = table(("epoch", "loss", "validation loss", "validation accuracy", "seconds"), rows, numbers=1)
    return section("curves", "Training", f'<div class="charts">{drawn}</div>{details("All epochs", figures)}', kept)


def _line(name: str, key: str, epochs: Sequence[dict[str, Any]]) -> Series:
    there = [one for one in epochs if one.get(key) is not None]
    return Series(name, [one["epoch"] for one in there], [one[key] for one in there])


def _figure(title: str, drawn: str) -> str:
    return f"<figure><figcaption>{text(title)}</figcaption>{drawn}</figure>"


def tasks(report: dict[str, Any]) -> Html:
    """A row a task."""
    found = report["tasks"]
    keys = [key for key in _COLUMNS if any(key in figures for figures in found.values())]
    rows = [
        (
            Html(f"{text(name)} <span class=failed>under 95 %</span>") if name in report["failed_tasks"] else name,
            f"{figures['questions']:,}",
            *(_measured(figures.get(key), bar=key == "accuracy") for key in keys),
        )
        for name, figures in found.items()
    ]
    header = ("task", "questions", *(TITLES[key] for key in keys))
    return section("tasks", "Tasks", table(header, rows, numbers=1))


def _measured(value: float | None, *, bar: bool) -> str:
    if bar and value is not None:
        filled = f'<span class="meter" aria-hidden="true"><span class="g{round(20 * value)}"></span></span>'
        return Html(f'{filled}<span class="measured">{percent(value)}</span>')
    return percent(value)


def confusions(report: dict[str, Any]) -> Html:
    """A matrix a task, those with the most mistakes first."""
    found = mistakes_by_task(report)
    wrong = sorted((name for name in found if found[name]), key=lambda name: -found[name])
    none = [name for name in found if not found[name]]
    matrices = ""
    for n, name in enumerate(wrong):
        figures = report["tasks"][name]
        total = figures.get("answers", figures["questions"])
        matrices += details(f"{name}: {found[name]:,} wrong of {total:,}", _matrix(figures), opened=n < _OPEN)
    inside = f'<div class="matrices">{matrices}</div>' if matrices else ""
    if none:
        inside += f"<p>Without a mistake: {text(', '.join(none))}.</p>"
    note = "Rows: the right answer; columns: what was answered."
    return section("confusions", "Confusions", inside, note) if inside else Html("")


def _matrix(figures: dict[str, Any]) -> str:
    names, counts = matrix(figures)
    shares = counts / counts.sum(axis=1, keepdims=True).clip(1)
    head = "".join(f'<th scope="col">{text(name)}</th>' for name in names)
    rows = "".join(
        f'<tr><th scope="row">{text(names[i])}</th>'
        + "".join(
            f'<td class="{shade(share)}">{count or ""}</td>'
            for count, share in zip(row, shares[i].tolist(), strict=True)
        )
        + "</tr>"
        for i, row in enumerate(counts.tolist())
    )
    return (
        '<div class="wide" tabindex="0" role="group" aria-label="confusions"><table class="matrix"><thead><tr><td></td>'
        f"{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def trust(report: dict[str, Any], coverage: Sequence[dict[str, float]]) -> Html:
    """Whether its confidence can be believed, and what is left if only the surest answers are given."""
    calibration = report.get("calibration")
    if calibration is None:
        return Html("")
    bins = calibration["bins"]
    total = sum(one["questions"] for one in bins)
    x, y, weight = ([one[key] for one in bins] for key in ("confidence", "accuracy", "questions"))
    points = Series("answers", x, y, weight=[n / total for n in weight])
    error = f"Calibration error {percent(calibration['ece'])}"
    if calibration["temperature"] != 1:
        without = percent(calibration["ece_uncalibrated"])
        error += f" at a temperature of {calibration['temperature']:.2f}, {without} without"
    shares = Axis("confidence", 0, 1, percent=True), Axis("accuracy", 0, 1, percent=True)
    drawn = _figure("Calibration", chart(f"{error}.", [points], *shares, diagonal=True, lines=False))
    rows = [(f"{one['confidence']:.3f}", percent(one["accuracy"]), f"{one['questions']:,}") for one in bins]
    figures = table(("confidence", "accuracy", "questions"), rows, numbers=1, caption="Calibration")
    if coverage:
        answered, right, below = ([one[key] for one in coverage] for key in ("coverage", "selective_accuracy", "below"))
        low = max(0.0, min(right) - 0.05)
        axes = Axis("coverage", 0, 1, percent=True), Axis("accuracy of what is answered", low, 1, percent=True)
        says = f"{percent(right[0])} where {percent(answered[0], 0)} are answered, {percent(right[-1])} where all are."
        drawn += _figure("Coverage against accuracy", chart(says, [Series("", answered, right)], *axes))
        chosen = range(0, len(answered), max(1, len(answered) // 10))
        rows = [(percent(answered[i]), percent(right[i]), f"{below[i]:.4f}") for i in chosen]
        figures += table(
            ("coverage", "accuracy", "--abstain-below"), rows, numbers=1, caption="Coverage against accuracy"
        )
    return section(
        "trust", "Confidence", f'<div class="charts">{drawn}</div>{details("Numbers", figures)}', f"{error}."
    )


def lengths(found: dict[str, list[dict[str, Any]]]) -> Html:
    """Accuracy by story length, where there are several."""
    if not found:
        return Html("")
    labels, lines = lines_by_length(found)
    if len(labels) < 2:
        return Html("")
    series = []
    for n, (name, points) in enumerate(lines.items()):
        at = [group + 0.06 * (n - (len(lines) - 1) / 2) for group, _ in points]
        columns = ([one[key] for _, one in points] for key in ("accuracy", "low", "high"))
        series.append(Series(name, at, *columns))
    axes = Axis("facts", -0.4, len(labels) - 0.6, names=labels), Axis("accuracy", 0, 1, percent=True)
    drawn = chart("Accuracy by the number of facts that a question sees.", series, *axes)
    rows = [
        (label, f"{one['answers']:,}", percent(one["accuracy"]), f"{percent(one['low'])} to {percent(one['high'])}")
        for label, one in zip(labels, found[""], strict=True)
    ]
    figures = table(("facts", "answers", "accuracy", "95 % interval"), rows, numbers=1)
    inside = f'<div class="charts">{_figure("Accuracy by story length, with 95 % intervals", drawn)}</div>'
    return section("lengths", "Story length", inside + details("Numbers", figures))
