"""The worst mistakes, as cards that need no script: what was asked, answered and read."""

from __future__ import annotations

from collections.abc import Sequence

from dmn_cli.data.formats.images.pixels import as_url
from dmn_cli.reporting.faded import faded, in_place
from dmn_cli.reporting.page.tables import Html, percent, section, shade, text
from dmn_cli.reporting.questions import WRONG, Shown

_CARDS = 6
_FACTS = 8  # of a card, at most
_SIDE = 100  # pixels of a picture, at most
_LET_THROUGH = 0.05  # from there on a fact is worth showing


def mistakes(shown: Sequence[Shown]) -> Html:
    """Those that it was surest of. shown: in this order"""
    wrong = [one for one in shown if one.outcome == WRONG][:_CARDS]
    if not wrong:
        return section("mistakes", "Worst mistakes", "<p>It made none.</p>") if shown else Html("")
    cards = f'<div class="cards">{"".join(map(_card, wrong))}</div>'
    return section("mistakes", "Worst mistakes", cards, "Wrong answers, the surest first.")


def _card(one: Shown) -> str:
    said, right = one.answer.text, ", ".join(one.example.answer)
    if one.answer.by_fact:
        pairs = zip(one.example.facts, one.answer.by_fact, one.example.answer, strict=True)
        wrong = [f"{fact}: {answer}, not {meant}" for fact, answer, meant in pairs if answer != meant]
        said, right = "; ".join(wrong[:4]), ""
    answer = f'<strong class="wrong">{text(said)}</strong>'
    meant = f", right: <strong>{text(right)}</strong>" if right else ""
    return (
        f'<article class="card"><h3>{text(one.example.question)}</h3>'
        f'<p><span class="task">{text(one.example.task)}</span> {answer} '
        f'<span class="note">{percent(one.answer.confidence)} sure</span>{meant}</p>'
        f"{_pictures(one)}{_facts(one)}</article>"
    )


def _pictures(one: Shown) -> str:
    """The picture, and as each pass saw it; nothing where there are no pixels."""
    seen = one.answer.picture
    if seen is None or seen.form.width:
        return ""
    every = -(-seen.form.side // _SIDE)
    picture = seen.array[::every, ::every]
    passes = [faded(picture, in_place(gates, seen.form, seen.regions)) for gates in one.answer.gates]
    drawn = {"the picture": picture, **{f"pass {t + 1}": pixels for t, pixels in enumerate(passes)}}
    figures = [
        f'<figure><img src="{as_url(pixels)}" alt=""><figcaption>{name}</figcaption></figure>'
        for name, pixels in drawn.items()
    ]
    return f'<div class="seen">{"".join(figures)}</div>'


def _facts(one: Shown) -> str:
    """The facts that were let through, and the supporting ones; of a text, its words in a line."""
    gates, facts = one.answer.gates, one.example.facts
    furthest = [max((row[i] for row in gates), default=0.0) for i in range(len(facts))]
    if one.words:
        darkest = max(furthest, default=0.0) or 1.0
        shown = zip(facts, furthest, strict=True)
        words = " ".join(f'<span class="{shade(value / darkest)}">{text(fact)}</span>' for fact, value in shown)
        return f'<p class="words">{words}</p>'
    worth = [i for i in range(len(facts)) if furthest[i] >= _LET_THROUGH or i in one.example.support]
    kept = sorted(sorted(worth, key=lambda i: (i not in one.example.support, -furthest[i]))[:_FACTS])
    passes = "".join(f'<th scope="col">pass {t + 1}</th>' for t in range(len(gates)))
    kind = "region" if one.answer.picture else "fact"
    head = f'<thead><tr><th scope="col">{kind}</th>{passes}</tr></thead>'
    rows = "".join(
        f'<tr><th scope="row">{i + 1}. {text(facts[i])}{_star(i in one.example.support)}</th>'
        + "".join(f'<td class="{shade(row[i])}">{row[i]:.2f}</td>' for row in gates)
        + "</tr>"
        for i in kept
    )
    rest = len(facts) - len(kept)
    more = f'<p class="note">and {rest} {kind}{"" if rest == 1 else "s"} more</p>' if rest else ""
    return f'<table class="gates">{head}<tbody>{rows}</tbody></table>{more}'


def _star(supporting: bool) -> str:
    said = '<span class="sr"> supporting</span>'
    return f' <span class="star" title="supporting fact">★{said}</span>' if supporting else ""
