"""Many regular expressions over one line, fast: each is tried only where its literal part occurs."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

_QUANTIFIERS: Final = "?*{"
_FOLD: Final = "(?i:"
_GROUP: Final = "(?:"
_TELLING: Final = 3
"""Characters from which on a literal is worth looking for."""


class Rule:
    """One alternative of a pattern. Every match holds ``literal`` (lower case, may be empty)."""

    __slots__ = ("label", "literal", "search", "source")

    search: Callable[[str], re.Match[str] | None]

    def __init__(self, literal: str, source: str, label: str) -> None:
        self.literal = literal
        self.source = source
        self.label = label
        self.search = self._compiled_search

    def _compiled_search(self, text: str) -> re.Match[str] | None:
        # Most of some hundred rules never meet a line that holds their literal: they are not compiled.
        self.search = re.compile(self.source).search
        return self.search(text)


def rules(table: str) -> list[Rule]:
    """The rules of a table: rows of ``LABEL pattern``; an indented row continues the pattern above."""
    rows: list[tuple[str, str]] = []
    for row in table.splitlines():
        if row.startswith(" "):
            label, pattern = rows.pop()
            rows.append((label, pattern + row.lstrip(" ")))
        elif row:
            label, _, pattern = row.partition(" ")
            rows.append((label, pattern))
    return [
        Rule(required_literal(part).lower(), part, label)
        for label, pattern in rows
        for part in alternatives(pattern)
    ]


def first_match(candidates: tuple[Rule, ...], text: str, low: str) -> Rule | None:
    """The first rule that matches ``text``; ``low`` is ``text.lower()``."""
    for rule in candidates:
        if rule.literal in low and rule.search(text):
            return rule
    return None


def alternatives(pattern: str) -> list[str]:
    """Patterns that together match what ``pattern`` does, each with a literal of its own if possible."""
    if pattern.startswith(_FOLD) and _closing(pattern, 0) == len(pattern) - 1:
        return [f"{_FOLD}{part})" for part in alternatives(pattern[len(_FOLD) : -1])]
    parts, start, i = [], 0, 0
    while i < len(pattern):
        if pattern[i] == "|":
            parts.append(pattern[start:i])
            start = i + 1
        i = element_end(pattern, i)
    parts.append(pattern[start:])
    if len(parts) > 1:
        return [one for part in parts for one in alternatives(part)]
    return [pattern] if len(required_literal(pattern)) >= _TELLING else _spread(pattern)


def _spread(pattern: str) -> list[str]:
    """``a(?:b|c)d`` as ``a(?:b)d``, ``a(?:c)d``: the first choice that is not optional, opened."""
    i = 0
    while i < len(pattern):
        after = element_end(pattern, i)
        fold = pattern.startswith(_FOLD, i)
        if (fold or pattern.startswith(_GROUP, i)) and pattern[after : after + 1] not in tuple("?*+{"):
            opening = _FOLD if fold else _GROUP
            inner = alternatives(pattern[i + len(opening) : after - 1])
            if len(inner) > 1:
                return [f"{pattern[:i]}{opening}{choice}){pattern[after:]}" for choice in inner]
        i = after
    return [pattern]


@lru_cache(maxsize=4096)
def required_literal(pattern: str) -> str:
    """The longest run of plain characters that every match holds, as far as is easily seen. May be empty."""
    best = run = ""
    i = 0
    while i < len(pattern):
        char, after = pattern[i], element_end(pattern, i)
        if char == "|":
            return ""
        opening = next((o for o in (_FOLD, _GROUP) if pattern.startswith(o, i)), "")
        if opening and pattern[after : after + 1] not in tuple(_QUANTIFIERS):
            inner = required_literal(pattern[i + len(opening) : after - 1])
            best, run, i = max(best, run, inner, key=len), "", after
            continue
        if char == "\\" and not pattern[i + 1].isalnum():
            literal = pattern[i + 1]
        else:
            literal = "" if char in "\\.[]()^$+*?{}" else char
        if char == "{":
            after = pattern.index("}", i) + 1
        if literal and pattern[after : after + 1] not in tuple(_QUANTIFIERS):
            run += literal
        else:
            # a repeated character ("+") still stands there once, but nothing is known of what follows it
            best, run = max(best, run, key=len), ""
        i = after
    return max(best, run, key=len)


def element_end(pattern: str, i: int) -> int:
    """The index behind the element at ``i``: an escape, a class, a group or one character."""
    if pattern[i] == "\\":
        return i + 2
    if pattern[i] == "[":
        end = pattern.index("]", i + 2 if pattern[i + 1] != "^" else i + 3)
        while pattern[end - 1] == "\\" and pattern[end - 2] != "\\":
            end = pattern.index("]", end + 1)
        return end + 1
    if pattern[i] == "(":
        return _closing(pattern, i) + 1
    return i + 1


def _closing(pattern: str, i: int) -> int:
    """The index of the ``)`` that closes the group opened at ``i``."""
    i += 1
    while pattern[i] != ")":
        i = element_end(pattern, i)
    return i
