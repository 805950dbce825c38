"""Puts the page together: template, style and script are files beside this one, and data go in as escaped JSON."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape
from importlib import resources
from typing import Any

from dmn_cli.notation import to_json
from dmn_cli.reporting.about import About
from dmn_cli.reporting.page import sections
from dmn_cli.reporting.page.mistakes import mistakes
from dmn_cli.reporting.page.tables import Html, text
from dmn_cli.reporting.questions import Shown, as_json
from dmn_cli.version import __version__

ROOM = 880_000  # bytes for questions, so that the page stays below a megabyte
_TEMPLATE = resources.files("dmn_cli.reporting.page") / "template"


@dataclass(frozen=True)
class Findings:
    """What an evaluation found. `report` is a `Report` as JSON."""

    report: dict[str, Any]
    of: str  # what it was measured on
    summaries: Sequence[dict[str, Any]] = ()  # dataset.json of each data set
    coverage: Sequence[dict[str, float]] = ()
    lengths: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    reasons: dict[str, int] | None = None  # see `Collected.reasons`
    why: bool = False  # these are of the facts that answers need, and not of those that were read
    shown: Sequence[Shown] = ()


def page(about: About, found: Findings) -> tuple[str, int]:
    """The page as HTML, and how many questions are on it."""
    report = found.report
    cards = mistakes(found.shown)
    questions = as_json(found.shown, ROOM - len(cards))  # those of pictures take some
    listed = len(questions["questions"])
    parts = [
        sections.tasks(report),
        sections.trust(report, found.coverage),
        sections.confusions(report),
        sections.lengths(found.lengths),
        cards,
        _explorer(listed, report["questions"]) if listed else "",
        sections.curves(about),
        sections.settings(about),
        sections.data(about, found.summaries),
    ]
    style, script = _file("page.css") + _shades(), _file("page.js") if listed else ""
    filled = {
        "title": text(f"{about.name}: report"),
        "name": text(about.name),
        "subtitle": text(f"{about.preset}, measured on {found.of}"),
        "policy": f"default-src 'none'; base-uri 'none'; form-action 'none'; style-src '{_hash(style)}'; "
        f"script-src '{_hash(script)}'; img-src data:",
        "style": style,
        "script": script,
        "tiles": sections.tiles(report, found.reasons, why=found.why),
        "contents": "".join(_link(part) for part in parts if part),
        "sections": "".join(parts),
        "data": _data({**questions, "why": found.why}),
        "made": text(f"Made by dmn {__version__}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC"),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda name: filled[name[1]], _file("page.html")), listed


def _explorer(listed: int, questions: int) -> str:
    """What the script makes alive."""
    some = "" if listed == questions else f" {listed:,} of {questions:,} are on this page: mistakes first."
    note = f"Choose one to see what each pass let through.{some}"
    return _file("questions.html").replace("{{note}}", escape(note))


def _file(name: str) -> str:
    return (_TEMPLATE / name).read_text(encoding="utf-8")


def _shades() -> str:
    """A class for each shade: the policy lets no style stand beside an element."""
    return "".join(f".g{n}{{--g:{5 * n}%}}" for n in range(21))


def _hash(content: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}"


def _link(part: str) -> str:
    """To a section, for the list of contents."""
    found = re.match(r'<section id="([\w-]+)"[^>]*><h2[^>]*>([^<]*)', part)
    return f'<li><a href="#{found[1]}">{found[2]}</a></li>' if found else ""


def _data(value: Any) -> Html:
    """JSON that HTML takes for nothing else."""
    escapes = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
    return Html(re.sub("[<>&\u2028\u2029]", lambda found: escapes[found[0]], to_json(value)))
