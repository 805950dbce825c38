"""The command `dmn`: its commands, and what happens when one fails.

Nothing heavy is imported until a command runs, so that help and completion are quick.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer
from typer.core import TyperGroup

from dmn_cli import __version__
from dmn_cli.cli import ask, evaluate, prepare, train
from dmn_cli.errors import DmnError, Interrupted, ResourceError, from_os_error


class _InOrderOfUse(TyperGroup):
    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]
        return ["prepare", "train", "eval", "ask"]


app = typer.Typer(
    name="dmn",
    cls=_InOrderOfUse,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done · 1 below a required score · 2 usage or configuration · 3 data · 4 model · "
    "5 device, memory or disk · 70 a bug of dmn · 130 interrupted.",
)
app.add_typer(prepare.app, name="prepare")
app.command("train")(train.command)
app.command("eval")(evaluate.command)
app.command("ask")(ask.command)

BUG = 70


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
    if debug:
        os.environ["DMN_DEBUG"] = "1"
    # Threads that wait must not spin: on a machine that others use too, that makes training many times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def main() -> None:
    """The entry point: runs a command, and turns what went wrong into one message and an exit code."""
    try:
        app()
    except BrokenPipeError:
        # whoever read our output has gone; keep the interpreter from complaining when it flushes at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except KeyboardInterrupt:
        _fail(Interrupted("interrupted"))
    except DmnError as error:
        _fail(error)
    except MemoryError:
        _fail(ResourceError("memory ran out", hint="Use a smaller --set training.batch_size."))
    except OSError as error:
        _fail(from_os_error(error))
    except Exception as error:
        if type(error).__name__ == "OutOfMemoryError":  # torch's, without importing torch
            _fail(ResourceError("the device's memory ran out", hint="Use a smaller --set training.batch_size."))
        if "DMN_DEBUG" in os.environ:
            raise
        bug = DmnError(
            f"{type(error).__name__}: {error}",
            hint="This is a bug of dmn. Run dmn --debug … for the traceback and report it.",
        )
        _fail(bug)


def _fail(error: DmnError) -> None:
    from dmn_cli.cli.output import show_error

    if "DMN_DEBUG" in os.environ and not isinstance(error, Interrupted):
        import traceback

        traceback.print_exc()
    show_error(error)
    sys.exit(error.exit_code)
