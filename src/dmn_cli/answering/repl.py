"""The prompt, without a terminal: lines in, replies out.

A line is a fact; a line that ends with `?` asks about the facts so far; a line that starts with `/` is a command.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from dmn_cli.answering.answer import Answer
from dmn_cli.answering.bound import Bound
from dmn_cli.answering.predictor import Predictor
from dmn_cli.errors import DmnError
from dmn_cli.files import as_path, write_text

HELP = """\
Type facts, one a line. End a line with ? to ask about them.
  /why          show which facts the last answer rests on, and needs
  /story        show the facts so far
  /undo         take the last fact back
  /clear        forget all facts
  /load FILE    read facts from a file, one or more sentences a line
  /save FILE    write the facts to a file
  /help         show this
  /quit         leave (so does Ctrl-D)"""


@dataclass
class Reply:
    """What to show: text for a person, or an answer."""

    text: str = ""
    warning: str = ""
    answer: Answer | None = None
    why: bool = False  # the answer is to be shown with what it rests on
    error: bool = False  # the text says what is wrong
    end: bool = False  # of the conversation


@dataclass
class Session:
    """A conversation: the facts so far, and the last answer."""

    predictor: Predictor
    facts: list[str] = field(default_factory=list)
    last: Answer | None = None
    question: str = ""  # that it answers
    heard: set[str] = field(default_factory=set)  # what was said of names

    def reply(self, line: str) -> Reply:
        """Answers one line; whatever is wrong with it is a reply too, never an exception."""
        line = line.strip()
        try:
            if line.startswith("/"):
                return self._command(line)
            if line.endswith("?"):
                return self._ask(line)
            return self._add([line]) if line else Reply()
        except DmnError as error:
            return Reply(str(error), error=True)
        except OSError as error:
            return Reply(f"{error.filename}: {error.strerror}", error=True)
        except UnicodeDecodeError:
            return Reply("the file is not UTF-8", error=True)

    def _ask(self, question: str) -> Reply:
        encoder, facts = self.predictor.encoder, self.facts
        if encoder.form(question).facts_are_words:
            facts = encoder.story("\n".join(facts), question)
        answer = self.last = self.predictor.answer(facts, question)
        self.question = question
        return Reply(answer=answer, warning=self._new(answer.names or Bound()))

    def _add(self, facts: list[str]) -> Reply:
        encoder = self.predictor.encoder
        unknown = encoder.unknown_words(facts)
        self.facts += facts
        return Reply(warning=self._new(encoder.bound(self.facts)) if unknown else "")

    def _new(self, names: Bound) -> str:
        """What there is to say of names and wasn't said before."""
        notes = names.notes(self.heard)
        self.heard |= names.heard
        return "\n".join(notes)

    def _command(self, line: str) -> Reply:
        name, _, argument = line[1:].partition(" ")
        commands: dict[str, Callable[[], Reply]] = {
            "why": self._why,
            "story": lambda: Reply("\n".join(self.facts) or "There are no facts yet."),
            "undo": lambda: Reply(f"Took back: {self.facts.pop()}" if self.facts else "There is no fact to take back."),
            "clear": self._clear,
            "load": lambda: self._load(argument.strip()),
            "save": lambda: self._save(argument.strip()),
            "help": lambda: Reply(HELP),
            "quit": lambda: Reply(end=True),
        }
        if name not in commands:
            return Reply(f"There is no command /{name}. /help shows them all.", error=True)
        return commands[name]()

    def _why(self) -> Reply:
        if self.last is None:
            return Reply("Nothing was asked yet.")
        if self.last.needs is None:
            [self.last] = self.predictor.explained([(self.last.facts, self.question)], [self.last])
        return Reply(answer=self.last, why=True)

    def _clear(self) -> Reply:
        self.facts, self.last, self.heard = [], None, set()
        return Reply("Forgot the story.")

    def _load(self, name: str) -> Reply:
        if not name:
            return Reply("Say which file: /load FILE", error=True)
        facts = self.predictor.encoder.tokenizer.sentences(as_path(name).expanduser().read_text(encoding="utf-8"))
        return Reply(f"Read {_facts(len(facts))}.", warning=self._add(facts).warning)

    def _save(self, name: str) -> Reply:
        if not name:
            return Reply("Say which file: /save FILE", error=True)
        path = as_path(name).expanduser()
        if path.exists():
            return Reply(f"{path} exists already; choose another name.", error=True)
        write_text(path, "".join(f"{fact}\n" for fact in self.facts))
        return Reply(f"Wrote {_facts(len(self.facts))} to {path}.")


def _facts(number: int) -> str:
    return "1 fact" if number == 1 else f"{number} facts"
