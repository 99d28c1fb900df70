"""The lines that candidates quote: kept while they may be asked for, and cut to what belongs together."""

from __future__ import annotations

import re
from collections import deque

from midas_devops.knowledge.structure.candidate import Candidate
from midas_devops.knowledge.structure.lines import Line, line_of

REACH = 300
"""Lines remembered of what went before."""
_QUOTED = 2000
"""Characters of one quoted line at most."""
_BOUNDARY = re.compile(
    r"^##\[(?:group|endgroup|section)|^\[Pipeline\]|^##\[error\]Process completed|section_(?:start|end)"
)


class Window:
    """The newest lines, and the candidates whose last line has not been read yet."""

    def __init__(self) -> None:
        self._lines: list[bytes] = []
        self._first = 1
        self._waiting: deque[Candidate] = deque()

    def extend(self, lines: list[bytes]) -> None:
        """Take in what follows; of what went before the last ``REACH`` lines stay."""
        gone = max(0, len(self._lines) - REACH)
        self._lines = self._lines[gone:] + lines
        self._first += gone

    def newest(self) -> list[Line]:
        """The last lines, ``REACH`` at most."""
        end = self._first + len(self._lines)
        return self._between(end - REACH, end - 1)

    def wait(self, candidate: Candidate) -> None:
        """Quote this candidate's lines once they are all there."""
        self._waiting.append(candidate)

    def quote(self, *, everything: bool = False) -> None:
        """Quote for those whose last line is there; ``everything``: no more lines will come."""
        end = self._first + len(self._lines) - 1
        while self._waiting and (everything or self._waiting[0].last <= end):
            candidate = self._waiting.popleft()
            candidate.last = min(candidate.last, end)
            _trim(candidate, self._between(candidate.first, candidate.last))

    def _between(self, first: int, last: int) -> list[Line]:
        start = max(first, self._first)
        lines = self._lines[start - self._first : max(0, last + 1 - self._first)]
        return [line_of(number, data) for number, data in enumerate(lines, start)]


def _trim(candidate: Candidate, lines: list[Line]) -> None:
    """End the span at a step's border and at blank edges; then keep the lines as they are quoted."""
    kept = list(lines)
    for line in lines:
        if not _BOUNDARY.search(line.marked):
            continue
        if line.no < candidate.anchor:
            kept = [one for one in lines if one.no > line.no]
        elif line.no > candidate.anchor:
            kept = [one for one in kept if one.no < line.no]
            break
    while kept and not kept[0].text.strip() and kept[0].no < candidate.anchor:
        kept.pop(0)
    while kept and not kept[-1].text.strip() and kept[-1].no > candidate.anchor:
        kept.pop()
    if kept:
        candidate.first, candidate.last = kept[0].no, kept[-1].no
        candidate.quoted = tuple(cropped(line.raw) for line in kept)


def cropped(raw: str) -> str:
    """A line as a span quotes it."""
    return raw if len(raw) <= _QUOTED else f"{raw[:_QUOTED]} […{len(raw) - _QUOTED} more characters cut]"
