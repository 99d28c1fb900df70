"""Private key blocks: on one line, over many, with prefixes in front of each line, or cut off."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum

from midas_devops.safety.encodings import Interval

KIND = "private_key"

_BEGIN = re.compile(r"-----BEGIN (?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)?-----")
_END = re.compile(r"-----END (?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)?-----")
_BEGIN_MARK = "PRIVATE KEY"
_SAME_LINE = re.compile(r"(?:[A-Za-z0-9+/=]|\\{1,8}[nr]|%0[AaDd]|[ \t])*")
"""What of a cut-off block may follow its begin on the same line."""
_LINE_END = r"(?:\\{1,8}[nr])*[\"'`\s,;+\\]*\Z"
_FULL_LINE = re.compile(r"[A-Za-z0-9+/=]{40,}" + _LINE_END)
_LAST_LINE = re.compile(r"(?<![A-Za-z0-9+/=])(?P<rest>[A-Za-z0-9+/]{1,76}(?P<padding>={0,2}))" + _LINE_END)
_HEADER = re.compile(r"(?:Proc-Type|DEK-Info|Version|Comment|Charset|Hash): ")
_CHECKSUM = re.compile(r"=[A-Za-z0-9+/]{4}" + _LINE_END)
_NO_MORE = 4
"""Blank and header lines that may stand between the begin and the first line of the key."""


class _Part(Enum):
    """Where in a block the next line stands."""

    OUTSIDE = "outside"
    HEADERS = "headers"
    BODY = "body"
    TAIL = "tail"


class KeyBlocks:
    """Follows private key blocks from line to line; feed it each line once, in order."""

    def __init__(self) -> None:
        self._part = _Part.OUTSIDE
        self._headers = 0
        self._column = 0

    @property
    def inside(self) -> bool:
        """Whether a block goes on."""
        return self._part is not _Part.OUTSIDE

    def hidden(self, line: str) -> list[Interval]:
        """Which parts of this line belong to a key. The line's own end is never among them."""
        body = line.rstrip("\r\n")
        start = 0
        found: list[Interval] = []
        if self.inside:
            start = self._continued(body)
            if start:
                found.append((0, start))
        while not self.inside and (begin := _BEGIN.search(body, start)):
            end = _END.search(body, begin.end())
            if end:
                start = end.end()
            else:
                same_line = _SAME_LINE.match(body, begin.end())
                start = same_line.end() if same_line else begin.end()
                self._part, self._headers = _Part.HEADERS, 0
            found.append((begin.start(), start))
        return found

    def _continued(self, body: str) -> int:
        """How much of this line still is the block that began on an earlier one."""
        end = _END.search(body)
        if end:
            self._part = _Part.OUTSIDE
            return end.end()
        if full := _FULL_LINE.search(body):
            self._part, self._column = _Part.BODY, full.start()
            return len(body)
        if self._part is _Part.HEADERS:
            self._headers += 1
            if self._headers <= _NO_MORE and (not body.strip() or _HEADER.search(body)):
                return len(body)
        # Behind the full lines comes one shorter one; when no end follows it, the block was cut off.
        if self._part is _Part.BODY and self._is_last_line(body):
            self._part = _Part.TAIL
            return len(body)
        if self._part in (_Part.BODY, _Part.TAIL) and _CHECKSUM.search(body):
            self._part = _Part.TAIL
            return len(body)
        self._part = _Part.OUTSIDE
        return 0

    def _is_last_line(self, body: str) -> bool:
        """A rest of base64 in the column of the lines above it, or one that no word looks like."""
        match = _LAST_LINE.search(body)
        if match is None:
            return False
        rest = match["rest"]
        no_word = any(map(str.isdigit, rest)) and any(map(str.islower, rest)) and any(map(str.isupper, rest))
        return match.start() == self._column or bool(match["padding"]) or no_word


def find_key_blocks(text: str, blocks: KeyBlocks | None = None) -> Iterator[Interval]:
    """Every part of a text that belongs to a private key. ``blocks`` carries over from the text before it."""
    blocks = blocks or KeyBlocks()
    at = 0
    if not blocks.inside:
        begin = _BEGIN.search(text) if _BEGIN_MARK in text else None
        if begin is None:
            return
        at = text.rfind("\n", 0, begin.start()) + 1
    for line in text[at:].split("\n"):
        for start, end in blocks.hidden(line):
            yield at + start, at + end
        at += len(line) + 1
