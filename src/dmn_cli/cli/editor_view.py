"""How the editor of stories looks: numbered facts, and each answer below its question, with how sure it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dmn_cli.answering.in_words import confidence_in_words
from dmn_cli.cli.output import Output, printable, stdout
from dmn_cli.cli.why import remarks, shaded_table

if TYPE_CHECKING:
    from dmn_cli.answering.answer import Answer
    from dmn_cli.answering.repl import Reply, Session
    from dmn_cli.answering.story import Story

_MARGIN = 3  # columns for a number or a sign, before two blanks
_SHOWN = 20  # facts, of a story that has changed
_BAR = 24  # columns for a chance of 1
_COLOURS = {0.9: "green", 0.4: "yellow", 0.0: "red"}  # of confidences, from each on


def margin(sign: object = "") -> str:
    """What stands before a line: the number of a fact, or a sign, or blanks."""
    return f"{sign:>{_MARGIN}}  "


class View:
    def __init__(self, output: Output) -> None:
        self._quiet, self._console = output.quiet, stdout()

    def show(self, reply: Reply, session: Session, *, why: bool) -> None:
        """A reply to a line of a session. why: answers with what they rest on"""
        if reply.error:
            self.say(_as_sentence(reply.text), "red")
            return
        if not self._quiet:
            self.say(reply.warning, "yellow")
        if (reply.told or reply.whole) and session.story.facts:
            self._facts(session.story, whole=reply.whole)
            if reply.answer:
                self._print((margin("?"), "dim"), (session.question, "dim"))
        elif reply.probs is None:
            self.say(reply.text or reply.question)
        for answer, chance in reply.probs or ():
            bar = "█" * round(_BAR * chance) or "▏"
            self._print(margin(), (f"{bar:<{_BAR}}", _colour(chance)), (f" {chance:.4f}  ", "dim"), answer)
        if reply.answer:
            self._answer(reply, reply.answer)
            if why or reply.why:
                self._console.print(shaded_table(reply.answer, self._console.width))
                self.say("\n".join(remarks(reply.answer)), "")

    def say(self, text: str, style: str = "dim") -> None:
        """Some lines, if there are any."""
        for line in text.splitlines():
            self._print(margin(), (line, style))

    def _facts(self, story: Story, *, whole: bool) -> None:
        """All of them, or those around the last change."""
        count = len(story.facts)
        first = 0 if whole else max(0, min(story.changed_at - _SHOWN // 2, count - _SHOWN))
        last = count if whole else min(count, first + _SHOWN)
        self._print()
        if first:
            self._print((margin("…"), "dim"))
        for number in range(first + 1, last + 1):
            self._print((margin(number), "dim"), story.fact(number))
        if last < count:
            self._print((margin("…"), "dim"), (f"{count} facts; /story shows them all", "dim"))

    def _answer(self, reply: Reply, answer: Answer) -> None:
        parts = [
            margin(),
            (answer.shown, f"bold {_colour(answer.confidence)}"),
            (f"  {confidence_in_words(answer.confidence)}", "dim"),
        ]
        if reply.before and not reply.before.same_as(answer):
            parts.append((f"  was {reply.before.shown}", "magenta"))
        if reply.right and reply.is_right:
            parts.append(("  right", "green"))
        elif reply.right:
            parts.append((f"  the right answer is {reply.right}", "red"))
        self._print(*parts)

    def _print(self, sign: str | tuple[str, str] = "", *parts: str | tuple[str, str]) -> None:
        """What stands in the margin, and a line, which goes on beside the margin where it is too long."""
        from rich.text import Text

        width = max(20, self._console.width - len(margin()))
        shown = (printable(p) if isinstance(p, str) else (printable(p[0]), p[1]) for p in parts)
        lines = Text.assemble(*shown).wrap(self._console, width)
        for n, line in enumerate(lines or [Text()]):
            line.rstrip()
            whole = Text.assemble(margin() if n else sign, line)
            self._console.print(whole, soft_wrap=True, highlight=False)


def _as_sentence(text: str) -> str:
    """With a capital, unless it begins with the name of a file."""
    return text[:1].upper() + text[1:] if text.partition(" ")[0].isalpha() else text


def _colour(confidence: float) -> str:
    return next(colour for least, colour in _COLOURS.items() if confidence >= least)
