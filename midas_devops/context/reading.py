"""A log as blocks of lines: any encoding, any line length, flat memory.

Lines end at ``\\n`` only and are numbered from 1. A line over ``SEGMENT`` bytes, or one that a progress bar
rewrote, arrives in pieces with the same number, so that one line of 50 MB costs no more than 50 MB of lines.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, Final

BLOCK: Final = 1 << 20
SEGMENT: Final = 4096
_SOFT: Final = 512
"""Bytes at the end of a segment in which a natural place to cut is looked for."""
_BREAKS: Final = (b"\\n", b'","', b"},", b"\r", b" ", b",")
_KEY_HEAD: Final = b"PRIVATE KEY-----"
_MASK: Final = b"[redacted:private-key]"
_BOMS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_COMPRESSED: Final = (
    (b"\x1f\x8b", "gzip"),
    (b"PK\x03\x04", "zip"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
)
_STRAY: Final = {0xDC00 + byte: byte for byte in range(0x80, 0x100)}
CUT_BEFORE: Final = 1
CUT_AFTER: Final = 2


@dataclass(slots=True)
class Block:
    """Some raw lines. ``numbers`` and ``cuts`` (index → ``CUT_*``) are set where a line is in pieces."""

    lines: list[bytes]
    first: int
    """Number of the first line."""
    numbers: list[int] | None = None
    cuts: dict[int, int] = field(default_factory=dict)


def compression(head: bytes) -> str:
    """The tool that packed a file, by its first bytes; empty for none."""
    return next((tool for mark, tool in _COMPRESSED if head.startswith(mark)), "")


def wide_encoding(head: bytes) -> str:
    """The name of a two- or four-byte encoding, by its mark or by where the zero bytes stand; else empty."""
    for bom, name in _BOMS:
        if head.startswith(bom):
            return name
    sample = head[: len(head) // 2 * 2]
    zeros_even, zeros_odd = sample[::2].count(0), sample[1::2].count(0)
    half = len(sample) // 2
    # ASCII in UTF-16 has a zero in almost every pair and, in the other place, almost none
    if half >= 4 and zeros_odd > 0.8 * half and zeros_even < 0.05 * half:  # noqa: PLR2004
        return "utf-16-le"
    if half >= 4 and zeros_even > 0.8 * half and zeros_odd < 0.05 * half:  # noqa: PLR2004
        return "utf-16-be"
    return ""


def decode(raw: bytes) -> str:
    """UTF-8; bytes that are none as Latin-1: every byte stays visible, and a piece reads as the whole."""
    return raw.decode("utf-8", "surrogateescape").translate(_STRAY)


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    """The stream as UTF-8 (or whatever one-byte encoding it is in)."""
    head = stream.read(SEGMENT)
    wide = wide_encoding(head)
    if not wide:
        yield head
        while chunk := stream.read(BLOCK):
            yield chunk
        return
    decoder = codecs.getincrementaldecoder(wide)(errors="replace")
    yield decoder.decode(head).encode("utf-8", errors="replace")
    while chunk := stream.read(BLOCK):
        yield decoder.decode(chunk).encode("utf-8", errors="replace")
    yield decoder.decode(b"", final=True).encode("utf-8", errors="replace")


def blocks(stream: BinaryIO, *, mask_keys: bool = False) -> Iterator[Block]:
    """Read a stream once. ``mask_keys`` hides the bodies of private keys, which no later cut may reveal."""
    carry, number, in_line, in_key = b"", 1, False, False
    for chunk in _chunks(stream):
        data = carry + chunk
        end = data.rfind(b"\n")
        if end < 0 and len(data) < BLOCK:
            carry = data
            continue
        # no line end in sight: all but the last bytes, which may hold a natural cut, go out as segments
        body, carry = (data[:end], data[end + 1 :]) if end >= 0 else (data[:-_SOFT], data[-_SOFT:])
        block = _block(body, number, in_line, end < 0)
        if mask_keys and (in_key or _KEY_HEAD in body):
            in_key = _mask(block, in_key)
        yield block
        in_line = end < 0
        number += body.count(b"\n") + (1 if end >= 0 else 0)
    if carry or in_line:
        block = _block(carry, number, in_line, False)
        if mask_keys:
            _mask(block, in_key)
        yield block


def _block(body: bytes, number: int, cut_before: bool, cut_after: bool) -> Block:
    rewritten = b"\r" in body
    if rewritten:
        body = body.replace(b"\r\n", b"\n").rstrip(b"\r")
        rewritten = b"\r" in body
    lines = body.split(b"\n")
    block = Block(lines, number)
    if not (cut_before or cut_after or rewritten) and max(map(len, lines)) <= SEGMENT:
        return block
    pieces: list[bytes] = []
    numbers: list[int] = []
    for offset, line in enumerate(lines):
        begins = cut_before and offset == 0
        ends = cut_after and offset == len(lines) - 1
        states = [s for s in line.split(b"\r") if s] or [b""] if rewritten and b"\r" in line else [line]
        parts = [part for state in states for part in (segments(state) if len(state) > SEGMENT else [state])]
        for position, part in enumerate(parts):
            flags = CUT_BEFORE if begins or position else 0
            flags |= CUT_AFTER if ends or position < len(parts) - 1 else 0
            if flags and len(states) == 1:
                block.cuts[len(pieces)] = flags
            pieces.append(part)
            numbers.append(number + offset)
    block.lines, block.numbers = pieces, numbers
    return block


def segments(line: bytes) -> list[bytes]:
    """A long line in pieces of at most ``SEGMENT`` bytes, cut where a reader would cut."""
    parts = []
    start = 0
    while len(line) - start > SEGMENT:
        end = start + SEGMENT
        soft = end - _SOFT
        for mark in _BREAKS:
            at = line.rfind(mark, soft, end)
            if at >= 0:
                end = at + len(mark)
                break
        else:
            while end > soft and line[end] & 0xC0 == 0x80:  # noqa: PLR2004 - inside a UTF-8 character
                end -= 1
        parts.append(line[start:end])
        start = end
    parts.append(line[start:])
    return parts


def _mask(block: Block, in_key: bool) -> bool:
    for index, line in enumerate(block.lines):
        if in_key:
            if b"-----END" in line:
                in_key = False
            elif line.strip():
                block.lines[index] = _MASK
        elif b"-----BEGIN" in line and _KEY_HEAD in line and b"-----END" not in line:
            in_key = True
    return in_key
