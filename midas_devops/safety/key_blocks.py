"""Private key blocks: on one line, over many, with prefixes in front of each line, or cut off."""

from __future__ import annotations

import re
from collections.abc import Iterator

from midas_devops.safety.encodings import Interval

KIND = "private_key"

_BEGIN = re.compile(r"-----BEGIN (?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)?-----")
_END = re.compile(r"-----END (?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)?-----")
_BEGIN_MARK = "PRIVATE KEY"
_SAME_LINE = re.compile(r"(?:[A-Za-z0-9+/=]|\\{1,8}[nr]|%0[AaDd]|[ \t])*")
"""What of a cut-off block may follow its begin on the same line."""
_FULL_LINE = re.compile(r"[A-Za-z0-9+/=]{40,}(?:\\{1,8}[nr])*[\"'`\s,;+\\]*\Z")
_HEADER = re.compile(r"(?:Proc-Type|DEK-Info|Version|Comment|Charset|Hash): ")
_LAST_LINE = re.compile(r"(?:^|[\s|>\]:'\"])[A-Za-z0-9+/]{1,76}={0,2}(?:\\{1,8}[nr])*[\"'`\s,;+\\]*\Z")
_NO_MORE = 4
"""Blank and header lines in a row that may stand between the begin and the first line of the key."""


class KeyBlocks:
    """Follows private key blocks from line to line; feed it each line once, in order."""

    def __init__(self) -> None:
        self.inside = False
        self._full_line_seen = False
        self._headers = 0

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
                self.inside, self._full_line_seen, self._headers = True, False, 0
            found.append((begin.start(), start))
        return found

    def _continued(self, body: str) -> int:
        """How much of this line still is the block that began on an earlier one."""
        end = _END.search(body)
        if end:
            self.inside = False
            return end.end()
        if _FULL_LINE.search(body):
            self._full_line_seen = True
            return len(body)
        if not self._full_line_seen:
            self._headers += 1
            if self._headers <= _NO_MORE and (not body.strip() or _HEADER.search(body)):
                return len(body)
            self.inside = False
            return 0
        # Behind the full lines comes one shorter one; if no end follows it, the block was cut off.
        self.inside = False
        return len(body) if _LAST_LINE.search(body) else 0


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
