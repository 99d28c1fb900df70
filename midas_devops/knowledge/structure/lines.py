# ruff: noqa: E501 (the patterns are the data)
"""A log as lines, in flat memory: any size, any line length, most encodings."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from midas_devops.context.reading import compression
from midas_devops.context.screen import Screen
from midas_devops.context.signals import SUSPICIOUS, clean, unmarked

_PIECE = 64 * 1024
_HEAD = 400
_AROUND = 180
_EXCERPTS = 6
_TEXT_LIMIT = 4000
_SNIFF = 8192
_TEXT_CONTROLS = frozenset(b"\t\n\v\f\r\x1b\x1c\x1d\x1e\x1f")
_SPACE = 32
_TOO_SHORT = 16

# What readers need besides the words of failure: marks of steps, sections of reports, ends of jobs.
_MARKS = (
    rb"##\[|\[Pipeline\]|section_start|={5}|_{4}|^-{4,}|uccess|SUCCESS|[Ff]inished|Post job|leaning up|pply complete"
    rb"|roubleshoot|goroutine|^\s+at |Caused by|Traceback|--- |olled out|passed|\* What|^TASK|\.\.\.ignoring|epilogue"
    rb"|direct cause|nother exception|^not ok|@level|otFound|aised|\+\+ |oo many|etry|[Ss]orry|omplete"
    rb"|nother [Oo]p|AnotherOp|isallowed|o such host|o route to|gave HTTP|o matching|ot accessible|o runner|go\.(?:mod|sum)"
    rb"|nconsistent|requires go|import path was|private repo|DISABLED|EXHAUSTED|seem to be|o solution|xternally|repeated too"
    rb"|: line \d|nbound|yntax|o installation|does not have|issue\(s\)|:\d+ [A-Z]{1,4}\d{2,4}|no longer|prevent_destroy|: EOF|unexpected EOF|^>> Issue|^Diff in |^rspec |broken\.|n't (?:match|exist)|not satisfy|not created|entinel|OT_FOUND"
)
_LONG_LOOK = re.compile(rb"rror\b|RROR|ailed|ailure|xception|atal|enied|anic:|imed out|illed")
"""What a very long line is searched for, where the whole list would take minutes."""
FIRST_LOOK = re.compile(SUSPICIOUS.pattern + b"|" + _MARKS, re.MULTILINE)
"""The first look at a raw line: the words of failure, the marks of structure, and what the catalogue adds."""
_PLAIN_LOOK = re.compile(
    rb"ERROR|FATAL|FAIL|SEVERE|CRITICAL|rror:|rror\[|xception:|atal:|anic:|raceback|Caused by|enied|imed out|illed|space left|emory"
    rb"|refused|##\[|\[Pipeline\]|section_|\*\*\* |build stopped|xit(?:ed)? (?:code|status|with)|rror Command|ailed to (?:solve|build)"
    rb"|uccess|SUCCE|inished|omplete|passed|Post job|leaning up|epilogue|teardown|cleanup|\xe2\x94|@level"
)
_PLAIN_SCREEN = Screen([_PLAIN_LOOK.pattern.decode("latin-1")], unscreened=0)
_FIRST_SCREEN = Screen([FIRST_LOOK.pattern.decode("latin-1")], unscreened=0)

_SHOWN = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_=>()][0-9A-B]?)")
_SCRIPT_COLOUR = "\x1b[36;1m"


@dataclass(frozen=True, slots=True)
class Line:
    """One line, seen three ways."""

    no: int
    raw: str
    """What a span quotes: everything but terminal control sequences."""
    marked: str
    """Without the timestamp, with the platform's mark (``##[error]``)."""
    text: str
    """The tool's own words: no timestamp, no mark, no carrier's prefix."""
    mark: str = ""
    echoed: bool = False
    """True when the line is a script being listed, not something that happened."""


def first_look(data: bytes) -> bool:
    """Whether :data:`FIRST_LOOK` finds something in one raw line."""
    # As Latin-1 each byte is a character; only for those beyond ASCII is the screen wider than what it stands for.
    return _FIRST_SCREEN.passes(data.decode("latin-1")) and (
        data.isascii() or FIRST_LOOK.search(data) is not None
    )


def plain_look(data: bytes) -> bool:
    """Whether a raw line states a failure, or marks a place in the job, in the plainest words."""
    return _PLAIN_SCREEN.passes(data.decode("latin-1"))


def line_of(number: int, data: bytes) -> Line:
    """Decode one line. Undecodable bytes become U+FFFD; a long line is cut, and says so."""
    decoded = _shortened(data).decode("utf-8", "replace").rstrip("\n").rstrip("\r")
    raw = _SHOWN.sub("", decoded) if "\x1b" in decoded else decoded
    raw = raw.replace("\x00", "").removeprefix("\ufeff")
    marked = clean(raw)
    mark, text = unmarked(marked)
    return Line(number, raw, marked, text, mark, _SCRIPT_COLOUR in decoded[:80])


def _shortened(data: bytes) -> bytes:
    """A long line's head, and the surroundings of what matters in it."""
    if len(data) <= _TEXT_LIMIT:
        return data
    parts, end = [data[:_HEAD]], _HEAD
    for hit in _LONG_LOOK.finditer(data, _HEAD):
        if len(parts) > _EXCERPTS:
            break
        if hit.start() < end:
            continue
        start = max(end, hit.start() - _AROUND)
        end = hit.end() + _AROUND
        parts.append(data[start:end])
    mark = f" […{len(data) - sum(map(len, parts))} bytes cut] ".encode()
    return mark.join(parts) if len(parts) > 1 else parts[0] + mark


def is_binary(head: bytes) -> bool:
    """Whether the first bytes of a file are no text in UTF-8, Latin-1 or UTF-16."""
    if compression(head):
        return True
    if not head or head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or _looks_utf16(head):
        return False
    controls = sum(1 for byte in head if byte not in _TEXT_CONTROLS and byte < _SPACE)
    return controls > len(head) * 0.05


def _looks_utf16(head: bytes) -> str:
    """``utf-16-le``/``-be`` for text in UTF-16 without a mark, else empty."""
    if len(head) < _TOO_SHORT:
        return ""
    odd, even = head[1::2].count(0), head[0::2].count(0)
    half = len(head) / 2
    if odd > half * 0.7 and even < half * 0.1:
        return "utf-16-le"
    if even > half * 0.7 and odd < half * 0.1:
        return "utf-16-be"
    return ""


def file_head(path: Path) -> bytes:
    """The first bytes, for :func:`is_binary`."""
    with path.open("rb") as stream:
        return stream.read(_SNIFF)


def lines_of_file(path: Path) -> Iterator[bytes]:
    """Lines as UTF-8 without holding more than one piece of a long one. Raises ``OSError``."""
    head = file_head(path)
    encoding = ""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    elif guess := _looks_utf16(head):
        encoding = guess
    with path.open("rb") as stream:
        if not encoding:
            yield from _joined(iter(lambda: stream.readline(_PIECE), b""))
            return
        with io.TextIOWrapper(stream, encoding=encoding, errors="replace", newline="\n") as text:
            pieces = (piece.encode() for piece in iter(lambda: text.readline(_PIECE), ""))
            yield from _joined(pieces)


def lines_of_text(lines: Iterable[str]) -> Iterator[bytes]:
    """Lines given as text, with or without their ``\\n``. A text with inner ``\\n`` counts as several lines."""
    for given in lines:
        body = given.removesuffix("\n")
        for part in body.split("\n"):
            data = part.encode("utf-8", "replace")
            pieces = [data[at : at + _PIECE] for at in range(0, len(data), _PIECE)] or [b""]
            pieces[-1] += b"\n"
            yield from _joined(iter(pieces))


def _joined(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Whole lines from pieces. Of a line of many pieces: its head, and the surroundings of what matters in it."""
    for piece in pieces:
        if piece.endswith(b"\n") or len(piece) < _PIECE:
            yield piece
            continue
        kept, excerpts, cut = [piece[:_HEAD]], 0, len(piece) - _HEAD
        overlap = piece[-_AROUND:]
        for further in pieces:
            window = overlap + further
            if excerpts < _EXCERPTS and (hit := _LONG_LOOK.search(window)):
                start = max(0, hit.start() - _AROUND)
                kept.append(window[start : hit.end() + _AROUND].strip())
                excerpts += 1
            cut += len(further)
            overlap = further[-_AROUND:]
            if further.endswith(b"\n") or len(further) < _PIECE:
                break
        mark = f" […{cut} bytes cut] ".encode()
        yield mark.join(kept)
