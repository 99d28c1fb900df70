"""The program ``midas-devops``."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer

from midas_devops.errors import MidasError
from midas_devops.interfaces.cli import failures
from midas_devops.interfaces.cli.command_group import LazyGroup
from midas_devops.interfaces.cli.output import LostOutputError, flush, note, print_json, silence, write
from midas_devops.interfaces.cli.session import (
    Globals,
    JsonOption,
    NoInputOption,
    ProjectOption,
    QuietOption,
)

PROGRAM = "midas-devops"
_HELP = """
A DevOps engineer you can embed: plans, gates, asks, carries out, verifies, rolls back and reports.

Rules decide, a language model advises; every command works without a model, a key or a network.
"""
_EPILOG = """\b
Start here:
  midas-devops demo     the whole job on a sample project, in a minute
  midas-devops init     write midas.toml for this repository
  midas-devops doctor   see what works here and what is missing

Exit codes: 0 succeeded, 1 failed, 2 usage or configuration, 3 waits for approval, 4 blocked or
rejected, 5 failed and safely rolled back or reverted.
"""

app = typer.Typer(
    name=PROGRAM,
    cls=LazyGroup,
    help=_HELP,
    epilog=_EPILOG,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    # Plain help pages: the rich ones load a Markdown parser, and take three times as long.
    rich_markup_mode=None,
)


def _version(context: typer.Context, wanted: bool) -> None:
    if not wanted:
        return
    from midas_devops import __version__ as number

    if context.obj and context.obj.json:
        print_json({"name": PROGRAM, "version": number})
    else:
        write(sys.stdout, f"{PROGRAM} {number}\n")
    raise typer.Exit


@app.callback()
def _globals(
    context: typer.Context,
    *,
    project: ProjectOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
    no_input: NoInputOption = False,
    version: Annotated[  # noqa: ARG001 - its callback does the work
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    before = context.obj or Globals()
    context.obj = Globals(project=project, json=json or before.json, quiet=quiet, no_input=no_input)


def run(arguments: Sequence[str]) -> int:
    """Carry out one command line; its exit code. Never raises, whatever happens."""
    as_json = "--json" in arguments
    try:
        with _ended_by_signal():
            code = typer.main.get_command(app).main(
                args=list(arguments), prog_name=PROGRAM, standalone_mode=False, obj=Globals(json=as_json)
            )
    except LostOutputError as lost:
        return failures.report(lost, None, as_json=False)
    except MidasError as error:
        return failures.report(error, _root(arguments), as_json=as_json)
    except KeyboardInterrupt:
        stopped = failures.StoppedError("stopped; nothing was begun")
        return failures.report(stopped, _root(arguments), as_json=as_json)
    except SystemExit as ended:
        # The parser ends like this when the reader of our output went away.
        silence(sys.stdout)
        code = ended.code
    except Exception as error:  # noqa: BLE001 - the last stop before a person
        return _other(error, arguments, as_json=as_json)
    return code if isinstance(code, int) else 0


def main() -> NoReturn:
    """Carry out the command line of this process, and end it."""
    try:
        code = run(sys.argv[1:])
        _leave_at_once_when_interrupted()
    except KeyboardInterrupt:
        # A second one, while the first was being reported.
        code = failures.StoppedError.exit_code
        _leave_at_once_when_interrupted()
    lost = flush()
    if lost is not None:
        code = failures.report(lost, None, as_json=False)
    sys.exit(code)


def _leave_at_once_when_interrupted() -> None:
    """From here on everything is told and on record: a Ctrl-C need not wait for what Python puts away."""

    def leave(number: int, frame: FrameType | None) -> NoReturn:
        del number, frame
        os._exit(failures.StoppedError.exit_code)

    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, leave)


def _other(error: Exception, arguments: Sequence[str], *, as_json: bool) -> int:
    if isinstance(error, failures.CommandLineError):
        return _usage(error, arguments, as_json=as_json)
    lost = flush() if isinstance(error, OSError) else None
    if lost is not None:
        return failures.report(lost, None, as_json=False)
    if failures.is_interruption(error):
        stopped = failures.StoppedError(
            "stopped; what was done so far is on record and stays as it is",
            hint=f"see '{PROGRAM} runs list'",
        )
        return failures.report(stopped, _root(arguments), as_json=as_json)
    return failures.unexpected(error, _root(arguments), as_json=as_json)


def _usage(error: failures.CommandLineError, arguments: Sequence[str], *, as_json: bool) -> int:
    if type(error).__name__ == "NoArgsIsHelpError" and not as_json:
        note(error.format_message())
        return 2
    return failures.report(failures.usage(error), _root(arguments), as_json=as_json)


def _root(arguments: Sequence[str]) -> Path | None:
    """The project of a call that failed, as far as it can be told."""
    from midas_devops.config.find import find_project

    given = [after for word, after in pairwise(arguments) if word == "--project"]
    given += [word.removeprefix("--project=") for word in arguments if word.startswith("--project=")]
    try:
        start = Path(given[-1]) if given else Path.cwd()
        return find_project(start) if start.is_dir() else None
    except (OSError, ValueError, MidasError):
        return None


@contextmanager
def _ended_by_signal() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end a run as Ctrl-C does, so that tools are stopped and leases given back."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    came: list[int] = []

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        del frame
        raise KeyboardInterrupt(signal.Signals([*came, number][0]).name)

    def hang_up(number: int, frame: FrameType | None) -> None:
        # Whoever works on an effect now has a handler of its own for SIGTERM, and ends in order.
        del frame
        came.append(number)
        signal.raise_signal(signal.SIGTERM)

    # What was to be ignored (nohup) stays so.
    before = [
        (number, signal.signal(number, handler))
        for number, handler in ((signal.SIGTERM, stop), (signal.SIGHUP, hang_up))
        if signal.getsignal(number) is not signal.SIG_IGN
    ]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)
