"""The command `dmn`: its commands, and what happens when one fails.

Nothing heavy is imported until a command runs, so that help and completion are quick.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from dmn_cli.cli import ask, compare, doctor, evaluate, export, info, report, train
from dmn_cli.cli.commands import add
from dmn_cli.cli.output import buffer_stdout, drop, open_closed, outlive_stderr, show_error, speak_utf_8
from dmn_cli.cli.prepare.app import app as prepare
from dmn_cli.cli.quick_help import leave_out_unused
from dmn_cli.cli.torchrun import refuse, together
from dmn_cli.errors import DmnError, Interrupted, ResourceError, UsageError, from_os_error
from dmn_cli.version import __version__


class _ReaderGone(Exception):
    """Whoever reads stdout has gone, as in `dmn … | head`."""


class _Commands(TyperGroup):
    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        """In the order in which they are used."""
        return ["prepare", "train", "eval", "compare", "ask", "report", "export", "info", "doctor"]

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        """Keeps two exceptions from Typer, which would exit with codes of its own."""
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
    epilog="Exit codes: 0 done · 1 below a required score or a baseline · 2 usage or configuration · 3 data · "
    "4 model · 5 device, memory or disk · 6 too few questions to tell · 70 a bug of dmn · 130 Ctrl-C · 143 terminated.",
)
app.add_typer(prepare, name="prepare")
add(
    app,
    {
        "train": together(train.command),
        "eval": evaluate.command,
        "compare": compare.command,
        "ask": ask.command,
        "report": report.command,
        "export": export.command,
        "info": info.command,
        "doctor": doctor.command,
    },
)

_debugging = False


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"dmn {__version__}\n")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_version, is_eager=True)
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", envvar="DMN_DEBUG", help="Show the traceback of an error.")] = False,
) -> None:
    """Dynamic Memory Networks: ask a small network anything, and see why it answers."""
    global _debugging
    _debugging = debug
    try:
        Path.cwd()
    except FileNotFoundError as error:  # which MKL would say in words of its own, and end the process
        raise UsageError("the folder that dmn runs in is gone", hint="Go to one that is there: cd.") from error
    refuse(context.invoked_subcommand)


def main() -> None:
    """The entry point: runs a command, and turns whatever goes wrong into one message and an exit code."""
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")  # has torch ask for large pages, which are ready sooner
    closed = open_closed()
    buffer_stdout()
    outlive_stderr()
    speak_utf_8()
    leave_out_unused()
    try:
        if "stdout" in closed:
            raise UsageError("stdout is closed", hint="What isn't wanted goes to nowhere: dmn … > /dev/null")
        sys.exit(app(prog_name="dmn", standalone_mode=False))
    except (BrokenPipeError, _ReaderGone):
        drop(sys.stdout)  # or the interpreter would complain when it flushes stdout at exit
        sys.exit(0)
    except KeyboardInterrupt:
        _fail(Interrupted("interrupted"))
    except Exception as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            sys.stdout.write(str(error) + "\n")
            sys.exit(UsageError.exit_code)
        _fail(_explained(error))


def _explained(error: Exception) -> DmnError:
    """The error of ours that says what went wrong; where nobody foresaw it, that is a bug."""
    if isinstance(error, DmnError):
        return error
    if isinstance(error, typer.TyperException):
        context = getattr(error, "ctx", None)
        said = error.format_message().replace(": Value error, ", ": ")
        hint = f"{context.command_path} --help shows how." if context else None
        if context and context.command_path == "dmn ask" and "extra argument" in said:
            hint = "A text or question comes from stdin: echo … | dmn ask MODEL"
        return UsageError(said, hint=hint)
    if isinstance(error, OSError):
        return from_os_error(error)
    # Python's, and torch's two without importing torch
    out_of_memory = type(error).__name__ in ("MemoryError", "OutOfMemoryError")
    if out_of_memory or "can't allocate memory" in str(error):
        return ResourceError("memory ran out", hint="Use a smaller training.batch_size or model.hidden.")
    return DmnError(
        f"{type(error).__name__}: {error}",
        hint="This is a bug of dmn. Run dmn --debug … for the traceback and report it.",
    )


def _fail(error: DmnError) -> None:
    if _debugging and not isinstance(error, Interrupted):
        import traceback

        traceback.print_exc()
    with suppress(OSError):  # of a terminal that was closed
        show_error(error)
    try:
        sys.stdout.flush()
    except OSError:
        drop(sys.stdout)
    sys.exit(error.exit_code)
