"""The prompt, without a terminal: lines in, replies out.

A line is a fact; a line that ends with `?` asks about the facts so far; a line that starts with `/` is a command. Where
a model knows texts alone, a line is a text, which is answered at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dmn_cli.answering.answer import Answer, same_answer
from dmn_cli.answering.bound import Bound
from dmn_cli.answering.pictures import Picture
from dmn_cli.answering.predictor import Predictor
from dmn_cli.answering.samples import Samples
from dmn_cli.answering.story import Story, facts_of
from dmn_cli.data.words.vocabulary import answer_text
from dmn_cli.errors import DmnError, UsageError
from dmn_cli.files import write_text
from dmn_cli.notation import as_path

if TYPE_CHECKING:
    import numpy as np

OF_FACTS = "Type facts, one a line. A line that ends with ? asks; ? alone asks again."
OF_TEXTS = "Type a text on one line; /load reads one of several. ? alone asks again."
HELP = """\
  /image FILE       the picture to ask about, if the model knows pictures
  /why              show which facts the last answer rests on and needs
  /probs            show the likeliest answers to the last question
  /story            show the facts so far
  /edit 3 TEXT      change fact 3
  /without 3        take fact 3 out
  /move 3 1         put fact 3 first
  /undo             take the last change back
  /clear            forget all facts
  /sample [TASK]    a test story, its question and its right answer
  /load FILE        the story of a file, one or more sentences a line
  /save FILE        write the facts to a file
  /plot FILE        draw what /why shows, as .png or .svg
  /help             show this
  /quit             leave (so does Ctrl-D)"""
COMMANDS = re.findall(r"^ +(/\w+)", HELP, re.MULTILINE)
LIKELIEST = 5  # answers that /probs shows
_FOR_FACTS = {"story", "edit", "without", "move", "undo", "clear", "load", "save"}
_WHICH_PICTURE = "Say which picture first: /image FILE"
NOTHING_ASKED = "Nothing was asked yet."

Draw = Callable[[Path, str, Answer], None]
"""Writes a picture of what the answer to a question rests on. Raises: UsageError"""


@dataclass
class Reply:
    """What to show: text for a person, or an answer."""

    text: str = ""
    warning: str = ""
    answer: Answer | None = None
    why: bool = False  # the answer is to be shown with what it rests on
    probs: list[tuple[str, float]] | None = None  # the likeliest answers, in place of one
    before: Answer | None = None  # what was answered to the same question before the story changed
    question: str = ""  # that the answer is to, where the reply brought it
    right: str = ""  # the right answer, where it is known
    is_right: bool = False  # whether that was answered
    told: bool = False  # facts, or their numbers, have changed
    whole: bool = False  # the whole story is to be shown
    line: str = ""  # a line that waits to be changed
    error: bool = False  # the text says what is wrong
    end: bool = False  # of the conversation


@dataclass
class Session:
    """A conversation: the facts so far, and the last answer."""

    predictor: Predictor
    samples: Samples
    draw: Draw
    live: bool = False  # a person sees it: what was asked of the story is asked again whenever that changes
    story: Story = field(default_factory=Story)
    picture: Picture | None = None  # in place of facts
    last: Answer | None = None  # to what was asked of this story
    question: str = ""  # that was asked last, of this story or the one before
    heard: set[str] = field(default_factory=set)  # what was said of names
    answered: bool = False  # the last line was a text, whose answer need not come twice if a question follows

    def replies(self, typed: str) -> Iterator[Reply]:
        """Answers what was typed at once: one line, or several that were pasted, each as if it had been typed. Of a
        model that knows texts alone, they are one text."""
        yield from map(self.reply, [typed] if self.predictor.model.texts else typed.strip().split("\n"))

    def reply(self, line: str) -> Reply:
        """Answers one line; whatever is wrong with it is a reply too, never an exception."""
        line = line.strip()
        try:
            answered, self.answered = self.answered, False
            if line.startswith("/"):
                return self._command(line)
            if line == "?" or (self.predictor.model.texts and self._is_known(line)):
                return Reply() if answered else self._ask_again()
            if self.predictor.model.texts and line:
                reply = self._read(line)
                self.answered = not self.live
                return reply
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
        if self.predictor.model.sizes.pictures:
            if self.picture is None:
                raise UsageError(_WHICH_PICTURE)
            answer = self.last = self.predictor.answer(self.picture, question)
            self.question = question
            return Reply(answer=answer)
        encoder, facts = self.predictor.encoder, self.story.facts
        if encoder.form(question).facts_are_words:
            facts = encoder.story("\n".join(facts), question)
        answer = self.last = self.predictor.answer(facts, question)
        self.question = self.story.question = question
        return Reply(answer=answer, warning=self._new(answer.names or Bound()))

    def _ask_again(self) -> Reply:
        """The last question, or the only one that the model knows."""
        question = self.question or self.predictor.model.question or ""
        if not question:
            return Reply(NOTHING_ASKED)
        reply = self._ask(question)
        reply.question = question
        return reply

    def _read(self, text: str) -> Reply:
        """Another text in place of the one before, and its answer."""
        encoder, question = self.predictor.encoder, self.predictor.model.question or ""
        facts = encoder.story(text, question)
        encoder.asked(facts, question)  # or it isn't told
        self.story.replace(facts)
        return self._ask(question)

    def _is_known(self, line: str) -> bool:
        """Whether it is the question that the model knows."""
        words = self.predictor.encoder.tokenizer
        return words(line) == words(self.predictor.model.question or "")

    def _add(self, facts: list[str]) -> Reply:
        self._check_facts("A line without ? is a fact")
        self.story.add(facts)
        return self._changed(Reply(warning=self._new_in(facts)))

    def _changed(self, reply: Reply) -> Reply:
        """Asks what was asked of the story again, where that is wanted."""
        question = self.story.question
        if not (self.live and question and self.story.facts):
            return reply
        reply.before = self.last if question == self.question else None
        asked = self._ask(question)
        reply.answer = asked.answer
        reply.warning = "\n".join(filter(None, (reply.warning, asked.warning)))
        return reply

    def _new_in(self, facts: list[str]) -> str:
        """What there is to say of names and words in facts that the story got."""
        encoder = self.predictor.encoder
        return self._new(encoder.bound(self.story.facts)) if encoder.unknown_words(facts) else ""

    def _new(self, names: Bound) -> str:
        """What there is to say of names and wasn't said before."""
        notes = names.notes(self.heard)
        self.heard |= names.heard
        return "\n".join(notes)

    def _command(self, line: str) -> Reply:
        name, _, argument = line[1:].partition(" ")
        commands: dict[str, Callable[[str], Reply]] = {
            "why": self._why,
            "probs": self._probs,
            "story": lambda _: Reply("\n".join(self.story.facts) or "There are no facts yet.", whole=True),
            "image": self._image,
            "edit": self._edit,
            "without": self._without,
            "move": self._move,
            "undo": self._undo,
            "clear": self._clear,
            "sample": self._sample,
            "load": self._load,
            "save": self._save,
            "plot": self._plot,
            "help": lambda _: Reply(f"{OF_TEXTS if self.predictor.model.texts else OF_FACTS}\n{HELP}"),
            "quit": lambda _: Reply(end=True),
        }
        if name not in commands:
            return Reply(f"There is no command /{name}. /help shows them all.", error=True)
        if name in _FOR_FACTS:
            self._check_facts(f"/{name} is for facts")
        return commands[name](argument.strip())

    def _why(self, _: str) -> Reply:
        if self.last is None:
            return Reply(NOTHING_ASKED)
        if self.last.needs is None:
            [self.last] = self.predictor.explained([(self.last.about, self.question)], [self.last])
        return Reply(answer=self.last, why=True)

    def _probs(self, _: str) -> Reply:
        if self.last is None:
            return Reply(NOTHING_ASKED)
        if self.last.by_fact is not None:
            raise UsageError("Each fact has an answer of its own: there is no list of the likeliest.")
        found = self.predictor.likeliest(self.last.about, self.question, LIKELIEST)
        return Reply("\n".join(f"{answer}  {chance:.4f}" for answer, chance in found), probs=found)

    def _edit(self, argument: str) -> Reply:
        number, _, fact = argument.partition(" ")
        at = _number(number, "/edit 3 TEXT")
        if not fact.strip():
            if not self.live:
                raise UsageError(f"Say what fact {at} becomes: /edit {at} TEXT")
            return Reply(line=f"/edit {at} {self.story.fact(at)}")
        self.story.edit(at, fact.strip())
        return self._changed(Reply(warning=self._new_in([fact]), told=True))

    def _without(self, argument: str) -> Reply:
        return self._changed(Reply(f"Left out: {self.story.leave_out(_number(argument, '/without 3'))}", told=True))

    def _move(self, argument: str) -> Reply:
        number, _, to = argument.partition(" ")
        self.story.move(*(_number(text, "/move 3 1") for text in (number, to)))
        return self._changed(Reply(told=True))

    def _undo(self, _: str) -> Reply:
        undone = self.story.undo()
        return self._changed(Reply(undone, told=True)) if undone else Reply("There is no change to take back.")

    def _clear(self, _: str) -> Reply:
        self.story.clear()
        self.last, self.question, self.heard = None, "", set()
        return Reply("Forgot the story.")

    def _sample(self, task: str) -> Reply:
        sample = self.samples.draw(task)
        form = self.predictor.encoder.form(sample.question)
        if sample.picture is None:
            self.story.replace([" ".join(sample.facts)] if form.facts_are_words else sample.facts)
        else:
            self._look_at(sample.picture)
        reply = self._ask(sample.question)
        if reply.answer:
            reply.is_right = same_answer(reply.answer.words, sample.answer, any_order=form.any_order)
        reply.text, reply.told = "\n".join((*self.story.facts, sample.question)), sample.picture is None
        reply.question, reply.right = sample.question, answer_text(sample.answer, per_fact=form.per_fact)
        return reply

    def _look_at(self, picture: np.ndarray) -> None:
        """Raises: UsageError where it isn't as the model takes them."""
        form = self.predictor.model.sizes.pictures
        if form is None or picture.shape != form.shape:
            raise UsageError("the data have other pictures than the model was taught about")
        self.picture = Picture.whole(form, picture)

    def _image(self, name: str) -> Reply:
        form = self.predictor.model.sizes.pictures
        if form is None:
            raise UsageError("This model answers questions about text.")
        if not name:
            return Reply("Say which file: /image FILE", error=True)
        self.picture, self.last = Picture.of(as_path(name).expanduser(), form), None
        return Reply(f"Looking at {name}.")

    def _check_facts(self, what: str) -> None:
        """Raises: UsageError where there is a picture in place of facts."""
        if self.predictor.model.sizes.pictures:
            raise UsageError(f"{what}, and this model looks at a picture: /image FILE, then ask with a ?")

    def _load(self, name: str) -> Reply:
        if not name:
            return Reply("Say which file: /load FILE", error=True)
        path = as_path(name).expanduser()
        text = path.read_text(encoding="utf-8")
        if self.predictor.model.texts and text.strip():
            reply = self._read(text)
            reply.text, reply.told = f"Read {facts_of(len(self.story.facts))}.", True
            return reply
        facts = self.predictor.encoder.tokenizer.sentences(text)
        if not facts:
            raise UsageError("has no facts", where=path)
        self.story.replace(facts)
        self.last = None
        return Reply(f"Read {facts_of(len(facts))}.", warning=self._new_in(facts), told=True)

    def _save(self, name: str) -> Reply:
        if not name:
            return Reply("Say which file: /save FILE", error=True)
        path = as_path(name).expanduser()
        if path.exists():
            raise UsageError("exists already", where=path, hint="Choose another name.")
        write_text(path, "".join(f"{fact}\n" for fact in self.story.facts))
        return Reply(f"Wrote {facts_of(len(self.story.facts))} to {path}.")

    def _plot(self, name: str) -> Reply:
        if not name:
            return Reply("Say which file: /plot FILE.png", error=True)
        if self.last is None:
            return Reply(NOTHING_ASKED)
        path = as_path(name).expanduser()
        if path.exists():
            raise UsageError("exists already", where=path, hint="Choose another name.")
        self.draw(path, self.question, self.last)
        return Reply(f"{path} is drawn.")


def _number(text: str, how: str) -> int:
    """The number of a fact. Raises: UsageError. how: an example of the whole line"""
    if not text.strip().isdecimal():
        raise UsageError(f"Say which fact, by its number: {how}")
    return int(text)
