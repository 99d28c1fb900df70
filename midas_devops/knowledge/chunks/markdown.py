"""Markdown: one piece per section, its context the path of headings above it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from midas_devops.knowledge.chunks.lines import SMALL_CHARS, Piece, Span, pieces, size

_ATX = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$")
_SETEXT = re.compile(r" {0,3}(=+|-{2,})[ \t]*$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")

Heading = tuple[int, int, str]
"""Line, level, title."""


def chunk_markdown(lines: list[str], where: str) -> Iterator[Piece]:
    """Pieces of a document. A section too short to be found alone stays with the one after it."""
    headings, fenced = _headings(lines)
    paragraphs = {
        number
        for number in range(1, len(lines))
        if lines[number].strip() and not lines[number - 1].strip() and number not in fenced
    }
    for span, path in _sections(lines, headings):
        yield from pieces(lines, span, f"{where}: {path}" if path else where, paragraphs)


def _sections(lines: list[str], headings: list[Heading]) -> Iterator[tuple[Span, str]]:
    path: list[tuple[int, str]] = []
    first, label = 0, ""
    for index, (number, level, title) in enumerate(headings):
        del path[next((i for i, (other, _) in enumerate(path) if other >= level), len(path)) :]
        path.append((level, title))
        end = headings[index + 1][0] if index + 1 < len(headings) else len(lines)
        named = " > ".join(name for _, name in path if name)
        before = (first, number)
        # Only a short section that leads into a deeper one is joined with it: siblings differ in topic.
        if label and named.startswith(label) and size(lines, before) < SMALL_CHARS:
            label = named
        else:
            yield before, label
            first, label = number, named
        if index + 1 == len(headings):
            yield (first, end), label
    if not headings:
        yield (0, len(lines)), ""


def _headings(lines: list[str]) -> tuple[list[Heading], set[int]]:
    headings: list[Heading] = []
    fenced: set[int] = set()
    fence = ""
    start = _after_front_matter(lines)
    for number in range(start, len(lines)):
        line = lines[number]
        opened = _FENCE.match(line)
        if fence:
            fenced.add(number)
            if opened and opened.group(1).startswith(fence) and not line.strip().strip(fence[0]):
                fence = ""
        elif opened:
            fence = opened.group(1)
        elif atx := _ATX.match(line):
            headings.append((number, len(atx.group(1)), atx.group(2) or ""))
        elif (setext := _SETEXT.match(line)) and number > start and _is_title(lines[number - 1]):
            headings.append((number - 1, 1 if setext.group(1)[0] == "=" else 2, lines[number - 1].strip()))
    return headings, fenced


def _is_title(line: str) -> bool:
    return bool(line.strip()) and not re.match(r"\s*([-*+>|#]|\d+[.)])", line)


def _after_front_matter(lines: list[str]) -> int:
    if lines and lines[0].strip() == "---":
        for number in range(1, len(lines)):
            if lines[number].strip() in ("---", "..."):
                return number + 1
    return 0
