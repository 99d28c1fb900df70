"""Errors as a person and a script meet them. No traceback leaves the program."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from midas_devops.errors import MidasError, StorageError, UsageError
from midas_devops.interfaces.cli.output import note, print_json
from midas_devops.interfaces.wording import plain

UNEXPECTED_EXIT = 1


class StoppedError(MidasError):
    """Ctrl-C, or a signal to end."""

    code = "interrupted"
    exit_code = 130


@runtime_checkable
class CommandLineError(Protocol):
    """What the command line parser raises."""

    exit_code: int

    def format_message(self) -> str: ...


def report(error: MidasError, *, as_json: bool) -> int:
    """Show an error; the exit code that goes with it."""
    if as_json:
        print_json({"error": error.as_dict()})
    else:
        note(_in_words(error))
    return error.exit_code


def _in_words(error: MidasError) -> str:
    lines = [f"midas-devops: {plain(error.message)}"]
    if error.location:
        lines.append(f"  where  {plain(error.location)}")
    if error.hint:
        lines.append(f"  next   {plain(error.hint)}")
    return "\n".join(lines)


def usage(error: Any) -> UsageError:
    """A mistake on the command line as one of our errors."""
    message = str(error.format_message()).strip().rstrip(".")
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "midas-devops"
    return UsageError(message or "the command line is incomplete", hint=f"see '{path} --help'", location=path)


def unexpected(error: BaseException, root: Path | None, *, as_json: bool) -> int:
    """A mistake of ours: one line and the path of a private file with the traceback."""
    where = _keep_traceback(error, root)
    wrapped = MidasError(
        f"something unexpected happened ({type(error).__name__}); this is a mistake in midas-devops",
        hint="report it with that file; finished effects are on record: see 'midas-devops runs list'",
        location=str(where),
    )
    report(wrapped, as_json=as_json)
    return UNEXPECTED_EXIT


def _keep_traceback(error: BaseException, root: Path | None) -> Path:
    text = "".join(traceback.format_exception(error))
    try:
        text = _redacted(text)
    except Exception as second:  # noqa: BLE001 - a broken redactor must not let the text through
        text = f"(traceback withheld: the redactor failed with {type(second).__name__})\n"
    name = f"failure-{datetime.now(UTC):%Y%m%d-%H%M%S}-"
    try:
        handle, path = tempfile.mkstemp(prefix=name, suffix=".txt", dir=_private_folder(root))
    except (OSError, StorageError):
        handle, path = tempfile.mkstemp(prefix=name, suffix=".txt")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(f"{' '.join(sys.argv[:2])}\nPython {sys.version}\n\n{text}")
    return Path(path)


def _private_folder(root: Path | None) -> Path | None:
    """The project's .midas; None (the system's folder) outside of a project."""
    if root is None or not (root / "midas.toml").is_file():
        return None
    from midas_devops.safety.private import project_folder

    return project_folder(root)


def _redacted(text: str) -> str:
    from midas_devops.config import Settings
    from midas_devops.safety.redaction import Redactor

    return Redactor.from_environment(os.environ, Settings()).text(text)
