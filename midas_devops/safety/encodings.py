"""Every way in which we, or a tool we run, would write a known secret down."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from functools import cached_property
from urllib.parse import quote

Interval = tuple[int, int]

_PLAIN_RUN = re.compile(r"[A-Za-z0-9]+")
_BASE64 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_")
_WRAPPED_AT = 76
"""Columns at which the base64 tool and MIME break lines."""
_LAST_OF_ONE_UNIT = 0xFFFF
_LAST_OF_ONE_BYTE = 0xFF
_SHORT_ESCAPES = {"\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f", "\v": "v", "\a": "a"}
_NAMED = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos"}


class KnownValue:
    """One secret value, and how to find it: as it is, escaped character by character, or inside base64."""

    def __init__(self, value: str, kind: str) -> None:
        self.value = value
        self.kind = kind
        runs = _PLAIN_RUN.findall(value)
        self._anchor = max(runs, key=len, default="")
        self._plain = self._anchor == value
        self._in_base64 = _base64_needles(value)

    @property
    def needles(self) -> tuple[str, ...]:
        """A text that holds none of these does not hold the value. Cheap to look for."""
        return (self._anchor, *self._in_base64)

    def find(self, text: str) -> Iterator[Interval]:
        """Where the value stands in the text, in any encoding. Intervals may overlap."""
        yield from _occurrences(self.value, text)
        # Only characters that an encoding changes need the slow pattern, and only beside what none changes.
        if not self._plain and self._anchor in text:
            for match in self._escaped.finditer(text):
                yield match.span()
        for needle in self._in_base64:
            for start, end in _occurrences(needle, text):
                yield _whole_base64(text, start, end)

    @cached_property
    def _escaped(self) -> re.Pattern[str]:
        """The value, each character raw or escaped for JSON, Python, a URL or HTML, even several times."""
        return re.compile("".join(map(_any_form, self.value)))


def _occurrences(needle: str, text: str) -> Iterator[Interval]:
    at = text.find(needle)
    while at >= 0:
        yield at, at + len(needle)
        at = text.find(needle, at + 1)


def _any_form(character: str) -> str:
    """A pattern for one character as it stands, or as any of our writers would escape it."""
    if _PLAIN_RUN.fullmatch(character):
        return re.escape(character)
    code = ord(character)
    forms = [r"\\{0,64}" + re.escape(character)]
    data = _utf8(character)
    forms.append("(?i:" + "".join(f"%{byte:02x}" for byte in data) + ")")
    forms.append("(?i:" + "".join(rf"\\{{1,64}}x{byte:02x}" for byte in data) + ")")
    forms.append(f"(?i:&(?:amp;)?#(?:0*{code}|x0*{code:x});)")
    if character in _NAMED:
        forms.append(f"&(?:amp;)?{_NAMED[character]};")
    units = character.encode("utf-16-be", "surrogatepass").hex()
    forms.append(
        "(?i:" + "".join(rf"\\{{1,64}}u{units[at : at + 4]}" for at in range(0, len(units), 4)) + ")"
    )
    if code > _LAST_OF_ONE_UNIT:
        forms.append(rf"(?i:\\{{1,64}}U{code:08x})")
    if code <= _LAST_OF_ONE_BYTE:
        forms.append(rf"(?i:\\{{1,64}}x{code:02x})")
    if character in _SHORT_ESCAPES:
        forms.append(r"\\{1,64}" + _SHORT_ESCAPES[character])
    if character == "\\":
        forms.append(r"\\{2,64}")
    if character == " ":
        forms.append(r"\+")
    if character == "\n":
        # Logs and heredocs indent the lines of a value, or write it with the line ends of another system.
        forms.append(r"(?:\r|\\{1,64}r)?(?:\n|\\{1,64}n)[ \t]*")
    return "(?:" + "|".join(forms) + ")"


def _utf8(text: str) -> bytes:
    """The bytes of a text; of one that came from an environment that is no UTF-8, the bytes it came from."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _base64_needles(value: str) -> tuple[str, ...]:
    """What of the value's base64 does not depend on what stands before and after it, per alignment."""
    data = _utf8(value)
    needles: dict[str, None] = {}
    for offset in range(3):
        text = base64.b64encode(b"\0" * offset + data).decode()
        # A base64 digit is 6 bits; keep the digits all of whose bits are ours.
        first, last = -(-8 * offset // 6), 8 * (offset + len(data)) // 6
        kept = text[first:last]
        needles[kept] = None
        if offset == 0:
            whole_lines = range(0, len(kept) - _WRAPPED_AT + 1, _WRAPPED_AT)
            needles.update(dict.fromkeys(kept[at : at + _WRAPPED_AT] for at in whole_lines))
    urlsafe = [needle.translate(str.maketrans("+/", "-_")) for needle in needles]
    escaped = [quote(needle, safe="") for needle in needles]
    return tuple(dict.fromkeys([*needles, *urlsafe, *escaped]))


def _whole_base64(text: str, start: int, end: int) -> Interval:
    """Take the digits along that hold the value's first and last bits, and the padding."""
    for _ in range(2):
        if start > 0 and text[start - 1] in _BASE64:
            start -= 1
    for _ in range(2):
        if end < len(text) and text[end] in _BASE64:
            end += 1
    while end < len(text) and text[end] == "=":
        end += 1
    return start, end
