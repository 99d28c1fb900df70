"""Where text goes: one JSON document or a person's summary on stdout, everything else on stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console

PIPE_WIDTH = 160
"""Columns when the output is no terminal: wide enough for digests and paths, so that nothing is cut."""


def print_json(document: Mapping[str, Any]) -> None:
    """The one JSON document of this command."""
    write(sys.stdout, json.dumps(document, indent=2, ensure_ascii=False, default=str) + "\n")


def write(stream: TextIO, text: str) -> None:
    """Write and flush. A reader that went away ends the output, not the command."""
    try:
        stream.write(text)
        stream.flush()
    except OSError:
        silence(stream)
    except UnicodeEncodeError:
        encoding = stream.encoding or "ascii"
        stream.write(text.encode(encoding, "replace").decode(encoding))
        stream.flush()


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
    with out.capture() as captured:
        for renderable in renderables:
            out.print(renderable)
    lines = captured.get().split("\n")
    write(sys.stdout, "\n".join(line.rstrip() for line in lines))


def note(text: str) -> None:
    """A line for a person on stderr."""
    write(sys.stderr, text + "\n")
