"""Ask a short command for its answer: read-only, in time, stdout alone."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import IO

from midas_devops.errors import ToolError

_ANSWER_BYTES = 4096
_WORDS_SHOWN = 400


def ask(argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], within: timedelta) -> str:
    """What it prints on stdout, stripped, at most 4 KB. stderr is for people and only quoted in errors.

    Raises ``ToolError`` when it cannot be started, fails, or does not end ``within``; then its group is
    killed.
    """
    # Files, not pipes: a grandchild that keeps a pipe open would hold us after the command has ended.
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        try:
            asked = subprocess.Popen(
                list(argv),
                cwd=cwd,
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=errors,
                start_new_session=True,
            )
        except OSError as error:
            raise ToolError(
                f"{argv[0]} could not be started: {error.strerror or error}",
                hint="correct its name in midas.toml, or make it executable",
            ) from error
        with asked:
            try:
                code = asked.wait(within.total_seconds())
            except BaseException as error:
                os.killpg(asked.pid, signal.SIGKILL)
                if isinstance(error, subprocess.TimeoutExpired):
                    raise ToolError(
                        f"{argv[0]} gave no answer within {within.total_seconds():.0f} s",
                        hint="run it by hand to see where it waits",
                    ) from None
                raise
        if code:
            ending = f"signal {-code}" if code < 0 else f"status {code}"
            words = printable(_text(errors)) or printable(_text(out)) or "it said nothing"
            raise ToolError(
                f"{argv[0]} ended with {ending}: {words[:_WORDS_SHOWN]}",
                hint="run it by hand to see more of what it says",
            )
        return _text(out).strip()


def printable(text: str) -> str:
    """One line without control characters."""
    return "".join(c if c.isprintable() else " " for c in " ".join(text.split()))


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read(_ANSWER_BYTES).decode("utf-8", "replace")
