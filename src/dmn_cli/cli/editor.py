"""The prompt of `dmn ask` on a terminal: a story is typed and changed, and its question answered anew each time.

What lines mean is in `answering/repl.py`, what is hinted at in `answering/hints.py`; here is what prompt_toolkit takes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import lru_cache, partial

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.lexers import Lexer
from prompt_toolkit.shortcuts import CompleteStyle
from prompt_toolkit.styles import Style

from dmn_cli.answering.hints import Hints, Span
from dmn_cli.answering.predictor import Predictor
from dmn_cli.answering.repl import COMMANDS, Session
from dmn_cli.answering.samples import Samples
from dmn_cli.cli.editor_view import View, margin
from dmn_cli.cli.output import Output
from dmn_cli.cli.plots import drawing
from dmn_cli.cli.prompt import greeting, state_folder

_STYLE = Style.from_dict(
    {
        "margin": "#888888",
        "unknown": "underline ansired",
        "name": "underline",
        "command": "ansiblue",
        "bottom-toolbar": "noreverse #888888",
    }
)
_KEYS = "Tab completes   /help   Ctrl-D leaves"
_EDITED = re.compile(r"/edit\s+\d+\s")  # before the text of a fact
_FILE = re.compile(r"/(load|save|plot)\s+")
_TASK = re.compile(r"/sample\s+")

Unknown = Callable[[str], list[Span]]
"""The words of a line that the model doesn't know."""


def edit(output: Output, predictor: Predictor, samples: Samples, story: Sequence[str] = (), *, why: bool) -> None:
    """Replies to lines until they end. story: facts to begin with; why: answers are shown with what they rest on"""
    session, view = Session(predictor, samples, drawing(output, predictor), live=True), View(output)
    hints = Hints(predictor.encoder)
    unknown = lru_cache(64)(partial(unknown_in, hints))

    def typed() -> str:
        return lines.default_buffer.text

    def before(number: int, wrapped: int = 0) -> StyleAndTextTuples:
        return [("class:margin", margin("" if wrapped else sign(typed().split("\n"), number, session)))]

    lines: PromptSession[str] = PromptSession(
        lambda: before(0),
        prompt_continuation=lambda width, number, wrapped: before(number, wrapped),
        lexer=Underlining(unknown),
        completer=Completing(hints, predictor.model.tasks),
        complete_while_typing=False,
        complete_style=CompleteStyle.MULTI_COLUMN,
        history=_history(),
        style=_STYLE,
        bottom_toolbar=lambda: f"{margin()}{_remark(unknown(typed()), typed()) or _KEYS}",
        reserve_space_for_menu=4,
    )
    output.note(greeting(predictor))
    if story:
        session.story.add(story)
        view.show(session.reply("/story"), session, why=False)
    else:
        output.note("")
    waiting = ""  # a line that is to be changed
    while True:
        try:
            line = lines.prompt(default=waiting)
            for reply in session.replies(line.encode(errors="replace").decode()):
                if reply.end:
                    return
                waiting = reply.line
                view.show(reply, session, why=why)
        except EOFError:
            return
        except KeyboardInterrupt:
            waiting = ""
            view.say("Ctrl-D or /quit leaves.")


def sign(lines: Sequence[str], number: int, session: Session) -> object:
    """What stands before a line that is being typed, or one of several that were pasted. number: of it, from 0"""
    if session.predictor.model.texts:  # for which they are one text
        return "" if number else "›"
    signs = [_kind(line) for line in lines]
    signs[-1] = signs[-1].strip()  # a fact may be typed there
    return signs[number] or len(session.story.facts) + signs[: number + 1].count("")


def _kind(line: str) -> str:
    """The sign of a line, which is blank if it says nothing, and empty if it is a fact."""
    line = line.strip()
    return "›" if line.startswith("/") else "?" if line.endswith("?") else "" if line else " "


def _remark(spans: list[Span], line: str) -> str:
    """What there is to say of a line's words."""
    new, unknown = (dict.fromkeys(line[s.start : s.end] for s in spans if s.name == name) for name in (True, False))
    said = {"Not known to the model": unknown, "Read as new names": new}
    return "   ".join(f"{what}: {', '.join(words)}" for what, words in said.items() if words)


def unknown_in(hints: Hints, line: str) -> list[Span]:
    """Of a command, only those of the fact that it ends with."""
    start = 0
    if line.startswith("/"):
        edited = _EDITED.match(line)
        if not edited:
            return []
        start = edited.end()
    return [Span(span.start + start, span.end + start, span.name) for span in hints.unknown(line[start:])]


class Underlining(Lexer):
    def __init__(self, unknown: Unknown) -> None:
        self.unknown = unknown

    def lex_document(self, document: Document) -> Callable[[int], StyleAndTextTuples]:
        def parts(number: int) -> StyleAndTextTuples:
            line, at = document.lines[number], 0
            styled: StyleAndTextTuples = []
            for start, end, name in self.unknown(line):
                styled += [("", line[at:start]), ("class:name" if name else "class:unknown", line[start:end])]
                at = end
            return [*styled, ("class:command" if line.startswith("/") and not at else "", line[at:])]

        return parts


class Completing(Completer):
    """Commands, their files and tasks; and words that the model knows."""

    def __init__(self, hints: Hints, tasks: list[str]) -> None:
        self.hints, self.tasks, self.paths = hints, tasks, PathCompleter(expanduser=True)

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        typed = document.text_before_cursor
        if file := _FILE.match(typed):
            name = typed[file.end() :]
            yield from self.paths.get_completions(Document(name, len(name)), complete_event)
        elif task := _TASK.match(typed):
            begun = typed[task.end() :]
            yield from (Completion(name, -len(begun)) for name in self.tasks if name.startswith(begun))
        elif typed.startswith("/") and " " not in typed:
            yield from (Completion(name, -len(typed)) for name in COMMANDS if name.startswith(typed))
        elif not typed.startswith("/") or _EDITED.match(typed):
            begun, words = self.hints.goes_on(typed)
            yield from (Completion(word, -len(begun)) for word in words)


class _Kept(FileHistory):
    """Lines of earlier sessions, in a file that may not be writable."""

    def store_string(self, string: str) -> None:
        with suppress(OSError):
            super().store_string(string)

    def load_history_strings(self) -> Iterable[str]:
        try:
            return super().load_history_strings()
        except OSError:
            return []


def _history() -> History:
    folder = state_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return InMemoryHistory()
    return _Kept(str(folder / "stories"))
