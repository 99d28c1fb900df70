"""A quick no: whether a line can match any of many patterns at all, by automata that read it once.

Python's ``re`` tries one alternative after the other at every place, 100 ns per alternative and line. The
engine that pydantic carries (Rust's ``regex``) reads a line in a fraction of a microsecond, whatever their
number. It knows no lookarounds, so that its patterns are made wider here; a yes is asked of ``re`` again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Final

from pydantic import ConfigDict, Field, TypeAdapter

from midas_devops.context.rulebook import element_end

_PATTERNS: Final = 40
"""Patterns of one automaton: more at once outgrow its cache of states, and it slows down a thousandfold."""
_UNSCREENED: Final = 300
"""Lines after which making the automata (1 to 50 ms) pays."""
_LOOKAROUNDS: Final = ("(?!", "(?=", "(?<!", "(?<=")
_GROUP: Final = re.compile(r"\((?:\?(?P<fold>i)?:|\?P<\w+>|(?!\?))")
_REPEATED: Final = re.compile(r"\{(?=[\d,])(?P<least>\d*)(?P<range>,(?P<most>\d*))?\}")
_COUNTED: Final = 9
"""Repetitions up to which they are counted: a hundred of any character make a hundred states."""
_BEYOND_ASCII: Final = r"\x{80}-\x{10FFFF}"
_SHORTHANDS: Final = {"w": "0-9A-Za-z_", "d": "0-9", "s": r"\t-\r\x1c-\x1f "}
_OPPOSITES: Final = {"W": "0-9A-Za-z_", "D": "0-9", "S": r"\t-\r "}
"""What is certainly none of them, in ASCII."""
_APART: Final = re.compile("[\ud800-\udfff\u0130\u0131]")
"""Where the engines part: half a character, which the other takes in no text, and the Turkish letters that
only Python folds to an i."""
_ENGINE: Final = ConfigDict(regex_engine="rust-regex")


class Screen:
    """``passes(text)`` is false only where none of the patterns (in ``re``'s syntax) matches."""

    def __init__(self, patterns: Iterable[str], *, unscreened: int = _UNSCREENED) -> None:
        """``unscreened``: the first lines let through, so that a short text waits for no automaton."""
        self._patterns = tuple(patterns)
        self._unscreened = unscreened
        self._automata: tuple[Callable[[str], bool], ...] = ()

    def passes(self, text: str) -> bool:
        """Whether the text may match."""
        if not self._automata:
            self._unscreened -= 1
            if self._unscreened >= 0:
                return True
            self._automata = tuple(_automata(self._patterns))
        # A loop: this stands before everything that is asked of a line, and a generator would cost as much.
        for accepts in self._automata:
            if accepts(text):
                return True
        return not text.isascii() and _APART.search(text) is not None


def _automata(patterns: tuple[str, ...]) -> Iterator[Callable[[str], bool]]:
    for at in range(0, len(patterns), _PATTERNS):
        union = "|".join(f"(?:{widened(one)})" for one in patterns[at : at + _PATTERNS])
        matching = Annotated[str, Field(pattern=union)]
        yield TypeAdapter[str](matching, config=_ENGINE).validator.isinstance_python


def widened(pattern: str) -> str:
    """A pattern in Rust's syntax that matches at least what ``pattern`` does. Raises ``ValueError``.

    Lookarounds and word borders are dropped, long counts are any number, characters beyond ASCII belong to
    every class.
    """
    out: list[str] = []
    i = 0
    while i < len(pattern):
        end = element_end(pattern, i)
        part = pattern[i:end]
        if part[0] == "{" and (repeated := _REPEATED.match(pattern, i)):
            out.append(_repetition(repeated))
            end = repeated.end()
        else:
            out.append(_element(part))
        i = end
    return "".join(out)


def _repetition(found: re.Match[str]) -> str:
    least = int(found["least"] or 0)
    if max(least, int(found["most"] or 0)) > _COUNTED:
        return "+" if least else "*"
    return f"{{{least}{found['range'] or ''}}}"


def _element(part: str) -> str:
    if part.startswith(_LOOKAROUNDS) or part in {r"\b", r"\B"}:
        return ""
    if part == "(?i)":
        return part
    if part[0] == "(":
        group = _GROUP.match(part)
        if group is None:
            raise ValueError(f"A screen cannot be made of {part!r}")
        return f"(?{group['fold'] or ''}:{widened(part[group.end() : -1])})"
    if part[0] == "[":
        return _class(part)
    if part[0] == "\\" and part[1] in _SHORTHANDS:
        return f"[{_SHORTHANDS[part[1]]}{_BEYOND_ASCII}]"
    if part[0] == "\\" and part[1] in _OPPOSITES:
        return f"[^{_OPPOSITES[part[1]]}]"
    if part == "$":
        return r"\n?$"
    return f"\\{part}" if part in {"{", "}"} else part


def _class(part: str) -> str:
    """A character class; within a negated one a shorthand stays narrow, so that the whole is wide."""
    negated = part.startswith("[^")
    out = ["[^" if negated else "["]
    i = len(out[0])
    while i < len(part) - 1:
        char, following = part[i], part[i + 1]
        if char == "\\" and following in _SHORTHANDS:
            out.append(_SHORTHANDS[following].replace(r"\x1c-\x1f", ""))
            out.append("" if negated else rf"{_BEYOND_ASCII}\x1c-\x1f" if following == "s" else _BEYOND_ASCII)
        elif char == "\\" and following in _OPPOSITES:
            if negated:
                raise ValueError(f"A screen cannot be made of {part!r}")
            out.append(f"[^{_OPPOSITES[following]}]")
        elif char == "\\":
            out.append(char + following)
        else:
            out.append(f"\\{char}" if char in "[]&~" else char)
        i += 2 if char == "\\" else 1
    return "".join(out) + "]"
