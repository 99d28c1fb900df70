"""Lines of the keys in a TOML text, so that an error can point at one."""

from __future__ import annotations

import re
from collections.abc import Sequence

_KEY = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*')"""
_DOTTED = rf"{_KEY}(?:\s*\.\s*{_KEY})*"
_HEADER = re.compile(rf"\s*\[\[?\s*({_DOTTED})\s*\]")
_ASSIGNMENT = re.compile(rf"\s*({_DOTTED})\s*=\s*(.*)")
_NOISE = re.compile(r"""\"(?:[^"\\]|\\.)*\"|'[^']*'|#.*""")


class KeyLines:
    """Finds the line of a dotted key in a text that is valid TOML."""

    def __init__(self, text: str) -> None:
        self._lines: dict[tuple[str, ...], int] = {}
        table: tuple[str, ...] = ()
        closing, depth = "", 0
        for number, line in enumerate(text.split("\n"), start=1):
            if closing:
                if closing in line:
                    closing = ""
                continue
            if depth > 0:
                depth += _brackets(line)
                continue
            if header := _HEADER.match(line):
                table = _split(header[1])
                self._note(table, number)
            elif assignment := _ASSIGNMENT.match(line):
                self._note(table + _split(assignment[1]), number)
                value = assignment[2]
                for quotes in ('"""', "'''"):
                    if value.startswith(quotes) and quotes not in value[3:]:
                        closing = quotes
                depth = 0 if closing else _brackets(value)

    def line(self, path: Sequence[str]) -> int:
        """1-based line of the key, or of the nearest table or key around it; 0 when there is none."""
        for length in range(len(path), 0, -1):
            if found := self._lines.get(tuple(path[:length])):
                return found
        return 0

    def _note(self, path: tuple[str, ...], number: int) -> None:
        for length in range(1, len(path) + 1):
            self._lines.setdefault(path[:length], number)


def _split(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in re.findall(_KEY, dotted))


def _brackets(text: str) -> int:
    bare = _NOISE.sub("", text)
    return bare.count("[") - bare.count("]")
