"""Errors as a person and a script meet them. No traceback leaves the program."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from midas_devops.errors import MidasError, StorageError, UsageError
from midas_devops.interfaces.cli.output import LostOutputError, note, print_json
from midas_devops.interfaces.wording import plain

if TYPE_CHECKING:
    from midas_devops.safety.redaction import Redactor

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


def report(error: MidasError, root: Path | None, *, as_json: bool) -> int:
    """Show an error without the secrets that its project knows; the exit code that goes with it."""
    told = _without_secrets(error, root)
    try:
        if as_json:
            print_json({"error": told})
        else:
            note(_in_words(told))
    except LostOutputError as lost:
        note(_in_words(told))
        note(_in_words(lost.as_dict()))
    return error.exit_code


def _in_words(told: Mapping[str, Any]) -> str:
    lines = [f"midas-devops: {plain(told['message'])}"]
    if told["location"]:
        lines.append(f"  where  {plain(told['location'])}")
    if told["hint"]:
        lines.append(f"  next   {plain(told['hint'])}")
    return "\n".join(lines)


def _without_secrets(error: MidasError, root: Path | None) -> dict[str, Any]:
    told = error.as_dict()
    try:
        hidden = _redactor(root)
        return {**told, **{key: hidden.text(str(told[key] or "")) for key in ("message", "hint", "location")}}
    except Exception as second:  # noqa: BLE001 - a broken redactor must not let the text through
        why = f"an error ({error.code}) is not shown: the redactor failed with {type(second).__name__}"
        return {**told, "message": why, "hint": "", "location": ""}


def usage(error: Any) -> UsageError:
    """A mistake on the command line as one of our errors."""
    message = str(error.format_message()).strip().rstrip(".")
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "midas-devops"
    return UsageError(message or "the command line is incomplete", hint=f"see '{path} --help'", location=path)


def is_interruption(error: BaseException) -> bool:
    """Whether a Ctrl-C is behind it: a library may turn one into an error of its own, as pydantic does."""
    told = str(error).rstrip(": \n").endswith(KeyboardInterrupt.__name__)
    return told or isinstance(error.__cause__ or error.__context__, KeyboardInterrupt)


def unexpected(error: BaseException, root: Path | None, *, as_json: bool) -> int:
    """A mistake of ours: one line and the path of a private file with the traceback."""
    where = _keep_traceback(error, root)
    wrapped = MidasError(
        f"something unexpected happened ({type(error).__name__}); this is a mistake in midas-devops",
        hint="report it with that file; finished effects are on record: see 'midas-devops runs list'",
        location=str(where),
    )
    report(wrapped, root, as_json=as_json)
    return UNEXPECTED_EXIT


def _keep_traceback(error: BaseException, root: Path | None) -> Path:
    text = "".join(traceback.format_exception(error))
    try:
        text = _redactor(root).text(text)
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


def _redactor(root: Path | None) -> Redactor:
    from midas_devops.config import Settings, load_settings
    from midas_devops.safety.redaction import Redactor

    try:
        settings = Settings() if root is None else load_settings(root / "midas.toml", missing_ok=True)
    except MidasError:
        # Beside a broken midas.toml the environment is known all the same.
        settings = Settings()
    return Redactor.from_environment(os.environ, settings)
