"""Choosing lines by worth until the budget is spent, and writing them down with what was cut between them."""

from __future__ import annotations

import re
from bisect import insort
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from midas_devops.context.folding import Template
from midas_devops.context.listing import Listing, listing
from midas_devops.context.ranking import Candidate, Failure
from midas_devops.context.tokens import count, truncate

MARK_TOKENS: Final = 13
"""What a mark for cut lines costs, about."""
TINY: Final = 40
"""Below this budget there is room for one line and no marks."""
FEW: Final = 8
"""Failures up to which no listing is needed."""
HEADING: Final = 20
"""Tokens set apart for what stands around the listing."""
SMALL_GAP: Final = 3
_FOCUS: Final = re.compile(
    r"(?i)error|fail|exception|fatal|denied|timed out|panic|killed|refused|invalid|not found"
)
_LEAST_VALUE: Final = 0.5


@dataclass(slots=True)
class Piece:
    """A chosen line as it will be shown."""

    order: int
    number: int
    text: str
    value: float
    tokens: int


class Composer:
    """One composition for one budget."""

    def __init__(self, budget: int, redact: Callable[[str], str], lines_total: int) -> None:
        self.budget = budget
        self.redact = redact
        self.lines_total = lines_total
        self.listed = Listing([], [], 0)
        self.numbers: dict[int, int] = {}

    def list_apart(self, failed: list[Failure], distinct: list[Failure]) -> list[Failure]:
        """Give many distinct failures a listing. Returns the failures left to be shown with context."""
        in_full = self._price(distinct)
        if self.budget < TINY or len(distinct) <= FEW or in_full <= self.budget // 2:
            return failed
        top = max(distinct, key=lambda failure: failure.value)
        in_context = {id(distinct[0]), id(distinct[-1]), id(top)}
        apart = [failure for failure in distinct if id(failure) not in in_context]
        share = 0.45 if in_full <= self.budget else 0.25 if in_full <= 2 * self.budget else 0.15
        room = max(min(140, self.budget // 2), int(self.budget * share))
        self.listed = listing(apart, self.budget - room - HEADING, self.redact)
        self.numbers = {failure.event.line.order: failure.event.line.number for failure in apart}
        return [
            f
            for f in failed
            if id(f) in in_context or not (f.event.shape.strong and not f.event.signal.is_wrapper)
        ]

    def choose(self, lines: dict[int, Candidate]) -> list[Piece]:
        """The lines to show, by order."""
        ranked = sorted(lines.values(), key=lambda line: (-line.value, line.order))
        if self.budget < TINY:
            return self._one(ranked)
        room = self.budget
        if self.listed.lines:
            room -= count("\n".join(self.listed.lines)) + HEADING
        return self._fill(lines, ranked, room)

    def _price(self, distinct: list[Failure]) -> int:
        """What the failures would cost in full; counted only as far as it matters."""
        total = 0
        for failure in distinct:
            total += min(count(failure.text), self._longest(lead=True)) + MARK_TOKENS
            if total > 2 * self.budget:
                break
        return total

    def _longest(self, *, lead: bool) -> int:
        return max(24, min(160, self.budget // 5)) if lead else max(16, min(60, self.budget // 12))

    def _one(self, ranked: list[Candidate]) -> list[Piece]:
        best = next((line for line in ranked if line.text.strip()), None)
        if best is None:
            return []
        text = truncate(self._shown(best, self.budget), self.budget)
        return [Piece(best.order, best.number, text, best.value, count(text))]

    def _fill(self, lines: dict[int, Candidate], ranked: list[Candidate], room: int) -> list[Piece]:
        chosen: dict[int, Piece] = {}
        orders: list[int] = []
        spent = MARK_TOKENS
        misses = 0
        for line in ranked:
            if line.value < _LEAST_VALUE or misses > 60:  # noqa: PLR2004
                break
            piece = self._piece(line)
            neighbours = (line.order - 1 in chosen) + (line.order + 1 in chosen)
            extra = piece.tokens + (1 - neighbours) * MARK_TOKENS
            if spent + extra > room:
                misses += 1
                continue
            chosen[line.order] = piece
            insort(orders, line.order)
            spent += extra
        for before, after in pairwise(orders):
            # a mark for a line or two costs more than they do
            gap = [lines[order] for order in range(before + 1, after) if order in lines]
            if 0 < len(gap) == after - before - 1 <= SMALL_GAP:
                between = [self._piece(line) for line in gap]
                cost = sum(piece.tokens for piece in between) - MARK_TOKENS
                if spent + cost <= room:
                    spent += cost
                    chosen.update({piece.order: piece for piece in between})
        return [chosen[order] for order in sorted(chosen)]

    def _piece(self, line: Candidate) -> Piece:
        text = self._shown(line, self._longest(lead=line.lead))
        return Piece(line.order, line.number, text, line.value, count(text + "\n"))

    def _shown(self, line: Candidate, longest: int) -> str:
        """The redacted line, cut around what matters in it when it is too long."""
        text = self.redact(line.text)
        if len(text) <= longest or count(text) <= longest:
            return text
        head = truncate(text, longest - 1)
        focus = _FOCUS.search(text)
        if focus is None or focus.start() < len(head) - 8:
            return head + "…"
        start = text.rfind(" ", max(0, focus.start() - 80), focus.start()) + 1 or max(0, focus.start() - 40)
        tail = truncate(text[start:], longest - 2)
        return f"…{tail}" if start + len(tail) == len(text) else f"…{tail}…"

    def render(self, pieces: list[Piece], folded: tuple[Template, ...]) -> tuple[str, int, list[Piece]]:
        """(text, tokens, the lines in it). Never over the budget: what does not fit goes, the least first."""
        listed = [Piece(order, self.numbers[order], "", 0.0, 0) for order in self.listed.orders]
        if self.budget < TINY:
            text = self.redact("\n".join(piece.text for piece in pieces))
            tokens = count(text)
            return (text, tokens, pieces) if tokens <= self.budget else ("", 0, [])
        while True:
            text = self.redact(self._written(pieces, listed))
            tokens = count(text)
            if tokens <= self.budget:
                break
            pieces, listed = self._less(pieces, listed, tokens - self.budget)
        text, tokens = self._with_templates(text, tokens, folded)
        return text, tokens, pieces + listed

    def _less(self, pieces: list[Piece], listed: list[Piece], over: int) -> tuple[list[Piece], list[Piece]]:
        """Take away at least one line."""
        if not pieces:
            keep = len(self.listed.lines) * 3 // 4
            self.listed = Listing([], [], 0) if keep == len(self.listed.lines) else self.listed
            return [], []
        doomed, freed = set(), 0
        for piece in sorted(pieces, key=lambda piece: piece.value):
            doomed.add(piece.order)
            freed += piece.tokens
            if freed >= over:
                break
        return [piece for piece in pieces if piece.order not in doomed], listed

    def _written(self, pieces: list[Piece], listed: list[Piece]) -> str:
        parts: list[str] = []
        last = 0
        previous = -1
        for piece in pieces:
            if piece.number > last + 1:
                parts.append(_mark(last + 1, piece.number - 1))
            elif piece.number == last and piece.order != previous + 1:
                parts.append("…")
            parts.append(piece.text)
            last, previous = piece.number, piece.order
        if last < self.lines_total:
            parts.append(_mark(last + 1, self.lines_total))
        if listed:
            parts.append(f"also failed, in the lines cut ({len(listed)}):")
            parts += self.listed.lines
            if self.listed.left_out:
                parts.append(f"… and {self.listed.left_out} more")
        return "\n".join(parts)

    def _with_templates(self, text: str, tokens: int, folded: tuple[Template, ...]) -> tuple[str, int]:
        """Repeated shapes, as far as there is room."""
        lines = [f"{t.count}× {t.template} ({t.first_line}–{t.last_line})" for t in folded if t.count > 2]  # noqa: PLR2004
        kept: list[str] = []
        for line in lines[:12]:
            longer = self.redact("\n".join([text, "repeated in the lines cut:", *kept, line]))
            if count(longer) > self.budget:
                break
            kept.append(line)
        if not kept or not _was_cut(text):
            return text, tokens
        text = self.redact("\n".join([text, "repeated in the lines cut:", *kept]))
        return text, count(text)


def _was_cut(text: str) -> bool:
    return "lines cut (" in text or "line cut (" in text


def _mark(first: int, last: int) -> str:
    if first == last:
        return f"… 1 line cut ({first}) …"
    return f"… {last - first + 1:,} lines cut ({first}–{last}) …"
