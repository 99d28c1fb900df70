"""HCL (Terraform, OpenTofu): one piece per block with its comments; variables and outputs together.

The scanner follows strings, templates, heredocs, comments and brackets, line by line. It needs no valid file:
a block that never closes ends where the next one begins in the first column.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from midas_devops.knowledge.chunks.lines import MAX_CHARS, Piece, Span, join_small, pieces, size

_HEADER = re.compile(r'\s*([A-Za-z_][\w-]*)((?:\s+(?:"[^"]*"|[A-Za-z_][\w.-]*))*)\s*(\{|=)')
_KEYWORD = re.compile(
    r"(?:resource|data|module|variable|output|locals|provider|terraform|moved|import|removed|check|ephemeral)\b"
    r"[^={]*\{"
)
_HEREDOC = re.compile(r"<<[-~]?\s*\"?([A-Za-z_][\w.-]*)\"?\s*$")
_INTERFACE = {"variable", "output"}
_SETUP = {"terraform", "provider"}
_MOVES = {"moved", "import", "removed"}
_OPEN, _CLOSE = "{[(", "}])"


@dataclass
class _Scanner:
    """Where the text stands after each line. ``modes``: one entry per open bracket, string or template."""

    modes: list[str] = field(default_factory=list)
    heredoc: str = ""
    comment: bool = False

    @property
    def at_top(self) -> bool:
        return not (self.modes or self.heredoc or self.comment)

    def read(self, line: str) -> None:
        if self.heredoc:
            if line.strip() == self.heredoc:
                self.heredoc = ""
            return
        at = 0
        while at < len(line):
            at = self._step(line, at)
        # A quoted string ends with its line; one that does not is a mistake and must not swallow the file.
        while self.modes and self.modes[-1] == '"':
            self.modes.pop()

    def _step(self, line: str, at: int) -> int:
        """Read from ``at``; the position after what was read."""
        two = line[at : at + 2]
        if self.comment:
            end = line.find("*/", at)
            self.comment = end < 0
            return len(line) if end < 0 else end + 2
        if self.modes and self.modes[-1] == '"':
            return self._in_string(line, at, two)
        if two == "/*":
            self.comment = True
            return at + 2
        if two == "//" or line[at] == "#":
            return len(line)
        if two == "<<" and (match := _HEREDOC.match(line, at)):
            self.heredoc = match.group(1)
            return len(line)
        if line[at] == '"' or line[at] in _OPEN:
            self.modes.append(line[at])
        elif line[at] in _CLOSE and self.modes:
            self.modes.pop()
        return at + 1

    def _in_string(self, line: str, at: int, two: str) -> int:
        if line[at] == "\\" or line[at : at + 3] in ("$${", "%%{"):
            return at + (2 if line[at] == "\\" else 3)
        if two in ("${", "%{"):
            self.modes.append("{")
            return at + 2
        if line[at] == '"':
            self.modes.pop()
        return at + 1


@dataclass(frozen=True)
class _Block:
    span: Span
    keyword: str
    name: str


def chunk_hcl(lines: list[str], where: str) -> Iterator[Piece]:
    """Pieces of a configuration; ``where`` is the file's place in words, put before each block's name."""
    blocks = _blocks(lines)
    names = {block.span[0]: block for block in blocks}
    for span, _ in join_small(lines, ((block.span, _group(block)) for block in blocks)):
        inside = [block.name for start, block in names.items() if span[0] <= start < span[1]]
        breaks = _inner_breaks(lines, span) if size(lines, span) > MAX_CHARS else ()
        yield from pieces(lines, span, f"{where}: {', '.join(inside)[:300]}", breaks)


def _group(block: _Block) -> str:
    for group, keywords in (("interface", _INTERFACE), ("setup", _SETUP), ("moves", _MOVES)):
        if block.keyword in keywords:
            return group
    return "values" if block.keyword == "=" else ""


def _blocks(lines: list[str]) -> list[_Block]:
    """The top-level blocks and assignments, covering all lines: comments above one belong to it."""
    starts = _starts(lines)
    blocks: list[_Block] = []
    first = 0
    for number, (head, end) in enumerate(starts):
        last = number == len(starts) - 1
        stop = len(lines) if last else end
        match = _HEADER.match(lines[head])
        labels = match.group(2).replace('"', "") if match else ""
        keyword = match.group(1) if match else ""
        is_value = match is not None and match.group(3) == "="
        blocks.append(_Block((first, stop), "=" if is_value else keyword, f"{keyword}{labels}"))
        first = stop
    return blocks or [_Block((0, len(lines)), "", "")]


def _starts(lines: list[str]) -> list[Span]:
    """(line of the header, line after the block) of each top-level item."""
    found, balanced = _scan(lines, recover=False)
    return found if balanced else _scan(lines, recover=True)[0]


def _scan(lines: list[str], *, recover: bool) -> tuple[list[Span], bool]:
    scanner = _Scanner()
    found: list[Span] = []
    head: int | None = None
    for number, line in enumerate(lines):
        if recover and head is not None and not scanner.at_top and _KEYWORD.match(line):
            found.append((head, _above_comments(lines, head, number)))
            head, scanner = None, _Scanner()
        if head is None and scanner.at_top and _is_code(line):
            head = number
        scanner.read(line)
        if head is not None and scanner.at_top:
            found.append((head, number + 1))
            head = None
    if head is not None:
        found.append((head, len(lines)))
    return found, head is None and scanner.at_top


def _above_comments(lines: list[str], head: int, number: int) -> int:
    """The first line of the comment that stands directly above ``number``."""
    while number - 1 > head and lines[number - 1].startswith(("#", "//")):
        number -= 1
    return number


def _is_code(line: str) -> bool:
    text = line.strip()
    return bool(text) and not text.startswith(("#", "//", "/*"))


def _inner_breaks(lines: list[str], span: Span) -> set[int]:
    """Lines inside a block where a statement of the block itself begins."""
    scanner = _Scanner()
    breaks: set[int] = set()
    for number in range(*span):
        if len(scanner.modes) <= 1 and not scanner.heredoc and not scanner.comment and lines[number].strip():
            breaks.add(number)
        scanner.read(lines[number])
    return breaks
