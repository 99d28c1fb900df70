"""Which of many texts occur in another: one fast search for all that hold the same rare character."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

_FREQUENT: Final = " e0tarinos1l2c3d5p4u-m6/7:9.8gh_bf=v,yk\"w[]x()'TIEASRNODCLjzMPUFBq{}<>WGHVKXYJQZ"
"""Characters of logs, the most frequent first; what is not in here is rarer still."""


class Literals:
    """Texts to look for. Immutable; share one."""

    def __init__(self, literals: Iterable[str] = ()) -> None:
        groups: dict[str, list[str]] = {}
        for literal in dict.fromkeys(literals):
            groups.setdefault(literal[_rarest(literal)] if literal else "", []).append(literal)
        self._groups = tuple((_any_of(rare, group), tuple(group)) for rare, group in groups.items())

    def present(self, text: str) -> set[str]:
        """Those that ``text`` holds."""
        return {
            literal for search, group in self._groups if search(text) for literal in group if literal in text
        }


def _rarest(literal: str) -> int:
    ranks = [_FREQUENT.find(character) % (len(_FREQUENT) + 1) for character in literal]
    return ranks.index(max(ranks))


def _any_of(rare: str, group: list[str]) -> Callable[[str], re.Match[str] | None]:
    # The pattern begins with one plain character: the engine then runs from one to the next as memchr does.
    ways: list[str] = []
    for literal in group:
        at = literal.index(rare)
        before = f"(?<={re.escape(literal[: at + 1])})" if at else ""
        ways.append(before + re.escape(literal[at + 1 :]))
    return re.compile(f"{re.escape(rare)}(?:{'|'.join(ways)})").search
