"""Where text goes: one JSON document or a person's summary on stdout, everything else on stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from midas_devops.errors import StorageError

if TYPE_CHECKING:
    from rich.console import Console

PIPE_WIDTH = 160
"""Columns when the output is no terminal: wide enough for digests and paths, so that nothing is cut."""


def print_json(document: Mapping[str, Any]) -> None:
    """The one JSON document of this command."""
    write(sys.stdout, json.dumps(document, indent=2, ensure_ascii=False, default=str) + "\n")


def write(stream: TextIO, text: str) -> None:
    """Write and flush. A reader that went away ends the output, not the command.

    Raises ``LostOutputError`` when a result on stdout is lost (a full disk). A lost note on stderr stops
    nothing.
    """
    with _told_when_lost(stream):
        try:
            stream.write(text)
        except UnicodeEncodeError:
            encoding = stream.encoding or "ascii"
            stream.write(text.encode(encoding, "replace").decode(encoding))
        stream.flush()


class LostOutputError(StorageError):
    """A result could not be written to stdout. What it tells of has happened all the same."""


def flush() -> LostOutputError | None:
    """Everything written so far goes out; the error when a result on stdout is lost."""
    lost = None
    for stream in (sys.stderr, sys.stdout):
        try:
            with _told_when_lost(stream):
                stream.flush()
        except LostOutputError as error:
            lost = error
    return lost


@contextmanager
def _told_when_lost(stream: TextIO) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        silence(stream)
        if stream is sys.stdout and not isinstance(error, BrokenPipeError):
            raise LostOutputError(
                f"the result could not be written to stdout: {error.strerror}",
                hint="what was done is on record: see 'midas-devops runs list'",
                location="stdout",
            ) from error


def silence(stream: TextIO) -> None:
    """Point a broken stream at nothing, so that the interpreter's last flush does not fail as well."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def console(stream: TextIO) -> Console:
    """A console on one of our streams. Honours NO_COLOR and never reads markup in text."""
    from rich.console import Console

    width = None if stream.isatty() else PIPE_WIDTH
    return Console(file=stream, width=width, markup=False, highlight=False, emoji=False, soft_wrap=False)


def show(*renderables: Any) -> None:
    """Print for a person on stdout."""
    out = console(sys.stdout)
    with _told_when_lost(sys.stdout), out.capture() as captured:
        for renderable in renderables:
            out.print(renderable)
    lines = captured.get().split("\n")
    write(sys.stdout, "\n".join(line.rstrip() for line in lines))


def note(text: str) -> None:
    """A line for a person on stderr."""
    write(sys.stderr, text + "\n")
