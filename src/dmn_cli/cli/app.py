"""The command `dmn`: its commands, and what happens when one fails.

Nothing heavy is imported until a command runs, so that help and completion are quick.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from dmn_cli import __version__
from dmn_cli.cli import ask, evaluate, train
from dmn_cli.cli.output import show_error, speak_utf_8
from dmn_cli.cli.prepare.app import app as prepare
from dmn_cli.cli.quick_help import leave_out_unused
from dmn_cli.errors import DmnError, Interrupted, ResourceError, UsageError, from_os_error


class _ReaderGone(Exception):
    """Whoever read our output has gone."""


class _Commands(TyperGroup):
    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        """In the order of their use."""
        return ["prepare", "train", "eval", "ask"]

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        """Keeps from Typer two exceptions that it has exit codes of its own for."""
        try:
            return super().invoke(ctx)  # type: ignore[arg-type]
        except BrokenPipeError as error:
            raise _ReaderGone from error
        except KeyboardInterrupt as error:
            raise Interrupted("interrupted") from error


app = typer.Typer(
    name="dmn",
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done · 1 below a required score · 2 usage or configuration · 3 data · 4 model · "
    "5 device, memory or disk · 70 a bug of dmn · 130 interrupted.",
)
app.add_typer(prepare, name="prepare")
app.command("train")(train.command)
app.command("eval")(evaluate.command)
app.command("ask")(ask.command)

_debugging = False


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"dmn {__version__}\n")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_version, is_eager=True)
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", envvar="DMN_DEBUG", help="Show the traceback of an error.")] = False,
) -> None:
    """Dynamic Memory Networks: ask a small network anything, and see why it answers."""
    global _debugging
    _debugging = debug


def main() -> None:
    """The entry point: runs a command, and turns what went wrong into one message and an exit code."""
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # torch asks for large pages, which are ready sooner
    speak_utf_8()
    leave_out_unused()
    try:
        sys.exit(app(prog_name="dmn", standalone_mode=False))
    except typer.TyperException as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            sys.stdout.write(error.message + "\n")
            sys.exit(UsageError.exit_code)
        context = getattr(error, "ctx", None)
        hint = f"{context.command_path} --help shows how." if context else None
        _fail(UsageError(error.format_message(), hint=hint))
    except (BrokenPipeError, _ReaderGone):
        # whoever read our output has gone; keep the interpreter from complaining when it flushes at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except KeyboardInterrupt:
        _fail(Interrupted("interrupted"))
    except DmnError as error:
        _fail(error)
    except OSError as error:
        _fail(from_os_error(error))
    except Exception as error:
        # Python's, and torch's two without importing torch
        named = type(error).__name__ in ("MemoryError", "OutOfMemoryError")
        if named or "can't allocate memory" in str(error):
            _fail(ResourceError("memory ran out", hint="Use a smaller training.batch_size or model.hidden."))
        bug = DmnError(
            f"{type(error).__name__}: {error}",
            hint="This is a bug of dmn. Run dmn --debug … for the traceback and report it.",
        )
        _fail(bug)


def _fail(error: DmnError) -> None:
    if _debugging and not isinstance(error, Interrupted):
        import traceback

        traceback.print_exc()
    show_error(error)
    sys.exit(error.exit_code)
