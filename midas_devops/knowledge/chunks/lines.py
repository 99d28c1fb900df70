"""Lines, spans of lines and pieces of text: what every chunker is made of.

A span is ``(first, end)``: 0-based, end exclusive. A Piece counts as editors do: 1-based, inclusive.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

MAX_CHARS = 1600
"""About the 256 tokens that a sentence model reads, and some more for the words that BM25 counts."""
SMALL_CHARS = 400
"""Neighbours that belong together are joined while they stay under MAX_CHARS and one is under this."""

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Piece:
    """Whole lines of a source, as they stand there.

    Only a line longer than MAX_CHARS is cut: its parts then carry the same line number. ``context`` says
    where in the source the piece stands (a heading path, a block's name); it is indexed, not quoted.
    """

    first_line: int
    last_line: int
    text: str
    context: str


def split_lines(text: str) -> list[str]:
    """Lines as an editor numbers them: ended by LF or CRLF, and by nothing else."""
    return text.replace("\r\n", "\n").split("\n")


def size(lines: list[str], span: Span) -> int:
    """Characters of a span, line ends included."""
    return sum(len(line) + 1 for line in lines[span[0] : span[1]])


def trim(lines: list[str], span: Span) -> Span:
    """The span without the blank lines at its ends; empty when nothing else is in it."""
    first, end = span
    while first < end and not lines[first].strip():
        first += 1
    while end > first and not lines[end - 1].strip():
        end -= 1
    return first, end


def split_span(lines: list[str], span: Span, breaks: Collection[int] = ()) -> Iterator[Span]:
    """Cut a span into spans of at most MAX_CHARS (a longer line stands alone).

    Cuts before one of ``breaks`` if there is one in the second two thirds, else after a blank line, else
    between any two lines.
    """
    first, end = span
    while first < end:
        chars, stop = 0, first
        while stop < end and (stop == first or chars + len(lines[stop]) + 1 <= MAX_CHARS):
            chars += len(lines[stop]) + 1
            stop += 1
        if stop < end:
            stop = _best_cut(lines, first, stop, breaks)
        yield first, stop
        first = stop


def _best_cut(lines: list[str], first: int, stop: int, breaks: Collection[int]) -> int:
    earliest = first + max(1, (stop - first) // 3)
    candidates = range(stop, earliest - 1, -1)
    for cut in candidates:
        if cut in breaks:
            return cut
    for cut in candidates:
        if not lines[cut - 1].strip():
            return cut
    return stop


def join_small(lines: list[str], spans: Iterable[tuple[Span, str]]) -> list[tuple[Span, str]]:
    """Join neighbouring spans of the same non-empty group while the whole stays under MAX_CHARS."""
    joined: list[tuple[Span, str]] = []
    for span, group in spans:
        if joined:
            (first, end), last_group = joined[-1]
            together = (first, span[1])
            if group and group == last_group and end == span[0] and size(lines, together) <= MAX_CHARS:
                joined[-1] = (together, group)
                continue
        joined.append((span, group))
    return joined


def pieces(lines: list[str], span: Span, context: str, breaks: Collection[int] = ()) -> Iterator[Piece]:
    """The pieces of a span: trimmed, cut to size, blank ones left out."""
    whole = trim(lines, span)
    for part in split_span(lines, whole, breaks):
        first, end = trim(lines, part)
        if first == end:
            continue
        text = "\n".join(lines[first:end])
        if end - first == 1 and len(text) > MAX_CHARS:
            for start in range(0, len(text), MAX_CHARS):
                cut = text[start : start + MAX_CHARS]
                if cut.strip():
                    yield Piece(first + 1, end, cut, context)
        else:
            yield Piece(first + 1, end, text, context)
