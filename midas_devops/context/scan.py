"""One pass over a log: which shapes of lines it has, and where something went wrong.

A shape is a line without its digits and hexadecimal letters. Whether a line matters is judged once per shape,
so that a repeated line costs one look into a dictionary. What is kept is bounded, whatever the log's size.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from midas_devops.context.reading import CUT_AFTER, SEGMENT, Block, decode
from midas_devops.context.signals import ERROR, HINT, SILENT, Signal, signal_of, suspicious

REACH: Final = 14
"""Lines of context remembered before and after an event."""
MAX_SHAPES: Final = 40_000
MAX_EVENTS: Final = 6000
MAX_PER_SHAPE: Final = 1200
MAX_WEAK_PER_SHAPE: Final = 24
EARLY_WINDOWS: Final = 300
LATE_EVENTS: Final = 24
LINE_BYTES: Final = 1200
"""Longest line remembered as context."""

_FOLDED: Final = b"0123456789abcdefABCDEF"
_DIGIT: Final = re.compile(rb"(?<![\d:.T-])\d")
_REQUEST: Final = re.compile(rb"HTTP|GET /|POST /|PUT /|DELETE /|PATCH /")
# numbers that make one shape mean different things: nothing failed, HTTP statuses, signals, time limits
_ANY_TELLING: Final = re.compile(rb"(?<![\w.:/#-])(?:0|[45]\d\d|12[4-9]|1[34]\d)(?![\w.:])")
# with the character before it: 404 in "took 404 ms" is another number than in "status=404"
_TELLING: Final = re.compile(rb"(?:^|[^\w.:/#-])(?:0|[45]\d\d|12[4-9]|1[34]\d)(?![\w.:])")
_NUMBER: Final = re.compile(r"(?<![\w.:])\d+(?![\w.:])")
_PLAIN: Final = re.compile(
    rb"ERROR|FATAL|FAILED|FAIL:|rror: |rror\[|xception: |fatal: |panic: |raceback|Caused by|denied|timed out"
    rb"|_{3,} "
)
TRIALS: Final = 16
"""Lines after which it is decided whether a shape's numbers matter."""
FREE_JUDGEMENTS: Final = 20_000
SAMPLE: Final = 32

SMALL: Final = 128_000
"""Bytes of a log that is remembered as a whole."""


class Line(NamedTuple):
    """One line, or a piece of a long one."""

    order: int
    """Position among all lines and pieces; the neighbours of a line are at ``order`` ± 1."""
    number: int
    raw: bytes
    cuts: int
    """``CUT_*`` flags."""


@dataclass(slots=True)
class Shape:
    """Lines that differ in digits only."""

    example: bytes
    first: int
    signal: Signal
    telling: bool
    """Whether its numbers decide what it means; then each combination is a shape of its own."""
    count: int = 0
    last: int = 0
    kept: int = 0
    """Events stored."""
    loud: bool = False
    strong: bool = False

    tried: int = 0
    """Lines whose numbers were looked at."""

    def __post_init__(self) -> None:
        self.judge(self.signal)

    def judge(self, signal: Signal) -> None:
        self.signal = signal
        self.loud = signal.strength >= HINT
        self.strong = signal.strength >= ERROR or signal.is_wrapper


@dataclass(slots=True)
class Event:
    """A line that says something about a failure, with the lines around it."""

    line: Line
    signal: Signal
    shape: Shape
    before: list[Line] = field(default_factory=list)
    after: list[Line] = field(default_factory=list)


@dataclass(slots=True)
class Survey:
    """What one pass found."""

    lines_total: int
    bytes_total: int
    shapes: list[Shape]
    events: list[Event]
    """By line number. First ones of every shape, and the last ones of the log."""
    head: list[Line]
    tail: list[Line]
    whole: list[Line]
    """Every line of a small log; else empty."""
    forgotten_shapes: int = 0
    """Shapes that were seen once and dropped to keep memory flat."""


def survey(blocks: Iterable[Block]) -> Survey:
    """Read every block once."""
    scan = _Scan()
    for block in blocks:
        scan.feed(block)
    return scan.finish()


class _Scan:
    def __init__(self) -> None:
        self.shapes: dict[bytes, Shape] = {}
        self.events: list[Event] = []
        self.late: deque[Event] = deque(maxlen=LATE_EVENTS)
        self.lines: list[bytes] = []
        self.keys: list[bytes] = []
        self.numbers: list[int] = []
        self.cuts: dict[int, int] = {}
        self.done = 0
        self.head: list[Line] = []
        self.whole: list[Line] = []
        self.passed = 0
        self.judged = 0
        self.lines_total = 0
        self.bytes_total = 0
        self.forgotten = 0

    def feed(self, block: Block) -> None:
        text = b"\n".join(block.lines)
        self.bytes_total += len(text) + 1
        keys = text.translate(None, _FOLDED).split(b"\n")
        numbers = block.numbers or range(block.first, block.first + len(block.lines))
        self.lines_total = numbers[-1]
        # lines already looked at stay as context, those near the end wait for theirs
        keep = max(0, self.done - REACH)
        offset = len(self.lines) - keep
        self.passed += keep
        self.cuts = {i - keep: flags for i, flags in self.cuts.items() if i >= keep}
        self.cuts.update({i + offset: flags for i, flags in block.cuts.items()})
        self.lines = self.lines[keep:] + block.lines
        self.keys = self.keys[keep:] + keys
        self.numbers = self.numbers[keep:] + list(numbers)
        if self.passed == 0 and len(self.head) < REACH:
            self.head = [self._line(i) for i in range(min(REACH, len(self.lines)))]
        if self.bytes_total > SMALL:
            self.whole = []
        else:
            self.whole.extend(self._line(i) for i in range(offset, len(self.lines)))
        self._look(self.done - keep, len(self.lines) - REACH)

    def finish(self) -> Survey:
        self._look(self.done, len(self.lines))
        tail = [self._line(i) for i in range(max(0, len(self.lines) - REACH), len(self.lines))]
        merged = {event.line.order: event for event in (*self.events, *self.late)}
        shapes = [shape for shape in self.shapes.values() if not shape.telling or shape.count]
        return Survey(
            lines_total=self.lines_total,
            bytes_total=self.bytes_total,
            shapes=shapes,
            events=[merged[order] for order in sorted(merged)],
            head=self.head,
            tail=tail,
            whole=self.whole,
            forgotten_shapes=self.forgotten,
        )

    def _look(self, start: int, stop: int) -> None:
        """Judge the lines ``start`` to ``stop``. The innermost loop: everything rare is elsewhere."""
        self.done = start
        if stop <= start:
            return
        get = self.shapes.get
        numbers = self.numbers
        lines = self.lines
        hot: list[tuple[int, Shape]] = []
        for i, key in enumerate(self.keys[start:stop], start):
            shape = get(key)
            if shape is None:
                shape = self._new_shape(key, lines[i], numbers[i])
            if shape.telling:
                shape = self._variant(key, shape, lines[i], numbers[i])
            shape.count += 1
            shape.last = numbers[i]
            if shape.loud:
                hot.append((i, shape))
        self.done = stop
        self._remember(hot)
        if len(self.shapes) > MAX_SHAPES:
            self._forget()

    def _remember(self, hot: list[tuple[int, Shape]]) -> None:
        """Store the first events of each shape, and the last ones of the log with their surroundings."""
        last = len(hot) - LATE_EVENTS
        for position, (i, shape) in enumerate(hot):
            room = shape.kept < (MAX_PER_SHAPE if shape.strong else MAX_WEAK_PER_SHAPE)
            room = room and len(self.events) < MAX_EVENTS
            late = position >= last
            if not (room or late):
                continue
            event = Event(self._line(i, SEGMENT), shape.signal, shape)
            if late or shape.kept == 0 or len(self.events) < EARLY_WINDOWS:
                event.before = [self._line(j) for j in range(max(0, i - REACH), i)]
                event.after = [self._line(j) for j in range(i + 1, min(len(self.lines), i + 1 + REACH))]
            if room:
                shape.kept += 1
                self.events.append(event)
            if late:
                self.late.append(event)

    def _new_shape(self, key: bytes, line: bytes, number: int) -> Shape:
        speaks = suspicious(line) and self._worth_judging(line)
        telling = (speaks or _REQUEST.search(line) is not None) and _DIGIT.search(line) is not None
        signal = signal_of(decode(line)) if speaks and not telling else SILENT
        shape = self.shapes[key] = Shape(line, number, signal, telling)
        return shape

    def _worth_judging(self, line: bytes) -> bool:
        """Where hardly two lines are alike, only the plainest are judged, and in the end a sample of them."""
        self.judged += 1
        allowed = FREE_JUDGEMENTS + self.numbers[-1] // 50
        if self.judged <= allowed:
            return True
        return _PLAIN.search(line) is not None and (self.judged <= 2 * allowed or self.judged % SAMPLE == 0)

    def _variant(self, key: bytes, base: Shape, line: bytes, number: int) -> Shape:
        """The shape of a line whose numbers may matter, until it is clear that for this shape they do not."""
        base.tried += 1
        if base.tried == TRIALS and not numbers_matter(decode(line)):
            base.telling = False
            base.judge(signal_of(decode(line)))
            return base
        numbers = _ANY_TELLING.findall(line)
        if numbers and max(map(len, numbers)) > 1:
            numbers = _TELLING.findall(line)
        key += b"\n" + b" ".join(numbers)
        variant = self.shapes.get(key)
        if variant is None:
            variant = self.shapes[key] = Shape(line, number, signal_of(decode(line)), telling=False)
        return variant

    def _line(self, i: int, longest: int = LINE_BYTES) -> Line:
        raw, flags = self.lines[i], self.cuts.get(i, 0)
        if len(raw) > longest:
            raw, flags = shorten(raw), flags | CUT_AFTER
        return Line(self.passed + i, self.numbers[i], raw, flags)

    def _forget(self) -> None:
        """Drop the silent shapes that were seen once; when that is not enough, more of the silent ones."""
        kept = {key: s for key, s in self.shapes.items() if s.count > 1 or s.telling or s.strong}
        if len(kept) > MAX_SHAPES * 3 // 4:
            ranked = sorted(kept.items(), key=lambda item: (item[1].strong, item[1].count))
            kept = dict(ranked[len(kept) - MAX_SHAPES // 2 :])
        self.forgotten += len(self.shapes) - len(kept)
        self.shapes = kept


def numbers_matter(text: str) -> bool:
    """Whether the judgement of a line depends on its numbers: ``0 errors`` and ``3 errors``, 200 and 503."""
    return len({signal_of(_NUMBER.sub(number, text)) for number in ("0", "7", "137", "200", "503")}) > 1


def shorten(raw: bytes) -> bytes:
    """At most ``LINE_BYTES``, without the word at the cut: half a secret is not recognised as one."""
    head = raw[:LINE_BYTES]
    at = max(head.rfind(mark) for mark in (b" ", b'"', b",", b"\t", b"'"))
    return head[:at] if at > LINE_BYTES // 2 else head
